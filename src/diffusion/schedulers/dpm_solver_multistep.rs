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
    alphas::{clean_and_noise, f32},
    lambdas::LambdaGrid,
    settings::{Prediction, Settings},
    solvers::{Dpm, DpmSolverType},
};
use std::collections::VecDeque;
use tch::Tensor;

/// From this many steps on, `lower_order_final` no longer applies.
const MANY_STEPS: usize = 15;

pub(super) struct DpmSolver {
    grid: LambdaGrid,
    prediction: Prediction,
    options: Dpm,
    /// Predicted clean samples, newest first.
    clean: VecDeque<Tensor>,
}

impl DpmSolver {
    pub(super) fn new(settings: &Settings) -> Result<Self, SchedulerError> {
        Ok(Self {
            grid: LambdaGrid::new(settings)?,
            prediction: settings.prediction,
            options: settings.dpm,
            clean: VecDeque::with_capacity(settings.dpm.order + 1),
        })
    }

    /// The order of the step at `call`, given how many predictions there are.
    fn order(&self, call: usize) -> usize {
        let steps = self.grid.timesteps.len();
        let few = self.options.lower_order_final && steps < MANY_STEPS;
        let ends_at_zero = self.grid.sigmas[steps] == 0.0;
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
        let level = |index| self.grid.level(index);
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

impl Scheduler for DpmSolver {
    fn name(&self) -> &'static str {
        "dpm++"
    }

    fn timesteps(&self) -> &[f64] {
        &self.grid.timesteps
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        call: usize,
        sample: &Tensor,
        noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (output, sample) = (f32(model_output), f32(sample));
        let alpha_bar = self.grid.level(call).alpha.powi(2);
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
        let level = self.grid.level(call);
        f32(original) * level.alpha + f32(noise) * level.sigma
    }
}
