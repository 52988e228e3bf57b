//! The sampling loop and its settings.

use std::collections::BTreeSet;

use image::RgbImage;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::{EncodedCaption, ImageRequest, Outcome, Pipeline, PipelineError, Sampled};
use crate::diffusion::noise;
use crate::diffusion::record::LongPrompts;
use crate::diffusion::schedulers::SchedulerRecord;
use crate::diffusion::unet::Conditions;

/// Images sampled at once at most.
pub const MAX_BATCH: usize = 4096;

/// Settings of sampling; together with model, caption and seed they determine an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Denoising steps.
    pub steps: usize,
    /// Classifier-free guidance scale; 1 or less turns it off.
    pub guidance: f64,
    /// Scheduler by name; none means the folder's own.
    pub scheduler: Option<String>,
    /// DDIM's η.
    pub eta: f64,
    /// A scheduler with all its settings, in place of name, η and the folder's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<SchedulerRecord>,
    /// What the image should not show; empty means nothing in particular.
    pub negative_prompt: String,
    /// What becomes of prompts that are longer than the text encoder's context.
    #[serde(skip_serializing_if = "LongPrompts::is_cut")]
    pub long_prompts: LongPrompts,
    /// Width, px; none means what the model was trained on.
    pub width: Option<u32>,
    /// Height, px; none means what the model was trained on.
    pub height: Option<u32>,
    /// Images sampled at once.
    pub batch: usize,
    /// How much noise an image embedding gets before it conditions the model (Stable unCLIP), as a
    /// timestep; more gives more variety.
    pub noise_level: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            steps: 25,
            guidance: 7.5,
            scheduler: None,
            eta: 0.0,
            recorded: None,
            negative_prompt: String::new(),
            long_prompts: LongPrompts::default(),
            width: None,
            height: None,
            batch: 8,
            noise_level: 0,
        }
    }
}

impl Sampling {
    /// Checks what can be checked without a model.
    pub(super) fn check(&self) -> Result<(), PipelineError> {
        if !(1..=MAX_BATCH).contains(&self.batch) {
            return Err(PipelineError::Setting {
                name: "batch",
                value: self.batch.to_string(),
                expected: format!("1 to {MAX_BATCH}"),
            });
        }
        if !self.guidance.is_finite() {
            return Err(PipelineError::Setting {
                name: "guidance",
                value: self.guidance.to_string(),
                expected: "a finite number".to_owned(),
            });
        }
        Ok(())
    }
}

/// What requests have in common that are sampled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    /// Tokens of the longer of caption and negative prompt.
    length: i64,
    /// The scheduler's call at which they begin; none for noise.
    begin: Option<usize>,
}

/// What the UNet is told at every step, for the whole batch; with guidance the unconditional half
/// comes first.
struct Told {
    context: Tensor,
    text_time: Option<(Tensor, Tensor)>,
    class: Option<Tensor>,
    /// The guidance scale as an input.
    guidance: Option<f64>,
    /// Whether there is an unconditional half.
    guided: bool,
}

impl Pipeline {
    /// Samples at most `sampling.batch` images.
    ///
    /// `unconditional` is the encoded negative prompt. Between steps `stop` is asked whether to go
    /// on. Captions of different lengths are sampled one length after the other, so that none sees another's
    /// padding; so are those that begin at different calls of the scheduler.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] for settings that do not fit, before any image is made, or when libtorch fails.
    pub fn sample(
        &self,
        requests: &[ImageRequest<'_>],
        unconditional: &EncodedCaption,
        sampling: &Sampling,
        stop: &dyn Fn() -> bool,
    ) -> Result<Outcome, PipelineError> {
        let _guard = tch::no_grad_guard();
        if requests.len() > sampling.batch {
            return Err(PipelineError::Setting {
                name: "batch",
                value: sampling.batch.to_string(),
                expected: format!("at least the {} images asked for at once", requests.len()),
            });
        }
        let kinds: Vec<Alike> = requests
            .iter()
            .map(|request| {
                Ok(Alike {
                    length: request.caption.len().max(unconditional.len()),
                    begin: self.begin_of(request, sampling)?,
                })
            })
            .collect::<Result<_, PipelineError>>()?;
        let mut done: Vec<Option<Sampled>> = requests.iter().map(|_| None).collect();
        for kind in kinds.iter().collect::<BTreeSet<_>>() {
            let (places, alike): (Vec<usize>, Vec<ImageRequest<'_>>) = requests
                .iter()
                .zip(&kinds)
                .enumerate()
                .filter(|(_, (_, other))| *other == kind)
                .map(|(place, (request, _))| (place, *request))
                .unzip();
            match self.sample_alike(&alike, unconditional, (sampling, kind.begin), stop)? {
                Outcome::Stopped => return Ok(Outcome::Stopped),
                Outcome::Done(sampled) => {
                    for (place, sampled) in places.into_iter().zip(sampled) {
                        done[place] = Some(sampled);
                    }
                }
            }
        }
        Ok(Outcome::Done(done.into_iter().flatten().collect()))
    }

    /// Samples requests that are alike: whose captions are of one length, and that begin at one call, which is none
    /// for those that start from noise.
    fn sample_alike(
        &self,
        requests: &[ImageRequest<'_>],
        unconditional: &EncodedCaption,
        (sampling, begin): (&Sampling, Option<usize>),
        stop: &dyn Fn() -> bool,
    ) -> Result<Outcome, PipelineError> {
        let Some(last) = requests.last() else {
            return Ok(Outcome::Done(Vec::new()));
        };
        let [channels, height, width] = self.latent_shape(sampling)?;
        let shape = [1, channels, height, width];
        let numbers = shape.iter().product::<i64>() as usize;
        // Repeating the last request keeps the batch's shape; its copies are thrown away.
        let padded: Vec<ImageRequest<'_>> = requests
            .iter()
            .chain(std::iter::repeat(last))
            .take(sampling.batch)
            .copied()
            .collect();
        let noise_at = |step: u64| -> Result<Tensor, tch::TchError> {
            let each: Vec<Tensor> = padded
                .iter()
                .map(|r| Tensor::from_slice(&noise::normal(r.seed, step, numbers)).view(shape))
                .collect();
            Tensor::f_cat(&each, 0)?.f_to_device(self.device)
        };
        let told = self.told(&padded, unconditional, sampling)?;

        let mut scheduler = self.scheduler(sampling)?.start()?;
        let timesteps = scheduler.timesteps().to_vec();
        let noise = noise_at(noise::START)?;
        let mut xs = match begin {
            None => noise * scheduler.init_noise_sigma(),
            Some(call) => scheduler.add_noise(&self.start_latents(&padded)?, &noise, call),
        };
        for (call, &timestep) in timesteps.iter().enumerate().skip(begin.unwrap_or(0)) {
            if stop() {
                return Ok(Outcome::Stopped);
            }
            let input = scheduler.scale_model_input(&xs, call).to_kind(self.kind);
            let output = self.predict(&input, timestep, &told, sampling.guidance)?;
            let mut failed = None;
            xs = scheduler.step(&output, call, &xs, &mut |call| {
                noise_at(call as u64).unwrap_or_else(|error| {
                    failed = Some(error);
                    Tensor::zeros_like(&output)
                })
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        // Decoding takes as long as several steps.
        if stop() {
            return Ok(Outcome::Stopped);
        }
        self.pictures(&xs, requests.len()).map(Outcome::Done)
    }

    /// The model's output at one timestep, guided, as float32.
    fn predict(
        &self,
        input: &Tensor,
        timestep: f64,
        told: &Told,
        guidance: f64,
    ) -> Result<Tensor, PipelineError> {
        let input = if told.guided {
            Tensor::f_cat(&[input, input], 0)?
        } else {
            input.shallow_clone()
        };
        let times = Tensor::full([input.size()[0]], timestep, (Kind::Float, self.device));
        let conditions = Conditions {
            context: &told.context,
            text_time: told
                .text_time
                .as_ref()
                .map(|(pooled, sizes)| (pooled, sizes)),
            class: told.class.as_ref(),
            guidance: told.guidance,
        };
        let output = self
            .unet
            .forward(&input, &times, conditions)
            .to_kind(Kind::Float);
        Ok(if told.guided {
            let halves = output.chunk(2, 0);
            &halves[0] + (&halves[1] - &halves[0]) * guidance
        } else {
            output
        })
    }

    fn told(
        &self,
        padded: &[ImageRequest<'_>],
        unconditional: &EncodedCaption,
        sampling: &Sampling,
    ) -> Result<Told, PipelineError> {
        let distilled = self.unet.config().time_cond_proj_dim.is_some();
        let guided = sampling.guidance > 1.0 && !distilled;
        let count = padded.len() as i64;
        // The unconditional half, where there is one, before the conditional one.
        let both = |unconditional: &Tensor, conditional: Tensor| -> Result<Tensor, tch::TchError> {
            if !guided {
                return Ok(conditional);
            }
            let mut shape = vec![-1; unconditional.dim()];
            shape[0] = count;
            let unconditional = unconditional.f_expand(&shape, false)?;
            Tensor::f_cat(&[unconditional, conditional], 0)
        };
        let [negative, captions] = self.context(padded, unconditional)?;
        let context = both(&negative, captions)?;

        let pooled: Option<Vec<&Tensor>> =
            padded.iter().map(|r| r.caption.pooled.as_ref()).collect();
        let text_time = match (pooled, &unconditional.pooled) {
            (Some(pooled), Some(negative)) => {
                let pooled = both(negative, Tensor::f_cat(&pooled, 0)?)?;
                let sizes = self.sizes(sampling)?.repeat([pooled.size()[0], 1]);
                Some((pooled, sizes))
            }
            _ => None,
        };
        let class = match self.class_rows(padded, sampling.noise_level)? {
            Some(rows) => Some(both(&rows.narrow(0, 0, 1).zeros_like(), rows)?),
            None => None,
        };
        Ok(Told {
            context,
            text_time,
            class,
            guidance: distilled.then_some(sampling.guidance),
            guided,
        })
    }

    /// The states of the unconditional caption, `[1, l, width]`, and of the others, `[n, l, width]`: the shorter are
    /// filled up to the longest.
    fn context(
        &self,
        padded: &[ImageRequest<'_>],
        unconditional: &EncodedCaption,
    ) -> Result<[Tensor; 2], PipelineError> {
        let captions = || padded.iter().map(|r| r.caption);
        let length = captions()
            .map(EncodedCaption::len)
            .fold(unconditional.len(), i64::max);
        let alike = |caption: &EncodedCaption| caption.len() == length;
        if alike(unconditional) && captions().all(alike) {
            let hidden: Vec<&Tensor> = captions().map(|c| &c.hidden).collect();
            return Ok([
                unconditional.hidden.shallow_clone(),
                Tensor::f_cat(&hidden, 0)?,
            ]);
        }
        let empty = self.encode("", LongPrompts::Cut)?;
        let hidden = captions()
            .map(|caption| caption.filled(length, &empty))
            .collect::<Result<Vec<_>, _>>()?;
        Ok([
            unconditional.filled(length, &empty)?,
            Tensor::f_cat(&hidden, 0)?,
        ])
    }

    /// `[1, 6]`, as [`Conditions::text_time`] has them: the original is as large as the target, and nothing
    /// is cropped.
    fn sizes(&self, sampling: &Sampling) -> Result<Tensor, PipelineError> {
        let (width, height) = self.size(sampling)?;
        let (width, height) = (width as f32, height as f32);
        let sizes = Tensor::from_slice(&[height, width, 0.0, 0.0, height, width]);
        Ok(sizes.unsqueeze(0).to_device(self.device))
    }

    /// The image condition of every request, `[n, width]`; none for a model without.
    fn class_rows(
        &self,
        padded: &[ImageRequest<'_>],
        noise_level: usize,
    ) -> Result<Option<Tensor>, PipelineError> {
        let expected = self.embedding_width().unwrap_or(0);
        if let Some(got) = padded
            .iter()
            .map(|r| r.embedding.map_or(0, <[f32]>::len))
            .find(|&got| got != expected)
        {
            return Err(PipelineError::Embedding { got, expected });
        }
        let Some(image) = &self.image else {
            return Ok(None);
        };
        let rows: Vec<Tensor> = padded
            .iter()
            .map(|r| image.condition(r.embedding.unwrap_or_default(), r.seed, noise_level))
            .collect::<Result<_, _>>()?;
        let rows = Tensor::f_cat(&rows, 0)?.f_to_device(self.device)?;
        Ok(Some(rows.f_to_kind(self.kind)?))
    }

    /// Decodes the first `n` latents.
    fn pictures(&self, latents: &Tensor, n: usize) -> Result<Vec<Sampled>, PipelineError> {
        let scaled = (latents / self.vae.config().scaling_factor).to_kind(self.vae_kind);
        let pixels = self
            .vae
            .decode(&scaled)
            .to_kind(Kind::Float)
            .f_to_device(Device::Cpu)?;
        let latents = latents.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?;
        Ok(to_images(&pixels, &latents, n)?)
    }
}

/// The first `n` of `[batch, 3, h, w]` in −1…1 as bytes, rounded as Diffusers' `VaeImageProcessor`
/// rounds.
fn to_images(pixels: &Tensor, latents: &Tensor, n: usize) -> Result<Vec<Sampled>, tch::TchError> {
    let size = pixels.size();
    let (height, width) = (size[2] as u32, size[3] as u32);
    let count = (size[2] * size[3] * 3) as usize;
    (0..n as i64)
        .map(|i| {
            let one = pixels.f_select(0, i)?;
            let finite = one.f_isfinite()?.f_all()?.int64_value(&[]) == 1;
            let bytes = ((one.f_nan_to_num(0.0, 0.0, 0.0)? * 0.5 + 0.5).f_clamp(0.0, 1.0)? * 255.0)
                .f_round()?
                .f_permute([1, 2, 0])?
                .f_to_kind(Kind::Uint8)?
                .f_contiguous()?;
            let mut raw = vec![0_u8; count];
            bytes.f_copy_data_u8(&mut raw, count)?;
            let image = RgbImage::from_raw(width, height, raw)
                .unwrap_or_else(|| RgbImage::new(width, height));
            Ok(Sampled {
                image,
                finite,
                latents: latents.f_select(0, i)?.f_contiguous()?,
            })
        })
        .collect()
}
