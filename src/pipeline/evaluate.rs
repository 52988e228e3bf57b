//! Two models on the failures that a run found.

use std::path::Path;

use super::context::Context;
use super::error::Error;
use super::saved::Saved;
use crate::dataset::{self, Dataset, ExampleId, Split};
use crate::direction::evaluate::{
    ModeChange, TwoModels, class_change, in_failures, mode_change, overall,
};
use crate::report::evaluation::{INTERVAL, P_VALUE};
use crate::report::{EvaluationReport, JsonFile as _, version};

/// Compares two models on the test split of a run: on every failure slice, alignment decile and group.
///
/// `before` and `after` are tables of predictions (.csv or .jsonl: id or path, and prediction), which both
/// must have one for every test example that the run did not pass over. Nothing is written.
///
/// # Errors
///
/// - Of kind input: a folder without directions, data without a test split, predictions with holes, scores
///   in place of predictions, and groups that the two tables tell differently.
/// - Those of the run's files, its data and the tables.
pub fn evaluate(
    context: &mut Context<'_>,
    run: &Path,
    before: &Path,
    after: &Path,
) -> Result<EvaluationReport, Error> {
    let saved = Saved::open(context, run)?;
    if saved.dataset.of_split(Split::Test).next().is_none() {
        let text = "the data has no test split: on val, where directions were learned, a \
                    comparison would flatter the old model or the new";
        return Err(Error::input(text));
    }
    let (ids, x) = saved.embedded(Split::Test)?;
    let old = predicted(&saved.dataset, before, &ids)?;
    let new = predicted(&saved.dataset, after, &ids)?;
    if old.classes == new.classes {
        context.warn(format_args!(
            "{} and {} predict the same for every test example: are they of one model?",
            before.display(),
            after.display()
        ));
    }
    let label = |&id: &ExampleId| saved.dataset.example(id).label;
    let labels: Vec<usize> = ids.iter().map(label).collect();
    let groups = groups(
        &saved.dataset,
        &ids,
        (before, old.groups),
        (after, new.groups),
    )?;
    let models = TwoModels {
        x: x.view(),
        labels: &labels,
        before: &old.classes,
        after: &new.classes,
        groups: &groups,
    };
    Ok(EvaluationReport {
        schema: EvaluationReport::SCHEMA,
        version: version(),
        judged_on: Split::Test,
        before: before.display().to_string(),
        after: after.display().to_string(),
        interval: INTERVAL.to_owned(),
        p_value: P_VALUE.to_owned(),
        overall: overall(models),
        classes: changes(&saved, models),
    })
}

/// What a model says of the test split.
struct Predicted {
    classes: Vec<usize>,
    groups: Vec<Option<String>>,
}

/// Reads predictions; every test example must have one, for a slice with holes is another slice.
fn predicted(dataset: &Dataset, path: &Path, ids: &[ExampleId]) -> Result<Predicted, Error> {
    let (dataset, _) = dataset::join_predictions_on(dataset.clone(), path, Split::Test)?;
    if dataset.examples().iter().any(|e| e.score.is_some()) {
        let text = format!(
            "{} has scores in place of predictions: give the predictions at each model's own \
             threshold",
            path.display()
        );
        return Err(Error::input(text));
    }
    let mut without = ids
        .iter()
        .map(|&id| dataset.example(id))
        .filter(|example| example.prediction.is_none());
    if let Some(first) = without.next() {
        let text = format!(
            "{} has no prediction for {} of the {} test examples, the first is {:?}: both models \
             must be judged on all of them",
            path.display(),
            1 + without.count(),
            ids.len(),
            first.id
        );
        return Err(Error::input(text));
    }
    Ok(Predicted {
        classes: ids
            .iter()
            .filter_map(|&id| dataset.example(id).prediction)
            .collect(),
        groups: ids
            .iter()
            .map(|&id| dataset.example(id).group.clone())
            .collect(),
    })
}

/// Groups from either table; where both know one, it must be the same.
fn groups(
    dataset: &Dataset,
    ids: &[ExampleId],
    (before, old): (&Path, Vec<Option<String>>),
    (after, new): (&Path, Vec<Option<String>>),
) -> Result<Vec<Option<String>>, Error> {
    let each = ids.iter().zip(old.into_iter().zip(new));
    each.map(|(&id, pair)| match pair {
        (Some(old), Some(new)) if old != new => Err(Error::input(format!(
            "{:?} is of group {old:?} in {} and of {new:?} in {}: which is right?",
            dataset.example(id).id,
            before.display(),
            after.display()
        ))),
        (old, new) => Ok(old.or(new)),
    })
    .collect()
}

/// Every failure mode, by class; classes without one as a whole.
fn changes(saved: &Saved, models: TwoModels<'_>) -> Vec<ModeChange> {
    let failures = in_failures(models, &saved.found.directions);
    let mut changes = Vec::new();
    for (class, name) in saved.dataset.classes().iter().enumerate() {
        let mut modes = saved.found.of_class(class);
        match modes.next() {
            None => changes.push(class_change(models, class, name)),
            Some(first) => {
                changes.push(mode_change(models, first, name, &failures));
                changes.extend(modes.map(|mode| mode_change(models, mode, name, &failures)));
            }
        }
    }
    changes
}
