//! What the model's output is, and the clean sample that it means.

use tch::Tensor;

use super::{Reader, SchedulerError};

/// What the model's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prediction {
    Epsilon,
    V,
    Sample,
}

impl Prediction {
    const KEY: &str = "prediction_type";
    const WORDS: [(&str, Self); 3] = [
        ("epsilon", Self::Epsilon),
        ("v_prediction", Self::V),
        ("sample", Self::Sample),
    ];

    /// `prediction_type`.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        reader.choice(Self::KEY, Self::Epsilon, &Self::WORDS)
    }

    /// `prediction_type`, for classes that have no formula for `sample` in Diffusers.
    pub(super) fn read_without_sample(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        reader.choice(Self::KEY, Self::Epsilon, &Self::WORDS[..2])
    }

    /// The clean sample and the noise that a model's output means at `ᾱ_t`.
    ///
    /// # Source
    ///
    /// Salimans and Ho 2022, section 4 and appendix D, for v (<https://arxiv.org/abs/2202.00512>).
    pub(super) fn clean_and_noise(
        self,
        output: &Tensor,
        sample: &Tensor,
        alpha_bar: f64,
    ) -> (Tensor, Tensor) {
        let (signal, noise) = (alpha_bar.sqrt(), (1.0 - alpha_bar).sqrt());
        match self {
            Self::Epsilon => ((sample - output * noise) / signal, output.shallow_clone()),
            Self::V => (
                sample * signal - output * noise,
                output * signal + sample * noise,
            ),
            Self::Sample => (output.shallow_clone(), (sample - output * signal) / noise),
        }
    }

    /// The clean sample that a model's output means at noise level `σ`, for a sample `x/√ᾱ`.
    pub(super) fn clean_at(self, output: &Tensor, sample: &Tensor, sigma: f64) -> Tensor {
        match self {
            Self::Epsilon => sample - output * sigma,
            Self::V => output * (-sigma / sigma.hypot(1.0)) + sample / (sigma.powi(2) + 1.0),
            Self::Sample => output.shallow_clone(),
        }
    }
}

/// The magnitude to which predicted clean samples are clipped, if they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clip(Option<f64>);

impl Clip {
    /// `clip_sample` and `clip_sample_range`.
    pub(super) fn read(reader: &mut Reader<'_>, default: bool) -> Result<Self, SchedulerError> {
        if !reader.flag("clip_sample", default)? {
            return Ok(Self(None));
        }
        let range = reader.number("clip_sample_range", 1.0, "a positive number", |range| {
            range > 0.0
        })?;
        Ok(Self(Some(range)))
    }

    /// The tensor within the range, or unchanged.
    pub(super) fn apply(self, clean: Tensor) -> Tensor {
        match self.0 {
            Some(range) => clean.clamp(-range, range),
            None => clean,
        }
    }
}
