//! The filters, as the settings and what was detected make them.

use ndarray::ArrayView2;

use super::detect::Detected;
use super::inputs::Inputs;
use crate::dataset::{Dataset, Split};
use crate::direction::Direction;
use crate::filter::Judge;
use crate::filter::alignment::AlignmentTest;
use crate::filter::class::ClassTest;
use crate::filter::duplicate::{Against, Duplicates, Known};
use crate::run::settings::Settings;

/// The judge of a direction's images; `references` are the classes' captions, where there are any.
pub(super) fn judge(
    settings: &Settings,
    detected: &Detected,
    direction: &Direction,
    references: Option<ArrayView2<'_, f32>>,
) -> Judge {
    let filter = &settings.filter;
    Judge {
        alignment: AlignmentTest {
            whitening: detected.whitening.clone(),
            direction: direction.clone(),
            threshold: filter.min_alignment.unwrap_or(direction.threshold),
        },
        class: references
            .map(|references| ClassTest::new(references, direction.class, filter.class_margin)),
        min_deviation: filter.min_deviation,
    }
}

/// The test for near-duplicates of the data's images.
pub(super) fn duplicates<'a>(
    settings: &Settings,
    inputs: &'a Inputs,
    detected: &'a Detected,
) -> Duplicates<'a> {
    let dataset: &Dataset = &inputs.dataset;
    let known = [
        (Split::Train, Against::Train),
        (Split::Val, Against::Val),
        (Split::Test, Against::Test),
    ]
    .into_iter()
    .filter_map(|(split, against)| {
        let part = detected.parts.get(&split)?;
        let examples = part.rows.iter().map(|&row| &dataset.examples[row]);
        let images = examples
            .map(|example| (example.id.as_str(), dataset.image(example)))
            .collect();
        Some(Known::new(against, part.matrix.view(), images, inputs.exif))
    })
    .collect();
    Duplicates::new(settings.filter.duplicate, known)
}
