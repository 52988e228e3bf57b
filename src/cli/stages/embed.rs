//! Embeddings of the data set, split by split.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use super::inputs::{Inputs, Space, own};
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

/// Embeddings by split in the run's space; none if asked to stop.
pub(super) fn embed(
    context: &mut Context<'_>,
    inputs: &mut Inputs,
) -> anyhow::Result<Option<BTreeMap<Split, Part>>> {
    if let Some(matrix) = &inputs.own {
        return Ok(Some(by_split(matrix, &inputs.dataset)));
    }
    let Some((parts, shas)) = encode(context, inputs, &inputs.space, "")? else {
        return Ok(None);
    };
    for (row, sha) in shas {
        inputs.sha256[row] = Some(sha);
    }
    Ok(Some(parts))
}

/// Embeddings by split in a space that is only compared; none if asked to stop.
pub(super) fn embed_in(
    context: &mut Context<'_>,
    inputs: &Inputs,
    space: &Space,
) -> anyhow::Result<Option<BTreeMap<Split, Part>>> {
    if let Space::Matrix(path) = space {
        return Ok(Some(by_split(
            &own(path, &inputs.dataset)?,
            &inputs.dataset,
        )));
    }
    let prefix = format!("{}-", space.name());
    Ok(encode(context, inputs, space, &prefix)?.map(|(parts, _)| parts))
}

/// Embeddings by split, and the hash of every image by its row of the data set.
type Encoded = (BTreeMap<Split, Part>, Vec<(usize, String)>);

fn encode(
    context: &mut Context<'_>,
    inputs: &Inputs,
    space: &Space,
    prefix: &str,
) -> anyhow::Result<Option<Encoded>> {
    let mut parts = BTreeMap::new();
    let mut shas = Vec::new();
    let Some(encoder) = inputs.encoder(space) else {
        return Ok(Some((parts, shas)));
    };
    let dataset = &inputs.dataset;
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        // Of a pool without predictions there is nothing to report.
        let known = |&i: &usize| dataset.examples[i].prediction.is_some();
        if rows.is_empty() || split == Split::Pool && !rows.iter().any(known) {
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
        let name = format!("{prefix}{split}");
        let place = Place::new(&context.layout.embeddings_dir(), &name);
        let mut stage = context
            .ui
            .stage(&format!("embed {name}"), rows.len(), "images");
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
    Ok(Some((parts, shas)))
}

/// A matrix with a row an example, by split.
pub(super) fn by_split(matrix: &Array2<f32>, dataset: &Dataset) -> BTreeMap<Split, Part> {
    let mut parts = BTreeMap::new();
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        if !rows.is_empty() {
            let matrix = matrix.select(Axis(0), &rows);
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
