//! Whole pipelines against Diffusers, from the same starting latents.

use std::path::{Path, PathBuf};

use hardlight::diffusion::pipeline::{ImageRequest, Outcome, Pipeline, Sampling};
use hardlight::diffusion::record::LongPrompts;
use hardlight::nn::params::load_all;
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use crate::rows::{Row, case, name};

#[derive(Deserialize)]
struct Case {
    model: PathBuf,
    prompt: String,
    negative: String,
    seeds: Vec<u64>,
    steps: usize,
    guidance: f64,
    scheduler: Option<String>,
    #[serde(default)]
    noise_level: usize,
    image_embeds: Option<Vec<Vec<f32>>>,
}

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let dir = case();
    let text = std::fs::read_to_string(dir.join("case.json")).unwrap();
    let case: Case = serde_json::from_str(&text).unwrap();
    let want = load_all(&dir.join("expected.safetensors")).unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(&case.model);
    let pipeline = Pipeline::open(&model, Device::Cpu, Kind::Float).unwrap();
    let sampling = Sampling {
        steps: case.steps,
        guidance: case.guidance,
        scheduler: case.scheduler,
        negative_prompt: case.negative.clone(),
        batch: case.seeds.len(),
        noise_level: case.noise_level,
        ..Sampling::default()
    };
    let caption = pipeline.encode(&case.prompt, LongPrompts::Cut).unwrap();
    let negative = pipeline.encode_negative(&case.negative, LongPrompts::Cut);
    let requests: Vec<ImageRequest<'_>> = case
        .seeds
        .iter()
        .enumerate()
        .map(|(i, &seed)| ImageRequest {
            caption: &caption,
            seed,
            embedding: case.image_embeds.as_ref().map(|all| all[i].as_slice()),
            start: None,
        })
        .collect();
    let Outcome::Done(images) = pipeline
        .sample(&requests, &negative.unwrap(), &sampling, &|| false)
        .unwrap()
    else {
        panic!("nobody asked to stop");
    };
    let finals: Vec<&Tensor> = images.iter().map(|image| &image.latents).collect();
    let pixels: Vec<Tensor> = images
        .iter()
        .map(|sampled| {
            let (w, h) = sampled.image.dimensions();
            Tensor::from_slice(sampled.image.as_raw())
                .view([i64::from(h), i64::from(w), 3])
                .permute([2, 0, 1])
                .to_kind(Kind::Double)
        })
        .collect();
    let row = Row {
        component: "pipeline",
        configuration: &format!("{}, {} steps", name(), case.steps),
        dtype: "fp32",
    };
    // In levels of 255; Python's levels are whole as well.
    let levels = (&want["images"] * 255.0).round();
    let apart = (Tensor::stack(&pixels, 0) - levels)
        .abs()
        .mean(Kind::Double);
    row.at_most(
        "mean pixel difference, levels",
        apart.double_value(&[]),
        0.5,
    );
    // Not asked for, and telling: errors grow from step to step.
    row.relative(&Tensor::stack(&finals, 0), &want["final"], 1e-2);
}
