//! One caption to one PNG, from a Stable Diffusion (1.x, 2.x, XL, Turbo) folder in the Diffusers layout.
//!
//! ```text
//! cargo run --release --example one_image                   # the embedded world's model
//! cargo run --release --example one_image -- --model models/sd-1.5 --caption "a photo of a cat in the snow"
//! ```
//!
//! The same model, caption, seed and settings give the same picture.

#![allow(clippy::print_stdout, reason = "a program's own output")]

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Parser;
use hardlight::diffusion::pipeline::{ImageRequest, Outcome, Pipeline, Sampling};
use hardlight::diffusion::record::LongPrompts;
use tch::{Device, Kind};

/// Draw one caption.
#[derive(Debug, Parser)]
struct Args {
    /// Diffusers folder: `model_index.json`, `unet/`, `vae/`, `text_encoder/`, `tokenizer/`, `scheduler/`.
    #[arg(long, value_name = "DIR", default_value = "weights/world/diffusion")]
    model: PathBuf,
    /// What to draw.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "a photo of an old woman with glasses and grey hair on a blue background"
    )]
    caption: String,
    /// What not to draw.
    #[arg(long, value_name = "TEXT", default_value = "")]
    negative: String,
    /// The picture.
    #[arg(long, value_name = "FILE", default_value = "runs/one-image.png")]
    out: PathBuf,
    /// Seed of the noise.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Denoising steps.
    #[arg(long, value_name = "N", default_value_t = 25)]
    steps: usize,
    /// Classifier-free guidance scale; 1 turns it off.
    #[arg(long, value_name = "X", default_value_t = 7.5)]
    guidance: f64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let device = Device::cuda_if_available();
    let kind = if device.is_cuda() {
        Kind::Half
    } else {
        Kind::Float
    };
    let pipeline = Pipeline::open(&args.model, device, kind)?;
    let sampling = Sampling {
        steps: args.steps,
        guidance: args.guidance,
        batch: 1,
        ..Sampling::default()
    };
    let scheduler = pipeline.check(&sampling)?;
    let (width, height) = pipeline.size(&sampling)?;
    println!(
        "{width} x {height} px, {} steps of {scheduler} on {device:?}",
        args.steps
    );

    let caption = pipeline.encode(&args.caption, LongPrompts::Cut)?;
    if caption.truncated {
        println!("the caption is too long for the model: its end is not seen");
    }
    let unconditional = pipeline.encode_negative(&args.negative, LongPrompts::Cut)?;
    let request = ImageRequest {
        caption: &caption,
        seed: args.seed,
        embedding: None,
        start: None,
    };
    let started = Instant::now();
    let outcome = pipeline.sample(&[request], &unconditional, &sampling, &|| false)?;
    let Outcome::Done(sampled) = outcome else {
        bail!("stopped");
    };
    let sampled = sampled.first().context("the model gave no picture")?;
    if !sampled.finite {
        bail!("some pixels are no finite numbers: try fp32");
    }
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    sampled.image.save(&args.out)?;
    println!(
        "{} in {:.1} s",
        args.out.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
