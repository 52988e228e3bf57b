//! Against Diffusers in Python.

use hardlight::diffusion::config::{UnetConfig, VaeConfig};
use hardlight::diffusion::unet::{Conditions, Unet};
use hardlight::diffusion::vae::Vae;
use tch::{Kind, Tensor};

use super::{TOLERANCE, WEIGHTS, assert_close, expected, golden, open};

#[test]
fn vae_encodes_and_decodes_as_diffusers() {
    let _guard = tch::no_grad_guard();
    for name in ["vae/sd", "vae/plain"] {
        let folder = golden(name);
        let config = VaeConfig::read(&folder.join("config.json")).unwrap();
        let vae = open(&folder.join(WEIGHTS), Kind::Float, |scope| {
            Vae::new(scope, &config)
        });
        let want = expected(name);
        let (mean, logvar) = vae.encode(&want["pixels"]);
        assert_close(name, &mean, &want["mean"], TOLERANCE);
        // By channel: one of them is clamped at 20, far beyond the others.
        for channel in 0..config.latent_channels {
            let of = |t: &Tensor| t.select(1, channel);
            assert_close(name, &of(&logvar), &of(&want["logvar"]), TOLERANCE);
        }
        assert_close(
            name,
            &vae.decode(&want["latents"]),
            &want["decoded"],
            TOLERANCE,
        );
    }
    let clamped = expected("vae/plain")["logvar"].max().double_value(&[]);
    assert!(
        (clamped - 20.0).abs() < 1e-6,
        "the oracle shows no clamp: {clamped}"
    );
}

#[test]
fn unet_predicts_as_diffusers() {
    let _guard = tch::no_grad_guard();
    for name in ["unet/sd1", "unet/sd2", "unet/xl", "unet/unclip", "unet/lcm"] {
        let folder = golden(name);
        let config = UnetConfig::read(&folder.join("config.json")).unwrap();
        let unet = open(&folder.join(WEIGHTS), Kind::Float, |scope| {
            Unet::new(scope, &config)
        });
        let want = expected(name);
        let conditions = Conditions {
            context: &want["context"],
            text_time: want.get("pooled").zip(want.get("sizes")),
            class: want.get("class"),
            guidance: want.get("guidance").map(|scale| scale.double_value(&[0])),
        };
        let noise = unet.forward(&want["latents"], &want["timesteps"], conditions);
        assert_close(name, &noise, &want["noise"], TOLERANCE);
    }
}
