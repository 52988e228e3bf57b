//! Predictions of the user's classifier, where the data comes without.

use std::collections::BTreeSet;

use super::context::{Context, Job};
use super::data::Data;
use super::error::Error;
use super::meaning::{Meaning, threshold};
use super::models::Classifier;
use super::reporter::Stage;
use crate::dataset::{ScoreRule, Split};
use crate::embed::EmbedError;
use crate::run::cache::{self, CacheError, Place};

/// Fills in the predictions of the user's classifier.
pub(super) fn predict(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: &mut Data,
    classifier: &dyn Classifier,
) -> Result<(), Error> {
    let settings = &job.settings.data;
    let meaning = Meaning::of(classifier, &data.dataset, settings.classifier_output)?;
    let scored = settings.score_threshold.is_some() && data.dataset.classes.len() == 2;
    let encoder = classifier.logits();
    let mut gone = BTreeSet::new();
    for split in [Split::Val, Split::Test] {
        let rows: Vec<usize> = data
            .dataset
            .of_split(split)
            .filter(|(_, e)| e.prediction.is_none() && e.score.is_none())
            .map(|(row, _)| row)
            .collect();
        if rows.is_empty() {
            continue;
        }
        let dataset = &data.dataset;
        let examples = rows.iter().map(|&row| &dataset.examples[row]);
        let images: Vec<_> = examples.map(|e| (e.id.clone(), dataset.image(e))).collect();
        let place = Place::new(&job.layout.embeddings_dir(), &format!("{split}.classifier"));
        let name = format!("classify {split}");
        let mut stage = Stage::begin(context.reporter, &name, rows.len(), "images");
        let skips = &mut data.skips;
        let said = cache::embed(
            &place,
            &images,
            data.exif,
            encoder.as_ref(),
            &mut |at, error| {
                gone.insert(rows[at]);
                skips.add(&dataset.examples[rows[at]], error)
            },
            context.stop,
            &mut |done| stage.set(done, ""),
        )
        .map_err(of_classifier)?;
        let Some(said) = said else {
            return Err(Error::stopped());
        };
        stage.note(format_args!("{} of {} were new", said.fresh, rows.len()));
        stage.end();
        let classes = data.dataset.classes.len();
        for (&at, logits) in said.rows.iter().zip(said.embeddings.matrix.outer_iter()) {
            let example = &mut data.dataset.examples[rows[at]];
            meaning.put(example, logits, classes, scored);
        }
    }
    // A sigmoid's middle is where a single logit changes sides.
    let default = matches!(meaning, Meaning::Score(_)).then_some(ScoreRule::At(0.5));
    data.threshold = threshold(&mut data.dataset, settings, default)?;
    data.drop_rows(&gone);
    Ok(())
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
