//! One example: its image, label and split, and what the analysed model says of it.

use serde::{Deserialize, Serialize};

use super::Split;
use crate::io::source::Member;

/// The name of an example within its data set: valid for that data set alone, and as long as it lives.
///
/// Only a [`Dataset`](super::Dataset) hands them out. They are ordered as the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExampleId(pub(super) usize);

impl ExampleId {
    /// Its place in table order, from 0: the place in a list with an entry an example.
    pub fn index(self) -> usize {
        self.0
    }

    /// The first `n` of any data set, for tests of what needs names alone.
    #[cfg(test)]
    pub(crate) fn numbered(n: usize) -> Vec<Self> {
        (0..n).map(Self).collect()
    }
}

/// What the analysed model says of one example.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelOutput {
    /// The class it says.
    pub prediction: Option<usize>,
    /// Its probability for that class, from 0 to 1.
    pub confidence: Option<f32>,
    /// Its probability for every class, in class order.
    pub probabilities: Option<Vec<f32>>,
    /// How much it takes the image for class 1 of two, on its own scale.
    pub score: Option<f32>,
}

/// One image and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Unique name; the path unless the table has ids.
    pub id: String,
    /// Path below [`Dataset::root`](super::Dataset::root), with `/`.
    pub path: String,
    /// The class it belongs to.
    pub label: usize,
    /// The split it belongs to.
    pub split: Split,
    /// The class the analysed model says.
    pub prediction: Option<usize>,
    /// The model's probability for its prediction, from 0 to 1.
    pub confidence: Option<f32>,
    /// The model's probability for every class, in class order.
    pub probabilities: Option<Vec<f32>>,
    /// How much the model takes it for class 1 of two, on the model's own scale; a prediction follows
    /// from it by a threshold, see [`score`](super::score).
    #[serde(default)]
    pub score: Option<f32>,
    /// A tag such as a subpopulation: for measuring only, never for fitting.
    pub group: Option<String>,
    /// What it belongs together with (a patient, a video, a burst): examples of a class with the same text are
    /// one observation.
    #[serde(default)]
    pub unit: Option<String>,
    /// What part of the file at `path` the image is; none for the whole.
    #[serde(default)]
    pub member: Option<Member>,
}

impl Example {
    /// An example that is named by its path, with nothing known of the model.
    pub fn new(path: String, label: usize, split: Split) -> Self {
        Self {
            id: path.clone(),
            path,
            label,
            split,
            prediction: None,
            confidence: None,
            probabilities: None,
            score: None,
            group: None,
            unit: None,
            member: None,
        }
    }

    /// Takes what the model says; nothing stays of what was known of a model before.
    pub(super) fn put(&mut self, output: ModelOutput) {
        let ModelOutput {
            prediction,
            confidence,
            probabilities,
            score,
        } = output;
        self.prediction = prediction;
        self.confidence = confidence;
        self.probabilities = probabilities;
        self.score = score;
    }
}
