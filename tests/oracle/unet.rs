//! `UNet2DConditionModel` at the true widths against Diffusers.

use hardlight::diffusion::config::UnetConfig;
use hardlight::diffusion::unet::{Conditions, Unet};
use hardlight::nn::params::{Params, load_all, weights};
use tch::{Device, Kind};

use crate::rows::{Row, case, name};

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let _guard = tch::no_grad_guard();
    let dir = case();
    let config = UnetConfig::read(&dir.join("config.json")).unwrap();
    let want = load_all(&dir.join("expected.safetensors")).unwrap();
    let found = weights::find(&dir, "diffusion_pytorch_model", None, Kind::Float).unwrap();
    let params = Params::open(&found.path, Kind::Float, Device::Cpu).unwrap();
    let unet = Unet::new(&params.root(), &config);
    params.finish().unwrap();
    let conditions = Conditions {
        context: &want["context"],
        text_time: want.get("pooled").zip(want.get("sizes")),
        class: want.get("class"),
        guidance: want.get("guidance").map(|scale| scale.double_value(&[0])),
    };
    let noise = unet.forward(&want["latents"], &want["timesteps"], conditions);
    let row = Row {
        component: "UNet",
        configuration: &name(),
        dtype: "fp32",
    };
    row.relative(&noise, &want["noise"], 1e-4);
}
