//! Trains everything the embedded world ships, from one seed: VAE, CLIP, UNet, the analysed
//! classifier and the judge. Writes `weights/world` and its model card.
//!
//! ```text
//! cargo run --release --example train_world -- --out weights/world
//! cargo run --release --example train_world -- --quick --out runs/quick-world   # minutes
//! ```
//!
//! Every part saves its state as it goes and takes it up again: after an interruption, run the same
//! command. `--only` trains one part, so that VAE and CLIP can train side by side; the UNet needs both.

#![allow(clippy::print_stdout, reason = "a program's own output")]

#[path = "train_world/card.rs"]
mod card;
#[path = "train_world/classifiers.rs"]
mod classifiers;
#[path = "train_world/clip.rs"]
mod clip;
#[path = "train_world/data.rs"]
mod data;
#[path = "train_world/judged.rs"]
mod judged;
#[path = "train_world/measure.rs"]
mod measure;
#[path = "train_world/unet.rs"]
mod unet;
#[path = "train_world/vae.rs"]
mod vae;

use std::path::PathBuf;

use clap::Parser;
use tch::{Device, Kind};

/// Train the embedded world's models.
#[derive(Debug, Parser)]
struct Args {
    /// Folder for the trained models.
    #[arg(long, value_name = "DIR", default_value = "weights/world")]
    out: PathBuf,
    /// Folder for checkpoints and sample sheets.
    #[arg(long, value_name = "DIR", default_value = "runs/train-world")]
    work: PathBuf,
    /// Seed of everything.
    #[arg(long, default_value_t = 17)]
    seed: u64,
    /// `cpu` or `cuda`.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// libtorch threads (default: all cores).
    #[arg(long)]
    threads: Option<i32>,
    /// What to compute in: `bfloat16` is faster where the processor multiplies it, and much slower elsewhere.
    #[arg(long, default_value = "float32", value_parser = ["float32", "bfloat16"])]
    compute: String,
    /// A tenth of the steps on a tenth of the faces: shows that the recipe runs, not its quality.
    #[arg(long)]
    quick: bool,
    /// Train only this part.
    #[arg(long, value_enum)]
    only: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Vae,
    Clip,
    Unet,
    Classifier,
    Judge,
    Measured,
    Generated,
    Card,
}

/// What every part needs to know.
struct Job {
    out: PathBuf,
    work: PathBuf,
    seed: u64,
    device: Device,
    /// What activations are computed in; parameters are float32.
    compute: Kind,
    quick: bool,
}

impl Job {
    /// A number of steps or faces, a tenth of it under `--quick`.
    fn scaled(&self, n: usize) -> usize {
        if self.quick { n / 10 } else { n }
    }
}

fn main() -> anyhow::Result<()> {
    let Args {
        out,
        work,
        seed,
        device,
        threads,
        compute,
        quick,
        only,
    } = Args::parse();
    let device = if device == "cuda" {
        Device::Cuda(0)
    } else {
        Device::Cpu
    };
    if let Some(threads) = threads {
        tch::set_num_threads(threads);
    }
    std::fs::create_dir_all(&work)?;
    let job = Job {
        out,
        work,
        seed,
        device,
        compute: if compute == "bfloat16" {
            Kind::BFloat16
        } else {
            Kind::Float
        },
        quick,
    };
    let wanted = |part| only.is_none_or(|only| only == part);
    if wanted(Part::Vae) {
        vae::train(&job)?;
    }
    if wanted(Part::Clip) {
        clip::train(&job)?;
    }
    if wanted(Part::Unet) {
        unet::train(&job)?;
    }
    if wanted(Part::Classifier) {
        classifiers::train_analysed(&job)?;
    }
    if wanted(Part::Judge) {
        classifiers::train_judge(&job)?;
    }
    if wanted(Part::Measured) {
        measure::measure(&job)?;
    }
    if wanted(Part::Generated) {
        judged::judge(&job)?;
    }
    if wanted(Part::Card) {
        card::write(&job)?;
    }
    Ok(())
}
