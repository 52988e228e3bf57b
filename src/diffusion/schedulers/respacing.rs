//! Noise levels moved from those at the timesteps to Karras', exponential or beta spacing.

use super::timesteps::linspace;
use super::{Reader, SchedulerError};

/// Where noise levels lie between the largest and the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SigmaSpacing {
    /// At the timesteps.
    Timesteps,
    Karras,
    Exponential,
    /// At quantiles of the beta distribution with both parameters 0.6.
    Beta,
}

/// The spacing, and bounds that replace those of the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Respacing {
    spacing: SigmaSpacing,
    min: Option<f64>,
    max: Option<f64>,
}

impl Respacing {
    /// Levels at the timesteps.
    pub(super) const NONE: Self = Self {
        spacing: SigmaSpacing::Timesteps,
        min: None,
        max: None,
    };

    /// Whether levels are moved away from those at the timesteps.
    pub(super) fn moves(&self) -> bool {
        self.spacing != SigmaSpacing::Timesteps
    }

    /// Whether they have Karras' spacing.
    pub(super) fn is_karras(&self) -> bool {
        self.spacing == SigmaSpacing::Karras
    }

    /// The `use_…_sigmas`, and `sigma_min` and `sigma_max` where one of them is on.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        let spacing = SigmaSpacing::read(reader)?;
        if spacing == SigmaSpacing::Timesteps {
            return Ok(Self::NONE);
        }
        let mut bound = |key| {
            reader.optional_number(key, "a positive number", |sigma| {
                sigma > 0.0 && sigma.is_finite()
            })
        };
        let (min, max) = (bound("sigma_min")?, bound("sigma_max")?);
        if let (Some(min), Some(max)) = (min, max)
            && min >= max
        {
            return Err(reader.bad("sigma_min", "less than `sigma_max`"));
        }
        Ok(Self { spacing, min, max })
    }

    /// [`Self::read`], for a class that does not read the bounds with Karras' spacing.
    pub(super) fn read_with_free_karras(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        match SigmaSpacing::read(reader)? {
            SigmaSpacing::Karras => Ok(Self {
                spacing: SigmaSpacing::Karras,
                ..Self::NONE
            }),
            _ => Self::read(reader),
        }
    }

    /// `steps` levels, and the timesteps where they occur.
    ///
    /// `range` gives the largest (first) and smallest (last) level, `all` those of the training.
    pub(super) fn apply(
        &self,
        (range, times): (Vec<f64>, Vec<f64>),
        all: &[f64],
        steps: usize,
    ) -> (Vec<f64>, Vec<f64>) {
        const RHO: f64 = 7.0; // Karras et al. 2022, section 3.2
        let max = self.max.unwrap_or(range[0]);
        let min = self.min.unwrap_or(range[range.len() - 1]);
        let sigmas: Vec<f64> = match self.spacing {
            SigmaSpacing::Timesteps => return (range, times),
            SigmaSpacing::Karras => linspace(0.0, 1.0, steps)
                .into_iter()
                .map(|ramp| {
                    let (low, high) = (min.powf(1.0 / RHO), max.powf(1.0 / RHO));
                    (high + ramp * (low - high)).powf(RHO)
                })
                .collect(),
            SigmaSpacing::Exponential => linspace(max.ln(), min.ln(), steps)
                .into_iter()
                .map(f64::exp)
                .collect(),
            SigmaSpacing::Beta => linspace(0.0, 1.0, steps)
                .into_iter()
                .map(|ramp| min + beta_quantile(1.0 - ramp) * (max - min))
                .collect(),
        };
        let times = sigmas.iter().map(|sigma| time_of(*sigma, all)).collect();
        (sigmas, times)
    }
}

impl SigmaSpacing {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError> {
        let mut chosen = Self::Timesteps;
        for (key, spacing) in [
            ("use_karras_sigmas", Self::Karras),
            ("use_exponential_sigmas", Self::Exponential),
            ("use_beta_sigmas", Self::Beta),
        ] {
            if reader.flag(key, false)? {
                if chosen != Self::Timesteps {
                    return Err(reader.bad(key, "only one of the `use_…_sigmas` true"));
                }
                chosen = spacing;
            }
        }
        Ok(chosen)
    }
}

/// The timestep at which a noise level occurs, by interpolation of its logarithm.
fn time_of(sigma: f64, all: &[f64]) -> f64 {
    // Logarithms of known levels are `f32` in Diffusers; DPM-Solver++ truncates the result, so the
    // last bit decides.
    let log = |index: usize| f64::from((all[index] as f32).ln());
    let sigma = sigma.max(1e-10).ln();
    let below = all
        .partition_point(|known| f64::from((*known as f32).ln()) <= sigma)
        .clamp(1, all.len() - 1)
        - 1;
    let (low, high) = (log(below), log(below + 1));
    let weight = ((low - sigma) / (low - high)).clamp(0.0, 1.0);
    below as f64 + weight
}

/// Quantile of the beta distribution with both parameters 0.6: Lee et al. 2024
/// (<https://arxiv.org/abs/2407.12173>).
fn beta_quantile(share: f64) -> f64 {
    if share > 0.5 {
        return 1.0 - beta_quantile(1.0 - share); // symmetric about one half
    }
    let total = 2.0 * beta_mass(0.5);
    let (mut low, mut high) = (0.0, 0.5);
    // Halving 60 times leaves less than `f64` can tell apart.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if beta_mass(middle) < share * total {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// `∫ u^{a−1}·(1 − u)^{a−1} du` from 0 to `x ≤ 0.5` with `a` = 0.6, by the binomial series.
fn beta_mass(x: f64) -> f64 {
    const A: f64 = 0.6;
    let mut coefficient = 1.0;
    let mut sum = 0.0;
    for n in 0..60 {
        let n = f64::from(n);
        sum += coefficient / (A + n);
        coefficient *= (n + 1.0 - A) / (n + 1.0) * x;
    }
    sum * x.powf(A)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_quantiles_are_scipys() {
        // scipy.stats.beta.ppf(p, 0.6, 0.6)
        for (share, expected) in [
            (0.0, 0.0),
            (0.01, 0.000_861_238_821_542_905_9),
            (0.3, 0.234_017_003_875_235_72),
            (0.5, 0.5),
            (0.75, 0.824_319_621_347_305),
            (0.999, 0.999_981_441_261_482_6),
            (1.0, 1.0),
        ] {
            let got = beta_quantile(share);
            assert!((got - expected).abs() < 1e-12, "{share}: {got}");
        }
    }
}
