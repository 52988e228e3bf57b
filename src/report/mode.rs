//! A failure mode and how strong its direction is, as every report names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::direction::{Direction, ModeId, Standing};

/// A failure mode and how strong its direction is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mode {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0, in the data's order of classes.
    pub class_index: usize,
    /// Failure mode within the class: 0 is the one direction of all its mistakes, the others are where mistakes gather.
    pub mode: u32,
    /// Val mistakes of the class that it explains: of mode 0 those on its failure side out of fold; of the
    /// others those of its region, and those of none that reach its threshold and belong to it.
    pub explains: usize,
    /// Mean balanced accuracy of the direction over cross-validation folds of val, mean over repeats, 0 to 1:
    /// 0.5 is chance.
    pub cv_score: f64,
    /// 95 % interval of that over resamples of units, lower end first; `null` where it could not be computed.
    pub cv_interval_95: Option<(f64, f64)>,
    /// Val examples that the CV score and its interval rest on: the right ones of the class, and the wrong ones
    /// that the direction was learned from.
    pub val_examples: usize,
    /// Units that they make: near-duplicates, and what the user says belongs together, are one.
    pub val_units: usize,
    /// Share of permutations of right and wrong that are as good, 0 to 1 (Besag and Clifford 1991): of mode 0
    /// by CV score, of the others by how far the mistakes of any region stand out; `null` if it was not tested.
    pub p_value: Option<f64>,
    /// The p-value corrected for the number of modes tested (Benjamini and Hochberg 1995), 0 to 1; `null` if it
    /// was not tested.
    pub q_value: Option<f64>,
    /// Permutations drawn.
    pub permutations: usize,
    /// What the test came to.
    pub standing: Standing,
    /// Whether the mode is better than chance: `q_value` below 0.05.
    pub finding: bool,
}

impl Mode {
    /// A direction's mode; `classes` are the names by index.
    pub fn of(direction: &Direction, classes: &[String]) -> Self {
        Self {
            class: classes.get(direction.id.class).cloned().unwrap_or_default(),
            class_index: direction.id.class,
            mode: direction.id.mode,
            explains: direction.explains.len(),
            cv_score: direction.cv_score,
            cv_interval_95: direction.cv_interval,
            val_examples: direction.right + direction.wrong,
            val_units: direction.units,
            p_value: direction.p_value,
            q_value: direction.q_value,
            permutations: direction.permutations,
            standing: direction.standing(),
            finding: direction.is_finding(),
        }
    }

    /// Its key.
    pub fn id(&self) -> ModeId {
        ModeId::new(self.class_index, self.mode)
    }
}
