//! Embeddings of the data set, split by split.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use super::context::{Context, Job};
use super::error::Error;
use super::inputs::{Inputs, Space};
use super::own::{Own, Rows};
use super::reporter::Stage;
use crate::dataset::{Dataset, Split};
use crate::embed::ImageEncoder as _;
use crate::io::IoError;
use crate::run::cache::{self, Place};
use crate::run::skipped::{OnBadImage, Skips};

/// Images checked at once.
const CHUNK: usize = 256;

/// Given embeddings that are made again.
const COMPARED: usize = 16;

/// The least cosine of an embedding made twice; half precision and another decoder leave 0.998.
const SAME: f32 = 0.99;

/// A split's embeddings.
pub(crate) struct Part {
    /// Rows of the data set.
    pub(crate) rows: Vec<usize>,
    matrix: Rows,
}

impl Part {
    /// As the encoder made them, a row each, `[n, d]`.
    pub(crate) fn view(&self) -> ArrayView2<'_, f32> {
        self.matrix.view()
    }
}

/// Embeddings by split in the run's space. Examples whose image cannot be used are
/// gone from the data set afterwards.
pub(super) fn embed(
    context: &mut Context<'_>,
    job: &Job<'_>,
    inputs: &mut Inputs,
) -> Result<BTreeMap<Split, Part>, Error> {
    check(context, job, inputs)?;
    if let Some(own) = &inputs.own {
        compare(context, inputs, own)?;
        return Ok(by_split(own, &inputs.dataset));
    }
    // Apart from the encoder, so that both can be borrowed.
    let mut skips = inputs.skips.clone();
    let encoded = encode(context, job, inputs, &inputs.space, "", &mut skips);
    inputs.skips = skips;
    let Encoded {
        mut parts,
        shas,
        gone,
    } = encoded?;
    for (row, sha) in shas {
        inputs.sha256[row] = Some(sha);
    }
    let places = inputs.drop_rows(&gone);
    for part in parts.values_mut() {
        // None of them is gone.
        part.rows = part.rows.iter().filter_map(|&row| places[row]).collect();
    }
    Ok(parts)
}

/// Passes over images that cannot be used where embeddings were given and later stages read the images:
/// those of the pool, and those that generated ones are compared with.
fn check(context: &mut Context<'_>, job: &Job<'_>, inputs: &mut Inputs) -> Result<(), Error> {
    let settings = job.settings;
    let read_later = settings.generate.model.is_some() || settings.data.pool.is_some();
    let skip = settings.data.on_bad_image == OnBadImage::Skip;
    if inputs.own.is_none() || inputs.space != Space::Clip || !read_later || !skip {
        return Ok(());
    }
    let dataset = &inputs.dataset;
    let total = dataset.examples.len();
    let mut gone = BTreeSet::new();
    let mut stage = Stage::begin(context.reporter, "check images", total, "images");
    for (chunk, start) in dataset.examples.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        if (context.stop)() {
            return Err(Error::stopped());
        }
        let read: Vec<Result<(), IoError>> = chunk
            .par_iter()
            .map(|example| dataset.image(example).rgb(inputs.exif).map(drop))
            .collect();
        for ((row, example), read) in (start..).zip(chunk).zip(read) {
            if let Err(error) = read {
                gone.insert(row);
                inputs.skips.add(example, error.into())?;
            }
        }
        stage.set(start + chunk.len(), "");
    }
    stage.end();
    inputs.drop_rows(&gone);
    Ok(())
}

/// Embeds a few images again: embeddings of another model, or in another order, would make nonsense of
/// every caption and every filter.
fn compare(context: &mut Context<'_>, inputs: &Inputs, own: &Own) -> Result<(), Error> {
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
            .warn("no image could be read, so the embeddings were not compared with this CLIP's");
        return Ok(());
    }
    let made = clip.encode_images(&images)?;
    for (&row, made) in rows.iter().zip(made.outer_iter()) {
        let given = own.rows(&[row]);
        let given = given.view().row(0).to_owned();
        let cosine = given.dot(&made) / (given.dot(&given) * made.dot(&made)).sqrt();
        if cosine < SAME {
            let id = &dataset.examples[row].id;
            let text = format!(
                "the embedding given for {id:?} is not what this CLIP makes of the image (cosine \
                 {cosine:.4}): was it made by another model or preprocessing, or are the rows in \
                 another order?"
            );
            return Err(Error::input(text));
        }
    }
    context.note(format_args!(
        "{} of the given embeddings were made again and are the same",
        rows.len()
    ));
    Ok(())
}

/// Embeddings by split in a space that is only compared.
pub(super) fn embed_in(
    context: &mut Context<'_>,
    job: &Job<'_>,
    inputs: &Inputs,
    space: &Space,
) -> Result<BTreeMap<Split, Part>, Error> {
    if let Space::Matrix(path) = space {
        let own = inputs.matrices.get(path);
        return Ok(own
            .map(|own| by_split(own, &inputs.dataset))
            .unwrap_or_default());
    }
    let prefix = format!("{}-", space.name());
    // What is bad here was so before, or is not read in the run's own space and stays in the data.
    let mut skips = inputs.skips.clone();
    Ok(encode(context, job, inputs, space, &prefix, &mut skips)?.parts)
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
    job: &Job<'_>,
    inputs: &Inputs,
    space: &Space,
    prefix: &str,
    skips: &mut Skips,
) -> Result<Encoded, Error> {
    let Encoded {
        mut parts,
        mut shas,
        mut gone,
    } = Encoded::default();
    let Some(encoder) = inputs.encoder(space) else {
        return Ok(Encoded::default());
    };
    let dataset = &inputs.dataset;
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        // A pool is embedded to pick from, or, where there are predictions, to report on.
        let known = |&i: &usize| dataset.examples[i].prediction.is_some();
        let wanted = job.settings.data.pool == Some(split) || split != Split::Pool;
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
        let place = Place::new(&job.layout.embeddings_dir(), &name);
        let mut stage = Stage::begin(
            context.reporter,
            &format!("embed {name}"),
            rows.len(),
            "images",
        );
        let embedded = cache::embed(
            &place,
            &images,
            inputs.exif,
            encoder,
            &mut |at, error| {
                gone.insert(rows[at]);
                skips.add(&dataset.examples[rows[at]], error)
            },
            context.stop,
            &mut |done| stage.set(done, ""),
        )?;
        let Some(embedded) = embedded else {
            return Err(Error::stopped());
        };
        stage.note(format_args!(
            "{} of {} were new",
            embedded.fresh,
            rows.len()
        ));
        stage.end();
        let rows: Vec<usize> = embedded.rows.iter().map(|&at| rows[at]).collect();
        shas.extend(rows.iter().copied().zip(embedded.sha256));
        let matrix = embedded.embeddings.matrix;
        if !rows.is_empty() {
            let matrix = Rows::Held(matrix);
            parts.insert(split, Part { rows, matrix });
        }
    }
    Ok(Encoded { parts, shas, gone })
}

/// A matrix with a row an example, by split.
pub(super) fn by_split(own: &Own, dataset: &Dataset) -> BTreeMap<Split, Part> {
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

pub(super) fn with_predictions(dataset: &Dataset, part: &Part) -> Part {
    let kept: Vec<usize> = (0..part.rows.len())
        .filter(|&at| dataset.examples[part.rows[at]].prediction.is_some())
        .collect();
    Part {
        rows: kept.iter().map(|&at| part.rows[at]).collect(),
        matrix: Rows::Held(part.view().select(Axis(0), &kept)),
    }
}
