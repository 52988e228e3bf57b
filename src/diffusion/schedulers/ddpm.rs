//! Denoising diffusion probabilistic models: ancestral sampling with noise at every step.
//!
//! `x_s = (√ᾱ_s·β/(1 − ᾱ_t))·x̂₀ + (√(1 − β)·(1 − ᾱ_s)/(1 − ᾱ_t))·x_t + √v·z`, `β = 1 − ᾱ_t/ᾱ_s`.
//!
//! Source: Ho, Jain and Abbeel 2020, equation 7 (<https://arxiv.org/abs/2006.11239>).

use tch::Tensor;

use super::alphas::{self, Alphas, f32};
use super::betas::{BetaDefaults, Betas};
use super::prediction::{Clip, Prediction};
use super::registry::{Entry, Method};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("ddpm", "DDPMScheduler");

#[derive(Debug, Clone)]
struct Settings {
    betas: Betas,
    times: Timesteps,
    prediction: Prediction,
    clip: Clip,
    variance: Variance,
}

/// The variance of the noise of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variance {
    /// That of the posterior; `fixed_small_log` is the same by way of a logarithm.
    Small,
    /// Beta itself.
    Large,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        reader.refuse_flag("thresholding")?;
        let prediction = Prediction::read(reader)?;
        Ok(Self {
            betas: Betas::read(reader, BetaDefaults::DDPM)?.or_rescaled_for(prediction, reader)?,
            times: Timesteps::read(reader, Spacing::Leading)?,
            prediction,
            clip: Clip::read(reader, true)?,
            variance: reader.choice(
                "variance_type",
                Variance::Small,
                &[
                    ("fixed_small", Variance::Small),
                    ("fixed_small_log", Variance::Small),
                    ("fixed_large", Variance::Large),
                ],
            )?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(Ddpm {
            timesteps: self.times.whole(steps)?,
            alphas: Alphas::new(&self.betas),
            settings: self.clone(),
        }))
    }
}

struct Ddpm {
    settings: Settings,
    timesteps: Vec<f64>,
    alphas: Alphas,
}

impl Scheduler for Ddpm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let time = self.timesteps[call];
        let alpha = self.alphas.at(time);
        let alpha_next = self
            .timesteps
            .get(call + 1)
            .map_or(1.0, |next| self.alphas.at(*next));
        let beta = 1.0 - alpha / alpha_next;
        let (output, sample) = (f32(model_output), f32(sample));
        let Settings {
            prediction, clip, ..
        } = self.settings;
        let (clean, _) = prediction.clean_and_noise(&output, &sample, alpha);
        let clean = clip.apply(clean);
        let mean = clean * (alpha_next.sqrt() * beta / (1.0 - alpha))
            + sample * ((1.0 - beta).sqrt() * (1.0 - alpha_next) / (1.0 - alpha));
        let variance = match self.settings.variance {
            Variance::Small => (1.0 - alpha_next) / (1.0 - alpha) * beta,
            Variance::Large => beta,
        };
        if time > 0.0 && variance > 0.0 {
            mean + f32(&noise(call)) * variance.sqrt()
        } else {
            mean
        }
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        alphas::add_noise(original, noise, self.alphas.at(self.timesteps[call]))
    }
}
