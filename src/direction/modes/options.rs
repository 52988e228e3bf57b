//! What a search asks of a failure mode.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::direction::DirectionError;

/// Draws of k-means.
pub(super) const KMEANS: u8 = b'k';
/// Draws of dealings.
pub(super) const DEALINGS: u8 = b'd';

/// How failure modes are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchOptions {
    /// Most dealings of the outcomes behind a p-value.
    pub permutations: usize,
    /// So many dealings that stand out as much end the draws early (Besag and Clifford 1991).
    pub enough: usize,
    /// A region is accepted if its p-value is smaller.
    pub level: f64,
    /// Fewest units of a region.
    pub min_size: usize,
    /// Largest share of the class's units in a region.
    pub max_share: f64,
    /// Fewest units with a mistake of a mode.
    pub min_mistakes: usize,
    /// Two regions may be one mode if their SVMs rank each other's mistakes before right images this well (mean
    /// AUC).
    pub merge_auc: f64,
    /// Penalty of the modes' SVMs. Small: a mode has few mistakes, for which the difference of means, which a
    /// small penalty gives in closed form, ranks fresh images no worse than a margin.
    pub c: f64,
    /// Seed of the dealings and of k-means.
    pub seed: u64,
    /// Index of the class, which has draws of its own.
    pub class: usize,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            permutations: 999,
            enough: 10,
            level: 0.05,
            min_size: 8,
            max_share: 0.34,
            min_mistakes: 5,
            merge_auc: 0.8,
            c: 0.01,
            seed: 0,
            class: 0,
        }
    }
}

impl SearchOptions {
    /// The generator of one purpose, class and number within it, so that none shares draws with another.
    pub(super) fn rng(&self, purpose: u8, number: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ (u64::from(purpose) << 56));
        rng.set_stream(((self.class as u64) << 32) | number as u64);
        rng
    }

    /// Dealings behind a p-value: all, or so many as came until `enough` of them stood out as much.
    pub fn draws(&self, p: f64) -> usize {
        let enough = self.enough as f64;
        if p * self.permutations as f64 >= enough {
            (enough / p).round() as usize
        } else {
            self.permutations
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`DirectionError::Setting`].
    pub fn check(&self) -> Result<(), DirectionError> {
        let least = |name, value: usize, least: usize, expected| {
            (name, value.to_string(), value >= least, expected)
        };
        let share = |name, value: f64| {
            let inside = value > 0.0 && value <= 1.0;
            (
                name,
                value.to_string(),
                inside,
                "a number above 0, at most 1",
            )
        };
        let rules = [
            least("permutations", self.permutations, 1, "at least 1"),
            least("enough", self.enough, 1, "at least 1"),
            least("min_size", self.min_size, 2, "at least 2"),
            least("min_mistakes", self.min_mistakes, 1, "at least 1"),
            share("level", self.level),
            share("max_share", self.max_share),
            share("merge_auc", self.merge_auc),
            (
                "c",
                self.c.to_string(),
                self.c > 0.0 && self.c.is_finite(),
                "a number above 0",
            ),
        ];
        match rules.into_iter().find(|(_, _, good, _)| !good) {
            Some((name, value, _, expected)) => Err(DirectionError::Setting {
                name,
                value,
                expected,
            }),
            None => Ok(()),
        }
    }
}
