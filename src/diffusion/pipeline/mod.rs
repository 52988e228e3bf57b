//! A Diffusers pipeline folder, opened: captions in, pictures out.
//!
//! | Folder's class | Models |
//! |---|---|
//! | `StableDiffusionPipeline`, `LatentConsistencyModelPipeline` | SD 1.x, 2.x, SD-Turbo, their fine-tunes; distilled ones that take the guidance scale as an input |
//! | `StableDiffusionXLPipeline` | SDXL 1.0, SDXL-Turbo |
//! | `StableUnCLIPImg2ImgPipeline` | Stable unCLIP 2.1: conditioned on a CLIP image embedding too |
//!
//! - [`open`](Pipeline::open): the `folder`'s configs checked, then weights; `captions`: text encoders;
//!   `image_condition`: an image embedding as a condition; `sample`: the loop and its settings; `start`: an image in
//!   place of noise as what it starts from.
//!
//! An image depends on the model, its caption, its seed and the settings, never on its neighbours:
//! captions are encoded one by one, noise is keyed by seed and step ([`super::noise`]), and a short
//! batch is padded to the full batch's shape, because libtorch may sum in another order at another
//! shape.

mod captions;
mod error;
mod folder;
mod image_condition;
mod open;
mod sample;
mod start;
mod weighting;

use image::RgbImage;
use tch::{Device, Kind, Tensor};

use self::captions::CaptionEncoder;
pub use self::error::PipelineError;
use self::image_condition::ImageCondition;
pub use self::open::OpenOptions;
pub use self::sample::{MAX_BATCH, Sampling};
pub use self::start::StartImage;
use super::noise;
use super::record::{AdapterRecord, LongPrompts};
use super::schedulers::{self, Resolved, SchedulerConfig, SchedulerRecord};
use super::unet::Unet;
use super::vae::Vae;

/// The longest side of an image, px: beyond it no model was trained, and memory ends.
pub const MAX_SIDE: u32 = 8192;

/// A caption as the UNet attends to it.
#[derive(Debug)]
pub struct EncodedCaption {
    /// `[1, l, width]`.
    hidden: Tensor,
    /// `[1, pooled]`, for models that take it.
    pooled: Option<Tensor>,
    /// Whether the caption was longer than the tokenizer's context, and its end was cut off.
    pub truncated: bool,
    /// Whether zeros stand for it.
    zeroed: bool,
}

/// One image to make.
#[derive(Debug, Clone, Copy)]
pub struct ImageRequest<'a> {
    /// Its caption.
    pub caption: &'a EncodedCaption,
    /// Its seed.
    pub seed: u64,
    /// A CLIP image embedding before normalisation, for models conditioned on one
    /// ([`Pipeline::embedding_width`]).
    pub embedding: Option<&'a [f32]>,
    /// What it starts from; none for noise.
    pub start: Option<StartImage<'a>>,
}

/// One image made.
#[derive(Debug)]
pub struct Sampled {
    /// The pixels.
    pub image: RgbImage,
    /// Whether every pixel was a finite number before rounding.
    pub finite: bool,
    /// `[channels, h, w]`, float32 on the CPU: the final latents, before the division by the VAE's
    /// scaling factor.
    pub latents: Tensor,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// The images, in the order of the requests.
    Done(Vec<Sampled>),
    /// The caller asked to stop between two steps.
    Stopped,
}

/// A model of Stable Diffusion's kind, ready to sample.
#[derive(Debug)]
pub struct Pipeline {
    class: String,
    unet: Unet,
    vae: Vae,
    /// What the VAE computes in: float32 where float16 is too narrow for it.
    vae_kind: Kind,
    captions: CaptionEncoder,
    image: Option<ImageCondition>,
    scheduler: SchedulerConfig,
    device: Device,
    kind: Kind,
    model_fingerprint: String,
    adapters: Vec<AdapterRecord>,
    fingerprint: String,
    notes: Vec<String>,
}

impl Pipeline {
    /// A hash of the configs, weights and adapters.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A hash of the configs and weights, without the adapters that were merged into them.
    pub fn model_fingerprint(&self) -> &str {
        &self.model_fingerprint
    }

    /// The adapters that were merged into the weights, in the order in which they were given.
    pub fn adapters(&self) -> &[AdapterRecord] {
        &self.adapters
    }

    /// What the UNet and the text encoders compute in: `fp32`, `fp16` or `bf16`.
    pub fn kind_name(&self) -> &'static str {
        kind_name(self.kind)
    }

    /// What the VAE computes in; `fp32` where `fp16` is too narrow for it.
    pub fn vae_kind_name(&self) -> &'static str {
        kind_name(self.vae_kind)
    }

    /// `cpu` or `cuda`.
    pub fn device_name(&self) -> &'static str {
        if self.device.is_cuda() { "cuda" } else { "cpu" }
    }

    /// The folder's class, as `model_index.json` names it.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// What a user should know about how it was opened, such as a variant that a part lacks.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Width of the image embedding that every request must bring; none for models conditioned on
    /// captions alone.
    pub fn embedding_width(&self) -> Option<usize> {
        self.image.as_ref().map(ImageCondition::width)
    }

    /// Width and height of the images that these settings give, px.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Setting`] if a side is no multiple of what the UNet and VAE can halve, or
    /// larger than [`MAX_SIDE`].
    pub fn size(&self, sampling: &Sampling) -> Result<(u32, u32), PipelineError> {
        let factor = self.vae.config().factor();
        let native = (self.unet.config().sample_size * factor) as u32;
        // The latents are halved at every level of the UNet but the last; odd sizes work (as in
        // Diffusers), so only whole latents are asked for.
        let side = |name, given: Option<u32>| {
            let value = given.unwrap_or(native);
            if value == 0 || value > MAX_SIDE || i64::from(value) % factor != 0 {
                let expected = format!("a multiple of {factor} px, at most {MAX_SIDE}");
                return Err(PipelineError::Setting {
                    name,
                    value: value.to_string(),
                    expected,
                });
            }
            Ok(value)
        };
        Ok((
            side("width", sampling.width)?,
            side("height", sampling.height)?,
        ))
    }

    /// Checks settings without sampling, and names the scheduler that will serve.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Setting`] or [`PipelineError::Scheduler`].
    pub fn check(&self, sampling: &Sampling) -> Result<String, PipelineError> {
        self.size(sampling)?;
        sampling.check()?;
        if let Some(image) = &self.image {
            image.check(sampling.noise_level)?;
        }
        Ok(self.scheduler_record(sampling)?.name)
    }

    /// The scheduler that will serve, with every setting that shows in the image.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Scheduler`].
    pub fn scheduler_record(&self, sampling: &Sampling) -> Result<SchedulerRecord, PipelineError> {
        Ok(self.scheduler(sampling)?.record().clone())
    }

    fn scheduler(&self, sampling: &Sampling) -> Result<Resolved, PipelineError> {
        let (steps, eta) = (sampling.steps, sampling.eta);
        if let Some(record) = &sampling.recorded {
            return Ok(schedulers::from_record(record, steps)?);
        }
        let name = sampling.scheduler.as_deref();
        Ok(schedulers::resolve(name, &self.scheduler, steps, eta)?)
    }

    /// Encodes a caption, alone, so that its states never depend on other captions.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Weighting`], [`PipelineError::Torch`].
    pub fn encode(
        &self,
        caption: &str,
        long: LongPrompts,
    ) -> Result<EncodedCaption, PipelineError> {
        self.captions.encode(caption, long, self.device)
    }

    /// Encodes what images should not show; where the model was trained so, nothing is zeros.
    ///
    /// # Errors
    ///
    /// As [`Self::encode`].
    pub fn encode_negative(
        &self,
        text: &str,
        long: LongPrompts,
    ) -> Result<EncodedCaption, PipelineError> {
        self.captions.encode_negative(text, long, self.device)
    }

    /// `[channels, h, w]`: the unit normal noise that an image of this seed starts from, before any
    /// scaling by the scheduler.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Setting`] as [`Self::size`].
    pub fn initial_latents(&self, seed: u64, sampling: &Sampling) -> Result<Tensor, PipelineError> {
        let shape = self.latent_shape(sampling)?;
        let numbers = shape.iter().product::<i64>() as usize;
        let values = noise::normal(seed, noise::START, numbers);
        Ok(Tensor::f_from_slice(&values)?.f_view(shape)?)
    }

    fn latent_shape(&self, sampling: &Sampling) -> Result<[i64; 3], PipelineError> {
        let (width, height) = self.size(sampling)?;
        let factor = self.vae.config().factor();
        Ok([
            self.unet.config().in_channels,
            i64::from(height) / factor,
            i64::from(width) / factor,
        ])
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Half => "fp16",
        Kind::BFloat16 => "bf16",
        _ => "fp32",
    }
}
