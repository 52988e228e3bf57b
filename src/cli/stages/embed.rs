//! Embeddings of the data set, split by split.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, Axis};

use super::inputs::{Inputs, Space, own};
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::{Dataset, Split};
use crate::embed::ImageEncoder as _;
use crate::run::cache::{self, Place};
use crate::run::skipped::Skips;

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

/// Embeddings by split in the run's space; none if asked to stop. Examples whose image cannot be used are
/// gone from the data set afterwards.
pub(super) fn embed(
    context: &mut Context<'_>,
    inputs: &mut Inputs,
) -> anyhow::Result<Option<BTreeMap<Split, Part>>> {
    if let Some(matrix) = &inputs.own {
        compare(context, inputs, matrix)?;
        return Ok(Some(by_split(matrix, &inputs.dataset)));
    }
    // Apart from the encoder, so that both can be borrowed.
    let mut skips = inputs.skips.clone();
    let encoded = encode(context, inputs, &inputs.space, "", &mut skips)?;
    inputs.skips = skips;
    let Some(Encoded {
        mut parts,
        shas,
        gone,
    }) = encoded
    else {
        return Ok(None);
    };
    for (row, sha) in shas {
        inputs.sha256[row] = Some(sha);
    }
    let places = inputs.drop_rows(&gone);
    for part in parts.values_mut() {
        // None of them is gone.
        part.rows = part.rows.iter().filter_map(|&row| places[row]).collect();
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
    // What is bad here was so before, or is not read in the run's own space and stays in the data.
    let mut skips = inputs.skips.clone();
    let encoded = encode(context, inputs, space, &prefix, &mut skips)?;
    Ok(encoded.map(|encoded| encoded.parts))
}

/// What the images of a data set were embedded as.
#[derive(Default)]
struct Encoded {
    parts: BTreeMap<Split, Part>,
    /// The hash of every image by its row of the data set.
    shas: Vec<(usize, String)>,
    /// Rows whose image cannot be used.
    gone: BTreeSet<usize>,
}

fn encode(
    context: &mut Context<'_>,
    inputs: &Inputs,
    space: &Space,
    prefix: &str,
    skips: &mut Skips,
) -> anyhow::Result<Option<Encoded>> {
    let Encoded {
        mut parts,
        mut shas,
        mut gone,
    } = Encoded::default();
    let Some(encoder) = inputs.encoder(space) else {
        return Ok(Some(Encoded::default()));
    };
    let dataset = &inputs.dataset;
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        // A pool is embedded to pick from, or, where there are predictions, to report on.
        let known = |&i: &usize| dataset.examples[i].prediction.is_some();
        let wanted = context.settings.data.pool == Some(split) || split != Split::Pool;
        if rows.is_empty() || !wanted && !rows.iter().any(known) {
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
            &mut |at, error| {
                gone.insert(rows[at]);
                skips.add(&dataset.examples[rows[at]], error)
            },
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
        let rows: Vec<usize> = embedded.rows.iter().map(|&at| rows[at]).collect();
        shas.extend(rows.iter().copied().zip(embedded.sha256));
        let matrix = embedded.embeddings.matrix;
        if !rows.is_empty() {
            parts.insert(split, Part { rows, matrix });
        }
    }
    Ok(Some(Encoded { parts, shas, gone }))
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
