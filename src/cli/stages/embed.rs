//! Embeddings of the data set, split by split.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use super::inputs::{Inputs, Own};
use crate::cli::session::Context;
use crate::dataset::{Dataset, Split};
use crate::run::cache::{self, Place};

/// A split's embeddings.
pub(in crate::cli) struct Part {
    /// Rows of the data set.
    pub(in crate::cli) rows: Vec<usize>,
    /// As the encoder made them, a row each, `[n, d]`.
    pub(in crate::cli) matrix: Array2<f32>,
}

/// Embeddings by split; none if asked to stop.
pub(super) fn embed(
    context: &mut Context<'_>,
    inputs: &mut Inputs,
) -> anyhow::Result<Option<BTreeMap<Split, Part>>> {
    if let Some(own) = &inputs.own {
        return Ok(Some(by_split(own, &inputs.dataset)));
    }
    let mut parts = BTreeMap::new();
    let mut shas = Vec::new();
    if let Some(encoder) = inputs.encoder() {
        let dataset = &inputs.dataset;
        for split in [Split::Train, Split::Val, Split::Test] {
            let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
            if rows.is_empty() {
                continue;
            }
            let images: Vec<_> = rows
                .iter()
                .map(|&i| {
                    (
                        dataset.examples[i].id.clone(),
                        dataset.image(&dataset.examples[i]),
                    )
                })
                .collect();
            let place = Place::new(&context.layout.embeddings_dir(), split.name());
            let mut stage = context
                .ui
                .stage(&format!("embed {split}"), rows.len(), "images");
            let embedded = cache::embed(
                &place,
                &images,
                inputs.exif,
                encoder,
                &|| context.stop.asked(),
                &mut |done| stage.set(done, ""),
            )?;
            let Some(embedded) = embedded else {
                return Ok(None);
            };
            context.ui.note(format_args!(
                "{} of {} were new",
                embedded.fresh,
                rows.len()
            ));
            stage.end(context.ui);
            shas.extend(rows.iter().copied().zip(embedded.sha256));
            parts.insert(
                split,
                Part {
                    rows,
                    matrix: embedded.embeddings.matrix,
                },
            );
        }
    }
    for (row, sha) in shas {
        inputs.sha256[row] = Some(sha);
    }
    Ok(Some(parts))
}

/// A matrix with a row an example, by split.
pub(super) fn by_split(own: &Own, dataset: &Dataset) -> BTreeMap<Split, Part> {
    let mut parts = BTreeMap::new();
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        if !rows.is_empty() {
            let matrix = own.rows(&rows).into_owned();
            parts.insert(split, Part { rows, matrix });
        }
    }
    parts
}

pub(super) fn with_predictions(dataset: &Dataset, part: &Part) -> Part {
    let kept: Vec<usize> = (0..part.rows.len())
        .filter(|&at| dataset.examples[part.rows[at]].prediction.is_some())
        .collect();
    Part {
        rows: kept.iter().map(|&at| part.rows[at]).collect(),
        matrix: part.matrix.select(Axis(0), &kept),
    }
}
