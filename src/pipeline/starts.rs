//! The images that pictures of a run start from: the hardest of a class under a mode's direction.

use rayon::prelude::*;

use super::context::{Context, Job};
use super::detect::Detected;
use super::embed::Embedded;
use super::error::Error;
use super::settings::StartsFrom;
use crate::direction::Direction;
use crate::filter::alignment::alignment;
use crate::generate::recipe::ImageRef;
use crate::generate::{ImageGenerator, ImageStarts};
use crate::io;

/// Says what the user should know before images are chosen, and refuses what no run can start from.
///
/// # Errors
///
/// Of kind input where the data lacks the split; of kind usage for a generator that starts from noise alone.
pub(super) fn check(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    images: &mut dyn ImageGenerator,
) -> Result<(), Error> {
    let generate = &job.settings.generate;
    if generate.strategies.image() == 0.0 {
        return Ok(());
    }
    let from = generate.starts;
    if !embedded.parts.contains_key(&from.split()) {
        return Err(Error::input(format!(
            "pictures are to start from images of {from}, and the data has none: choose another of train, pool and \
             val (generate.starts), or leave out generate.strategies.image"
        )));
    }
    if images.originals().is_none() {
        return Err(Error::usage(
            "this generator starts from noise alone: leave out generate.strategies.image",
        ));
    }
    if from == StartsFrom::Val {
        context.warn(
            "pictures start from images of val, which is spent by it: no figure of val tells of a model that is \
             trained on them",
        );
    }
    Ok(())
}

/// What a mode's pictures start from, whose places the generator is told; none where all start from noise.
///
/// # Errors
///
/// Those of the disk, where an image must be read for its hash.
pub(super) fn starts(
    context: &mut Context<'_>,
    job: &Job<'_>,
    (embedded, detected): (&Embedded, &Detected),
    direction: &Direction,
    images: &mut dyn ImageGenerator,
) -> Result<Option<ImageStarts>, Error> {
    let generate = &job.settings.generate;
    let share = generate.strategies.image();
    let part = embedded.parts.get(&generate.starts.split());
    let (Some(part), true) = (part, share > 0.0) else {
        return Ok(None);
    };
    let (dataset, matrix) = (embedded.dataset(), part.view());
    let mut ranked: Vec<(f64, usize)> = (0..part.ids.len())
        .into_par_iter()
        .filter(|&at| dataset.example(part.ids[at]).label == direction.id.class)
        .filter_map(|at| {
            let alignment = alignment(&detected.whitening, direction, matrix.row(at))?;
            Some((alignment, at))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    ranked.truncate(generate.start_images);
    if ranked.is_empty() {
        context.warn(format_args!(
            "{} has no image of class {} to start from: its pictures start from noise",
            generate.starts,
            dataset.classes()[direction.id.class]
        ));
        return Ok(None);
    }
    let mut chosen = Vec::with_capacity(ranked.len());
    for (_, at) in ranked {
        let id = part.ids[at];
        let example = dataset.example(id);
        let place = dataset.image(example);
        let sha256 = match &embedded.sha256[id.index()] {
            Some(sha256) => sha256.clone(),
            None => io::sha256_hex(&place.bytes()?),
        };
        let image = ImageRef {
            id: example.id.clone(),
            sha256,
        };
        if let Some(originals) = images.originals() {
            originals.expect(&image, place);
        }
        chosen.push(image);
    }
    Ok(Some(ImageStarts {
        images: chosen,
        share,
        strength: generate.strength,
    }))
}
