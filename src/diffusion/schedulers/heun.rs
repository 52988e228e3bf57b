//! Heun's method: two model calls a step, and the step goes along the mean of the slopes at its two
//! ends.
//!
//! Source: Karras et al. 2022, algorithm 1 (<https://arxiv.org/abs/2206.00364>).

use tch::Tensor;

use super::alphas::f32;
use super::betas::{BetaDefaults, Betas};
use super::prediction::{Clip, Prediction};
use super::registry::{Entry, Method};
use super::respacing::Respacing;
use super::sigmas::{FinalSigma, SigmaGrid, SigmaSettings};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("heun", "HeunDiscreteScheduler");

#[derive(Debug)]
struct Settings {
    sigmas: SigmaSettings,
    prediction: Prediction,
    clip: Clip,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        Ok(Self {
            sigmas: SigmaSettings {
                betas: Betas::read(reader, BetaDefaults::LINEAR)?,
                times: Timesteps::read(reader, Spacing::Linspace)?,
                respacing: Respacing::read(reader)?,
                last: FinalSigma::Zero,
            },
            prediction: Prediction::read(reader)?,
            clip: Clip::read(reader, false)?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        let grid = SigmaGrid::new(&self.sigmas, steps)?;
        let calls = 2 * grid.timesteps.len() - 1;
        Ok(Box::new(Heun {
            timesteps: (0..calls).map(|call| grid.timesteps[level(call)]).collect(),
            grid,
            prediction: self.prediction,
            clip: self.clip,
            first: None,
        }))
    }
}

struct Heun {
    grid: SigmaGrid,
    /// The grid's timesteps, all but the first twice; the last step has one call only.
    timesteps: Vec<f64>,
    prediction: Prediction,
    clip: Clip,
    /// Sample and slope at the beginning of the step, between its two calls.
    first: Option<(Tensor, Tensor)>,
}

/// Which noise level the model sees at a call: 0, 1, 1, 2, 2, …
fn level(call: usize) -> usize {
    call.div_ceil(2)
}

impl Scheduler for Heun {
    fn name(&self) -> &'static str {
        ENTRY.name
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
        let clean = self.prediction.clean_at(&output, &sample, sigma);
        let slope = (&sample - self.clip.apply(clean)) / sigma;
        if let Some((start, first)) = self.first.take() {
            return start + (first + slope) / 2.0 * (sigma - sigmas[level(call) - 1]);
        }
        let next = &sample + &slope * (sigmas[level(call) + 1] - sigma);
        self.first = Some((sample, slope));
        next
    }

    /// Two calls a step, the first step's among them.
    fn begin(&self, skipped: usize) -> Result<usize, SchedulerError> {
        Ok(2 * skipped)
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        self.grid.add_noise(original, noise, level(call))
    }
}
