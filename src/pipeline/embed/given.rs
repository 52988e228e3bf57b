//! Embeddings that were made before: whether they are those of these images.

use rayon::prelude::*;

use crate::dataset::{ExampleId, Usable};
use crate::embed::ImageEncoder;
use crate::io::IoError;
use crate::pipeline::context::{Context, Job};
use crate::pipeline::data::Data;
use crate::pipeline::error::Error;
use crate::pipeline::precomputed::Precomputed;
use crate::pipeline::reporter::Stage;
use crate::pipeline::space::Space;
use crate::run::skipped::{OnBadImage, Skips};

/// Images checked at once.
const CHUNK: usize = 256;

/// Given embeddings that are made again.
const COMPARED: usize = 16;

/// The least cosine of an embedding made twice; half precision and another decoder leave 0.998.
const SAME: f32 = 0.99;

/// Masks images that cannot be used where embeddings were given and later stages read the images: those of
/// the pool, and those that generated ones are compared with.
pub(super) fn check(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: &Data,
    skips: &mut Skips,
) -> Result<(), Error> {
    let settings = job.settings;
    let read_later = settings.generate.model.is_some() || settings.data.pool.is_some();
    let skip = settings.data.on_bad_image == OnBadImage::Skip;
    if data.own.is_none() || data.space != Space::Clip || !read_later || !skip {
        return Ok(());
    }
    let dataset = &data.dataset;
    let ids: Vec<ExampleId> = dataset.usable(skips.unusable()).ids().collect();
    let mut stage = Stage::begin(context.reporter, "check images", ids.len(), "images");
    for (chunk, start) in ids.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        if (context.stop)() {
            return Err(Error::stopped());
        }
        let image = |id: &ExampleId| dataset.image(dataset.example(*id));
        let read: Vec<Result<(), IoError>> = chunk
            .par_iter()
            .map(|id| image(id).rgb(data.exif).map(drop))
            .collect();
        for (&id, read) in chunk.iter().zip(read) {
            if let Err(error) = read {
                skips.add(id, dataset.example(id), error.into())?;
            }
        }
        stage.set(start + chunk.len(), "");
    }
    stage.end();
    Ok(())
}

/// Embeds a few images again: embeddings of another model, or in another order, would make nonsense of
/// every caption and every filter.
pub(super) fn compare(
    context: &mut Context<'_>,
    data: &Data,
    usable: Usable<'_>,
    own: &Precomputed,
    encoder: Option<&dyn ImageEncoder>,
) -> Result<(), Error> {
    let (Space::Clip, Some(clip)) = (&data.space, encoder) else {
        return Ok(());
    };
    let all: Vec<ExampleId> = usable.ids().collect();
    let n = all.len();
    let (mut ids, mut images) = (Vec::new(), Vec::new());
    for at in 0..COMPARED.min(n) {
        let id = all[at * n / COMPARED.min(n)];
        // Embeddings without their images are a good input.
        if let Ok(image) = data.dataset.image(usable.example(id)).rgb(data.exif) {
            ids.push(id);
            images.push(image);
        }
    }
    if ids.is_empty() {
        context
            .warn("no image could be read, so the embeddings were not compared with this CLIP's");
        return Ok(());
    }
    let made = clip.encode_images(&images)?;
    for (&id, made) in ids.iter().zip(made.outer_iter()) {
        let given = own.rows(&[id]);
        let given = given.view().row(0).to_owned();
        let cosine = given.dot(&made) / (given.dot(&given) * made.dot(&made)).sqrt();
        if cosine < SAME {
            let name = &usable.example(id).id;
            let text = format!(
                "the embedding given for {name:?} is not what this CLIP makes of the image (cosine \
                 {cosine:.4}): was it made by another model or preprocessing, or are the rows in \
                 another order?"
            );
            return Err(Error::input(text));
        }
    }
    context.note(format_args!(
        "{} of the given embeddings were made again and are the same",
        ids.len()
    ));
    Ok(())
}
