//! Half precision against float32, on the golden weights and inputs.

use hardlight::diffusion::config::{UnetConfig, VaeConfig};
use hardlight::diffusion::unet::Unet;
use hardlight::diffusion::vae::Vae;
use hardlight::nn::clip::config::ClipConfig;
use hardlight::nn::clip::model::Clip;
use tch::{Kind, Tensor};

use super::{WEIGHTS, apart, expected, golden, open};

/// Unit roundoffs by which an output may be off, relative to its largest entry. A residual stream is
/// rounded some 50 times on the way here; were the errors independent, √50 ≈ 7 of them would show at
/// the typical entry, and about twice that at the worst one.
const ROUNDINGS: f64 = 16.0;

/// The element types, and half the distance from 1 to the next larger number.
const KINDS: [(Kind, f64); 2] = [(Kind::BFloat16, 1.0 / 256.0), (Kind::Half, 1.0 / 2048.0)];

/// Compares what `run` gives in every half precision with what it gives in float32.
fn assert_near_float32(name: &str, run: impl Fn(Kind) -> Vec<Tensor>) {
    let _guard = tch::no_grad_guard();
    let exact = run(Kind::Float);
    for (kind, roundoff) in KINDS {
        for (half, exact) in run(kind).iter().zip(&exact) {
            assert_eq!(half.kind(), kind, "{name}");
            let apart = apart(half, exact);
            let allowed = ROUNDINGS * roundoff;
            assert!(
                apart <= allowed,
                "{name}, {kind:?}: {apart:.2e} apart, {allowed:.2e} allowed"
            );
            // An output that float32 computed and half precision merely stored is off by one rounding.
            assert!(
                apart > 0.25 * roundoff,
                "{name}: {kind:?} is suspiciously exact, {apart:.2e}"
            );
        }
    }
}

#[test]
fn clip_in_half_precision_stays_near_float32() {
    for name in ["clip/quick_gelu", "clip/gelu"] {
        let folder = golden(name);
        let config = std::fs::read(folder.join("config.json")).unwrap();
        let config: ClipConfig = serde_json::from_slice(&config).unwrap();
        let inputs = expected(name);
        assert_near_float32(name, |kind| {
            let path = folder.join("model.safetensors");
            let clip = open(&path, kind, |scope| Clip::new(scope, &config));
            vec![
                clip.embed_text(&inputs["ids"].to_kind(Kind::Int64)),
                clip.embed_images(&inputs["pixels"].to_kind(kind)),
            ]
        });
    }
}

#[test]
fn vae_in_half_precision_stays_near_float32() {
    for name in ["vae/sd", "vae/plain"] {
        let folder = golden(name);
        let config = VaeConfig::read(&folder.join("config.json")).unwrap();
        let inputs = expected(name);
        assert_near_float32(name, |kind| {
            let vae = open(&folder.join(WEIGHTS), kind, |scope| {
                Vae::new(scope, &config)
            });
            let (mean, _) = vae.encode(&inputs["pixels"].to_kind(kind));
            vec![mean, vae.decode(&inputs["latents"].to_kind(kind))]
        });
    }
}

#[test]
fn unet_in_half_precision_stays_near_float32() {
    for name in ["unet/sd1", "unet/sd2"] {
        let folder = golden(name);
        let config = UnetConfig::read(&folder.join("config.json")).unwrap();
        let inputs = expected(name);
        assert_near_float32(name, |kind| {
            let unet = open(&folder.join(WEIGHTS), kind, |scope| {
                Unet::new(scope, &config)
            });
            let (latents, context) = (
                inputs["latents"].to_kind(kind),
                inputs["context"].to_kind(kind),
            );
            vec![unet.forward(&latents, &inputs["timesteps"], &context)]
        });
    }
}
