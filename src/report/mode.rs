//! A failure mode and how strong its direction is, as every report names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::direction::{Direction, ModeId};

/// A failure mode and how strong its direction is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mode {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0, in the data's order of classes.
    pub class_index: usize,
    /// Failure mode within the class, from 0.
    pub mode: u32,
    /// Mean balanced accuracy of the direction over cross-validation folds of val, 0 to 1: 0.5 is chance.
    pub cv_score: f64,
    /// Share of permutations of right and wrong whose CV score is as good, 0 to 1.
    pub p_value: f64,
    /// The p-value corrected for the number of classes (Benjamini and Hochberg 1995), 0 to 1.
    pub q_value: f64,
    /// Whether the mode is better than chance: `q_value` below 0.05, and mistakes enough.
    pub finding: bool,
}

impl Mode {
    /// A direction's mode; `classes` are the names by index.
    pub fn of(direction: &Direction, classes: &[String]) -> Self {
        Self {
            class: classes.get(direction.id.class).cloned().unwrap_or_default(),
            class_index: direction.id.class,
            mode: direction.id.mode,
            cv_score: direction.cv_score,
            p_value: direction.p_value,
            q_value: direction.q_value,
            finding: direction.is_finding(),
        }
    }

    /// Its key.
    pub fn id(&self) -> ModeId {
        ModeId::new(self.class_index, self.mode)
    }
}
