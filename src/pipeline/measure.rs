//! Who measures images, as the settings and what was detected make them.

use super::context::Context;
use super::embed::Pictures;
use crate::dataset::Split;
use crate::direction::{Direction, Whitening};
use crate::filter::Meter;
use crate::filter::class::ZeroShot;
use crate::filter::duplicate::{Against, DuplicateOptions, Duplicates, Known};

/// Who measures the images of a direction's mode.
pub(super) fn meter<'a>(
    whitening: &'a Whitening,
    direction: &'a Direction,
    zero_shot: Option<&'a ZeroShot>,
    duplicates: &'a Duplicates<'a>,
) -> Meter<'a> {
    Meter {
        whitening,
        direction,
        zero_shot,
        duplicates,
    }
}

/// The data's images, to compare with.
///
/// Embeddings may come without their images; then there is nothing to compare pixels with, which is said.
pub(super) fn duplicates<'a>(
    context: &mut Context<'_>,
    options: DuplicateOptions,
    pictures: Pictures<'a>,
) -> Duplicates<'a> {
    let mut known = Vec::new();
    for (split, against) in [
        (Split::Train, Against::Train),
        (Split::Val, Against::Val),
        (Split::Test, Against::Test),
    ] {
        let Some((of_split, gone, all)) = of_split(pictures, split, against) else {
            continue;
        };
        if gone > 0 && options.refuses(against) {
            context.warn(format_args!(
                "{gone} of {all} images of {split} are not there: no near-duplicate of them is found, for \
                 embeddings alone do not tell"
            ));
        }
        known.push(of_split);
    }
    Duplicates::new(options.similarity, known)
}

/// The images of a split that pictures may start from, to compare each picture with its own start.
pub(super) fn starts(pictures: Pictures<'_>, split: Split) -> Option<Known<'_>> {
    // What it stands for there is never asked.
    of_split(pictures, split, Against::Train).map(|(known, ..)| known)
}

/// The images of a split, how many of them are not there, and how many there are; none for a split without any.
fn of_split(
    pictures: Pictures<'_>,
    split: Split,
    against: Against,
) -> Option<(Known<'_>, usize, usize)> {
    let Pictures {
        dataset,
        parts,
        exif,
        embedded_before,
    } = pictures;
    let part = parts.get(&split)?;
    let examples = part.ids.iter().map(|&id| dataset.example(id));
    let images: Vec<_> = examples
        .map(|example| {
            let image = dataset.image(example);
            let there = !embedded_before || image.file().is_file();
            (example.id.as_str(), there.then_some(image))
        })
        .collect();
    let gone = images.iter().filter(|(_, image)| image.is_none()).count();
    let all = images.len();
    Some((Known::new(against, part.view(), images, exif), gone, all))
}
