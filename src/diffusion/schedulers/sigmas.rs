//! Noise levels `σ = √((1 − ᾱ)/ᾱ)` for the solvers that work on `x/√ᾱ` (Karras et al. 2022).

use diffusers::schedulers::interp;
use tch::{Kind, Tensor};

use super::alphas::{f32, noise_levels};
use super::betas::Betas;
use super::respacing::Respacing;
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, SchedulerError};

/// The noise level after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FinalSigma {
    Zero,
    Min,
}

impl FinalSigma {
    /// `final_sigmas_type`.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        reader.choice(
            "final_sigmas_type",
            Self::Zero,
            &[("zero", Self::Zero), ("sigma_min", Self::Min)],
        )
    }

    /// The levels of a run rounded to `f32` as in Diffusers, with the one after the last step.
    pub(super) fn after(self, mut sigmas: Vec<f64>, all: &[f64]) -> Vec<f64> {
        sigmas.push(match self {
            Self::Zero => 0.0,
            Self::Min => all[0],
        });
        sigmas
            .into_iter()
            .map(|sigma| f64::from(sigma as f32))
            .collect()
    }
}

/// What a grid of noise levels is made of.
#[derive(Debug, Clone)]
pub(super) struct SigmaSettings {
    pub(super) betas: Betas,
    pub(super) times: Timesteps,
    pub(super) respacing: Respacing,
    pub(super) last: FinalSigma,
}

/// Timesteps of a run with their noise levels.
#[derive(Debug, Clone)]
pub(super) struct SigmaGrid {
    /// One per step, decreasing.
    pub(super) timesteps: Vec<f64>,
    /// One per step and the one after the last, decreasing.
    pub(super) sigmas: Vec<f64>,
    /// Standard deviation of the first sample.
    pub(super) init_noise_sigma: f64,
}

impl SigmaGrid {
    pub(super) fn new(settings: &SigmaSettings, steps: usize) -> Result<Self, SchedulerError> {
        let all = noise_levels(&settings.betas);
        let times = settings.times.fractional(steps)?;
        let grid = (levels_at(&times, &all), times);
        let (sigmas, times) = settings.respacing.apply(grid, &all, steps);
        let sigmas = settings.last.after(sigmas, &all);
        let largest = sigmas[0];
        Ok(Self {
            timesteps: times.iter().map(|time| f64::from(*time as f32)).collect(),
            init_noise_sigma: match settings.times.spacing {
                Spacing::Leading => largest.hypot(1.0),
                Spacing::Linspace | Spacing::Trailing => largest,
            },
            sigmas,
        })
    }

    /// `x/√(σ² + 1)`, which has the variance of `√ᾱ·image + √(1 − ᾱ)·noise`.
    pub(super) fn scale(&self, sample: &Tensor, index: usize) -> Tensor {
        f32(sample) / self.sigmas[index].hypot(1.0)
    }

    /// `original + σ·noise`.
    pub(super) fn add_noise(&self, original: &Tensor, noise: &Tensor, index: usize) -> Tensor {
        f32(original) + f32(noise) * self.sigmas[index]
    }
}

/// The noise level at each timestep: between whole ones, on the line through theirs.
pub(super) fn levels_at(times: &[f64], all: &[f64]) -> Vec<f64> {
    let whole = Tensor::arange(all.len() as i64, (Kind::Double, tch::Device::Cpu));
    let levels = interp(&Tensor::from_slice(times), whole, Tensor::from_slice(all));
    let mut out = vec![0.0; times.len()];
    levels.copy_data(&mut out, times.len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_between_whole_timesteps_lie_on_the_line() {
        let all = [0.5, 1.0, 3.0];
        let levels = levels_at(&[2.0, 1.25, 1.0, 0.5, 0.0], &all);
        for (level, expected) in levels.iter().zip([3.0, 1.5, 1.0, 0.75, 0.5]) {
            assert!((level - expected).abs() < 1e-12, "{levels:?}");
        }
    }
}
