//! Denoising diffusion implicit models.
//!
//! `x_s = √ᾱ_s·x̂₀ + √(1 − ᾱ_s − σ²)·ε̂ + σ·z`,
//! `σ = η·√((1 − ᾱ_s)/(1 − ᾱ_t))·√(1 − ᾱ_t/ᾱ_s)`, with `s` the timestep after `t`.
//!
//! Source: Song, Meng and Ermon 2021, equations 12 and 16 (<https://arxiv.org/abs/2010.02502>).

use tch::Tensor;

use super::alphas::{self, Alphas, f32, root};
use super::betas::{BetaDefaults, Betas};
use super::prediction::{Clip, Prediction};
use super::registry::{Entry, Method};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("ddim", "DDIMScheduler");

#[derive(Debug, Clone)]
struct Settings {
    betas: Betas,
    times: Timesteps,
    prediction: Prediction,
    clip: Clip,
    /// After the last step `ᾱ` is 1, not that of timestep 0.
    alpha_to_one: bool,
    eta: f64,
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
            alpha_to_one: reader.flag("set_alpha_to_one", true)?,
            eta: reader.eta()?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(Ddim {
            timesteps: self.times.whole(steps)?,
            alphas: Alphas::new(&self.betas),
            stride: self.times.stride(steps) as f64,
            settings: self.clone(),
        }))
    }
}

struct Ddim {
    settings: Settings,
    timesteps: Vec<f64>,
    alphas: Alphas,
    /// Distance to the next timestep; at other spacings than `leading` an approximation that
    /// Diffusers makes too.
    stride: f64,
}

/// How much noise to add, `σ`, and how much of the predicted noise remains, `√(1 − ᾱ_s − σ²)`.
///
/// Computed as in Diffusers: at eta 1 and zero SNR nothing remains but the root of a rounding error
/// (NaN there where the error is negative, 0 here).
fn deviations(alpha: f64, alpha_next: f64, eta: f64) -> (f64, f64) {
    let (alpha, alpha_next) = (alpha as f32, alpha_next as f32);
    let variance = (1.0 - alpha_next) / (1.0 - alpha) * (1.0 - alpha / alpha_next);
    let deviation = eta as f32 * root(variance.max(0.0));
    let remaining = root((1.0 - alpha_next - deviation.powi(2)).max(0.0));
    (deviation.into(), remaining.into())
}

impl Scheduler for Ddim {
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
        let next = time - self.stride;
        let alpha_next = if next >= 0.0 {
            self.alphas.at(next)
        } else {
            self.alphas.after_last(self.settings.alpha_to_one)
        };
        let (output, sample) = (f32(model_output), f32(sample));
        let Settings {
            prediction, clip, ..
        } = self.settings;
        let (clean, epsilon) = prediction.clean_and_noise(&output, &sample, alpha);
        let clean = clip.apply(clean);
        let (deviation, remaining) = deviations(alpha, alpha_next, self.settings.eta);
        let next = clean * alpha_next.sqrt() + epsilon * remaining;
        if deviation > 0.0 {
            next + f32(&noise(call)) * deviation
        } else {
            next
        }
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        alphas::add_noise(original, noise, self.alphas.at(self.timesteps[call]))
    }
}
