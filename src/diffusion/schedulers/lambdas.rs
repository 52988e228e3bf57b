//! Noise levels in `λ = ln(α/σ)`, half the log signal-to-noise ratio, for the exponential
//! integrators DPM-Solver++ and UniPC, which solve the diffusion equation at even steps of it.

use super::{
    SchedulerError,
    alphas::{Alphas, in_range, leading, linspace, trailing},
    class::Class,
    settings::{Betas, FinalSigma, Settings, SigmaSpacing, Spacing},
    sigmas::{interpolate, respaced, with_final},
};

/// Signal, noise and half log signal-to-noise ratio at a noise level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) alpha: f64,
    pub(super) sigma: f64,
    pub(super) lambda: f64,
}

impl Level {
    /// `ratio` is `σ/α`.
    pub(super) fn new(ratio: f64) -> Self {
        let alpha = 1.0 / ratio.hypot(1.0);
        Self {
            alpha,
            sigma: ratio * alpha,
            lambda: -ratio.ln(),
        }
    }
}

/// Whole timesteps of a run with their noise levels `σ/α`.
#[derive(Debug, Clone)]
pub(super) struct LambdaGrid {
    /// One per step, decreasing.
    pub(super) timesteps: Vec<f64>,
    /// One per step and the one after the last. All but the last decrease.
    pub(super) sigmas: Vec<f64>,
}

impl LambdaGrid {
    /// # Errors
    ///
    /// [`SchedulerError::Degenerate`] if two calls have the same noise level.
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        let all = Alphas::new(settings).sigmas();
        let times = timesteps(settings, &all)?;
        let (sigmas, mut times) = if settings.sigma_spacing == SigmaSpacing::Timesteps {
            let sigmas = times.iter().map(|time| interpolate(&all, *time)).collect();
            (sigmas, times)
        } else {
            let decreasing = all.iter().rev().copied().collect();
            respaced(settings, decreasing, times, &all)
        };
        let rounds = settings.class == Class::UniPc || settings.betas != Betas::SquaredCosine;
        if settings.sigma_spacing == SigmaSpacing::Karras && rounds {
            for time in &mut times {
                *time = time.round_ties_even();
            }
        }
        let smallest = sigmas.last().copied();
        let mut sigmas = with_final(settings, &all, sigmas);
        // UniPC ends where it is instead of at the smallest known level.
        if let (Class::UniPc, FinalSigma::Min, Some(smallest), Some(last)) = (
            settings.class,
            settings.final_sigma,
            smallest,
            sigmas.last_mut(),
        ) && settings.sigma_spacing != SigmaSpacing::Timesteps
        {
            *last = f64::from(smallest as f32);
        }
        // The last step may have no length (a final level equal to the smallest); no other may.
        let before_last = &sigmas[..sigmas.len() - 1];
        if before_last.windows(2).any(|pair| pair[0] <= pair[1]) {
            let steps = settings.steps;
            return Err(SchedulerError::Degenerate { steps });
        }
        Ok(Self {
            timesteps: times.into_iter().map(f64::trunc).collect(),
            sigmas,
        })
    }

    /// The level at an index into `sigmas`.
    pub(super) fn level(&self, index: usize) -> Level {
        Level::new(self.sigmas[index])
    }
}

/// Whole timesteps, decreasing; the range is cut where `lambda_min_clipped` says.
fn timesteps(settings: &Settings, all: &[f64]) -> Result<Vec<f64>, SchedulerError> {
    let (train, steps) = (settings.train, settings.steps);
    // λ = −ln σ decreases with time, so the timesteps left out are the last ones.
    let end = all.partition_point(|sigma| -sigma.ln() >= settings.dpm.lambda_min);
    if end < 2 {
        return Err(SchedulerError::Degenerate { steps });
    }
    let times = match settings.spacing {
        Spacing::Linspace => linspace(0.0, (end - 1) as f64, steps + 1)
            .into_iter()
            .skip(1)
            .rev()
            .map(f64::round_ties_even)
            .collect(),
        Spacing::Leading => {
            let ratio = end / (steps + 1);
            leading(ratio, steps, settings.offset + ratio)
        }
        Spacing::Trailing => trailing(end, train as f64 / steps as f64, steps),
    };
    in_range(times, settings)
}
