//! Two models on the failures that a run found.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::data::say;
use super::error::Error;
use super::saved::Saved;
use crate::dataset::{self, Dataset, ExampleId, Remarks, Split};
use crate::direction::evaluate::{TwoModels, compare};
use crate::report::evaluation::{CORRECTION, INTERVALS, P_VALUES};
use crate::report::{EvaluationReport, JsonFile as _, version};

/// Compares models on the test split of a run: on every failure slice, alignment decile and group.
///
/// `before` and `after` are tables of predictions (.csv or .jsonl: id or path, and prediction), one a trained model: several of a
/// side are trainings that differ in their seed. Each must have a prediction for every test example that the
/// run did not pass over. Nothing is written.
///
/// # Errors
///
/// - Of kind input: a folder without directions, data without a test split, predictions with holes, scores
///   in place of predictions, and groups that two tables tell differently.
/// - Of kind usage: no table on a side.
/// - Those of the run's files, its data and the tables.
pub fn evaluate(
    context: &mut Context<'_>,
    run: &Path,
    before: &[PathBuf],
    after: &[PathBuf],
) -> Result<EvaluationReport, Error> {
    if before.is_empty() || after.is_empty() {
        let text = "a comparison needs predictions of at least one model before and one after";
        return Err(Error::usage(text));
    }
    let saved = Saved::open(context, run)?;
    if saved.dataset.of_split(Split::Test).next().is_none() {
        let text = "the data has no test split: on val, where directions were learned, a \
                    comparison would flatter the old model or the new";
        return Err(Error::input(text));
    }
    let (ids, x) = saved.embedded(Split::Test)?;
    let mut remarks = Remarks::default();
    let mut read = |paths: &[PathBuf]| -> Result<Vec<Predicted>, Error> {
        let each = paths.iter();
        each.map(|path| predicted(&saved.dataset, path, &ids, &mut remarks))
            .collect()
    };
    let (old, new) = (read(before)?, read(after)?);
    say(context, &remarks);
    doubts(context, &saved, &ids, [&old, &new]);
    let label = |&id: &ExampleId| saved.dataset.example(id).label;
    let labels: Vec<usize> = ids.iter().map(label).collect();
    let groups = groups(&saved.dataset, &ids, old.iter().chain(&new))?;
    let classes = |side: Vec<Predicted>| -> Vec<Vec<usize>> {
        side.into_iter().map(|model| model.classes).collect()
    };
    let (old, new) = (classes(old), classes(new));
    let models = TwoModels {
        x: x.view(),
        labels: &labels,
        before: &old,
        after: &new,
        groups: &groups,
    };
    let compared = compare(models, &saved.found.directions, saved.dataset.classes());
    let several = usize::from(before.len() + after.len() > 2);
    let name = |path: &PathBuf| path.display().to_string();
    Ok(EvaluationReport {
        schema: EvaluationReport::SCHEMA,
        version: version(),
        judged_on: Split::Test,
        before: before.iter().map(name).collect(),
        after: after.iter().map(name).collect(),
        interval: INTERVALS[several].to_owned(),
        p_value: P_VALUES[several].to_owned(),
        correction: CORRECTION.to_owned(),
        overall: compared.overall,
        classes: compared.classes,
    })
}

/// Warns of files that were given twice, and of a side before that is not what the run analysed.
fn doubts(
    context: &mut Context<'_>,
    saved: &Saved,
    ids: &[ExampleId],
    [old, new]: [&[Predicted]; 2],
) {
    let all: Vec<&Predicted> = old.iter().chain(new).collect();
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if one.classes == other.classes {
                context.warn(format_args!(
                    "{} and {} predict the same for every test example: are they of one model?",
                    one.path.display(),
                    other.path.display()
                ));
            }
        }
    }
    let analysed = |model: &Predicted| saved.analysed(ids, &model.classes);
    if old.iter().any(analysed) {
        return;
    }
    let of = |side: &[Predicted]| {
        let names = side.iter().map(|model| model.path.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    };
    match new.iter().find(|model| analysed(model)) {
        Some(swapped) => context.warn(format_args!(
            "{} has the predictions that the run analysed, and {} has others: are --before and --after swapped?",
            swapped.path.display(),
            of(old)
        )),
        None => context.warn(format_args!(
            "{} does not have the predictions that the run analysed: failures are those of another model, so a change may be \
             nothing but the choice of the model",
            of(old)
        )),
    }
}

/// What a model says of the test split.
struct Predicted {
    path: PathBuf,
    classes: Vec<usize>,
    groups: Vec<Option<String>>,
}

/// Reads predictions; every test example must have one, for a slice with holes is another slice.
fn predicted(
    dataset: &Dataset,
    path: &Path,
    ids: &[ExampleId],
    remarks: &mut Remarks,
) -> Result<Predicted, Error> {
    let (dataset, _) = dataset::join_predictions_on(dataset.clone(), path, Split::Test, remarks)?;
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
        path: path.to_owned(),
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

/// Groups from any table; where two know one, it must be the same.
fn groups<'a>(
    dataset: &Dataset,
    ids: &[ExampleId],
    tables: impl Iterator<Item = &'a Predicted>,
) -> Result<Vec<Option<String>>, Error> {
    let mut known: Vec<Option<(&str, &Path)>> = vec![None; ids.len()];
    for table in tables {
        for ((&id, known), group) in ids.iter().zip(&mut known).zip(&table.groups) {
            let Some(group) = group.as_deref() else {
                continue;
            };
            match *known {
                Some((first, path)) if first != group => {
                    return Err(Error::input(format!(
                        "{:?} is of group {first:?} in {} and of {group:?} in {}: which is right?",
                        dataset.example(id).id,
                        path.display(),
                        table.path.display()
                    )));
                }
                Some(_) => {}
                None => *known = Some((group, table.path.as_path())),
            }
        }
    }
    let groups = known.into_iter();
    Ok(groups
        .map(|known| known.map(|(group, _)| group.to_owned()))
        .collect())
}
