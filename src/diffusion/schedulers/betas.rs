//! How the noise added in training grows with time.

use tch::{Device, Kind, Tensor};

use super::prediction::Prediction;
use super::{Reader, SchedulerError};

/// `β_t` of every training timestep.
#[derive(Debug, Clone)]
pub(super) struct Betas {
    /// Timesteps of the training.
    pub(super) train: usize,
    curve: Curve,
    /// Whether they are rescaled so that the last timestep is pure noise.
    zero_snr: bool,
}

#[derive(Debug, Clone)]
enum Curve {
    Linear { start: f64, end: f64 },
    ScaledLinear { start: f64, end: f64 },
    SquaredCosine,
    Trained(Vec<f64>),
}

/// `beta_schedule`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Linear,
    ScaledLinear,
    SquaredCosine,
}

/// What a class takes where its file says nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct BetaDefaults {
    start: f64,
    end: f64,
    shape: Shape,
}

impl BetaDefaults {
    /// Those of most classes, after Ho, Jain and Abbeel 2020.
    pub(super) const DDPM: Self = Self {
        start: 0.0001,
        end: 0.02,
        shape: Shape::Linear,
    };
    /// Stable Diffusion's range, evenly spaced.
    pub(super) const LINEAR: Self = Self {
        start: 0.00085,
        end: 0.012,
        shape: Shape::Linear,
    };
    /// Stable Diffusion's range, with evenly spaced roots.
    pub(super) const SCALED_LINEAR: Self = Self {
        shape: Shape::ScaledLinear,
        ..Self::LINEAR
    };
}

const RESCALE: &str = "rescale_betas_zero_snr";

impl Betas {
    /// `num_train_timesteps`, and `trained_betas` or else `beta_schedule`, `beta_start`, `beta_end`.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        defaults: BetaDefaults,
    ) -> Result<Self, SchedulerError> {
        let train = reader.train_timesteps()?;
        Ok(Self {
            train,
            curve: Curve::read(reader, defaults, train)?,
            zero_snr: false,
        })
    }

    /// For classes that can rescale them to zero terminal SNR.
    pub(super) fn or_rescaled(self, reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        Ok(Self {
            zero_snr: reader.flag(RESCALE, false)?,
            ..self
        })
    }

    /// For classes that can rescale them to zero terminal SNR, but divide by the signal: pure noise
    /// holds no clean sample, `x₀ = (x − ε)/0`.
    pub(super) fn or_rescaled_for(
        self,
        prediction: Prediction,
        reader: &mut Reader<'_>,
    ) -> Result<Self, SchedulerError> {
        let betas = self.or_rescaled(reader)?;
        if betas.zero_snr && prediction == Prediction::Epsilon {
            return Err(reader.unsupported(RESCALE, "false unless the model predicts v"));
        }
        Ok(betas)
    }

    /// Whether they are rescaled to zero terminal SNR.
    pub(super) fn zero_snr(&self) -> bool {
        self.zero_snr
    }

    /// Whether they follow the squared cosine.
    pub(super) fn are_squared_cosine(&self) -> bool {
        matches!(self.curve, Curve::SquaredCosine)
    }

    /// `[train]`, float32, before any rescaling.
    pub(super) fn tensor(&self) -> Tensor {
        let even = |start: f64, end: f64| {
            Tensor::linspace(start, end, self.train as i64, (Kind::Float, Device::Cpu))
        };
        match &self.curve {
            Curve::Linear { start, end } => even(*start, *end),
            Curve::ScaledLinear { start, end } => even(start.sqrt(), end.sqrt()).square(),
            Curve::SquaredCosine => {
                let bar = |i: usize| {
                    let time = i as f64 / self.train as f64;
                    ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2)
                        .cos()
                        .powi(2)
                };
                let betas: Vec<f64> = (0..self.train)
                    .map(|i| (1.0 - bar(i + 1) / bar(i)).min(0.999))
                    .collect();
                Tensor::from_slice(&betas).to_kind(Kind::Float)
            }
            Curve::Trained(betas) => Tensor::from_slice(betas).to_kind(Kind::Float),
        }
    }
}

impl Curve {
    fn read(
        reader: &mut Reader<'_>,
        defaults: BetaDefaults,
        train: usize,
    ) -> Result<Self, SchedulerError> {
        const BETA: &str = "a number between 0 and 1";
        let is_beta = |beta: f64| beta > 0.0 && beta < 1.0;
        let trained = reader.list(
            "trained_betas",
            "as many numbers between 0 and 1 as `num_train_timesteps`",
            serde_json::Value::as_f64,
            |list| list.len() == train && list.iter().all(|beta| is_beta(*beta)),
        )?;
        if let Some(betas) = trained {
            return Ok(Self::Trained(betas));
        }
        let shape = reader.choice(
            "beta_schedule",
            defaults.shape,
            &[
                ("linear", Shape::Linear),
                ("scaled_linear", Shape::ScaledLinear),
                ("squaredcos_cap_v2", Shape::SquaredCosine),
            ],
        )?;
        if shape == Shape::SquaredCosine {
            return Ok(Self::SquaredCosine);
        }
        let start = reader.number("beta_start", defaults.start, BETA, is_beta)?;
        let end = reader.number("beta_end", defaults.end, BETA, is_beta)?;
        Ok(match shape {
            Shape::ScaledLinear => Self::ScaledLinear { start, end },
            _ => Self::Linear { start, end },
        })
    }
}
