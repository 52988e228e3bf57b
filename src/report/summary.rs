//! `summary.json`: the figures a script needs, written last.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::overview::Overview;
use super::retraining::{Judge, Retraining};
use crate::caption::CaptionVerdict;
use crate::dataset::Threshold;
use crate::direction::doubt::WarningKind;
use crate::direction::{Admitted, ModeId};
use crate::io::JsonFile;

/// What `summary.json` holds. Its presence says that the run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Version of this format.
    #[schemars(extend("const" = 3))]
    pub schema: u32,
    /// Version of hardlight that wrote the file.
    pub version: String,
    /// How many failure modes there are, how large, and which to fix first.
    pub overview: Overview,
    /// One entry a failure mode, by class; mode 0 is the one direction of all mistakes.
    pub classes: Vec<ModeSummary>,
    /// The threshold of scores, where the classifier's outputs were scores.
    pub score_threshold: Option<Threshold>,
    /// Images that could not be used and were passed over.
    pub skipped: usize,
    /// What makes the result less than it looks, in words.
    pub warnings: Vec<String>,
    /// Seconds that each stage took, by its name.
    pub seconds: BTreeMap<String, f64>,
    /// Of the demo: what its judge says of generated faces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Judge>,
    /// Of the demo: the classifier trained again with the images of each arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retraining: Option<Retraining>,
}

impl JsonFile for Summary {
    const SCHEMA: u32 = 3;
    const WHAT: &'static str = "summary of a run";
    const REMEDY: &'static str = "run the same command again";
}

impl Summary {
    /// The entry of a failure mode.
    pub fn mode(&self, id: ModeId) -> Option<&ModeSummary> {
        self.classes.iter().find(|entry| entry.mode.id() == id)
    }
}

/// What a run came to for a failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModeSummary {
    /// Its class and number, and how strong its direction is.
    #[serde(flatten)]
    pub mode: Mode,
    /// Kinds of the warnings that bar it, or its class, from generation; empty if nothing does.
    pub barred: Vec<WarningKind>,
    /// Penalty of the SVM that cross-validation chose.
    pub c: f64,
    /// Alignment that an image must reach to count as part of the failure.
    pub threshold: f64,
    /// The right val examples that the threshold lets pass, out of fold.
    pub admits: Admitted,
    /// The hardest captions, hardest first; empty without captions.
    pub top_captions: Vec<TopCaption>,
    /// Images that were generated, whatever became of them.
    pub attempted: usize,
    /// Those of them that were kept.
    pub kept: usize,
    /// Whether as many images as asked for were found or made; `null` if none were asked for.
    pub quota_met: Option<bool>,
    /// What the pool gave; `null` without a pool.
    pub pool: Option<PoolCounts>,
    /// Generated images that were rejected, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// How many examples of the judged split are called the hardest: 50, or a fifth where that is less.
    pub hardest: usize,
    /// Share of the class's rare groups among them, 0 to 1; `null` without groups.
    pub minority_share_hardest: Option<f64>,
    /// Share of the class's rare groups among all its examples of the judged split, 0 to 1; `null` without groups.
    pub minority_share_base: Option<f64>,
    /// What fails, in one sentence.
    pub sentence: Option<String>,
}

/// A caption among the hardest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopCaption {
    /// The text.
    pub caption: String,
    /// Its alignment, a signed distance: larger is harder.
    pub score: f64,
    /// Whether the val images nearest to it are harder than the class; `null` if it was not asked.
    pub verdict: Option<CaptionVerdict>,
}

/// What the pool gave for a failure mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolCounts {
    /// Pool images of the class that belong to the mode.
    pub of_class: usize,
    /// Those that were picked.
    pub kept: usize,
    /// Those that were looked at and not picked, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// Hard enough, but not looked at once the quota was met.
    pub left: usize,
}
