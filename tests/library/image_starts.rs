//! Sampling from an image against Diffusers' image-to-image pipelines (`tests/oracle/golden/image_starts.py`).

use std::collections::BTreeMap;

use hardlight::diffusion::pipeline::{
    EncodedCaption, ImageRequest, Outcome, Pipeline, PipelineError, Sampled, Sampling, StartImage,
};
use hardlight::diffusion::record::LongPrompts;
use hardlight::diffusion::schedulers::{self, SchedulerError};
use hardlight::embed::resize::{Filter, Kernel, resize};
use hardlight::io::{Classified as _, ErrorKind};
use hardlight::nn::params::{load_all, save};
use image::RgbImage;
use tch::{Device, Kind, Tensor};

use crate::common::formula::{expected, golden};

// As in the script.
const PROMPT: &str = "a photo of an old woman on grass";
const NEGATIVE: &str = "a dog, snow";
const SEEDS: [u64; 2] = [7, 123_456_789];
const STEPS: usize = 10;
const STRENGTHS: [f64; 2] = [0.3, 0.8];
const SIDE: u32 = 16;

/// `max|a − b|/max|b|` allowed of float32 latents.
const LATENTS: f64 = 1e-4;
/// Mean difference of pixels in levels of 255, where some are rounded to the other side.
const PIXELS: f64 = 0.02;

/// `[h, w, 3]` bytes as an image.
fn picture(tensor: &Tensor) -> RgbImage {
    let size = tensor.size();
    let bytes = Vec::<u8>::try_from(tensor.reshape([-1])).unwrap();
    RgbImage::from_raw(size[1] as u32, size[0] as u32, bytes).unwrap()
}

/// The two sources, as they are sampled from.
fn sources(want: &BTreeMap<String, Tensor>) -> Vec<RgbImage> {
    (0..2)
        .map(|at| {
            let source = picture(&want[&format!("source {at}")]);
            resize(&source, SIDE, SIDE, Filter::Lanczos, Kernel::Pil)
        })
        .collect()
}

/// A pipeline with what every picture of this file is asked for.
struct Model {
    pipeline: Pipeline,
    caption: EncodedCaption,
    negative: EncodedCaption,
}

impl Model {
    fn open(name: &str) -> Self {
        let folder = golden(&format!("pipelines/{name}"));
        Self::of(Pipeline::open(&folder, Device::Cpu, Kind::Float).unwrap())
    }

    fn of(pipeline: Pipeline) -> Self {
        Self {
            caption: pipeline.encode(PROMPT, LongPrompts::Cut).unwrap(),
            negative: pipeline
                .encode_negative(NEGATIVE, LongPrompts::Cut)
                .unwrap(),
            pipeline,
        }
    }

    /// Settings of a scheduler of the script's.
    fn sampling(&self, scheduler: &str) -> Sampling {
        let name = scheduler.trim_end_matches("sde");
        let mut sampling = Sampling {
            steps: STEPS,
            guidance: 3.0,
            scheduler: Some(name.to_owned()),
            negative_prompt: NEGATIVE.to_owned(),
            batch: 2,
            ..Sampling::default()
        };
        // What the script sets beside the folder's file.
        let over = match scheduler {
            "dpm++sde" => ("algorithm_type", "sde-dpmsolver++".into()),
            "pndm" => ("skip_prk_steps", true.into()),
            _ => return sampling,
        };
        let mut record = self.pipeline.scheduler_record(&sampling).unwrap();
        record.settings.insert(over.0.to_owned(), over.1);
        sampling.recorded = Some(record);
        sampling
    }

    /// One picture for every seed and start.
    fn sample(
        &self,
        starts: &[(u64, Option<StartImage<'_>>)],
        sampling: &Sampling,
    ) -> Result<Vec<Sampled>, PipelineError> {
        let requests: Vec<ImageRequest<'_>> = starts
            .iter()
            .map(|&(seed, start)| ImageRequest {
                caption: &self.caption,
                seed,
                embedding: None,
                start,
            })
            .collect();
        let outcome = self
            .pipeline
            .sample(&requests, &self.negative, sampling, &|| false)?;
        let Outcome::Done(images) = outcome else {
            panic!("nobody asked to stop");
        };
        Ok(images)
    }
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[]) / b.abs().max().double_value(&[])
}

/// Mean difference in levels of 255.
fn levels_apart(ours: &RgbImage, theirs: &RgbImage) -> f64 {
    assert_eq!(ours.dimensions(), theirs.dimensions());
    let pairs = ours.as_raw().iter().zip(theirs.as_raw());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / ours.as_raw().len() as f64
}

#[test]
fn sources_are_resized_as_pillow_does() {
    let want = expected("pipelines/starts");
    for (at, ours) in sources(&want).iter().enumerate() {
        assert_eq!(*ours, picture(&want[&format!("resized {at}")]), "{at}");
    }
}

fn assert_same_images(name: &str, all: &[&str]) {
    let want = expected("pipelines/starts");
    let sources = sources(&want);
    let model = Model::open(name);
    let mut failures = Vec::new();
    for scheduler in all {
        let sampling = model.sampling(scheduler);
        for strength in STRENGTHS {
            let starts: Vec<_> = sources
                .iter()
                .zip(SEEDS)
                .map(|(image, seed)| (seed, Some(StartImage { image, strength })))
                .collect();
            let images = model.sample(&starts, &sampling).unwrap();
            let key = format!("{name} {scheduler} {strength}");
            let latents: Vec<&Tensor> = images.iter().map(|image| &image.latents).collect();
            let latents = apart(
                &Tensor::stack(&latents, 0),
                &want[&format!("{key} latents")],
            );
            let pixels = levels_apart(&images[0].image, &picture(&want[&format!("{key} image")]));
            println!("{key}: latents {latents:.1e}, pixels {pixels:.4}");
            if !(latents <= LATENTS && pixels <= PIXELS) {
                failures.push(format!("{key}: latents {latents:.1e}, pixels {pixels:.4}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn all() -> Vec<&'static str> {
    schedulers::names().chain(["dpm++sde"]).collect()
}

#[test]
fn sd1_makes_the_images_of_diffusers_from_images() {
    assert_same_images("sd1", &all());
}

#[test]
fn sdxl_makes_the_images_of_diffusers_from_images() {
    assert_same_images("xl", &all());
}

#[test]
fn sd2_with_zero_snr_makes_the_images_of_diffusers_from_images() {
    assert_same_images("sd2", &["ddim"]);
}

#[test]
fn an_image_depends_on_its_own_start_alone() {
    let model = Model::open("sd1");
    let sources = sources(&expected("pipelines/starts"));
    let sampling = Sampling {
        batch: 4,
        ..model.sampling("euler-ancestral")
    };
    let from = |at: usize, strength| {
        let image = &sources[at];
        Some(StartImage { image, strength })
    };
    // Noise, two strengths and two sources in one batch.
    let starts = [
        (1, None),
        (1, from(0, 0.3)),
        (2, from(1, 0.3)),
        (1, from(0, 0.8)),
    ];
    let together = model.sample(&starts, &sampling).unwrap();
    for (at, start) in starts.iter().enumerate() {
        let alone = model.sample(&[*start], &sampling).unwrap();
        assert_eq!(alone[0].image, together[at].image, "{at}");
        for other in &together[at + 1..] {
            assert_ne!(alone[0].image, other.image, "{at}");
        }
    }
}

fn refusal(model: &Model, start: StartImage<'_>, sampling: &Sampling) -> PipelineError {
    let error = model.sample(&[(1, Some(start))], sampling).unwrap_err();
    let checked = model.pipeline.check_start(start.strength, sampling);
    if start.image.dimensions() == (SIDE, SIDE) {
        assert_eq!(checked.unwrap_err().to_string(), error.to_string());
    }
    error
}

#[test]
fn what_cannot_be_started_from_is_refused() {
    let model = Model::open("sd1");
    let image = RgbImage::new(SIDE, SIDE);
    let sampling = model.sampling("ddim");
    for (strength, expected) in [
        (
            0.0,
            "strength is 0: expected a number above 0 and at most 1",
        ),
        (-0.5, "strength is -0.5: expected a number above 0"),
        (1.01, "strength is 1.01: expected a number above 0"),
        (f64::NAN, "strength is NaN: expected a number above 0"),
        (
            0.09,
            "strength is 0.09: expected at least 0.100 with 10 steps",
        ),
    ] {
        let start = StartImage {
            image: &image,
            strength,
        };
        let error = refusal(&model, start, &sampling);
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let small = RgbImage::new(SIDE, 8);
    let start = StartImage {
        image: &small,
        strength: 0.5,
    };
    let error = refusal(&model, start, &sampling).to_string();
    let expected = "the size of the starting image is 16 x 8 px: expected 16 x 16 px";
    assert!(error.starts_with(expected), "{error}");
    // SDXL's file says nothing of PNDM's start, which is then Runge and Kutta's.
    let model = Model::open("xl");
    let sampling = Sampling {
        recorded: None,
        ..model.sampling("pndm")
    };
    let start = StartImage {
        image: &image,
        strength: 0.5,
    };
    let error = refusal(&model, start, &sampling);
    let late = SchedulerError::LateRungeKutta;
    assert!(
        matches!(
            error,
            PipelineError::Scheduler(SchedulerError::LateRungeKutta)
        ),
        "{error}"
    );
    assert_eq!(
        (error.kind(), error.to_string()),
        (late.kind(), late.to_string())
    );
    // All of it is replaced, by all steps: there is no late start.
    assert_eq!(model.pipeline.check_start(1.0, &sampling).unwrap(), 0);
}

#[test]
fn a_model_without_an_encoder_draws_from_noise_alone() {
    let folder = golden("pipelines/sd1");
    let path = folder.join("vae/diffusion_pytorch_model.safetensors");
    let mut weights = load_all(&path).unwrap();
    weights.retain(|name, _| !name.starts_with("encoder.") && !name.starts_with("quant_conv."));
    save(&path, &weights, Kind::Float).unwrap();
    let model = Model::of(Pipeline::open(&folder, Device::Cpu, Kind::Float).unwrap());
    let sampling = model.sampling("ddim");
    assert!(model.sample(&[(1, None)], &sampling).is_ok());
    let image = RgbImage::new(SIDE, SIDE);
    let start = StartImage {
        image: &image,
        strength: 0.5,
    };
    let error = refusal(&model, start, &sampling);
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(
        error.to_string(),
        "this StableDiffusionPipeline cannot start from an image: its vae has no encoder, only a decoder: take the \
         whole model"
    );
}
