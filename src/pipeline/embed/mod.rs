//! Embeddings of the data set, split by split.

mod encode;
mod given;
mod part;

use std::time::Instant;

use self::encode::{Encoded, encode};
pub use self::part::{Part, Parts};
pub(crate) use self::part::{by_split, with_predictions};
use super::context::{Context, Job};
use super::data::Data;
use super::error::Error;
use super::models::Models;
use super::predict::predict;
use super::skipped;
use super::space::Space;
use crate::dataset::Dataset;

/// The data with predictions, and its embeddings.
pub struct Embedded {
    /// The data; examples whose image cannot be used are gone.
    pub data: Data,
    /// Embeddings by split in the run's space, before whitening.
    pub parts: Parts,
}

impl Embedded {
    /// The examples.
    pub fn dataset(&self) -> &Dataset {
        &self.data.dataset
    }
}

/// Predicts where the data comes without predictions, and embeds every split that is needed; writes
/// `embeddings/` and `skipped.jsonl`.
///
/// # Errors
///
/// Of kind input for images that cannot be used where none may be passed over, and for embeddings that
/// are not those of the images; of kind stopped.
pub fn embed(
    context: &mut Context<'_>,
    job: &Job<'_>,
    mut data: Data,
    models: &Models,
) -> Result<Embedded, Error> {
    let begun = Instant::now();
    if let Some(classifier) = models.classifier.as_deref() {
        predict(context, job, &mut data, classifier)?;
    }
    let parts = embed_own(context, job, &mut data, models)?;
    context.took("embed", begun);
    skipped::write(job, &data.skips)?;
    if let Some(threshold) = &data.threshold {
        context.info(threshold);
    }
    Ok(Embedded { data, parts })
}

/// Embeddings in the run's space. Examples whose image cannot be used are gone from the data set
/// afterwards.
fn embed_own(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: &mut Data,
    models: &Models,
) -> Result<Parts, Error> {
    given::check(context, job, data)?;
    let encoder = models.encoder(&data.space);
    if let Some(own) = &data.own {
        given::compare(context, data, own, encoder)?;
        return Ok(by_split(own, &data.dataset));
    }
    let Some(encoder) = encoder else {
        return Ok(Parts::new());
    };
    let images = (&data.dataset, data.exif);
    let Encoded {
        mut parts,
        shas,
        gone,
    } = encode(context, job, images, encoder, "", &mut data.skips)?;
    for (row, sha) in shas {
        data.sha256[row] = Some(sha);
    }
    let places = data.drop_rows(&gone);
    for part in parts.values_mut() {
        // None of them is gone.
        part.rows = part.rows.iter().filter_map(|&row| places[row]).collect();
    }
    Ok(parts)
}

/// Embeddings in a space that is only compared.
pub(super) fn embed_in(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: &Data,
    models: &Models,
    space: &Space,
) -> Result<Parts, Error> {
    if let Space::Matrix(path) = space {
        let own = data.matrices.get(path);
        return Ok(own
            .map(|own| by_split(own, &data.dataset))
            .unwrap_or_default());
    }
    let Some(encoder) = models.encoder(space) else {
        return Ok(Parts::new());
    };
    let prefix = format!("{}-", space.name());
    let images = (&data.dataset, data.exif);
    // What is bad here was so before, or is not read in the run's own space and stays in the data.
    let mut skips = data.skips.clone();
    Ok(encode(context, job, images, encoder, &prefix, &mut skips)?.parts)
}
