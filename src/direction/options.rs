//! How directions are learned.

use serde::{Deserialize, Serialize};

use super::DirectionError;
use super::folds::Folds;

/// How directions are learned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitOptions {
    /// Cross-validation folds: a number, or the reference's.
    pub folds: Folds,
    /// How often units are dealt to folds; the score is the mean. Once with [`Folds::TableOrder`].
    pub repeats: usize,
    /// Permutations behind a p-value: so many at most, or 20 a test (two a class) if that is more; 0 for none.
    pub permutations: usize,
    /// Resamples behind the interval of the direction; 0 for none.
    pub bootstrap: usize,
    /// Fewer mistakes, or fewer right examples, than this make a class's direction a guess: it is never a finding.
    pub min_mistakes: usize,
    /// Whether failure modes are searched for within every class, beside the one direction of all its mistakes.
    pub modes: bool,
    /// Quantile of the mistakes' out-of-fold alignment that becomes the threshold.
    pub quantile: f64,
    /// Seed of folds, permutations and resamples.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            folds: Folds::Shuffled(2),
            repeats: 5,
            permutations: 199,
            bootstrap: 100,
            min_mistakes: 5,
            modes: true,
            quantile: 0.5,
            seed: 0,
        }
    }
}

impl FitOptions {
    /// Checks the settings before anything is opened.
    ///
    /// # Errors
    ///
    /// [`DirectionError::Setting`].
    pub fn check(&self) -> Result<(), DirectionError> {
        let setting = |name, value: String, expected| {
            Err(DirectionError::Setting {
                name,
                value,
                expected,
            })
        };
        let folds = self.folds.count();
        if folds < 2 {
            return setting("folds", folds.to_string(), "at least 2, or \"table-order\"");
        }
        if self.repeats == 0 {
            return setting("repeats", self.repeats.to_string(), "at least 1");
        }
        if !(0.0..=1.0).contains(&self.quantile) {
            return setting(
                "quantile",
                self.quantile.to_string(),
                "a number from 0 to 1",
            );
        }
        Ok(())
    }
}
