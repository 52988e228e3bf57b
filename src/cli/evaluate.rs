//! `hardlight evaluate`: an old and a new model on the failures that a run found.

use std::path::PathBuf;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::direction::evaluate::{Slice, SliceKind};
use crate::pipeline::{Context, Error, evaluate};
use crate::report::{EvaluationReport, JsonFile as _};

/// Compare an old and a new model on a run's failure modes, and on everything else.
///
/// Both are compared on the test split: on each failure slice (alignment at or above the mode's threshold), alignment
/// decile and group, with paired 95 % intervals and p-values corrected for the number of slices.
///
/// One table per side compares these two models. Trainings with other seeds may turn out differently, so it is better to
/// give the tables of several trainings per side.
///
/// Example: `hardlight evaluate runs/cats --before old.csv --after new.csv`,
/// `hardlight evaluate runs/cats --before old-?.csv --after new-?.csv`
#[derive(Debug, clap::Args)]
pub(super) struct EvaluateCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Predictions of the old model, .csv or .jsonl with id (or path) and prediction; one table per training.
    #[arg(long, value_name = "PREDICTIONS", required = true, num_args = 1..)]
    before: Vec<PathBuf>,

    /// Predictions of the retrained model, in the same form; one table per training.
    #[arg(long, value_name = "PREDICTIONS", required = true, num_args = 1..)]
    after: Vec<PathBuf>,

    /// Output file [default: evaluate.json in the run folder].
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
        let report = evaluate(&mut Context::new(ui), &run, &before, &after)?;
        let path = json.unwrap_or_else(|| run.join("evaluate.json"));
        report.write(&path)?;
        table(ui, &report);
        ui.say(format_args!("\nfigures  {}", path.display()));
        Ok(if report.has_modes() {
            ExitStatus::Success
        } else {
            ExitStatus::Incomplete
        })
    }
}

/// A line a slice, then a sentence a failure mode.
fn table(ui: &mut Ui, report: &EvaluationReport) {
    ui.say(format_args!(
        "{:<28} {:>8} {:>7} {:>7} {:>7} {:>5}  {:>22} {:>7} {:>9}",
        "slice of test",
        "examples",
        "before",
        "after",
        "mended",
        "new",
        "change (95 % interval)",
        "p",
        "corrected"
    ));
    for change in &report.classes {
        ui.say(&change.class);
        for slice in &change.slices {
            line(ui, slice);
        }
    }
    ui.say("all classes");
    for slice in &report.overall {
        line(ui, slice);
    }
    ui.say("");
    for change in &report.classes {
        ui.say(&change.sentence);
    }
}

fn line(ui: &mut Ui, slice: &Slice) {
    let name = slice.name.as_deref().unwrap_or_default();
    let what = match slice.part {
        SliceKind::Failure => "failure".to_owned(),
        SliceKind::Rest => "rest of the class".to_owned(),
        SliceKind::Decile if name == "1" => "decile 1 (hardest)".to_owned(),
        SliceKind::Decile => format!("decile {name}"),
        SliceKind::Group => format!("group {name}"),
        SliceKind::Class => "whole class".to_owned(),
        SliceKind::Elsewhere => "rest of other classes".to_owned(),
        SliceKind::All => "whole split".to_owned(),
    };
    let rate = |wrong: f64| {
        if slice.examples == 0 {
            return "-".to_owned();
        }
        format!("{:.1} %", 100.0 * wrong / slice.examples as f64)
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
    let p = |p: f64| match p {
        p if p < 5e-5 => "<0.0001".to_owned(),
        p => format!("{p:.4}"),
    };
    // Means over models have a part.
    let count = |count: f64| match count.fract() {
        part if part.abs() < 1e-9 => format!("{count:.0}"),
        _ => format!("{count:.1}"),
    };
    ui.say(format_args!(
        "  {what:<26} {:>8} {:>7} {:>7} {:>7} {:>5}  {change:>22} {:>7} {:>9}",
        slice.examples,
        rate(slice.wrong_before),
        rate(slice.wrong_after),
        count(slice.mended),
        count(slice.new),
        p(slice.p_value),
        p(slice.p_corrected),
    ));
}
