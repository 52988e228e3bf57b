//! Noise levels in `λ = ln(α/σ)`, half the log signal-to-noise ratio, for the exponential
//! integrators DPM-Solver++ and UniPC, which solve the diffusion equation at even steps of it.

use super::SchedulerError;
use super::alphas::noise_levels;
use super::sigmas::{FinalSigma, SigmaSettings, levels_at};
use super::timesteps::{Spacing, Timesteps, leading, linspace, trailing};

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

/// What the two classes do differently with their grids.
#[derive(Debug, Clone, Copy)]
pub(super) struct GridRules {
    /// Timesteps whose `λ` is below this are left out; minus infinity leaves out none.
    pub(super) lambda_min: f64,
    /// Timesteps of Karras' levels are rounded, not cut, to whole ones.
    pub(super) rounds_karras_times: bool,
    /// A run that ends at the smallest level ends at its own, not at that of the training.
    pub(super) ends_at_own_smallest: bool,
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
    pub(super) fn new(
        settings: &SigmaSettings,
        rules: GridRules,
        steps: usize,
    ) -> Result<Self, SchedulerError> {
        let all = noise_levels(&settings.betas);
        let times = timesteps(&settings.times, rules.lambda_min, &all, steps)?;
        let (sigmas, mut times) = if settings.respacing.moves() {
            // The range is that of the training, whatever timesteps are left out.
            let range = all.iter().rev().copied().collect();
            settings.respacing.apply((range, times), &all, steps)
        } else {
            (levels_at(&times, &all), times)
        };
        if settings.respacing.is_karras() && rules.rounds_karras_times {
            for time in &mut times {
                *time = time.round_ties_even();
            }
        }
        let own_smallest = sigmas.last().copied();
        let mut sigmas = settings.last.after(sigmas, &all);
        let replaces_last = rules.ends_at_own_smallest && settings.respacing.moves();
        if let (true, FinalSigma::Min, Some(smallest), Some(last)) = (
            replaces_last,
            settings.last,
            own_smallest,
            sigmas.last_mut(),
        ) {
            *last = f64::from(smallest as f32);
        }
        // The last step may have no length (a final level equal to the smallest); no other may.
        let before_last = &sigmas[..sigmas.len() - 1];
        if before_last.windows(2).any(|pair| pair[0] <= pair[1]) {
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

/// Whole timesteps, decreasing; the range is cut where `lambda_min` says.
fn timesteps(
    rule: &Timesteps,
    lambda_min: f64,
    all: &[f64],
    steps: usize,
) -> Result<Vec<f64>, SchedulerError> {
    // λ = −ln σ decreases with time, so the timesteps left out are the last ones.
    let end = all.partition_point(|sigma| -sigma.ln() >= lambda_min);
    if end < 2 {
        return Err(SchedulerError::Degenerate { steps });
    }
    let times = match rule.spacing {
        Spacing::Linspace => linspace(0.0, (end - 1) as f64, steps + 1)
            .into_iter()
            .skip(1)
            .rev()
            .map(f64::round_ties_even)
            .collect(),
        Spacing::Leading => {
            let ratio = end / (steps + 1);
            leading(ratio, steps, rule.offset + ratio)
        }
        Spacing::Trailing => trailing(end, rule.train as f64 / steps as f64, steps),
    };
    rule.in_range(times, steps)
}
