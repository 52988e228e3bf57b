//! Noise levels `σ = √((1 − ᾱ)/ᾱ)` for the solvers that work on `x/√ᾱ` (Karras et al. 2022).

use super::{
    SchedulerError,
    alphas::{Alphas, f32, linspace, timesteps},
    settings::{FinalSigma, Prediction, Settings, SigmaSpacing, Spacing},
};
use tch::Tensor;

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
    /// The grid of Euler, Heun and LMS.
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        let all = Alphas::new(settings).sigmas();
        let times = timesteps(settings, false)?;
        let at_times: Vec<f64> = times.iter().map(|time| interpolate(&all, *time)).collect();
        let (sigmas, times) = respaced(settings, at_times, times, &all);
        let sigmas = with_final(settings, &all, sigmas);
        let largest = sigmas[0];
        Ok(Self {
            timesteps: times.iter().map(|time| f64::from(*time as f32)).collect(),
            init_noise_sigma: match settings.spacing {
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

/// Linear interpolation at a timestep between the levels of whole ones.
pub(super) fn interpolate(all: &[f64], time: f64) -> f64 {
    let below = (time.floor() as usize).min(all.len() - 1);
    let above = (below + 1).min(all.len() - 1);
    all[below] + (all[above] - all[below]) * (time - below as f64)
}

/// Noise levels moved to Karras', exponential or beta spacing, and the timesteps where they occur.
///
/// `range` gives the largest (first) and smallest (last) level.
pub(super) fn respaced(
    settings: &Settings,
    range: Vec<f64>,
    times: Vec<f64>,
    all: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    const RHO: f64 = 7.0; // Karras et al. 2022, section 3.2
    let max = settings.sigma_max.unwrap_or(range[0]);
    let min = settings.sigma_min.unwrap_or(range[range.len() - 1]);
    let count = settings.steps;
    let sigmas: Vec<f64> = match settings.sigma_spacing {
        SigmaSpacing::Timesteps => return (range, times),
        SigmaSpacing::Karras => linspace(0.0, 1.0, count)
            .into_iter()
            .map(|ramp| {
                let (low, high) = (min.powf(1.0 / RHO), max.powf(1.0 / RHO));
                (high + ramp * (low - high)).powf(RHO)
            })
            .collect(),
        SigmaSpacing::Exponential => linspace(max.ln(), min.ln(), count)
            .into_iter()
            .map(f64::exp)
            .collect(),
        SigmaSpacing::Beta => linspace(0.0, 1.0, count)
            .into_iter()
            .map(|ramp| min + beta_quantile(1.0 - ramp) * (max - min))
            .collect(),
    };
    let times = sigmas.iter().map(|sigma| time_of(*sigma, all)).collect();
    (sigmas, times)
}

/// The timestep at which a noise level occurs, by interpolation of its logarithm.
fn time_of(sigma: f64, all: &[f64]) -> f64 {
    // Logarithms of known levels are `f32` in Diffusers; DPM-Solver++ truncates the result, so the
    // last bit decides.
    let log = |index: usize| f64::from((all[index] as f32).ln());
    let sigma = sigma.max(1e-10).ln();
    let below = all
        .partition_point(|known| f64::from((*known as f32).ln()) <= sigma)
        .clamp(1, all.len() - 1)
        - 1;
    let (low, high) = (log(below), log(below + 1));
    let weight = ((low - sigma) / (low - high)).clamp(0.0, 1.0);
    below as f64 + weight
}

/// Quantile of the beta distribution with both parameters 0.6: Lee et al. 2024
/// (<https://arxiv.org/abs/2407.12173>).
fn beta_quantile(share: f64) -> f64 {
    if share > 0.5 {
        return 1.0 - beta_quantile(1.0 - share); // symmetric about one half
    }
    let total = 2.0 * beta_mass(0.5);
    let (mut low, mut high) = (0.0, 0.5);
    // Halving 60 times leaves less than `f64` can tell apart.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if beta_mass(middle) < share * total {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// `∫ u^{a−1}·(1 − u)^{a−1} du` from 0 to `x ≤ 0.5` with `a` = 0.6, by the binomial series.
fn beta_mass(x: f64) -> f64 {
    const A: f64 = 0.6;
    let mut coefficient = 1.0;
    let mut sum = 0.0;
    for n in 0..60 {
        let n = f64::from(n);
        sum += coefficient / (A + n);
        coefficient *= (n + 1.0 - A) / (n + 1.0) * x;
    }
    sum * x.powf(A)
}

/// The levels of a run rounded to `f32` as in Diffusers, with the one after the last step.
pub(super) fn with_final(settings: &Settings, all: &[f64], mut sigmas: Vec<f64>) -> Vec<f64> {
    sigmas.push(match settings.final_sigma {
        FinalSigma::Zero => 0.0,
        FinalSigma::Min => all[0],
    });
    sigmas
        .into_iter()
        .map(|sigma| f64::from(sigma as f32))
        .collect()
}

/// The clean sample that a model's output means at noise level `sigma`.
pub(super) fn clean(
    prediction: Prediction,
    output: &Tensor,
    sample: &Tensor,
    sigma: f64,
) -> Tensor {
    match prediction {
        Prediction::Epsilon => sample - output * sigma,
        Prediction::V => output * (-sigma / sigma.hypot(1.0)) + sample / (sigma.powi(2) + 1.0),
        Prediction::Sample => output.shallow_clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_quantiles_are_scipys() {
        // scipy.stats.beta.ppf(p, 0.6, 0.6)
        for (share, expected) in [
            (0.0, 0.0),
            (0.01, 0.0008612388215429059),
            (0.3, 0.23401700387523572),
            (0.5, 0.5),
            (0.75, 0.824319621347305),
            (0.999, 0.9999814412614826),
            (1.0, 1.0),
        ] {
            let got = beta_quantile(share);
            assert!((got - expected).abs() < 1e-12, "{share}: {got}");
        }
    }
}
