//! Euler's method where the `diffusers` crate's differs from today's.
//!
//! `x_{i+1} = x_i + (σ_{i+1} − σ_i)·(x_i − x̂₀)/σ_i`.
//!
//! Source: Karras et al. 2022, algorithm 2 without churn (<https://arxiv.org/abs/2206.00364>).

use super::{
    Scheduler, SchedulerError,
    alphas::f32,
    settings::{Prediction, Settings},
    sigmas::{SigmaGrid, clean},
};
use tch::Tensor;

pub(super) struct Euler {
    grid: SigmaGrid,
    prediction: Prediction,
}

impl Euler {
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        Ok(Self {
            grid: SigmaGrid::new(settings)?,
            prediction: settings.prediction,
        })
    }
}

impl Scheduler for Euler {
    fn name(&self) -> &'static str {
        "euler"
    }

    fn timesteps(&self) -> &[f64] {
        &self.grid.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.grid.init_noise_sigma
    }

    fn scale_model_input(&self, sample: &Tensor, call: usize) -> Tensor {
        self.grid.scale(sample, call)
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        _noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (sigma, next) = (self.grid.sigmas[call], self.grid.sigmas[call + 1]);
        let (output, sample) = (f32(model_output), f32(sample));
        let clean = clean(self.prediction, &output, &sample, sigma);
        let derivative = (&sample - clean) / sigma;
        sample + derivative * (next - sigma)
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        self.grid.add_noise(original, noise, call)
    }
}
