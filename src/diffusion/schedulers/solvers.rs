//! Settings that only one solver has: DPM-Solver++, UniPC, or latent consistency models.

use super::{SchedulerConfig, SchedulerError, class::Class, settings::FinalSigma};
use serde_json::Value;

/// Settings of DPM-Solver++.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dpm {
    pub(super) order: usize,
    /// Adds noise at every step (`sde-dpmsolver++`).
    pub(super) stochastic: bool,
    pub(super) solver: DpmSolverType,
    pub(super) lower_order_final: bool,
    pub(super) euler_at_final: bool,
    /// Noise levels whose half log signal-to-noise ratio is below this are left out.
    pub(super) lambda_min: f64,
}

/// The form of DPM-Solver++'s second-order step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DpmSolverType {
    Midpoint,
    Heun,
}

impl Dpm {
    pub(super) fn read(class: Class, config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        if class != Class::DpmSolver {
            return Ok(Self {
                order: 2,
                stochastic: false,
                solver: DpmSolverType::Midpoint,
                lower_order_final: true,
                euler_at_final: false,
                lambda_min: f64::NEG_INFINITY,
            });
        }
        config.refuse_flag("use_lu_lambdas", class)?;
        config.refuse_flag("use_flow_sigmas", class)?;
        Ok(Self {
            order: order(config)?,
            stochastic: config.choice(
                "algorithm_type",
                class,
                false,
                &[
                    ("dpmsolver++", false),
                    ("sde-dpmsolver++", true),
                    ("deis", false), // what Diffusers makes of a DEIS scheduler's file
                ],
            )?,
            solver: config.choice(
                "solver_type",
                class,
                DpmSolverType::Midpoint,
                &[
                    ("midpoint", DpmSolverType::Midpoint),
                    ("heun", DpmSolverType::Heun),
                    // What Diffusers makes of the files of DEIS and UniPC.
                    ("logrho", DpmSolverType::Midpoint),
                    ("bh1", DpmSolverType::Midpoint),
                    ("bh2", DpmSolverType::Midpoint),
                ],
            )?,
            lower_order_final: config.flag("lower_order_final", true)?,
            euler_at_final: config.flag("euler_at_final", false)?,
            lambda_min: config
                .optional_number("lambda_min_clipped")?
                .unwrap_or(f64::NEG_INFINITY),
        })
    }
}

/// Settings of UniPC.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct UniPc {
    pub(super) order: usize,
    pub(super) form: UniPcForm,
    pub(super) step_size: StepSize,
    pub(super) lower_order_final: bool,
    /// Calls whose step is not corrected once its end has been predicted.
    pub(super) uncorrected: Vec<usize>,
}

/// What UniPC's polynomial goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UniPcForm {
    /// Predicted clean samples.
    Clean,
    /// Predicted noise (`predict_x0` false).
    Noise,
}

/// UniPC's `B(h)`, any function with the right first order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepSize {
    /// `h` (`bh1`).
    Linear,
    /// `e^h − 1` (`bh2`).
    Exponential,
}

impl UniPc {
    pub(super) fn read(
        class: Class,
        config: &SchedulerConfig,
        final_sigma: FinalSigma,
    ) -> Result<Self, SchedulerError> {
        if class != Class::UniPc {
            return Ok(Self {
                order: 2,
                form: UniPcForm::Clean,
                step_size: StepSize::Exponential,
                lower_order_final: true,
                uncorrected: Vec::new(),
            });
        }
        config.refuse_flag("use_flow_sigmas", class)?;
        config.refuse_flag("use_dynamic_shifting", class)?;
        for key in ["solver_p", "shift_terminal"] {
            if !matches!(config.values.get(key), None | Some(Value::Null)) {
                return Err(config.unsupported(key, class, "null"));
            }
        }
        let (order, lower_order_final) = (order(config)?, config.flag("lower_order_final", true)?);
        // A last step to noise level 0 is infinitely long in λ: above order 1 Diffusers gives NaN.
        if order > 1 && !lower_order_final && final_sigma == FinalSigma::Zero {
            return Err(config.unsupported(
                "lower_order_final",
                class,
                "true unless `final_sigmas_type` is sigma_min",
            ));
        }
        Ok(Self {
            order,
            form: if config.flag("predict_x0", true)? {
                UniPcForm::Clean
            } else {
                UniPcForm::Noise
            },
            step_size: config.choice(
                "solver_type",
                class,
                StepSize::Exponential,
                &[
                    ("bh1", StepSize::Linear),
                    ("bh2", StepSize::Exponential),
                    // What Diffusers makes of the files of DPM-Solver++ and DEIS.
                    ("midpoint", StepSize::Exponential),
                    ("heun", StepSize::Exponential),
                    ("logrho", StepSize::Exponential),
                ],
            )?,
            lower_order_final,
            uncorrected: uncorrected(config)?,
        })
    }
}

fn order(config: &SchedulerConfig) -> Result<usize, SchedulerError> {
    config.count("solver_order", 2, "1, 2 or 3", 1..=3)
}

fn uncorrected(config: &SchedulerConfig) -> Result<Vec<usize>, SchedulerError> {
    const KEY: &str = "disable_corrector";
    let calls: Option<Vec<usize>> = match config.values.get(KEY) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(calls)) => calls
            .iter()
            .map(|call| call.as_u64().and_then(|call| usize::try_from(call).ok()))
            .collect(),
        Some(_) => None,
    };
    calls.ok_or_else(|| config.bad(KEY, "a list of step numbers from 0"))
}

/// Settings of latent consistency models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Consistency {
    /// How many evenly spaced timesteps the model was distilled on (`original_inference_steps`).
    pub(super) distilled: usize,
    /// Factor of the timestep in the boundary condition (`timestep_scaling`).
    pub(super) scaling: f64,
}

impl Consistency {
    pub(super) fn read(
        class: Class,
        config: &SchedulerConfig,
        steps: usize,
        train: usize,
    ) -> Result<Self, SchedulerError> {
        if class != Class::Lcm {
            return Ok(Self {
                distilled: train,
                scaling: 10.0,
            });
        }
        let distilled = config.count(
            "original_inference_steps",
            50.min(train),
            "a whole number from 1 to `num_train_timesteps`",
            1..=train,
        )?;
        if steps > distilled {
            return Err(SchedulerError::TooManyConsistencySteps { steps, distilled });
        }
        let scaling = config.number("timestep_scaling", 10.0, "a positive number", |scaling| {
            scaling > 0.0 && scaling.is_finite()
        })?;
        Ok(Self { distilled, scaling })
    }
}
