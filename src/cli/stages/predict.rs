//! Predictions of the user's classifier, where the data comes without.

use std::collections::BTreeSet;

use ndarray::ArrayView1;

use super::inputs::{Inputs, threshold};
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::{Dataset, Example, ScoreRule, Split};
use crate::embed::EmbedError;
use crate::run::cache::{self, CacheError, Place};
use crate::run::features::{Analysed, Logits, softmax};

/// What the logits of an image mean.
pub(super) enum Meaning {
    /// One a class; the class of each.
    Classes(Vec<usize>),
    /// One of them is for class 1 of two, the others for something else.
    Score(usize),
}

impl Meaning {
    /// Holds the classifier's outputs against the data's classes.
    pub(super) fn of(
        classifier: &Analysed,
        dataset: &Dataset,
        output: Option<usize>,
    ) -> Result<Self, InputError> {
        let (outputs, classes) = (classifier.outputs(), dataset.classes.len());
        if let Some(cnn) = classifier.as_cnn() {
            let index = |name: &String| {
                dataset.class_index(name).ok_or_else(|| {
                    InputError(format!(
                        "the classifier knows class {name:?}, the data does not: its classes are \
                         {:?}",
                        dataset.classes
                    ))
                })
            };
            let classes = cnn.config().classes.iter().map(index);
            return Ok(Self::Classes(classes.collect::<Result<_, _>>()?));
        }
        match output {
            Some(_) if classes != 2 => Err(InputError(format!(
                "data.classifier_output chooses the score of class 1 of two, the data has {classes} \
                 classes"
            ))),
            Some(output) if output < outputs => Ok(Self::Score(output)),
            Some(output) => Err(InputError(format!(
                "data.classifier_output is {output}, the classifier gives {outputs} logits, counted \
                 from 0"
            ))),
            None if outputs == 1 && classes == 2 => Ok(Self::Score(0)),
            None if outputs == classes => Ok(Self::Classes((0..classes).collect())),
            None => {
                let mut text = format!(
                    "the classifier gives {outputs} logits, the data has {classes} classes ({}): give \
                     data.classes in the order of the logits",
                    dataset.classes.join(", ")
                );
                if classes == 2 {
                    text.push_str(
                        ", or data.classifier_output for the logit that is the score of class 1",
                    );
                }
                Err(InputError(text))
            }
        }
    }

    /// Writes an image's logits into its example.
    fn put(&self, example: &mut Example, logits: ArrayView1<'_, f32>, classes: usize, score: bool) {
        match self {
            Self::Score(output) => {
                let logit = f64::from(logits[*output]);
                example.score = Some((1.0 / (1.0 + (-logit).exp())) as f32);
            }
            Self::Classes(order) => {
                let p = softmax(logits.insert_axis(ndarray::Axis(0)));
                let p = p.row(0);
                let best = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
                example.prediction = Some(order[best]);
                example.confidence = Some(p[best].clamp(0.0, 1.0));
                if order.len() == classes {
                    let mut all = vec![0.0; classes];
                    for (&class, &p) in order.iter().zip(p) {
                        all[class] = p;
                    }
                    if score {
                        example.score = Some(all[1]);
                    }
                    example.probabilities = Some(all);
                }
            }
        }
    }
}

/// Fills in the predictions of the user's classifier; false if asked to stop.
pub(super) fn predict(context: &mut Context<'_>, inputs: &mut Inputs) -> anyhow::Result<bool> {
    let Some(classifier) = &inputs.classifier else {
        return Ok(true);
    };
    let data = &context.settings.data;
    let meaning = Meaning::of(classifier, &inputs.dataset, data.classifier_output)?;
    let scored = data.score_threshold.is_some() && inputs.dataset.classes.len() == 2;
    let encoder = Logits::new(classifier);
    let mut gone = BTreeSet::new();
    for split in [Split::Val, Split::Test] {
        let rows: Vec<usize> = inputs
            .dataset
            .of_split(split)
            .filter(|(_, e)| e.prediction.is_none() && e.score.is_none())
            .map(|(row, _)| row)
            .collect();
        if rows.is_empty() {
            continue;
        }
        let dataset = &inputs.dataset;
        let examples = rows.iter().map(|&row| &dataset.examples[row]);
        let images: Vec<_> = examples.map(|e| (e.id.clone(), dataset.image(e))).collect();
        let place = Place::new(
            &context.layout.embeddings_dir(),
            &format!("{split}.classifier"),
        );
        let name = format!("classify {split}");
        let mut stage = context.ui.stage(&name, rows.len(), "images");
        let skips = &mut inputs.skips;
        let said = cache::embed(
            &place,
            &images,
            inputs.exif,
            &encoder,
            &mut |at, error| {
                gone.insert(rows[at]);
                skips.add(&dataset.examples[rows[at]], error)
            },
            &|| context.stop.asked(),
            &mut |done| stage.set(done, ""),
        )
        .map_err(of_classifier)?;
        let Some(said) = said else {
            return Ok(false);
        };
        context
            .ui
            .note(format_args!("{} of {} were new", said.fresh, rows.len()));
        stage.end(context.ui);
        let classes = inputs.dataset.classes.len();
        for (&at, logits) in said.rows.iter().zip(said.embeddings.matrix.outer_iter()) {
            let example = &mut inputs.dataset.examples[rows[at]];
            meaning.put(example, logits, classes, scored);
        }
    }
    // A sigmoid's middle is where a single logit changes sides.
    let default = matches!(meaning, Meaning::Score(_)).then_some(ScoreRule::At(0.5));
    inputs.threshold = threshold(&mut inputs.dataset, data, default)?;
    inputs.drop_rows(&gone);
    Ok(true)
}

/// The error as a classifier's: what the cache calls an embedding are logits here.
fn of_classifier(error: CacheError) -> anyhow::Error {
    match error {
        CacheError::Embed(EmbedError::NonFinite { id, dim, value }) => InputError(format!(
            "the classifier gives {value} as logit {dim} of {id}: is the model damaged, or its input \
             (data.classifier_mean, classifier_std) another than it was trained on?"
        ))
        .into(),
        error => error.into(),
    }
}
