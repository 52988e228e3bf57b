//! UniPC: a predictor and a corrector of one unified form, of order 1 to 3. The corrector costs no
//! model call, because it waits for the output at the end of its step.
//!
//! In `λ = ln(α/σ)`, with `h` the step in `λ`, `D_k` the divided differences between the prediction
//! at the beginning of the step and the earlier ones (for the corrector also the one at its end):
//!
//! ```text
//! x' = (σ'/σ)·x − α'·(e^{−h} − 1)·m − α'·B(−h)·Σ ρ_k·D_k      m: clean samples
//! x' = (α'/α)·x − σ'·(e^{h} − 1)·m  − σ'·B(h)·Σ ρ_k·D_k       m: noise
//! ```
//!
//! The weights `ρ` make the integral exact for polynomials in `λ`.
//!
//! Source: Zhao et al. 2023, algorithms 1 and 2, equations 3 and 9
//! (<https://arxiv.org/abs/2302.04867>); `src/diffusers/schedulers/scheduling_unipc_multistep.py` of
//! Diffusers 0.42.

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

pub(super) static ENTRY: Entry = Entry::of::<Settings>("unipc", "UniPCMultistepScheduler");

#[derive(Debug, Clone)]
struct Settings {
    sigmas: SigmaSettings,
    prediction: Prediction,
    order: usize,
    form: Form,
    step_size: StepSize,
    lower_order_final: bool,
    /// Calls whose step is not corrected once its end has been predicted.
    uncorrected: Vec<u64>,
}

/// What the polynomial goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Predicted clean samples.
    Clean,
    /// Predicted noise (`predict_x0` false).
    Noise,
}

/// `B(h)`, any function with the right first order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepSize {
    /// `h` (`bh1`).
    Linear,
    /// `e^h − 1` (`bh2`).
    Exponential,
}

const RULES: GridRules = GridRules {
    lambda_min: f64::NEG_INFINITY,
    rounds_karras_times: true,
    ends_at_own_smallest: true,
};

impl Method for Settings {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        for key in ["thresholding", "use_flow_sigmas", "use_dynamic_shifting"] {
            reader.refuse_flag(key)?;
        }
        for key in ["solver_p", "shift_terminal"] {
            reader.refuse(key)?;
        }
        let settings = Self {
            sigmas: SigmaSettings {
                betas: Betas::read(reader, BetaDefaults::DDPM)?.or_rescaled(reader)?,
                times: Timesteps::read(reader, Spacing::Linspace)?,
                respacing: Respacing::read(reader)?,
                last: FinalSigma::read(reader)?,
            },
            prediction: Prediction::read(reader)?,
            order: reader.count("solver_order", 2, "1, 2 or 3", 1..=3)?,
            form: if reader.flag("predict_x0", true)? {
                Form::Clean
            } else {
                Form::Noise
            },
            step_size: reader.choice(
                "solver_type",
                StepSize::Exponential,
                &[
                    ("bh2", StepSize::Exponential),
                    ("bh1", StepSize::Linear),
                    // What Diffusers makes of the files of DPM-Solver++ and DEIS.
                    ("midpoint", StepSize::Exponential),
                    ("heun", StepSize::Exponential),
                    ("logrho", StepSize::Exponential),
                ],
            )?,
            lower_order_final: reader.flag("lower_order_final", true)?,
            uncorrected: reader
                .list(
                    "disable_corrector",
                    "a list of step numbers from 0",
                    serde_json::Value::as_u64,
                    |_| true,
                )?
                .unwrap_or_default(),
        };
        // A last step to noise level 0 is infinitely long in λ: above order 1 Diffusers gives NaN.
        let ends_at_zero = settings.sigmas.last == FinalSigma::Zero;
        if settings.order > 1 && !settings.lower_order_final && ends_at_zero {
            return Err(reader.unsupported(
                "lower_order_final",
                "true unless `final_sigmas_type` is sigma_min",
            ));
        }
        Ok(settings)
    }

    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError> {
        Ok(Box::new(UniPc {
            grid: LambdaGrid::new(&self.sigmas, RULES, steps)?,
            outputs: VecDeque::with_capacity(self.order + 1),
            last: None,
            settings: self.clone(),
        }))
    }
}

struct UniPc {
    settings: Settings,
    grid: LambdaGrid,
    /// Clean samples or noise, newest first.
    outputs: VecDeque<Tensor>,
    /// The sample at the beginning of the last step, and that step's order.
    last: Option<(Tensor, usize)>,
}

impl UniPc {
    /// What the polynomial goes through, from a model's output.
    fn converted(&self, output: &Tensor, sample: &Tensor, call: usize) -> Tensor {
        let alpha_bar = self.grid.level(call).alpha.powi(2);
        let prediction = self.settings.prediction;
        let (clean, noise) = prediction.clean_and_noise(output, sample, alpha_bar);
        match self.settings.form {
            Form::Clean => clean,
            Form::Noise => noise,
        }
    }

    /// The order of the step at `call`, given how many predictions there are.
    fn order(&self, call: usize) -> usize {
        let left = self.grid.timesteps.len() - call;
        let order = self.settings.order.min(self.outputs.len());
        if self.settings.lower_order_final {
            order.min(left)
        } else {
            order
        }
    }

    /// The sample after `call` from the one before it; with the prediction at the end of the step,
    /// corrected by it.
    fn advance(&self, sample: &Tensor, call: usize, order: usize, end: Option<&Tensor>) -> Tensor {
        let (here, next) = (self.grid.level(call), self.grid.level(call + 1));
        let h = next.lambda - here.lambda;
        if h <= 0.0 {
            return sample.shallow_clone();
        }
        let newest = &self.outputs[0];
        let (first, step, unit) = match self.settings.form {
            Form::Clean => {
                let first =
                    sample * (next.sigma / here.sigma) - newest * (next.alpha * (-h).exp_m1());
                (first, -h, next.alpha)
            }
            Form::Noise => {
                // σ'·(e^h − 1), written so that it has a value where σ' is 0.
                let gain = next.alpha * self.grid.sigmas[call] - next.sigma;
                let first = sample * (next.alpha / here.alpha) - newest * gain;
                (first, h, next.sigma)
            }
        };
        let mut nodes: Vec<f64> = (1..order)
            .map(|k| (self.grid.level(call - k).lambda - here.lambda) / h)
            .collect();
        let mut differences: Vec<Tensor> = (1..order)
            .map(|k| (&self.outputs[k] - newest) / nodes[k - 1])
            .collect();
        if let Some(end) = end {
            nodes.push(1.0);
            differences.push(end - newest);
        }
        // Without differences `B` has no say; it is infinite where the last step ends at σ' = 0.
        if differences.is_empty() {
            return first;
        }
        let size = match self.settings.step_size {
            StepSize::Linear => step,
            StepSize::Exponential => step.exp_m1(),
        };
        weights(&nodes, step, size)
            .into_iter()
            .zip(differences)
            .fold(first, |sum, (weight, difference)| {
                sum - difference * (unit * size * weight)
            })
    }
}

/// `ρ` for the relative distances `nodes` from the beginning of a step to other predictions.
///
/// A single weight is ½ by definition, whatever the node.
fn weights(nodes: &[f64], step: f64, size: f64) -> Vec<f64> {
    if nodes.len() == 1 {
        return vec![0.5];
    }
    // Integrals of 1, r, r², … over the step: j!·φ_{j+1}/B.
    let (mut phi, mut factorial) = (step.exp_m1() / step - 1.0, 1.0);
    let moments: Vec<f64> = (1..=nodes.len())
        .map(|j| {
            let moment = phi * factorial / size;
            factorial *= (j + 1) as f64;
            phi = phi / step - 1.0 / factorial;
            moment
        })
        .collect();
    // Σ ρ_k·r_k^j = moment_j is solved by the coefficients of the Lagrange polynomials.
    (0..nodes.len())
        .map(|k| {
            let mut polynomial = vec![1.0];
            for (m, node) in nodes.iter().enumerate().filter(|(m, _)| *m != k) {
                let scale = 1.0 / (nodes[k] - nodes[m]);
                let mut product = vec![0.0; polynomial.len() + 1];
                for (degree, coefficient) in polynomial.iter().enumerate() {
                    product[degree + 1] += coefficient * scale;
                    product[degree] -= coefficient * scale * node;
                }
                polynomial = product;
            }
            polynomial.iter().zip(&moments).map(|(a, b)| a * b).sum()
        })
        .collect()
}

impl Scheduler for UniPc {
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
        _noise: &mut dyn FnMut(usize) -> Tensor,
    ) -> Tensor {
        let (output, sample) = (f32(model_output), f32(sample));
        let converted = self.converted(&output, &sample, call);
        let sample = match self.last.take() {
            Some((last, order)) if !self.settings.uncorrected.contains(&(call as u64 - 1)) => {
                self.advance(&last, call - 1, order, Some(&converted))
            }
            _ => sample,
        };
        self.outputs.push_front(converted);
        self.outputs.truncate(self.settings.order);
        let order = self.order(call);
        let next = self.advance(&sample, call, order, None);
        self.last = Some((sample, order));
        next
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, call: usize) -> Tensor {
        let level = self.grid.level(call);
        f32(original) * level.alpha + f32(noise) * level.sigma
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_integrate_their_polynomials_exactly() {
        // Σ ρ_k·r_k^j·B = j!·φ_{j+1}-style moments; j = 0 and 1 in closed form.
        let (step, nodes) = (-0.7_f64, [-1.3, -0.6, 1.0]);
        let size = step.exp_m1();
        let weights = weights(&nodes, step, size);
        let moment = |j: i32| -> f64 {
            let pairs = weights.iter().zip(nodes);
            pairs
                .map(|(weight, node)| weight * node.powi(j) * size)
                .sum()
        };
        let zeroth = step.exp_m1() / step - 1.0;
        assert!((moment(0) - zeroth).abs() < 1e-12);
        assert!((moment(1) - 2.0 * (zeroth / step - 0.5)).abs() < 1e-12);
    }

    #[test]
    fn one_weight_is_a_half() {
        assert_eq!(weights(&[-0.8], -0.5, -0.4), [0.5]);
    }
}
