//! Euler's method.
//!
//! `x_{i+1} = x_i + (σ_{i+1} − σ_i)·(x_i − x̂₀)/σ_i`.
//!
//! Source: Karras et al. 2022, algorithm 2 without churn (<https://arxiv.org/abs/2206.00364>).

use tch::Tensor;

use super::alphas::f32;
use super::betas::{BetaDefaults, Betas};
use super::prediction::Prediction;
use super::registry::{Entry, Method};
use super::respacing::Respacing;
use super::sigmas::{FinalSigma, SigmaGrid, SigmaSettings};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("euler", "EulerDiscreteScheduler");

#[derive(Debug)]
struct Settings {
    sigmas: SigmaSettings,
    prediction: Prediction,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        reader.expect("interpolation_type", &["linear"])?;
        reader.expect("timestep_type", &["discrete"])?;
        Ok(Self {
            sigmas: SigmaSettings {
                betas: Betas::read(reader, BetaDefaults::DDPM)?.or_rescaled(reader)?,
                times: Timesteps::read(reader, Spacing::Linspace)?,
                respacing: Respacing::read(reader)?,
                last: FinalSigma::read(reader)?,
            },
            prediction: Prediction::read(reader)?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(Euler {
            grid: SigmaGrid::new(&self.sigmas, steps)?,
            prediction: self.prediction,
        }))
    }
}

struct Euler {
    grid: SigmaGrid,
    prediction: Prediction,
}

impl Scheduler for Euler {
    fn name(&self) -> &'static str {
        ENTRY.name
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
        let clean = self.prediction.clean_at(&output, &sample, sigma);
        let derivative = (&sample - clean) / sigma;
        sample + derivative * (next - sigma)
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        self.grid.add_noise(original, noise, call)
    }
}
