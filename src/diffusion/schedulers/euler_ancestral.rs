//! Euler's method with ancestral noise: a step down to `σ_down`, then noise up to `σ_{i+1}`.
//!
//! `σ_up² = σ_{i+1}²·(σ_i² − σ_{i+1}²)/σ_i²`, `σ_down² = σ_{i+1}² − σ_up²`.
//!
//! Source: `sample_euler_ancestral` of k-diffusion
//! (<https://github.com/crowsonkb/k-diffusion/blob/481677d114f6ea445aa009cf5bd7a9cdee909e47/k_diffusion/sampling.py#L72>).

use tch::Tensor;

use super::alphas::{f32, root};
use super::betas::{BetaDefaults, Betas};
use super::prediction::Prediction;
use super::registry::{Entry, Method};
use super::respacing::Respacing;
use super::sigmas::{FinalSigma, SigmaGrid, SigmaSettings};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry =
    Entry::of::<Settings>("euler-ancestral", "EulerAncestralDiscreteScheduler");

#[derive(Debug)]
struct Settings {
    sigmas: SigmaSettings,
    prediction: Prediction,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        Ok(Self {
            sigmas: SigmaSettings {
                betas: Betas::read(reader, BetaDefaults::DDPM)?.or_rescaled(reader)?,
                times: Timesteps::read(reader, Spacing::Linspace)?,
                respacing: Respacing::NONE,
                last: FinalSigma::Zero,
            },
            prediction: Prediction::read_without_sample(reader)?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(EulerAncestral {
            grid: SigmaGrid::new(&self.sigmas, steps)?,
            prediction: self.prediction,
        }))
    }
}

struct EulerAncestral {
    grid: SigmaGrid,
    prediction: Prediction,
}

/// `σ_up` and `σ_down`.
///
/// Computed as in Diffusers: after a long step nearly nothing remains of `σ_{i+1}² − σ_up²` but
/// rounding (NaN there where it is negative, 0 here).
fn deviations(sigma: f64, next: f64) -> (f64, f64) {
    let (from, to) = ((sigma as f32).powi(2), (next as f32).powi(2));
    let up = root((to * (from - to) / from).max(0.0));
    let down = root((to - up.powi(2)).max(0.0));
    (up.into(), down.into())
}

impl Scheduler for EulerAncestral {
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
        noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (sigma, next) = (self.grid.sigmas[call], self.grid.sigmas[call + 1]);
        let (up, down) = deviations(sigma, next);
        let (output, sample) = (f32(model_output), f32(sample));
        let clean = self.prediction.clean_at(&output, &sample, sigma);
        let derivative = (&sample - clean) / sigma;
        let lower = sample + derivative * (down - sigma);
        if up > 0.0 {
            lower + f32(&noise(call)) * up
        } else {
            lower
        }
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        self.grid.add_noise(original, noise, call)
    }
}
