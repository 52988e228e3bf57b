//! `report.json`: the detection report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::captions::CaptionsReport;
use super::doubts::{Duplicates, LabelErrors};
use super::mode::Mode;
use super::overview::Overview;
use crate::dataset::{Split, Threshold};
use crate::direction::doubt::{Warning, WarningKind};
pub use crate::direction::persist::SkippedClass;
use crate::direction::report::{ClassReport, Histogram, SplitReport};
use crate::direction::{Admitted, Direction, ModeId};
use crate::io::JsonFile;
use crate::io::source::Member;

/// What `report.json` holds: where the classifier fails, on what evidence, and what speaks against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DetectionReport {
    /// Version of this format.
    #[schemars(extend("const" = 3))]
    pub schema: u32,
    /// Version of hardlight that wrote the file.
    pub version: String,
    /// The space of embeddings that directions were learned in.
    pub space: String,
    /// The split that whitening was learned on.
    pub whitened_on: Split,
    /// The split that directions were learned on.
    pub fitted_on: Split,
    /// The split that `judged` and the ranked examples are of.
    pub judged_on: Split,
    /// The data's root; a relative one starts from the run folder.
    pub root: String,
    /// Whether images are turned as their EXIF orientation says.
    pub exif: bool,
    /// The threshold of scores, where the classifier's outputs were scores.
    pub score_threshold: Option<Threshold>,
    /// Images that could not be used and were passed over.
    pub skipped_images: usize,
    /// How many failure modes there are, how large, and which to fix first.
    pub overview: Overview,
    /// One entry a failure mode, by class; mode 0 is the one direction of all mistakes.
    pub classes: Vec<ModeReport>,
    /// Classes without a direction.
    pub skipped: Vec<SkippedClass>,
    /// Every split with predictions: val (each example scored by the fold that did not see it), test, pool.
    pub splits: Vec<SplitReport>,
    /// The spaces side by side, the run's own first; empty where none is compared.
    pub spaces: Vec<SpaceReport>,
    /// Likely label errors, and how they were looked for.
    pub label_errors: LabelErrors,
    /// Examples that are in an earlier split too.
    pub duplicates: Duplicates,
    /// What makes the result less than it looks.
    pub warnings: Vec<Warning>,
    /// The captions of every failure mode; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captions: Option<CaptionsReport>,
}

impl JsonFile for DetectionReport {
    const SCHEMA: u32 = 3;
    const WHAT: &'static str = "detection report";
    const REMEDY: &'static str = "run `hardlight detect` or `run` on the folder again";
}

impl DetectionReport {
    /// The entry of a failure mode.
    pub fn mode(&self, id: ModeId) -> Option<&ModeReport> {
        self.classes.iter().find(|entry| entry.mode.id() == id)
    }
}

/// A failure mode, and how well its direction finds mistakes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModeReport {
    /// Its class and number, and how strong its direction is.
    #[serde(flatten)]
    pub mode: Mode,
    /// Kinds of the warnings that bar it, or its class, from generation; empty if nothing does.
    pub barred: Vec<WarningKind>,
    /// Penalty of the SVM that cross-validation chose.
    pub c: f64,
    /// Alignment that an image must reach to count as part of the failure.
    pub threshold: f64,
    /// The right val examples that the threshold lets pass, out of fold: half of the mistakes would.
    pub admits: Admitted,
    /// Mean distance between said probabilities of failure and shares of mistakes, 0 to 1, out of fold; `null`
    /// where there are no probabilities.
    pub calibration_error: Option<f64>,
    /// Val examples of the class that the classifier gets right.
    pub right: usize,
    /// Val examples of the class that it gets wrong and that the direction was learned from: all of them for
    /// mode 0, those of its region for the others.
    pub wrong: usize,
    /// Alignments of the class's val examples, each by the folds that did not see it; absent in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_alignments: Option<Histogram>,
    /// Its figures on the judged split.
    pub judged: ClassReport,
    /// Mistakes of the judged split, the most aligned first.
    pub most_aligned_mistakes: Vec<RankedExample>,
    /// Examples of the judged split that the classifier gets right, the most aligned first.
    pub most_aligned_right: Vec<RankedExample>,
}

impl ModeReport {
    /// Its key.
    pub fn id(&self) -> ModeId {
        self.mode.id()
    }

    /// A direction with its figures on the judged split and the heads of its ranking there, mistakes and others;
    /// `classes` are the names by index.
    pub fn of(
        direction: &Direction,
        classes: &[String],
        barred: Vec<WarningKind>,
        judged: ClassReport,
        [most_aligned_mistakes, most_aligned_right]: [Vec<RankedExample>; 2],
    ) -> Self {
        Self {
            mode: Mode::of(direction, classes),
            barred,
            c: direction.c,
            threshold: direction.threshold,
            admits: direction.admits,
            calibration_error: direction.probability.as_ref().map(|p| p.calibration_error),
            right: direction.right,
            wrong: direction.wrong,
            val_alignments: None,
            judged,
            most_aligned_mistakes,
            most_aligned_right,
        }
    }
}

/// An example at the head of a ranking by alignment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankedExample {
    /// Id of the example.
    pub id: String,
    /// Its path below the data's root.
    pub path: String,
    /// The part of that file that it is; `null` for the whole.
    pub member: Option<Member>,
    /// Alignment with the direction, a signed distance: larger is harder.
    pub alignment: f64,
    /// Probability that the classifier gets an image of the class with this alignment wrong, 0 to 1, as learned
    /// on val; `null` where it is not known.
    pub failure_probability: Option<f64>,
    /// Name of the class that the classifier says.
    pub prediction: Option<String>,
    /// The classifier's probability of its prediction, 0 to 1; `null` if it is not known.
    pub confidence: Option<f32>,
    /// Its group; `null` if it is not known.
    pub group: Option<String>,
}

/// What one space of embeddings came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpaceReport {
    /// Its name.
    pub space: String,
    /// The split that whitening was learned on.
    pub whitened_on: Split,
    /// The split that `judged` is of.
    pub judged_on: Split,
    /// One entry a failure mode, by class.
    pub classes: Vec<SpaceMode>,
    /// Every split with predictions.
    pub splits: Vec<SplitReport>,
}

/// A failure mode in one space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpaceMode {
    /// Its class and number, and how strong its direction is.
    #[serde(flatten)]
    pub mode: Mode,
    /// Its figures on the judged split.
    pub judged: ClassReport,
}
