//! `evaluate.json`: an old and a new model on the failures that a run found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::Split;
use crate::direction::evaluate::{ModeChange, Slice};
use crate::io::JsonFile;

/// How the intervals of slices are computed: with one model each, and with several.
pub const INTERVALS: [&str; 2] = [
    "of these two models: Newcombe 1998, method 10, 95 %",
    "of trainings: variance between images and between models of a side, Student's distribution, 95 %",
];

/// How the p-values of slices are computed: with one model each, and with several.
pub const P_VALUES: [&str; 2] = [
    "of these two models: McNemar, exact, two-sided",
    "of trainings: Student's, with the variance of the interval, two-sided",
];

/// How p-values are corrected.
pub const CORRECTION: &str = "Holm 1979, over all slices of a kind: failures; rests of classes; deciles; groups; classes; the split";

/// What `evaluate.json` holds: did the failures shrink, and what did it cost?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationReport {
    /// Version of this format.
    #[schemars(extend("const" = 3))]
    pub schema: u32,
    /// Version of hardlight that wrote the file.
    pub version: String,
    /// The split that both models are judged on.
    pub judged_on: Split,
    /// The files with the old models' predictions, as they were given.
    pub before: Vec<String>,
    /// The files with the new models' predictions, as they were given.
    pub after: Vec<String>,
    /// How intervals are computed.
    pub interval: String,
    /// How p-values are computed.
    pub p_value: String,
    /// How p-values are corrected for the number of slices.
    pub correction: String,
    /// The whole split, then every group over all classes.
    pub overall: Vec<Slice>,
    /// One entry a failure mode, by class; a class without one has an entry as a whole.
    pub classes: Vec<ModeChange>,
}

impl JsonFile for EvaluationReport {
    const SCHEMA: u32 = 3;
    const WHAT: &'static str = "comparison of two models";
    const REMEDY: &'static str = "run `hardlight evaluate` again";
}

impl EvaluationReport {
    /// Whether there is a failure mode to judge by.
    pub fn has_modes(&self) -> bool {
        self.classes.iter().any(|entry| entry.mode.is_some())
    }
}
