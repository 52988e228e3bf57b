//! Embeddings of the data set, split by split.

mod encode;
mod given;
mod part;

use std::time::Instant;

use self::encode::{Encoded, encode};
pub use self::part::{Parts, SplitEmbeddings};
pub(crate) use self::part::{Pictures, by_split, with_predictions};
use super::context::{Context, Job};
use super::data::Data;
use super::error::Error;
use super::models::Models;
use super::predict::predict;
use super::skipped;
use super::space::Space;
use crate::dataset::{Dataset, Usable};
use crate::run::skipped::Skips;

/// The data with predictions, and its embeddings.
pub struct Embedded {
    /// The data.
    pub data: Data,
    /// Embeddings of the usable examples by split in the run's space, before whitening.
    pub parts: Parts,
    /// SHA-256 of the images by [`ExampleId`](crate::dataset::ExampleId), as far as they were read.
    pub sha256: Vec<Option<String>>,
    /// The images that cannot be used.
    pub skips: Skips,
}

impl Embedded {
    /// The examples.
    pub fn dataset(&self) -> &Dataset {
        &self.data.dataset
    }

    /// Its images with their embeddings.
    pub(super) fn pictures(&self) -> Pictures<'_> {
        Pictures {
            dataset: &self.data.dataset,
            parts: &self.parts,
            exif: self.data.exif,
            embedded_before: self.data.is_embedded_before(),
        }
    }

    /// The examples whose image can be used.
    pub fn usable(&self) -> Usable<'_> {
        self.data.dataset.usable(self.skips.unusable())
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
    let settings = &job.settings.data;
    let mut skips = Skips::new(settings.on_bad_image, settings.max_bad, data.dataset.len());
    if let Some(classifier) = models.classifier.as_deref() {
        data = predict(context, job, data, classifier, &mut skips)?;
    }
    let Encoded { parts, sha256 } = embed_own(context, job, &data, models, &mut skips)?;
    context.took("embed", begun);
    skipped::write(job, &skips)?;
    if let Some(threshold) = &data.threshold {
        context.info(threshold);
    }
    Ok(Embedded {
        data,
        parts,
        sha256,
        skips,
    })
}

/// Embeddings in the run's space.
fn embed_own(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: &Data,
    models: &Models,
    skips: &mut Skips,
) -> Result<Encoded, Error> {
    let dataset = &data.dataset;
    given::check(context, job, data, skips)?;
    let encoder = models.encoder(&data.space);
    let parts = match (&data.own, encoder) {
        (Some(own), encoder) => {
            let usable = dataset.usable(skips.unusable());
            given::compare(context, data, usable, own, encoder)?;
            by_split(own, usable)
        }
        (None, Some(encoder)) => {
            return encode(context, job, (dataset, data.exif), encoder, "", skips);
        }
        (None, None) => Parts::new(),
    };
    let sha256 = vec![None; dataset.len()];
    Ok(Encoded { parts, sha256 })
}

/// Embeddings in a space that is only compared.
pub(super) fn embed_in(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    models: &Models,
    space: &Space,
) -> Result<Parts, Error> {
    let data = &embedded.data;
    if let Space::Matrix(path) = space {
        let own = data.matrices.get(path);
        let usable = embedded.usable();
        return Ok(own.map(|own| by_split(own, usable)).unwrap_or_default());
    }
    let Some(encoder) = models.encoder(space) else {
        return Ok(Parts::new());
    };
    let prefix = format!("{}-", space.name());
    let images = (&data.dataset, data.exif);
    // What is bad here was so before, or is not read in the run's own space and stays in the data.
    let mut skips = embedded.skips.clone();
    Ok(encode(context, job, images, encoder, &prefix, &mut skips)?.parts)
}
