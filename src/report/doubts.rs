//! What makes directions less than they look, example by example: likely label errors and duplicates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::Split;
use crate::direction::doubt::duplicates::Same;

/// Duplicates that `report.json` lists; `report/duplicates.csv` has all.
pub const LISTED: usize = 100;

/// Likely label errors, and how they were looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelErrors {
    /// Nearest examples that vote on a label, by cosine of whitened embeddings.
    pub neighbours: usize,
    /// Votes for the predicted class that make a label doubtful.
    pub votes_needed: usize,
    /// The splits among which neighbours were looked for.
    pub among: Vec<Reference>,
    /// Mistakes that nothing could be said of.
    pub unchecked_mistakes: usize,
    /// The likely label errors, by split, in the order of the data.
    pub examples: Vec<LabelError>,
}

/// A split among which neighbours were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// The split.
    pub split: Split,
    /// Its examples.
    pub examples: usize,
    /// Those of them that were used; a large split is thinned out evenly.
    pub used: usize,
}

/// An example whose label is likely wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelError {
    /// Id of the example.
    pub id: String,
    /// Its path below the data's root.
    pub path: String,
    /// Its split.
    pub split: Split,
    /// The class that it is labelled as.
    pub label: String,
    /// The class that its neighbours and the classifier say.
    pub likely: String,
    /// The classifier's probability of its prediction, 0 to 1; `null` if it is not known.
    pub confidence: Option<f32>,
    /// Neighbours of the likely class, in each split that could say, in the order of `among`.
    pub votes: Vec<usize>,
    /// Alignment with the direction of its labelled class (out of fold on val): larger is harder; `null` if that
    /// class has no direction.
    pub alignment: Option<f64>,
}

/// Examples that are in an earlier split too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Duplicates {
    /// How many there are.
    pub count: usize,
    /// The first 100; `report/duplicates.csv` has all.
    pub first: Vec<Duplicate>,
}

impl Duplicates {
    /// All pairs, as far as the report lists them.
    pub fn of(pairs: &[Duplicate]) -> Self {
        Self {
            count: pairs.len(),
            first: pairs.iter().take(LISTED).cloned().collect(),
        }
    }
}

/// An example of val or test that is in an earlier split too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Duplicate {
    /// Id of the example.
    pub id: String,
    /// Its split.
    pub split: Split,
    /// Name of the class that it is labelled as.
    pub label: String,
    /// Id of the first example of an earlier split that equals it.
    pub also: String,
    /// That example's split.
    pub also_split: Split,
    /// Name of the class that that example is labelled as.
    pub also_label: String,
    /// In what they are equal.
    pub same: Same,
}
