//! Captions of every failure mode, held against real images: a section of `report.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caption::{Accuracy, CaptionScore, CaptionVerdict};
use crate::dataset::Split;

/// How [`CaptionsReport::nearest`] reads.
pub const NEAREST: &str =
    "a twentieth of the class's images, at least 10, by cosine of CLIP embeddings";

/// The captions of every failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaptionsReport {
    /// The grammar that captions came from: its built-in name, or a path.
    pub grammar: String,
    /// Which images count as nearest to a caption, in words.
    pub nearest: String,
    /// The split that verdicts are of.
    pub verdict_on: Split,
    /// The split that `judged` is of.
    pub judged_on: Split,
    /// One entry a failure mode, in the order of the report.
    pub modes: Vec<ModeCaptions>,
}

/// The captions of one failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModeCaptions {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0.
    pub class_index: usize,
    /// Failure mode within the class, from 0.
    pub mode: u32,
    /// Captions that were scored.
    pub candidates: usize,
    /// Those of them that are not used; `captions.parquet` has the reason of each.
    pub dropped: usize,
    /// The classifier on all val images of the class.
    pub val: Accuracy,
    /// The classifier on all images of the class in the judged split.
    pub judged: Accuracy,
    /// The hardest captions, hardest first.
    pub hard: Vec<Caption>,
    /// The reference caption.
    pub neutral: Vec<Caption>,
    /// The easiest captions, easiest first.
    pub easy: Vec<Caption>,
    /// One sentence on the class by its hardest confirmed caption; `null` where none is confirmed.
    pub sentence: Option<String>,
}

/// A caption with its scores and what real images say of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Caption {
    /// The text.
    pub caption: String,
    /// Alignment with the direction, a signed distance: larger is harder.
    pub alignment: f64,
    /// Cosine of the direction with the step from reference to caption, −1 to 1: larger is harder; 0 for
    /// the reference itself.
    pub cosine: f64,
    /// Its place by alignment and its place by the errors of the val images nearest to it, added: smaller is
    /// harder. `null` if it is not used.
    pub rank_sum: Option<f64>,
    /// How often chance makes any of the captions look as hard on val, 0 to 1 (outcomes dealt anew between
    /// units, 999 times); `null` without val images.
    pub p_value: Option<f64>,
    /// Whether the val images nearest to the caption are harder than the class, at `p_value` below 0.05; `null`
    /// if it was not asked.
    pub verdict: Option<CaptionVerdict>,
    /// The classifier on the val images of the class nearest to the caption.
    pub val: Option<Accuracy>,
    /// The classifier on those of the judged split.
    pub judged: Option<Accuracy>,
}

impl From<&CaptionScore> for Caption {
    fn from(score: &CaptionScore) -> Self {
        Self {
            caption: score.caption.clone(),
            alignment: score.alignment,
            cosine: score.cosine,
            rank_sum: score.rank_sum,
            p_value: score.p_value,
            verdict: score.checked.map(|checked| checked.verdict),
            val: score.checked.map(|checked| checked.val),
            judged: score.checked.map(|checked| checked.judged),
        }
    }
}
