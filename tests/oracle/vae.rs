//! Autoencoders of the true widths against Diffusers.

use hardlight::diffusion::config::VaeConfig;
use hardlight::diffusion::vae::Vae;
use hardlight::nn::params::{Params, load_all};
use tch::{Device, Kind};

use crate::rows::{Row, case, name};

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let _guard = tch::no_grad_guard();
    let dir = case();
    let config = VaeConfig::read(&dir.join("config.json")).unwrap();
    let want = load_all(&dir.join("expected.safetensors")).unwrap();
    let path = dir.join("diffusion_pytorch_model.safetensors");
    let params = Params::open(&path, Kind::Float, Device::Cpu).unwrap();
    let vae = Vae::new(&params.root(), &config);
    params.finish().unwrap();
    let (mean, logvar) = vae.encode(&want["pixels"]);
    let decoded = vae.decode(&want["latents"]);
    for (what, got) in [("mean", mean), ("logvar", logvar), ("decoded", decoded)] {
        let row = Row {
            component: "VAE",
            configuration: &format!("{}, {what}", name()),
            dtype: "fp32",
        };
        row.relative(&got, &want[what], 1e-4);
    }
}
