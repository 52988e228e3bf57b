//! Heun's method where the `diffusers` crate's differs from today's: two model calls a step, and
//! the step goes along the mean of the slopes at its two ends.
//!
//! Source: Karras et al. 2022, algorithm 1 (<https://arxiv.org/abs/2206.00364>).

use super::{
    Scheduler, SchedulerError,
    alphas::{clipped, f32},
    settings::{Prediction, Settings},
    sigmas::{SigmaGrid, clean},
};
use tch::Tensor;

pub(super) struct Heun {
    grid: SigmaGrid,
    /// The grid's timesteps, all but the first twice; the last step has one call only.
    timesteps: Vec<f64>,
    prediction: Prediction,
    clip: Option<f64>,
    /// Sample and slope at the beginning of the step, between its two calls.
    first: Option<(Tensor, Tensor)>,
}

impl Heun {
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        let grid = SigmaGrid::new(settings)?;
        let calls = 2 * grid.timesteps.len() - 1;
        Ok(Self {
            timesteps: (0..calls).map(|call| grid.timesteps[level(call)]).collect(),
            grid,
            prediction: settings.prediction,
            clip: settings.clip,
            first: None,
        })
    }
}

/// Which noise level the model sees at a call: 0, 1, 1, 2, 2, …
fn level(call: usize) -> usize {
    call.div_ceil(2)
}

impl Scheduler for Heun {
    fn name(&self) -> &'static str {
        "heun"
    }

    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.grid.init_noise_sigma
    }

    fn scale_model_input(&self, sample: &Tensor, call: usize) -> Tensor {
        self.grid.scale(sample, level(call))
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        _noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let sigmas = &self.grid.sigmas;
        let sigma = sigmas[level(call)];
        let (output, sample) = (f32(model_output), f32(sample));
        let clean = clipped(clean(self.prediction, &output, &sample, sigma), self.clip);
        let slope = (&sample - clean) / sigma;
        if let Some((start, first)) = self.first.take() {
            return start + (first + slope) / 2.0 * (sigma - sigmas[level(call) - 1]);
        }
        let next = &sample + &slope * (sigmas[level(call) + 1] - sigma);
        self.first = Some((sample, slope));
        next
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        self.grid.add_noise(original, noise, level(call))
    }
}
