//! Latent consistency models: every call predicts the clean sample at once; noise for the next
//! timestep is then added to it.
//!
//! `x_s = √ᾱ_s·f + √(1 − ᾱ_s)·z`, `f = c_skip·x_t + c_out·x̂₀`, with `u` the scaled timestep,
//! `c_skip = ¼/(u² + ¼)` and `c_out = u/√(u² + ¼)`; the last call gives `f` itself.
//!
//! Timesteps are a share of those that the model was distilled on, whatever `timestep_spacing` says.
//!
//! Source: Luo et al. 2023, section 4 and algorithm 3 (<https://arxiv.org/abs/2310.04378>);
//! `src/diffusers/schedulers/scheduling_lcm.py` of Diffusers 0.42.

use super::{
    Scheduler, SchedulerError,
    alphas::{self, Alphas, clean_and_noise, clipped, f32},
    settings::{Prediction, Settings},
};
use tch::Tensor;

/// Standard deviation of the data that the boundary condition assumes.
const SIGMA_DATA: f64 = 0.5;

pub(super) struct Lcm {
    timesteps: Vec<f64>,
    alphas: Alphas,
    scaling: f64,
    prediction: Prediction,
    clip: Option<f64>,
}

impl Lcm {
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        let (distilled, steps) = (settings.consistency.distilled, settings.steps);
        let ratio = settings.train / distilled;
        // Rounds as `numpy.linspace` does, so that the same ones are chosen.
        let stride = distilled as f64 / steps as f64;
        let timesteps = (0..steps)
            .map(|i| ((distilled - (i as f64 * stride) as usize) * ratio - 1) as f64)
            .collect();
        Ok(Self {
            timesteps: alphas::in_range(timesteps, settings)?,
            alphas: Alphas::new(settings),
            scaling: settings.consistency.scaling,
            prediction: settings.prediction,
            clip: settings.clip,
        })
    }
}

impl Scheduler for Lcm {
    fn name(&self) -> &'static str {
        "lcm"
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
        let (output, sample) = (f32(model_output), f32(sample));
        let alpha = self.alphas.at(time);
        let (clean, _) = clean_and_noise(self.prediction, &output, &sample, alpha);
        let scaled = time * self.scaling;
        let norm = scaled.hypot(SIGMA_DATA);
        let denoised = clipped(clean, self.clip) * (scaled / norm)
            + sample * (SIGMA_DATA.powi(2) / norm.powi(2));
        match self.timesteps.get(call + 1) {
            Some(next) => alphas::add_noise(&denoised, &noise(call), self.alphas.at(*next)),
            None => denoised,
        }
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        alphas::add_noise(original, noise, self.alphas.at(self.timesteps[call]))
    }
}
