//! `hardlight generate`: pictures from bare prompts, without any data set.

mod latents;
mod plan;

use std::path::{Path, PathBuf};

use image::RgbImage;
use tch::{Device, Kind};

use self::latents::Latents;
use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::diffusion::pipeline::{
    EncodedCaption, ImageRequest, OpenOptions, Outcome, Pipeline, Sampled, Sampling,
};
use crate::embed::safety::Safety;
use crate::image_file::{self, FileFormat};
use crate::io;
use crate::pipeline::device::device;
use crate::pipeline::models::locate::{adapters, locate};
use crate::pipeline::models::pipeline as pipeline_of;
use crate::pipeline::reporter::{Reporter as _, StageInfo};
use crate::pipeline::{Context, Error};
use crate::run::lock::FolderLock;

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

impl GenerateCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let sampling = self.sampling();
        let (device, kind) = device(&self.device, &self.dtype)?;
        let embeds = self.embeds()?;
        self.check_count(embeds.len())?;
        // What cannot be written is known before a model of gigabytes is read.
        let latents = self.save_latents.as_deref().map(Latents::at).transpose()?;
        io::create_dir_all(&self.out)?;
        let _lock = FolderLock::acquire(&self.out)?;
        let (pipeline, safety) = self.open(device, kind, ui, stop)?;
        let scheduler = pipeline.check(&sampling)?;
        let on = if device.is_cuda() { "cuda" } else { "cpu" };
        let place = format!("{on} {kind:?}").to_lowercase();
        let wanted = self.wanted(&pipeline, &sampling, (&scheduler, &place), &embeds)?;
        let mut missing = Vec::new();
        for one in &wanted {
            // Latents are in no picture: one whose are not kept is made again.
            if !one.is_there()? || latents.as_ref().is_some_and(|kept| !kept.has(one)) {
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

        ui.begin(&StageInfo::new("pictures", wanted.len(), "pictures"));
        ui.resumed_from(wanted.len() - missing.len());
        let mut done = wanted.len() - missing.len();
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
                    ui.abandon();
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
                if let Some(latents) = &latents {
                    latents.keep(one, &last)?;
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
                let bytes = image_file::encode(&image, FileFormat::Png, Some(&one.marks))?;
                io::write_atomic(&one.path, &bytes)?;
                done += 1;
                ui.progress(done, "");
            }
        }
        ui.end();
        if let Some(latents) = &latents {
            let initial = wanted
                .iter()
                .map(|one| pipeline.initial_latents(one.seed, &sampling));
            latents.join(&wanted, &initial.collect::<Result<Vec<_>, _>>()?)?;
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
    ) -> Result<(Pipeline, Option<Safety>), Error> {
        let stop = stop.check();
        let mut context = Context::stopped_by(ui, &stop);
        let mut open = OpenOptions::new(device, kind);
        open.variant.clone_from(&self.variant);
        open.adapters = adapters(&mut context, &self.lora)?;
        let want = pipeline_of(kind, !self.no_safety_checker);
        let dir = locate(&mut context, &self.model, want)?;
        let pipeline = Pipeline::open_with(&dir, &open)?;
        for note in pipeline.notes() {
            context.warn(note);
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
}

/// The picture, or black where the model's safety checker objects, as in Diffusers.
fn shown(
    safety: Option<&Safety>,
    image: RgbImage,
    path: &Path,
    ui: &mut Ui,
) -> Result<RgbImage, Error> {
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
