//! Denoising diffusion implicit models where the `diffusers` crate's DDIM differs from today's.
//!
//! `x_s = √ᾱ_s·x̂₀ + √(1 − ᾱ_s − σ²)·ε̂ + σ·z`,
//! `σ = η·√((1 − ᾱ_s)/(1 − ᾱ_t))·√(1 − ᾱ_t/ᾱ_s)`, with `s` the timestep after `t`.
//!
//! Source: Song, Meng and Ermon 2021, equations 12 and 16 (<https://arxiv.org/abs/2010.02502>).

use super::{
    Scheduler, SchedulerError,
    alphas::{self, Alphas, clean_and_noise, clipped, f32, root},
    settings::{Prediction, Settings},
};
use tch::Tensor;

pub(super) struct Ddim {
    timesteps: Vec<f64>,
    alphas: Alphas,
    /// Distance to the next timestep; at other spacings than `leading` an approximation that
    /// Diffusers makes too.
    stride: f64,
    final_alpha: f64,
    prediction: Prediction,
    clip: Option<f64>,
    eta: f64,
}

impl Ddim {
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        let alphas = Alphas::new(settings);
        Ok(Self {
            timesteps: alphas::timesteps(settings, true)?,
            stride: (settings.train / settings.steps) as f64,
            final_alpha: if settings.alpha_to_one {
                1.0
            } else {
                alphas.at(0.0)
            },
            alphas,
            prediction: settings.prediction,
            clip: settings.clip,
            eta: settings.eta,
        })
    }
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
        "ddim"
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
            self.final_alpha
        };
        let (output, sample) = (f32(model_output), f32(sample));
        let (clean, epsilon) = clean_and_noise(self.prediction, &output, &sample, alpha);
        let clean = clipped(clean, self.clip);
        let (deviation, remaining) = deviations(alpha, alpha_next, self.eta);
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
