//! DPM-Solver++ in its multistep form of order 1 to 3, deterministic or stochastic.
//!
//! In `λ = ln(α/σ)`, with `h` the step in `λ` and `D₀`, `D₁`, `D₂` divided differences of the
//! predicted clean samples:
//! `x' = (σ'/σ)·x − α'·(e^{−h} − 1)·D₀ + α'·((e^{−h} − 1)/h + 1)·D₁ − …`
//!
//! Source: Lu et al. 2022 (<https://arxiv.org/abs/2211.01095>), algorithm 2 and appendix; the third
//! order and the stochastic forms follow Diffusers 0.42
//! (`src/diffusers/schedulers/scheduling_dpmsolver_multistep.py`).

use std::collections::VecDeque;

use tch::Tensor;

use super::alphas::f32;
use super::betas::{BetaDefaults, Betas};
use super::lambdas::{GridRules, LambdaGrid};
use super::prediction::Prediction;
use super::registry::{Entry, Method};
use super::respacing::Respacing;
use super::sigmas::{FinalSigma, SigmaSettings};
use super::timesteps::{Spacing, Timesteps};
use super::{Reader, Scheduler, SchedulerError};

pub(super) static ENTRY: Entry = Entry::of::<Settings>("dpm++", "DPMSolverMultistepScheduler");

/// From this many steps on, `lower_order_final` no longer applies.
const MANY_STEPS: usize = 15;

#[derive(Debug, Clone)]
struct Settings {
    sigmas: SigmaSettings,
    rules: GridRules,
    prediction: Prediction,
    order: usize,
    /// Adds noise at every step (`sde-dpmsolver++`).
    stochastic: bool,
    form: SecondOrder,
    lower_order_final: bool,
    euler_at_final: bool,
}

/// The form of the second-order step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecondOrder {
    Midpoint,
    Heun,
}

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        for key in ["thresholding", "use_lu_lambdas", "use_flow_sigmas"] {
            reader.refuse_flag(key)?;
        }
        refuse_learned_variance(reader)?;
        let betas = Betas::read(reader, BetaDefaults::DDPM)?.or_rescaled(reader)?;
        let lambda_min = reader.optional_number("lambda_min_clipped", "a number", |_| true)?;
        Ok(Self {
            rules: GridRules {
                lambda_min: lambda_min.unwrap_or(f64::NEG_INFINITY),
                rounds_karras_times: !betas.are_squared_cosine(),
                ends_at_own_smallest: false,
            },
            sigmas: SigmaSettings {
                betas,
                times: Timesteps::read(reader, Spacing::Linspace)?,
                respacing: Respacing::read(reader)?,
                last: FinalSigma::read(reader)?,
            },
            prediction: Prediction::read(reader)?,
            order: reader.count("solver_order", 2, "1, 2 or 3", 1..=3)?,
            stochastic: reader.choice(
                "algorithm_type",
                false,
                &[
                    ("dpmsolver++", false),
                    ("sde-dpmsolver++", true),
                    ("deis", false), // what Diffusers makes of a DEIS scheduler's file
                ],
            )?,
            form: reader.choice(
                "solver_type",
                SecondOrder::Midpoint,
                &[
                    ("midpoint", SecondOrder::Midpoint),
                    ("heun", SecondOrder::Heun),
                    // What Diffusers makes of the files of DEIS and UniPC.
                    ("logrho", SecondOrder::Midpoint),
                    ("bh1", SecondOrder::Midpoint),
                    ("bh2", SecondOrder::Midpoint),
                ],
            )?,
            lower_order_final: reader.flag("lower_order_final", true)?,
            euler_at_final: reader.flag("euler_at_final", false)?,
        })
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(DpmSolver {
            grid: LambdaGrid::new(&self.sigmas, self.rules, steps)?,
            clean: VecDeque::with_capacity(self.order + 1),
            settings: self.clone(),
        }))
    }
}

/// A learned variance is a second half of the model's output, which Stable Diffusion lacks. The
/// words that only DDPM reads are left alone, as in Diffusers.
fn refuse_learned_variance(reader: &Reader<'_>) -> Result<(), SchedulerError> {
    const KEY: &str = "variance_type";
    match reader.raw(KEY).and_then(serde_json::Value::as_str) {
        Some("learned" | "learned_range") => Err(reader.unsupported(KEY, "null")),
        _ => Ok(()),
    }
}

struct DpmSolver {
    settings: Settings,
    grid: LambdaGrid,
    /// Predicted clean samples, newest first.
    clean: VecDeque<Tensor>,
}

impl DpmSolver {
    /// The order of the step at `call`, given how many predictions there are.
    fn order(&self, call: usize) -> usize {
        let steps = self.grid.timesteps.len();
        let few = self.settings.lower_order_final && steps < MANY_STEPS;
        let ends_at_zero = self.grid.sigmas[steps] == 0.0;
        let cap = if call + 1 == steps && (self.settings.euler_at_final || few || ends_at_zero) {
            1
        } else if call + 2 == steps && few {
            2
        } else {
            3
        };
        self.settings.order.min(self.clean.len()).min(cap)
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
        let (k, kept) = if self.settings.stochastic {
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
                let weight = match self.settings.form {
                    SecondOrder::Midpoint => -0.5 * next.alpha * decay,
                    SecondOrder::Heun => linear,
                };
                mean += first * weight;
            } else {
                let r1 = (level(call - 1).lambda - level(call - 2).lambda) / h;
                let second = (&self.clean[1] - &self.clean[2]) / r1;
                let bend = (&first - second) / (r0 + r1);
                // Diffusers has this sign in its stochastic form, against the derivation; images
                // are to come out as theirs.
                let half = if self.settings.stochastic { -0.5 } else { 0.5 };
                let quadratic = next.alpha * ((decay + k) / k.powi(2) - half);
                mean += (first + &bend * r0) * linear;
                mean -= bend * quadratic;
            }
        }
        let deviation = if self.settings.stochastic {
            next.sigma * (-decay).sqrt()
        } else {
            0.0
        };
        (mean, deviation)
    }
}

impl Scheduler for DpmSolver {
    fn name(&self) -> &'static str {
        ENTRY.name
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
        let prediction = self.settings.prediction;
        let (clean, _) = prediction.clean_and_noise(&output, &sample, alpha_bar);
        self.clean.push_front(clean);
        self.clean.truncate(self.settings.order);
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
