//! CUDA against the CPU: CLIP, UNet, VAE and whole pipelines, in float32 and both half precisions.
//!
//! Without a GPU every test here says so and passes. For the strict float32 bounds run with
//! `NVIDIA_TF32_OVERRIDE=0`: cuDNN otherwise multiplies float32 convolutions in `TensorFloat-32`, as
//! in Python.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests may panic, and say what they pass over"
)]

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::formula::{expected, golden};
use hardlight::diffusion::config::{UnetConfig, VaeConfig};
use hardlight::diffusion::pipeline::{ImageRequest, Outcome, Pipeline, Sampling};
use hardlight::diffusion::record::LongPrompts;
use hardlight::diffusion::unet::{Conditions, Unet};
use hardlight::diffusion::vae::Vae;
use hardlight::nn::clip::config::ClipConfig;
use hardlight::nn::clip::model::Clip;
use hardlight::nn::params::{Params, Scope};
use tch::{Cuda, Device, Kind, Tensor};

/// Unit roundoffs by which an output may be off, as in tests/library/models/precision.rs.
const ROUNDINGS: f64 = 16.0;
const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// What is computed in, and how far apart the devices may be relative to the largest number.
fn kinds() -> [(Kind, f64); 3] {
    let exact = std::env::var("NVIDIA_TF32_OVERRIDE").is_ok_and(|v| v == "0");
    // Ten bits of mantissa, as float16.
    let float = if exact { 1e-4 } else { ROUNDINGS / 2048.0 };
    [
        (Kind::Float, float),
        (Kind::Half, ROUNDINGS / 2048.0),
        (Kind::BFloat16, ROUNDINGS / 256.0),
    ]
}

fn gpu() -> Option<Device> {
    let there = Cuda::is_available();
    if !there {
        eprintln!("passed over: no CUDA device here");
    }
    there.then_some(Device::Cuda(0))
}

fn open<T>(path: &Path, kind: Kind, device: Device, build: impl FnOnce(&Scope) -> T) -> T {
    let params = Params::open(path, kind, device).unwrap();
    let network = build(&params.root());
    params.finish().unwrap();
    network
}

/// Compares what `run` gives on the GPU with what it gives in float32 on the CPU.
fn assert_as_on_cpu(name: &str, run: impl Fn(Kind, Device) -> Vec<Tensor>) {
    let Some(gpu) = gpu() else { return };
    let _guard = tch::no_grad_guard();
    let want = run(Kind::Float, Device::Cpu);
    for (kind, allowed) in kinds() {
        for (i, (got, want)) in run(kind, gpu).iter().zip(&want).enumerate() {
            assert_eq!(got.device(), gpu, "{name}");
            let got = got.to_device(Device::Cpu).to_kind(Kind::Double);
            let want = want.to_kind(Kind::Double);
            let apart =
                (&got - &want).abs().max().double_value(&[]) / want.abs().max().double_value(&[]);
            eprintln!("{name}, output {i}, {kind:?}: {apart:.2e} apart, {allowed:.2e} allowed");
            assert!(
                apart <= allowed,
                "{name}, output {i}, {kind:?}: {apart:.2e}"
            );
        }
    }
}

fn inputs(name: &str, device: Device) -> BTreeMap<String, Tensor> {
    expected(name)
        .into_iter()
        .map(|(key, tensor)| (key, tensor.to_device(device)))
        .collect()
}

#[test]
fn clip_embeds_as_on_the_cpu() {
    for name in ["clip/quick_gelu", "clip/gelu"] {
        let folder = golden(name);
        let config = std::fs::read(folder.join("config.json")).unwrap();
        let config: ClipConfig = serde_json::from_slice(&config).unwrap();
        assert_as_on_cpu(name, |kind, device| {
            let inputs = inputs(name, device);
            let path = folder.join("model.safetensors");
            let clip = open(&path, kind, device, |scope| Clip::new(scope, &config));
            vec![
                clip.embed_text(&inputs["ids"].to_kind(Kind::Int64)),
                clip.embed_images(&inputs["pixels"].to_kind(kind)),
            ]
        });
    }
}

#[test]
fn vae_encodes_and_decodes_as_on_the_cpu() {
    let name = "vae/sd";
    let folder = golden(name);
    let config = VaeConfig::read(&folder.join("config.json")).unwrap();
    assert_as_on_cpu(name, |kind, device| {
        let inputs = inputs(name, device);
        let path = folder.join(WEIGHTS);
        let vae = open(&path, kind, device, |scope| Vae::new(scope, &config));
        let (mean, _) = vae.encode(&inputs["pixels"].to_kind(kind));
        vec![mean, vae.decode(&inputs["latents"].to_kind(kind))]
    });
}

#[test]
fn unets_predict_as_on_the_cpu() {
    for name in ["unet/sd1", "unet/sd2", "unet/xl", "unet/unclip"] {
        let folder = golden(name);
        let config = UnetConfig::read(&folder.join("config.json")).unwrap();
        assert_as_on_cpu(name, |kind, device| {
            let inputs = inputs(name, device);
            let of = |key: &str| inputs.get(key).map(|t| t.to_kind(kind));
            let path = folder.join(WEIGHTS);
            let unet = open(&path, kind, device, |scope| Unet::new(scope, &config));
            let (context, pooled, class) = (of("context").unwrap(), of("pooled"), of("class"));
            let conditions = Conditions {
                context: &context,
                text_time: pooled.as_ref().zip(inputs.get("sizes")),
                class: class.as_ref(),
                guidance: None,
            };
            vec![unet.forward(&of("latents").unwrap(), &inputs["timesteps"], conditions)]
        });
    }
}

#[test]
fn pipelines_draw_as_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let draw = |name: &str, kind, device| {
        let pipeline = Pipeline::open(&golden(name), device, kind).unwrap();
        let sampling = Sampling {
            steps: 4,
            guidance: 3.0,
            batch: 1,
            ..Sampling::default()
        };
        let caption = pipeline
            .encode("a photo of an old woman on grass", LongPrompts::Cut)
            .unwrap();
        let negative = pipeline.encode_negative("", LongPrompts::Cut).unwrap();
        let request = [ImageRequest {
            caption: &caption,
            seed: 7,
            embedding: None,
            start: None,
        }];
        match pipeline.sample(&request, &negative, &sampling, &|| false) {
            Ok(Outcome::Done(mut images)) => images.remove(0).image,
            other => panic!("{other:?}"),
        }
    };
    for name in ["pipelines/sd1", "pipelines/sd2", "pipelines/xl"] {
        let want = draw(name, Kind::Float, Device::Cpu);
        // Levels of 255 on average; half precision is off by its roundings at every step.
        for ((kind, _), allowed) in kinds().into_iter().zip([0.5, 4.0, 16.0]) {
            let got = draw(name, kind, gpu);
            let sum: f64 = got
                .iter()
                .zip(want.iter())
                .map(|(&a, &b)| f64::from(a.abs_diff(b)))
                .sum();
            let apart = sum / want.len() as f64;
            eprintln!("{name}, {kind:?}: {apart:.3} levels apart, {allowed} allowed");
            assert!(apart <= allowed, "{name}, {kind:?}: {apart:.3} levels");
        }
    }
}
