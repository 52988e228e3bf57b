//! Embeddings of the data set, split by split.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use super::inputs::{Inputs, Space};
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::{Dataset, Split};
use crate::embed::ImageEncoder as _;
use crate::run::cache::{self, Place};

/// Given embeddings that are made again.
const COMPARED: usize = 16;

/// The least cosine of an embedding made twice; half precision and another decoder leave 0.998.
const SAME: f32 = 0.99;

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
    if let Some(matrix) = &inputs.own {
        compare(context, inputs, matrix)?;
        return Ok(Some(by_split(matrix, &inputs.dataset)));
    }
    let mut parts = BTreeMap::new();
    let mut shas = Vec::new();
    if let Some(encoder) = inputs.encoder() {
        let dataset = &inputs.dataset;
        let splits = [Split::Train, Split::Val, Split::Test];
        for split in splits.into_iter().chain(context.settings.data.pool) {
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

/// Embeds a few images again: embeddings of another model, or in another order, would make nonsense of
/// every caption and every filter.
fn compare(context: &mut Context<'_>, inputs: &Inputs, matrix: &Array2<f32>) -> anyhow::Result<()> {
    let (Space::Clip, Some(clip)) = (&inputs.space, &inputs.clip) else {
        return Ok(());
    };
    let dataset = &inputs.dataset;
    let n = dataset.examples.len();
    let (mut rows, mut images) = (Vec::new(), Vec::new());
    for at in 0..COMPARED.min(n) {
        let row = at * n / COMPARED.min(n);
        // Embeddings without their images are a good input.
        if let Ok(image) = dataset.image(&dataset.examples[row]).rgb(inputs.exif) {
            rows.push(row);
            images.push(image);
        }
    }
    if rows.is_empty() {
        context
            .ui
            .warn("no image could be read, so the embeddings were not compared with this CLIP's");
        return Ok(());
    }
    let made = clip.encode_images(&images)?;
    for (&row, made) in rows.iter().zip(made.outer_iter()) {
        let given = matrix.row(row);
        let cosine = given.dot(&made) / (given.dot(&given) * made.dot(&made)).sqrt();
        if cosine < SAME {
            let id = &dataset.examples[row].id;
            let text = format!(
                "the embedding given for {id:?} is not what this CLIP makes of the image (cosine \
                 {cosine:.4}): was it made by another model or preprocessing, or are the rows in \
                 another order?"
            );
            return Err(InputError(text).into());
        }
    }
    context.ui.note(format_args!(
        "{} of the given embeddings were made again and are the same",
        rows.len()
    ));
    Ok(())
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
