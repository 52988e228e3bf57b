//! Predictions of the user's classifier, where the data comes without.

use image::RgbImage;
use rayon::prelude::*;

use super::inputs::Inputs;
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::Split;
use crate::run::features::fitted;

/// Fills in the predictions of the user's classifier; false if asked to stop.
pub(super) fn predict(context: &mut Context<'_>, inputs: &mut Inputs) -> anyhow::Result<bool> {
    let Some(classifier) = &inputs.classifier else {
        return Ok(true);
    };
    let cnn = classifier.cnn();
    let dataset = &mut inputs.dataset;
    let classes: Vec<usize> = cnn
        .config()
        .classes
        .iter()
        .map(|name| {
            dataset.class_index(name).ok_or_else(|| {
                InputError(format!(
                    "the classifier knows class {name:?}, the data does not: its classes are {:?}",
                    dataset.classes
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    let rows: Vec<usize> = (0..dataset.examples.len())
        .filter(|&i| {
            let e = &dataset.examples[i];
            e.prediction.is_none() && matches!(e.split, Split::Val | Split::Test)
        })
        .collect();
    let mut stage = context.ui.stage("classify", rows.len(), "images");
    for (chunk, start) in rows.chunks(256).zip((0..).step_by(256)) {
        if context.stop.asked() {
            return Ok(false);
        }
        let images: Vec<RgbImage> = chunk
            .par_iter()
            .map(|&i| dataset.image(&dataset.examples[i]).rgb(inputs.exif))
            .collect::<Result<_, _>>()?;
        let predicted = cnn.predict(&fitted(&images, cnn.config().image_size))?;
        for ((&i, class), p) in chunk
            .iter()
            .zip(predicted.classes())
            .zip(predicted.probabilities.outer_iter())
        {
            let example = &mut dataset.examples[i];
            example.prediction = Some(classes[class]);
            example.confidence = Some(p[class].clamp(0.0, 1.0));
        }
        stage.set(start + chunk.len(), "");
    }
    stage.end(context.ui);
    Ok(true)
}
