//! Embeddings of one split.

use std::collections::BTreeMap;

use ndarray::{ArrayView2, Axis};

use crate::dataset::{Dataset, Split};
use crate::pipeline::own::{Own, Rows};

/// A split's embeddings.
pub struct Part {
    /// Rows of the data set.
    pub rows: Vec<usize>,
    pub(super) matrix: Rows,
}

impl Part {
    /// As the encoder made them, a row each, `[n, d]`.
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.matrix.view()
    }
}

/// Embeddings by split.
pub type Parts = BTreeMap<Split, Part>;

/// A matrix with a row an example, by split.
pub(crate) fn by_split(own: &Own, dataset: &Dataset) -> Parts {
    let mut parts = BTreeMap::new();
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        if !rows.is_empty() {
            let matrix = own.rows(&rows);
            parts.insert(split, Part { rows, matrix });
        }
    }
    parts
}

/// The examples of a part that have predictions.
pub(crate) fn with_predictions(dataset: &Dataset, part: &Part) -> Part {
    let kept: Vec<usize> = (0..part.rows.len())
        .filter(|&at| dataset.examples[part.rows[at]].prediction.is_some())
        .collect();
    Part {
        rows: kept.iter().map(|&at| part.rows[at]).collect(),
        matrix: Rows::Held(part.view().select(Axis(0), &kept)),
    }
}
