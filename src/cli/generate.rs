//! `hardlight generate`: pictures from bare prompts, without any data set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::exit::{ExitStatus, InputError, UsageError};
use super::stop::Stop;
use super::ui::Ui;
use super::{models, options};
use crate::diffusion::pipeline::{
    EncodedCaption, ImageRequest, OpenOptions, Outcome, Pipeline, Sampled, Sampling,
};
use crate::embed::safety::Safety;
use crate::io;
use crate::nn::params;
use crate::run::lock::FolderLock;
use crate::run::png::{self, DigitalSource, Marks, Parameters};
use crate::run::settings_diff;

/// Pictures of a folder, whose names have five digits.
const MOST: u64 = 100_000;

/// Make pictures from prompts, without any data set.
///
/// Picture k of a prompt has seed SEED + k. Pictures are 00000.png, 00001.png, … in --out, prompt
/// after prompt; the same command goes on where it was stopped. Example:
///
/// `hardlight generate --model sd-1.5 --prompt "a photo of a cat on grass" --count 4 --out runs/cats`
#[derive(Debug, clap::Args)]
pub(super) struct GenerateCommand {
    /// Stable Diffusion: a Diffusers pipeline folder, or its id on the Hugging Face hub.
    #[arg(long, value_name = "DIR|ID")]
    model: PathBuf,

    /// What to draw; may be repeated.
    #[arg(long, value_name = "TEXT", required = true)]
    prompt: Vec<String>,

    /// What not to draw; empty is Python's None.
    #[arg(long, value_name = "TEXT", default_value = "")]
    negative: String,

    /// Seed of the first picture of every prompt.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Denoising steps.
    #[arg(long, value_name = "N", default_value_t = 25)]
    steps: usize,

    /// Classifier-free guidance scale; 1 or less turns it off, as Turbo models need it.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 7.5,
        allow_negative_numbers = true
    )]
    guidance: f64,

    /// Sampler by name [default: the folder's own].
    #[arg(long, value_name = "NAME")]
    scheduler: Option<String>,

    /// DDIM's share of noise, 0 to 1.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    eta: f64,

    /// Width, px [default: what the model was trained on].
    #[arg(long, value_name = "W")]
    width: Option<u32>,

    /// Height, px [default: what the model was trained on].
    #[arg(long, value_name = "H")]
    height: Option<u32>,

    /// Pictures per prompt (and per image embedding).
    #[arg(long, value_name = "K", default_value_t = 1)]
    count: u64,

    /// Pictures sampled at once; between two batch sizes a pixel may differ by one level.
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,

    /// CLIP image embeddings to condition on, one a row, for Stable unCLIP (`hardlight embed` writes them).
    #[arg(long, value_name = "FILE")]
    image_embeds: Option<PathBuf>,

    /// Noise that an image embedding gets, as a timestep; more gives more variety.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "image_embeds")]
    noise_level: usize,

    /// Which weight files to take, such as fp16 [default: what fits --dtype].
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,

    /// Low-rank adapter, a .safetensors or its id on the hub, with its scale [default: 1]; may be repeated.
    #[arg(long, value_name = "FILE|ID[:SCALE]")]
    lora: Vec<String>,

    /// Do not ask the model's safety checker, which turns what it objects to black.
    #[arg(long)]
    no_safety_checker: bool,

    /// auto, cpu, cuda or cuda:N.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,

    /// auto (fp32 on cpu, fp16 on cuda), fp32, fp16 or bf16.
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    dtype: String,

    /// Also write `initial` (unit normal, as Python's `latents=` takes them) and `final` latents (before
    /// the division by the VAE's scaling factor), `[n, channels, h, w]` each, as .safetensors.
    #[arg(long, value_name = "FILE")]
    save_latents: Option<PathBuf>,

    /// Folder for the pictures.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// One picture to make.
struct Wanted<'a> {
    path: PathBuf,
    prompt: usize,
    seed: u64,
    embedding: Option<&'a [f32]>,
    marks: Marks,
}

impl GenerateCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> anyhow::Result<ExitStatus> {
        let sampling = self.sampling();
        let (device, kind) = options::device(&self.device, &self.dtype)?;
        let embeds = self.embeds()?;
        self.check_count(embeds.len())?;
        // What cannot be written is known before a model of gigabytes is read.
        if let Some(path) = &self.save_latents {
            check_latents(path)?;
        }
        io::create_dir_all(&self.out)?;
        let _lock = FolderLock::acquire(&self.out)?;
        let (pipeline, safety) = self.open(device, kind, ui, stop)?;
        let scheduler = pipeline.check(&sampling)?;
        let on = if device.is_cuda() { "cuda" } else { "cpu" };
        let place = format!("{on} {kind:?}").to_lowercase();
        let wanted = self.wanted(&pipeline, &sampling, (&scheduler, &place), &embeds)?;
        let mut missing = Vec::new();
        for one in &wanted {
            // Latents are in no picture: they are made again with all of them.
            if !is_there(one)? || self.save_latents.is_some() {
                missing.push(one);
            }
        }
        let captions: Vec<EncodedCaption> = self
            .prompt
            .iter()
            .map(|prompt| pipeline.encode(prompt))
            .collect::<Result<_, _>>()?;
        for (prompt, encoded) in self.prompt.iter().zip(&captions) {
            if encoded.truncated {
                let begin: String = prompt.chars().take(60).collect();
                ui.warn(format_args!(
                    "longer than the model reads, and cut: {begin:?}…"
                ));
            }
        }
        let unconditional = pipeline.encode_negative(&self.negative)?;

        let mut stage = ui.stage("pictures", wanted.len(), "pictures");
        stage.resume_from(wanted.len() - missing.len());
        let mut done = wanted.len() - missing.len();
        let mut latents = Vec::new();
        let mut broken = 0;
        for batch in missing.chunks(self.batch) {
            let requests: Vec<ImageRequest<'_>> = batch
                .iter()
                .map(|one| ImageRequest {
                    caption: &captions[one.prompt],
                    seed: one.seed,
                    embedding: one.embedding,
                })
                .collect();
            let asked = || stop.asked();
            let images = match pipeline.sample(&requests, &unconditional, &sampling, &asked)? {
                Outcome::Done(images) => images,
                Outcome::Stopped => {
                    stage.abandon();
                    ui.info(format_args!(
                        "stopped; the same command goes on from here ({})",
                        self.out.display()
                    ));
                    return Ok(ExitStatus::Stopped);
                }
            };
            for (one, sampled) in batch.iter().zip(images) {
                let Sampled {
                    image,
                    finite,
                    latents: last,
                } = sampled;
                if self.save_latents.is_some() {
                    latents.push((pipeline.initial_latents(one.seed, &sampling)?, last));
                }
                if !finite {
                    broken += 1;
                    let hint = if kind == Kind::Half {
                        "try --dtype bf16 or fp32"
                    } else {
                        "try other settings, such as less guidance"
                    };
                    ui.warn(format_args!(
                        "{} would have numbers that are not finite and is not written: {hint}",
                        one.path.display()
                    ));
                    continue;
                }
                let image = shown(safety.as_ref(), image, &one.path, ui)?;
                let bytes = png::encode_png(&image, Some(&one.marks))?;
                io::write_atomic(&one.path, &bytes)?;
                done += 1;
                stage.set(done, "");
            }
        }
        stage.end(ui);
        if let Some(path) = &self.save_latents {
            save_latents(path, &latents)?;
        }
        ui.say(format_args!("{}", self.out.display()));
        Ok(if broken == 0 {
            ExitStatus::Success
        } else {
            ExitStatus::Incomplete
        })
    }

    fn open(
        &self,
        device: Device,
        kind: Kind,
        ui: &mut Ui,
        stop: &Stop,
    ) -> anyhow::Result<(Pipeline, Option<Safety>)> {
        let mut open = OpenOptions::new(device, kind);
        open.variant.clone_from(&self.variant);
        open.adapters = models::adapters(&self.lora, ui, stop)?;
        let want = models::pipeline(kind, !self.no_safety_checker);
        let dir = models::locate(&self.model, want, ui, stop)?;
        let pipeline = Pipeline::open_with(&dir, &open)?;
        for note in pipeline.notes() {
            ui.warn(note);
        }
        let safety = if self.no_safety_checker {
            None
        } else {
            Safety::open(&dir, device, kind)?
        };
        Ok((pipeline, safety))
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            steps: self.steps,
            guidance: self.guidance,
            scheduler: self.scheduler.clone(),
            eta: self.eta,
            negative_prompt: self.negative.clone(),
            width: self.width,
            height: self.height,
            batch: self.batch,
            noise_level: self.noise_level,
        }
    }

    /// Refuses no pictures, and more than names have digits for.
    fn check_count(&self, embeds: usize) -> Result<(), UsageError> {
        let groups = self.prompt.len() as u64 * embeds.max(1) as u64;
        let most = MOST / groups.max(1);
        let last = self.seed.checked_add(self.count.saturating_sub(1));
        if last.is_none() {
            let text = format!(
                "--seed {} is too large for {} pictures",
                self.seed, self.count
            );
            return Err(UsageError(text));
        }
        if (1..=most).contains(&self.count) {
            return Ok(());
        }
        Err(UsageError(format!(
            "--count is {}: expected 1 to {most}, so that at most {MOST} pictures go into a folder",
            self.count
        )))
    }

    /// The image embeddings, a row each.
    fn embeds(&self) -> anyhow::Result<Vec<Vec<f32>>> {
        let Some(path) = &self.image_embeds else {
            return Ok(Vec::new());
        };
        let matrix = io::matrix::read(path)?;
        Ok(matrix.rows().into_iter().map(|row| row.to_vec()).collect())
    }

    /// Every picture of the command, in order.
    fn wanted<'a>(
        &self,
        pipeline: &Pipeline,
        sampling: &Sampling,
        (scheduler, place): (&str, &str),
        embeds: &'a [Vec<f32>],
    ) -> anyhow::Result<Vec<Wanted<'a>>> {
        match (pipeline.embedding_width(), embeds.first()) {
            (Some(width), None) => {
                let text = format!(
                    "{} is conditioned on image embeddings of {width} numbers: give --image-embeds FILE",
                    self.model.display()
                );
                return Err(UsageError(text).into());
            }
            (expected, Some(row)) if expected != Some(row.len()) => {
                let text = format!(
                    "the image embeddings have {} numbers, {} takes {}",
                    row.len(),
                    self.model.display(),
                    expected.map_or("none".to_owned(), |n| n.to_string())
                );
                return Err(InputError(text).into());
            }
            _ => {}
        }
        let (width, height) = pipeline.size(sampling)?;
        let model = options::name_of(&self.model);
        let rows: Vec<Option<&[f32]>> = if embeds.is_empty() {
            vec![None]
        } else {
            embeds.iter().map(|row| Some(row.as_slice())).collect()
        };
        let mut wanted = Vec::new();
        for (prompt, caption) in self.prompt.iter().enumerate() {
            for &embedding in &rows {
                for k in 0..self.count {
                    let seed = self.seed + k;
                    let parameters = Parameters {
                        caption: caption.clone(),
                        negative_prompt: self.negative.clone(),
                        steps: u32::try_from(self.steps).unwrap_or(u32::MAX),
                        scheduler: scheduler.to_owned(),
                        guidance: self.guidance,
                        seed,
                        width,
                        height,
                        model: model.clone(),
                    };
                    let hardlight = json!({
                        "schema": 1,
                        "model_fingerprint": pipeline.fingerprint(),
                        "caption": caption,
                        "negative_prompt": self.negative,
                        "seed": seed,
                        "steps": self.steps,
                        "guidance": self.guidance,
                        "scheduler": scheduler,
                        "eta": self.eta,
                        "width": width,
                        "height": height,
                        "batch": self.batch,
                        "computed_in": place,
                        "safety_checker": !self.no_safety_checker,
                        "embedding": embedding.map(hash),
                        "noise_level": self.noise_level,
                    });
                    wanted.push(Wanted {
                        path: self.out.join(format!("{:05}.png", wanted.len())),
                        prompt,
                        seed,
                        embedding,
                        marks: Marks {
                            parameters,
                            hardlight,
                            source: DigitalSource::TrainedAlgorithmicMedia,
                        },
                    });
                }
            }
        }
        Ok(wanted)
    }
}

/// The picture, or black where the model's safety checker objects, as in Diffusers.
fn shown(
    safety: Option<&Safety>,
    image: RgbImage,
    path: &Path,
    ui: &mut Ui,
) -> anyhow::Result<RgbImage> {
    let Some(safety) = safety else {
        return Ok(image);
    };
    if !safety.flags(std::slice::from_ref(&image))?.contains(&true) {
        return Ok(image);
    }
    ui.warn(format_args!(
        "{} is black: the model's safety checker objects (--no-safety-checker turns it off)",
        path.display()
    ));
    Ok(RgbImage::new(image.width(), image.height()))
}

fn hash(row: &[f32]) -> String {
    let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
    io::sha256_hex(&bytes)
}

/// Whether the picture was made before; another one in its place is an error.
fn is_there(one: &Wanted<'_>) -> anyhow::Result<bool> {
    if !one.path.exists() {
        return Ok(false);
    }
    let found: Option<Value> = png::hardlight_text(&io::read(&one.path)?);
    if found.as_ref() == Some(&one.marks.hardlight) {
        return Ok(true);
    }
    let text = format!(
        "{} is there and was not made by this command ({}): choose another --out",
        one.path.display(),
        found.map_or_else(
            || "it is no picture of generate's".to_owned(),
            |found| differing(&found, &one.marks.hardlight)
        )
    );
    Err(UsageError(text).into())
}

/// The keys in which a picture that is there differs from the one wanted.
fn differing(found: &Value, wanted: &Value) -> String {
    let changes: Vec<String> = settings_diff::diff(found, wanted)
        .iter()
        .map(ToString::to_string)
        .collect();
    changes.join(", ")
}

/// Refuses a place for latents that could not be written, or that no reader would know.
fn check_latents(path: &Path) -> anyhow::Result<()> {
    if path.extension().is_none_or(|e| e != "safetensors") || path.is_dir() {
        let text = format!(
            "--save-latents {}: expected a file name that ends in .safetensors",
            path.display()
        );
        return Err(UsageError(text).into());
    }
    if let Some(dir) = path.parent() {
        io::create_dir_all(dir)?;
    }
    Ok(())
}

fn save_latents(path: &Path, latents: &[(Tensor, Tensor)]) -> anyhow::Result<()> {
    let stack = |of: fn(&(Tensor, Tensor)) -> &Tensor| {
        let all: Vec<&Tensor> = latents.iter().map(of).collect();
        Tensor::f_stack(&all, 0)
    };
    let named = BTreeMap::from([
        ("initial".to_owned(), stack(|(first, _)| first)?),
        ("final".to_owned(), stack(|(_, last)| last)?),
    ]);
    Ok(params::save(path, &named, Kind::Float)?)
}
