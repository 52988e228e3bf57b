//! Denoising diffusion probabilistic models: ancestral sampling with noise at every step.
//!
//! `x_s = (√ᾱ_s·β/(1 − ᾱ_t))·x̂₀ + (√(1 − β)·(1 − ᾱ_s)/(1 − ᾱ_t))·x_t + √v·z`, `β = 1 − ᾱ_t/ᾱ_s`.
//!
//! Source: Ho, Jain and Abbeel 2020, equation 7 (<https://arxiv.org/abs/2006.11239>).

use super::{
    Scheduler, SchedulerError,
    alphas::{self, Alphas, clean_and_noise, clipped, f32},
    settings::{Prediction, Settings, Variance},
};
use tch::Tensor;

pub(super) struct Ddpm {
    timesteps: Vec<f64>,
    alphas: Alphas,
    prediction: Prediction,
    clip: Option<f64>,
    variance: Variance,
}

impl Ddpm {
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        Ok(Self {
            timesteps: alphas::timesteps(settings, true)?,
            alphas: Alphas::new(settings),
            prediction: settings.prediction,
            clip: settings.clip,
            variance: settings.variance,
        })
    }
}

impl Scheduler for Ddpm {
    fn name(&self) -> &'static str {
        "ddpm"
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
        let (clean, _) = clean_and_noise(self.prediction, &output, &sample, alpha);
        let clean = clipped(clean, self.clip);
        let mean = clean * (alpha_next.sqrt() * beta / (1.0 - alpha))
            + sample * ((1.0 - beta).sqrt() * (1.0 - alpha_next) / (1.0 - alpha));
        let variance = match self.variance {
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
