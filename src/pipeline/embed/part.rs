//! Embeddings of one split.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};

use crate::dataset::{Dataset, ExampleId, Split, Usable};
use crate::io::image::Exif;
use crate::pipeline::precomputed::{Precomputed, Rows};

/// A split's embeddings.
pub struct SplitEmbeddings {
    /// The examples, in table order.
    pub ids: Vec<ExampleId>,
    pub(super) matrix: Rows,
}

impl SplitEmbeddings {
    /// A row an example, in their order.
    pub(crate) fn held(ids: Vec<ExampleId>, matrix: Array2<f32>) -> Self {
        let matrix = Rows::Held(matrix);
        Self { ids, matrix }
    }

    /// As the encoder made them, a row each, `[ids, d]`.
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.matrix.view()
    }
}

/// Embeddings by split.
pub type Parts = BTreeMap<Split, SplitEmbeddings>;

/// The data's images with their embeddings.
#[derive(Clone, Copy)]
pub(crate) struct Pictures<'a> {
    /// The examples.
    pub(crate) dataset: &'a Dataset,
    /// Their embeddings.
    pub(crate) parts: &'a Parts,
    /// How images are turned.
    pub(crate) exif: Exif,
    /// Whether embeddings were made before, so that images need not be there.
    pub(crate) embedded_before: bool,
}

/// Given embeddings of the usable examples, by split.
pub(crate) fn by_split(own: &Precomputed, data: Usable<'_>) -> Parts {
    let mut parts = BTreeMap::new();
    for split in Split::ALL {
        let ids: Vec<ExampleId> = data.of_split(split).map(|(id, _)| id).collect();
        if !ids.is_empty() {
            let matrix = own.rows(&ids);
            parts.insert(split, SplitEmbeddings { ids, matrix });
        }
    }
    parts
}

/// The examples of a part that have predictions.
pub(crate) fn with_predictions(dataset: &Dataset, part: &SplitEmbeddings) -> SplitEmbeddings {
    let known = |at: &usize| dataset.example(part.ids[*at]).prediction.is_some();
    let kept: Vec<usize> = (0..part.ids.len()).filter(known).collect();
    SplitEmbeddings {
        ids: kept.iter().map(|&at| part.ids[at]).collect(),
        matrix: Rows::Held(part.view().select(Axis(0), &kept)),
    }
}
