//! Predictions of the user's classifier, where the data comes without.

use super::context::{Context, Job};
use super::data::Data;
use super::error::Error;
use super::meaning::Meaning;
use super::models::Classifier;
use super::reporter::Stage;
use super::threshold::threshold;
use crate::dataset::{Dataset, ExampleId, ScoreRule, Split};
use crate::embed::EmbedError;
use crate::run::cache::{self, CacheError, CacheFiles, Images};
use crate::run::skipped::Skips;

/// The same data with the predictions of the user's classifier; `skips` gets the images that it cannot be
/// shown.
pub(super) fn predict(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: Data,
    classifier: &dyn Classifier,
    skips: &mut Skips,
) -> Result<Data, Error> {
    let settings = &job.settings.data;
    let dataset = &data.dataset;
    let meaning = Meaning::of(classifier, dataset, settings.classifier_output)?;
    let classes = dataset.classes().len();
    let scored = settings.score_threshold.is_some() && classes == 2;
    let encoder = classifier.logits();
    let mut outputs = Vec::new();
    for split in [Split::Val, Split::Test] {
        let ids: Vec<ExampleId> = dataset
            .of_split(split)
            .filter(|(_, e)| e.prediction.is_none() && e.score.is_none())
            .map(|(id, _)| id)
            .collect();
        if ids.is_empty() {
            continue;
        }
        let images = Images {
            dataset,
            ids: &ids,
            exif: data.exif,
        };
        let files = CacheFiles::new(&job.layout.embeddings_dir(), &format!("{split}.classifier"));
        let name = format!("classify {split}");
        let mut stage = Stage::begin(context.reporter, &name, ids.len(), "images");
        let said = cache::embed(
            &files,
            images,
            encoder.as_ref(),
            &mut |id, error| skips.add(id, dataset.example(id), error),
            context.stop,
            &mut |done| stage.set(done, ""),
        )
        .map_err(of_classifier)?;
        let Some(said) = said else {
            return Err(Error::stopped());
        };
        stage.note(format_args!("{} of {} were new", said.fresh, ids.len()));
        stage.end();
        for (id, logits) in said.ids.into_iter().zip(said.matrix.outer_iter()) {
            outputs.push((id, meaning.output(logits, classes, scored)));
        }
    }
    // A sigmoid's middle is where a single logit changes sides.
    let default = matches!(meaning, Meaning::Score(_)).then_some(ScoreRule::At(0.5));
    let dataset = data.dataset.with_outputs(outputs)?;
    let (dataset, threshold) = threshold(dataset, settings, default)?;
    for split in [Split::Val, Split::Test] {
        if let Some(line) = accuracy(&dataset, split) {
            context.info(line);
        }
    }
    Ok(Data {
        dataset,
        threshold,
        ..data
    })
}

/// How often the classifier is right, for its owner to compare; none for a split without images.
fn accuracy(dataset: &Dataset, split: Split) -> Option<String> {
    let judged = dataset
        .of_split(split)
        .filter_map(|(_, e)| Some(e.prediction? == e.label));
    let judged: Vec<bool> = judged.collect();
    let right = judged.iter().filter(|right| **right).count();
    (!judged.is_empty()).then(|| {
        format!(
            "the classifier is right on {:.1} % of {} {split} images: is that your figure? If not, look at the size of its \
             input, its normalisation and the order of its classes (data.classifier_*, data.classes)",
            100.0 * right as f64 / judged.len() as f64,
            judged.len()
        )
    })
}

/// The error as a classifier's: what the cache calls an embedding are logits here.
fn of_classifier(error: CacheError) -> Error {
    match error {
        CacheError::Embed(EmbedError::NonFinite { id, dim, value }) => Error::input(format!(
            "the classifier gives {value} as logit {dim} of {id}: is the model damaged, or its input \
             (data.classifier_mean, classifier_std) another than it was trained on?"
        )),
        error => error.into(),
    }
}
