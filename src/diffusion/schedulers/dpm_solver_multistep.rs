//! DPM-Solver++ in its multistep form of order 1 to 3, deterministic or stochastic.
//!
//! In `λ = ln(α/σ)`, with `h` the step in `λ` and `D₀`, `D₁`, `D₂` divided differences of the
//! predicted clean samples:
//! `x' = (σ'/σ)·x − α'·(e^{−h} − 1)·D₀ + α'·((e^{−h} − 1)/h + 1)·D₁ − …`
//!
//! Source: Lu et al. 2022 (<https://arxiv.org/abs/2211.01095>), algorithm 2 and appendix; the third
//! order and the stochastic forms follow Diffusers 0.42
//! (`src/diffusers/schedulers/scheduling_dpmsolver_multistep.py`).

use super::{
    Scheduler, SchedulerError,
    alphas::{Alphas, clean_and_noise, f32, in_range, leading, linspace, trailing},
    settings::{Betas, Dpm, DpmSolverType, Prediction, Settings, SigmaSpacing, Spacing},
    sigmas::{interpolate, respaced, with_final},
};
use std::collections::VecDeque;
use tch::Tensor;

/// From this many steps on, `lower_order_final` no longer applies.
const MANY_STEPS: usize = 15;

pub(super) struct DpmSolver {
    timesteps: Vec<f64>,
    /// One more than `timesteps`.
    sigmas: Vec<f64>,
    prediction: Prediction,
    options: Dpm,
    /// Predicted clean samples, newest first.
    clean: VecDeque<Tensor>,
}

/// Signal, noise and half log signal-to-noise ratio at a noise level.
#[derive(Clone, Copy)]
struct Level {
    alpha: f64,
    sigma: f64,
    lambda: f64,
}

impl Level {
    fn new(ratio: f64) -> Self {
        let alpha = 1.0 / ratio.hypot(1.0);
        let sigma = ratio * alpha;
        Self {
            alpha,
            sigma,
            lambda: -ratio.ln(),
        }
    }
}

impl DpmSolver {
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
        if settings.sigma_spacing == SigmaSpacing::Karras && settings.betas != Betas::SquaredCosine
        {
            for time in &mut times {
                *time = time.round_ties_even();
            }
        }
        let sigmas = with_final(settings, &all, sigmas);
        // The last step may have no length (a final level equal to the smallest); no other may.
        let before_last = &sigmas[..sigmas.len() - 1];
        if before_last.windows(2).any(|pair| pair[0] <= pair[1]) {
            let steps = settings.steps;
            return Err(SchedulerError::Degenerate { steps });
        }
        Ok(Self {
            timesteps: times.into_iter().map(f64::trunc).collect(),
            sigmas,
            prediction: settings.prediction,
            options: settings.dpm,
            clean: VecDeque::with_capacity(settings.dpm.order + 1),
        })
    }

    /// The order of the step at `call`, given how many predictions there are.
    fn order(&self, call: usize) -> usize {
        let steps = self.timesteps.len();
        let few = self.options.lower_order_final && steps < MANY_STEPS;
        let ends_at_zero = self.sigmas[steps] == 0.0;
        let cap = if call + 1 == steps && (self.options.euler_at_final || few || ends_at_zero) {
            1
        } else if call + 2 == steps && few {
            2
        } else {
            3
        };
        self.options.order.min(self.clean.len()).min(cap)
    }

    /// The mean of the next sample and the deviation of the noise to add.
    fn advance(&self, sample: &Tensor, call: usize) -> (Tensor, f64) {
        let level = |index: usize| Level::new(self.sigmas[index]);
        let (here, next) = (level(call), level(call + 1));
        let h = next.lambda - here.lambda;
        if h <= 0.0 {
            return (sample.shallow_clone(), 0.0);
        }
        // The stochastic form is the deterministic one at twice the step, with a shrunken sample.
        let (k, kept) = if self.options.stochastic {
            (2.0 * h, (-h).exp())
        } else {
            (h, 1.0)
        };
        let decay = (-k).exp_m1();
        let mut mean = sample * (next.sigma / here.sigma * kept);
        mean -= &self.clean[0] * (next.alpha * decay);
        let order = self.order(call);
        if order >= 2 {
            let r0 = (here.lambda - level(call - 1).lambda) / h;
            let first = (&self.clean[0] - &self.clean[1]) / r0;
            // ∫ of the linear term, exactly (heun) or by the midpoint.
            let linear = next.alpha * (decay / k + 1.0);
            if order == 2 {
                let weight = match self.options.solver {
                    DpmSolverType::Midpoint => -0.5 * next.alpha * decay,
                    DpmSolverType::Heun => linear,
                };
                mean += first * weight;
            } else {
                let r1 = (level(call - 1).lambda - level(call - 2).lambda) / h;
                let second = (&self.clean[1] - &self.clean[2]) / r1;
                let bend = (&first - second) / (r0 + r1);
                // Diffusers has this sign in its stochastic form, against the derivation; images
                // are to come out as theirs.
                let half = if self.options.stochastic { -0.5 } else { 0.5 };
                let quadratic = next.alpha * ((decay + k) / k.powi(2) - half);
                mean += (first + &bend * r0) * linear;
                mean -= bend * quadratic;
            }
        }
        let deviation = if self.options.stochastic {
            next.sigma * (-decay).sqrt()
        } else {
            0.0
        };
        (mean, deviation)
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

impl Scheduler for DpmSolver {
    fn name(&self) -> &'static str {
        "dpm++"
    }

    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    fn scale_model_input(&self, sample: &Tensor, _call: usize) -> Tensor {
        f32(sample)
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (output, sample) = (f32(model_output), f32(sample));
        let alpha_bar = Level::new(self.sigmas[call]).alpha.powi(2);
        let (clean, _) = clean_and_noise(self.prediction, &output, &sample, alpha_bar);
        self.clean.push_front(clean);
        self.clean.truncate(self.options.order);
        let (mean, deviation) = self.advance(&sample, call);
        if deviation > 0.0 {
            mean + f32(&noise(call)) * deviation
        } else {
            mean
        }
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        let level = Level::new(self.sigmas[call]);
        f32(original) * level.alpha + f32(noise) * level.sigma
    }
}
