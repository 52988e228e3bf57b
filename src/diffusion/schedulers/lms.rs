//! Linear multistep: Adams-Bashforth of order four at uneven steps.
//!
//! `x_{i+1} = x_i + Σ_j d_{i−j}·∫ ℓ_j(σ) dσ` from `σ_i` to `σ_{i+1}`, with `ℓ_j` the Lagrange
//! polynomials through the last four noise levels and `d` the slopes there.
//!
//! Source: `sample_lms` of k-diffusion
//! (<https://github.com/crowsonkb/k-diffusion/blob/481677d114f6ea445aa009cf5bd7a9cdee909e47/k_diffusion/sampling.py#L206>).

use std::collections::VecDeque;

use tch::Tensor;

use super::alphas::f32;
use super::betas::{BetaDefaults, Betas};
use super::prediction::Prediction;
use super::registry::{Entry, Method};
use super::respacing::Respacing;
use super::sigmas::{FinalSigma, SigmaGrid, SigmaSettings};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("lms", "LMSDiscreteScheduler");

const ORDER: usize = 4;

#[derive(Debug)]
struct Settings {
    sigmas: SigmaSettings,
    prediction: Prediction,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        Ok(Self {
            sigmas: SigmaSettings {
                betas: Betas::read(reader, BetaDefaults::DDPM)?,
                times: Timesteps::read(reader, Spacing::Linspace)?,
                respacing: Respacing::read_with_free_karras(reader)?,
                last: FinalSigma::Zero,
            },
            prediction: Prediction::read(reader)?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(Lms {
            grid: SigmaGrid::new(&self.sigmas, steps)?,
            prediction: self.prediction,
            slopes: VecDeque::with_capacity(ORDER + 1),
        }))
    }
}

struct Lms {
    grid: SigmaGrid,
    prediction: Prediction,
    /// The last slopes, newest first.
    slopes: VecDeque<Tensor>,
}

/// `∫ ℓ_j` over the step at `index`, for `ℓ_j` of `order` levels.
///
/// Two Gauss-Legendre nodes integrate a cubic exactly, so there is no tolerance to choose.
fn weight(sigmas: &[f64], index: usize, order: usize, j: usize) -> f64 {
    let lagrange = |sigma: f64| -> f64 {
        (0..order)
            .filter(|k| *k != j)
            .map(|k| (sigma - sigmas[index - k]) / (sigmas[index - j] - sigmas[index - k]))
            .product()
    };
    let half = (sigmas[index + 1] - sigmas[index]) / 2.0;
    let middle = sigmas[index] + half;
    let node = half / 3.0_f64.sqrt();
    half * (lagrange(middle - node) + lagrange(middle + node))
}

impl Scheduler for Lms {
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
        let sigma = self.grid.sigmas[call];
        let (output, sample) = (f32(model_output), f32(sample));
        let clean = self.prediction.clean_at(&output, &sample, sigma);
        self.slopes.push_front((&sample - clean) / sigma);
        self.slopes.truncate(ORDER);
        let order = ORDER.min(call + 1);
        let sigmas = &self.grid.sigmas;
        // Not `+=`, which would write into the caller's sample.
        self.slopes
            .iter()
            .enumerate()
            .fold(sample, |next, (j, slope)| {
                next + slope * weight(sigmas, call, order, j)
            })
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        self.grid.add_noise(original, noise, call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_every_order_add_up_to_the_step() {
        let sigmas = [14.6, 7.1, 3.3, 1.2, 0.4, 0.0];
        for order in 1..=ORDER {
            let index = 3 + order % 2;
            let sum: f64 = (0..order).map(|j| weight(&sigmas, index, order, j)).sum();
            assert!((sum - (sigmas[index + 1] - sigmas[index])).abs() < 1e-12);
        }
    }

    #[test]
    fn second_order_is_adams_bashforth_at_even_steps() {
        let sigmas = [3.0, 2.0, 1.0];
        assert!((weight(&sigmas, 1, 2, 0) + 1.5).abs() < 1e-12);
        assert!((weight(&sigmas, 1, 2, 1) - 0.5).abs() < 1e-12);
    }
}
