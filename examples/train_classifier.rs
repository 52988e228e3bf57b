//! Trains a small `hardlight-cnn` on the `train` split of an `ImageFolder` (`SPLIT/CLASS/image`).
//!
//! ```text
//! cargo run --release --example train_classifier -- --data ../shared/data/cifar10
//! hardlight run --config examples/cifar10.toml --data ../shared/data/cifar10 --out runs/cifar10
//! ```
//!
//! The first command writes `runs/cifar10-classifier`, a minute or two on two cores; the second looks for
//! what that classifier gets wrong. `docs/cifar10.md` shows what comes out. The same data, flags and
//! number of threads give the same weights.

#![allow(clippy::print_stdout, reason = "a program's own output")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use hardlight::classifier::{Augment, Cnn, CnnConfig, TrainOptions, TrainingSet, train};
use hardlight::dataset::{Dataset, Remarks, Split, read_folder};
use hardlight::io::image::{Exif, read_rgb};
use hardlight::run::features::fitted;
use image::RgbImage;
use tch::{Device, Kind};

/// Train a small classifier on a folder of images.
#[derive(Debug, Parser)]
struct Args {
    /// The images: `SPLIT/CLASS/image`, with a split `train`.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder for the classifier.
    #[arg(long, value_name = "DIR", default_value = "runs/cifar10-classifier")]
    out: PathBuf,
    /// Optimiser steps of 64 images.
    #[arg(long, value_name = "N", default_value_t = 2500)]
    steps: usize,
    /// Seed of weights, order, and how images are moved.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Side that images are resized to, px.
    #[arg(long, value_name = "PX", default_value_t = 32)]
    size: u32,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(
        args.size >= 8,
        "--size is {}: expected 8 or more",
        args.size
    );
    let data = read_folder(&args.data, None, &mut Remarks::default())?;
    let (images, labels) = load(&data, Split::Train, args.size)?;
    ensure!(
        !images.is_empty(),
        "{} has no split train",
        args.data.display()
    );

    let mut set = TrainingSet::new(args.size);
    set.extend(&images, &labels)?;
    let names: Vec<&str> = data.classes().iter().map(String::as_str).collect();
    let levels = args.size.ilog2() as usize - 2;
    let config = CnnConfig {
        channels: (0..levels).map(|i| 32 << i.min(2)).collect(),
        features: 128,
        ..CnnConfig::small(args.size, &names)
    };
    let options = TrainOptions {
        steps: args.steps,
        seed: args.seed,
        decay: 0.05,
        augment: Augment {
            mirror: true,
            shift: args.size / 8,
            colour: 0.0,
        },
        ..TrainOptions::default()
    };
    let (started, mut said) = (Instant::now(), Instant::now());
    let (_, params) = train(&config, &set, &options, Device::Cpu, |step, loss| {
        if said.elapsed() >= Duration::from_secs(5) || step + 1 == args.steps {
            said = Instant::now();
            let rate = (step + 1) as f64 / started.elapsed().as_secs_f64();
            let left = (args.steps - step - 1) as f64 / rate;
            let (done, steps) = (step + 1, args.steps);
            println!("step {done}/{steps}, loss {loss:.3}, {rate:.1} steps/s, ETA {left:.0} s");
        }
    });
    Cnn::write(&args.out, &config, &params, Kind::Float)?;

    let cnn = Cnn::read(&args.out, Device::Cpu)?;
    for split in [Split::Train, Split::Val, Split::Test] {
        let (images, labels) = load(&data, split, args.size)?;
        let said = cnn.predict(&images)?.classes();
        let right = said.iter().zip(&labels).filter(|(a, b)| a == b).count();
        let (n, share) = (
            labels.len(),
            100.0 * right as f64 / labels.len().max(1) as f64,
        );
        println!("{split}: {share:.1} % of {n} right");
    }
    println!("classifier {}", args.out.display());
    Ok(())
}

/// The images of a split at one size, with their classes in the data set's order.
fn load(data: &Dataset, split: Split, size: u32) -> anyhow::Result<(Vec<RgbImage>, Vec<usize>)> {
    let mut images = Vec::new();
    let mut labels = Vec::new();
    for (_, example) in data.of_split(split) {
        images.push(read_rgb(&data.image_path(example), Exif::Apply)?);
        labels.push(example.label);
    }
    Ok((fitted(&images, size), labels))
}
