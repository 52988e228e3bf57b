//! A scheduler's settings after every check, with the defaults of its class filled in.
//!
//! Defaults are those of the `__init__` signatures in Diffusers 0.42.1
//! (`src/diffusers/schedulers/scheduling_*.py`).

use super::{
    SchedulerConfig, SchedulerError,
    class::Class,
    solvers::{Consistency, Dpm, UniPc},
};

/// The largest `num_train_timesteps` taken: a hostile file must not allocate without bound.
const MAX_TRAIN_TIMESTEPS: usize = 1_000_000;

/// How the noise added in training grows with time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Betas {
    Linear { start: f64, end: f64 },
    ScaledLinear { start: f64, end: f64 },
    SquaredCosine,
    Trained(Vec<f64>),
}

/// What the model's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prediction {
    Epsilon,
    V,
    Sample,
}

/// Where the timesteps lie in the training range: Lin et al. 2024, table 2
/// (<https://arxiv.org/abs/2305.08891>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    Leading,
    Trailing,
    Linspace,
}

/// DDPM's variance of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variance {
    /// That of the posterior; `fixed_small_log` is the same by way of a logarithm.
    Small,
    /// Beta itself.
    Large,
}

/// Where noise levels lie between the largest and the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SigmaSpacing {
    /// At the timesteps.
    Timesteps,
    Karras,
    Exponential,
    /// At quantiles of the beta distribution with both parameters 0.6.
    Beta,
}

/// The noise level after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FinalSigma {
    Zero,
    Min,
}

/// Checked settings of one scheduler; a field that its class does not read has a neutral value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) class: Class,
    pub(super) steps: usize,
    pub(super) eta: f64,
    pub(super) train: usize,
    pub(super) betas: Betas,
    pub(super) prediction: Prediction,
    pub(super) spacing: Spacing,
    pub(super) offset: usize,
    /// Rescale the betas so that the last timestep is pure noise.
    pub(super) zero_snr: bool,
    /// Clip the predicted clean sample to this magnitude.
    pub(super) clip: Option<f64>,
    pub(super) alpha_to_one: bool,
    pub(super) skip_runge_kutta: bool,
    pub(super) variance: Variance,
    pub(super) sigma_spacing: SigmaSpacing,
    pub(super) sigma_min: Option<f64>,
    pub(super) sigma_max: Option<f64>,
    pub(super) final_sigma: FinalSigma,
    pub(super) dpm: Dpm,
    pub(super) unipc: UniPc,
    pub(super) consistency: Consistency,
}

impl Settings {
    /// Reads the keys of `class` and checks them together with `steps` and `eta`.
    pub(super) fn check(
        class: Class,
        config: &SchedulerConfig,
        steps: usize,
        eta: f64,
    ) -> Result<Self, SchedulerError> {
        let train = train_timesteps(config)?;
        if steps == 0 {
            return Err(SchedulerError::ZeroSteps);
        }
        if steps > train {
            return Err(SchedulerError::TooManySteps { steps, train });
        }
        if !(eta == 0.0 || class == Class::Ddim && (0.0..=1.0).contains(&eta)) {
            let name = class.name();
            return Err(SchedulerError::Eta { eta, name });
        }
        let spacing = spacing(class, config)?;
        let puts_one_step_at_0 = !matches!(class, Class::DpmSolver | Class::UniPc | Class::Lcm);
        if steps == 1 && spacing == Spacing::Linspace && puts_one_step_at_0 {
            return Err(SchedulerError::LinspaceOneStep);
        }
        let prediction = prediction(class, config)?;
        let (sigma_spacing, sigma_min, sigma_max) = sigma_spacing(class, config)?;
        let final_sigma = final_sigma(class, config)?;
        if matches!(
            class,
            Class::Ddim | Class::Ddpm | Class::DpmSolver | Class::Lcm | Class::UniPc
        ) {
            config.refuse_flag("thresholding", class)?;
        }
        Ok(Self {
            class,
            steps,
            eta,
            train,
            betas: betas(class, config, train)?,
            prediction,
            spacing,
            offset: config.count(
                "steps_offset",
                0,
                "a whole number below `num_train_timesteps`",
                0..=train - 1,
            )?,
            zero_snr: zero_snr(class, config, prediction)?,
            clip: clip(class, config)?,
            alpha_to_one: match class {
                Class::Ddim => config.flag("set_alpha_to_one", true)?,
                Class::Pndm => config.flag("set_alpha_to_one", false)?,
                _ => false,
            },
            skip_runge_kutta: class == Class::Pndm && config.flag("skip_prk_steps", false)?,
            variance: variance(class, config)?,
            sigma_spacing,
            sigma_min,
            sigma_max,
            final_sigma,
            dpm: Dpm::read(class, config)?,
            unipc: UniPc::read(class, config, final_sigma)?,
            consistency: Consistency::read(class, config, steps, train)?,
        })
    }
}

pub(super) fn train_timesteps(config: &SchedulerConfig) -> Result<usize, SchedulerError> {
    config.count(
        "num_train_timesteps",
        1000,
        "a whole number from 2 to 1000000",
        2..=MAX_TRAIN_TIMESTEPS,
    )
}

fn spacing(class: Class, config: &SchedulerConfig) -> Result<Spacing, SchedulerError> {
    let default = match class {
        // Diffusers reads the word for LCM too, and looks at it no further.
        Class::Ddim | Class::Ddpm | Class::Pndm | Class::Lcm => Spacing::Leading,
        _ => Spacing::Linspace,
    };
    config.choice(
        "timestep_spacing",
        class,
        default,
        &[
            ("leading", Spacing::Leading),
            ("trailing", Spacing::Trailing),
            ("linspace", Spacing::Linspace),
        ],
    )
}

fn prediction(class: Class, config: &SchedulerConfig) -> Result<Prediction, SchedulerError> {
    let known = [
        ("epsilon", Prediction::Epsilon),
        ("v_prediction", Prediction::V),
        ("sample", Prediction::Sample),
    ];
    let known = match class {
        // Diffusers has no formula for `sample` in these two.
        Class::Pndm | Class::EulerAncestral => &known[..2],
        _ => &known[..],
    };
    config.choice("prediction_type", class, Prediction::Epsilon, known)
}

fn betas(class: Class, config: &SchedulerConfig, train: usize) -> Result<Betas, SchedulerError> {
    const BETA: &str = "a number between 0 and 1";
    let is_beta = |beta: f64| beta > 0.0 && beta < 1.0;
    let (start, end) = match class {
        Class::Heun | Class::Lcm => (0.00085, 0.012),
        _ => (0.0001, 0.02),
    };
    let start = config.number("beta_start", start, BETA, is_beta)?;
    let end = config.number("beta_end", end, BETA, is_beta)?;
    match config.values.get("trained_betas") {
        None | Some(serde_json::Value::Null) => {}
        Some(value) => {
            let trained: Option<Vec<f64>> = value
                .as_array()
                .and_then(|list| list.iter().map(serde_json::Value::as_f64).collect());
            return trained
                .filter(|list| list.len() == train && list.iter().all(|beta| is_beta(*beta)))
                .map(Betas::Trained)
                .ok_or_else(|| {
                    config.bad(
                        "trained_betas",
                        "as many numbers between 0 and 1 as `num_train_timesteps`",
                    )
                });
        }
    }
    let words = ["linear", "scaled_linear", "squaredcos_cap_v2"];
    let known = [(words[0], 0), (words[1], 1), (words[2], 2)];
    let default = usize::from(class == Class::Lcm);
    Ok(
        match config.choice("beta_schedule", class, default, &known)? {
            0 => Betas::Linear { start, end },
            1 => Betas::ScaledLinear { start, end },
            _ => Betas::SquaredCosine,
        },
    )
}

fn zero_snr(
    class: Class,
    config: &SchedulerConfig,
    prediction: Prediction,
) -> Result<bool, SchedulerError> {
    const KEY: &str = "rescale_betas_zero_snr";
    match class {
        Class::Pndm | Class::Heun | Class::Lms => Ok(false),
        // Pure noise holds no clean sample: x₀ = (x − ε)/0.
        Class::Ddim | Class::Ddpm | Class::Lcm
            if prediction == Prediction::Epsilon && config.flag(KEY, false)? =>
        {
            Err(config.unsupported(KEY, class, "false unless the model predicts v"))
        }
        _ => config.flag(KEY, false),
    }
}

fn clip(class: Class, config: &SchedulerConfig) -> Result<Option<f64>, SchedulerError> {
    let clips = match class {
        Class::Ddim | Class::Ddpm => config.flag("clip_sample", true)?,
        Class::Heun | Class::Lcm => config.flag("clip_sample", false)?,
        _ => false,
    };
    if !clips {
        return Ok(None);
    }
    config
        .number("clip_sample_range", 1.0, "a positive number", |range| {
            range > 0.0
        })
        .map(Some)
}

fn variance(class: Class, config: &SchedulerConfig) -> Result<Variance, SchedulerError> {
    const KEY: &str = "variance_type";
    match class {
        Class::Ddpm => config.choice(
            KEY,
            class,
            Variance::Small,
            &[
                ("fixed_small", Variance::Small),
                ("fixed_small_log", Variance::Small),
                ("fixed_large", Variance::Large),
            ],
        ),
        // A learned variance is a second half of the model's output, which Stable Diffusion lacks.
        // The words that only DDPM reads are left alone, as in Diffusers.
        Class::DpmSolver => {
            let learned = config.values.get(KEY).and_then(|value| value.as_str());
            match learned {
                Some("learned" | "learned_range") => Err(config.unsupported(KEY, class, "null")),
                _ => Ok(Variance::Small),
            }
        }
        _ => Ok(Variance::Small),
    }
}

type Spread = (SigmaSpacing, Option<f64>, Option<f64>);

fn sigma_spacing(class: Class, config: &SchedulerConfig) -> Result<Spread, SchedulerError> {
    const POSITIVE: &str = "a positive number";
    if !matches!(
        class,
        Class::Euler | Class::Heun | Class::Lms | Class::DpmSolver | Class::UniPc
    ) {
        return Ok((SigmaSpacing::Timesteps, None, None));
    }
    let mut chosen = SigmaSpacing::Timesteps;
    for (key, spacing) in [
        ("use_karras_sigmas", SigmaSpacing::Karras),
        ("use_exponential_sigmas", SigmaSpacing::Exponential),
        ("use_beta_sigmas", SigmaSpacing::Beta),
    ] {
        if config.flag(key, false)? {
            if chosen != SigmaSpacing::Timesteps {
                return Err(config.bad(key, "only one of the `use_…_sigmas` true"));
            }
            chosen = spacing;
        }
    }
    // Diffusers' LMS does not read the two bounds with Karras' spacing.
    if class == Class::Lms && chosen == SigmaSpacing::Karras {
        return Ok((chosen, None, None));
    }
    let bound = |key| match config.optional_number(key)? {
        Some(sigma) if !(sigma > 0.0 && sigma.is_finite()) => Err(config.bad(key, POSITIVE)),
        sigma => Ok(sigma),
    };
    let (min, max) = (bound("sigma_min")?, bound("sigma_max")?);
    if let (Some(min), Some(max)) = (min, max)
        && min >= max
    {
        return Err(config.bad("sigma_min", "less than `sigma_max`"));
    }
    Ok((chosen, min, max))
}

fn final_sigma(class: Class, config: &SchedulerConfig) -> Result<FinalSigma, SchedulerError> {
    if class == Class::Euler {
        config.choice("interpolation_type", class, (), &[("linear", ())])?;
        config.choice("timestep_type", class, (), &[("discrete", ())])?;
    }
    if !matches!(class, Class::Euler | Class::DpmSolver | Class::UniPc) {
        return Ok(FinalSigma::Zero);
    }
    config.choice(
        "final_sigmas_type",
        class,
        FinalSigma::Zero,
        &[("zero", FinalSigma::Zero), ("sigma_min", FinalSigma::Min)],
    )
}
