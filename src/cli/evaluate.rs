//! `hardlight evaluate`: an old and a new model on the failures that a run found.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::dataset::{self, Dataset, Split};
use crate::direction::evaluate::{
    ModeChange, Part, Slice, TwoModels, class_change, in_failures, mode_change, overall,
};
use crate::io;
use crate::pipeline::saved::Saved;
use crate::pipeline::{Context, Error};

/// Compare two models on the failures of a run: did they shrink, and what did it cost?
///
/// Both are judged on the run's test split, which nothing was fitted to: on every failure slice
/// (alignment at or above the mode's threshold), alignment decile and group, with paired 95 %
/// intervals (Newcombe 1998) and exact p-values.
///
/// Example: `hardlight evaluate runs/cats --before old.csv --after new.csv`
#[derive(Debug, clap::Args)]
pub(super) struct EvaluateCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Predictions of the model that the run analysed, .csv or .jsonl: id (or path) and prediction.
    #[arg(long, value_name = "PREDICTIONS")]
    before: PathBuf,

    /// Predictions of the retrained model, in the same form.
    #[arg(long, value_name = "PREDICTIONS")]
    after: PathBuf,

    /// Where the figures go [default: evaluate.json in the run folder].
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl EvaluateCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self {
            run,
            before,
            after,
            json,
        } = self;
        let saved = Saved::open(&mut Context::new(ui), &run)?;
        if saved.dataset.of_split(Split::Test).next().is_none() {
            let text = "the data has no test split: on val, where directions were learned, a \
                        comparison would flatter the old model or the new";
            return Err(Error::input(text.to_owned()));
        }
        let (rows, x) = saved.embedded(Split::Test)?;
        let old = predicted(&saved.dataset, &before, &rows)?;
        let new = predicted(&saved.dataset, &after, &rows)?;
        let labels: Vec<usize> = rows
            .iter()
            .map(|&i| saved.dataset.examples[i].label)
            .collect();
        if old.classes == new.classes {
            ui.warn(format_args!(
                "{} and {} predict the same for every test example: are they of one model?",
                before.display(),
                after.display()
            ));
        }
        let groups = groups(
            &saved.dataset,
            &rows,
            (&before, old.groups),
            (&after, new.groups),
        )?;
        let models = TwoModels {
            x: x.view(),
            labels: &labels,
            before: &old.classes,
            after: &new.classes,
            groups: &groups,
        };
        let changes = changes(&saved, models);
        let all = overall(models);
        let path = json.unwrap_or_else(|| saved.layout.root().join("evaluate.json"));
        let figures = figures(&before, &after, &changes, &all);
        io::write_atomic(&path, format!("{figures:#}\n").as_bytes())?;
        table(ui, &changes, &all);
        ui.say(format_args!("\nfigures  {}", path.display()));
        Ok(if saved.found.directions.is_empty() {
            ExitStatus::Incomplete
        } else {
            ExitStatus::Success
        })
    }
}

/// What a model says of the test split.
struct Predicted {
    classes: Vec<usize>,
    groups: Vec<Option<String>>,
}

/// Reads predictions; every test example must have one, for a slice with holes is another slice.
fn predicted(dataset: &Dataset, path: &Path, rows: &[usize]) -> Result<Predicted, Error> {
    let mut dataset = dataset.clone();
    dataset::join_predictions_on(&mut dataset, path, Split::Test)?;
    if dataset.examples.iter().any(|e| e.score.is_some()) {
        let text = format!(
            "{} has scores in place of predictions: give the predictions at each model's own \
             threshold",
            path.display()
        );
        return Err(Error::input(text));
    }
    let mut without = rows
        .iter()
        .map(|&i| &dataset.examples[i])
        .filter(|example| example.prediction.is_none());
    if let Some(first) = without.next() {
        let text = format!(
            "{} has no prediction for {} of the {} test examples, the first is {:?}: both models \
             must be judged on all of them",
            path.display(),
            1 + without.count(),
            rows.len(),
            first.id
        );
        return Err(Error::input(text));
    }
    Ok(Predicted {
        classes: rows
            .iter()
            .filter_map(|&i| dataset.examples[i].prediction)
            .collect(),
        groups: rows
            .iter()
            .map(|&i| dataset.examples[i].group.clone())
            .collect(),
    })
}

/// Groups from either table; where both know one, it must be the same.
fn groups(
    dataset: &Dataset,
    rows: &[usize],
    (before, old): (&Path, Vec<Option<String>>),
    (after, new): (&Path, Vec<Option<String>>),
) -> Result<Vec<Option<String>>, Error> {
    let each = rows.iter().zip(old.into_iter().zip(new));
    each.map(|(&i, pair)| match pair {
        (Some(old), Some(new)) if old != new => Err(Error::input(format!(
            "{:?} is of group {old:?} in {} and of {new:?} in {}: which is right?",
            dataset.examples[i].id,
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
    for (class, name) in saved.dataset.classes.iter().enumerate() {
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

/// `evaluate.json`.
fn figures(before: &Path, after: &Path, changes: &[ModeChange], all: &[Slice]) -> Value {
    json!({
        "schema": 1, "version": env!("CARGO_PKG_VERSION"), "judged_on": Split::Test.name(),
        "before": before, "after": after,
        "interval": "Newcombe 1998, method 10, 95 %", "p_value": "McNemar, exact, two-sided",
        "overall": all, "classes": changes,
    })
}

/// A line a slice, then a sentence a failure mode.
fn table(ui: &mut Ui, changes: &[ModeChange], all: &[Slice]) {
    ui.say(format_args!(
        "{:<28} {:>8} {:>7} {:>7} {:>7} {:>5}  {:>22} {:>7}",
        "slice of test",
        "examples",
        "before",
        "after",
        "mended",
        "new",
        "change (95 % interval)",
        "p"
    ));
    for change in changes {
        ui.say(&change.class);
        for slice in &change.slices {
            line(ui, slice);
        }
    }
    ui.say("all classes");
    for slice in all {
        line(ui, slice);
    }
    ui.say("");
    for change in changes {
        ui.say(&change.sentence);
    }
}

fn line(ui: &mut Ui, slice: &Slice) {
    let name = slice.name.as_deref().unwrap_or_default();
    let what = match slice.part {
        Part::Failure => "failure".to_owned(),
        Part::Rest => "rest of the class".to_owned(),
        Part::Decile if name == "1" => "decile 1 (hardest)".to_owned(),
        Part::Decile => format!("decile {name}"),
        Part::Group => format!("group {name}"),
        Part::Class => "whole class".to_owned(),
        Part::Elsewhere => "rest of other classes".to_owned(),
        Part::All => "whole split".to_owned(),
    };
    let rate = |wrong: usize| {
        if slice.examples == 0 {
            return "-".to_owned();
        }
        format!("{:.1} %", 100.0 * wrong as f64 / slice.examples as f64)
    };
    let change = match (slice.change, slice.interval) {
        (Some(change), Some((low, high))) => format!(
            "{:+.1} ({:+.1} to {:+.1})",
            100.0 * change,
            100.0 * low,
            100.0 * high
        ),
        _ => "-".to_owned(),
    };
    let p = if slice.p_value < 5e-5 {
        "<0.0001".to_owned()
    } else {
        format!("{:.4}", slice.p_value)
    };
    ui.say(format_args!(
        "  {what:<26} {:>8} {:>7} {:>7} {:>7} {:>5}  {change:>22} {p:>7}",
        slice.examples,
        rate(slice.wrong_before),
        rate(slice.wrong_after),
        slice.mended,
        slice.new,
    ));
}
