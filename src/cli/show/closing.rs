//! The closing table of a run, and where everything is.

use super::{captions, tables};
use crate::cli::ui::Ui;
use crate::pipeline::order::Finished;
use crate::pipeline::outputs::{TOP, summary};
use crate::report::detection::ModeReport;
use crate::report::summary::ModeSummary;

/// The closing table: a line a failure mode, then captions and the detection report.
pub(in crate::cli) fn table(ui: &mut Ui, done: &Finished) {
    ui.say(format_args!(
        "{:<16} {:>5} {:>7} {:>6} {:>12} {:>10} {:>5} {:>5} {:>9}",
        "class", "wrong", "cv", "p", "hardest 50", "of class", "pool", "kept", "attempts"
    ));
    let report = &done.detected.report;
    for (found, made) in report.classes.iter().zip(summary(done).classes) {
        line(ui, found, &made, made_any(done, found));
    }
    if let Some(captioned) = &done.captioned {
        captions::say(ui, &captioned.report);
    }
    tables::show(ui, report);
}

/// Whether images were planned for a mode.
fn made_any(done: &Finished, found: &ModeReport) -> bool {
    let decided = done.decided.as_ref();
    decided.is_some_and(|decided| decided.of_mode(found.mode.id()).is_some())
}

fn line(ui: &mut Ui, found: &ModeReport, made: &ModeSummary, generated: bool) {
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |s| format!("{:.0} % wrong", 100.0 * s))
    };
    let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let figures = &found.judged.figures;
    ui.say(format_args!(
        "{:<16} {:>5} {:>7.3} {:>6.3} {:>12} {:>10} {:>5} {:>5} {:>9}",
        found.mode.class,
        found.wrong,
        found.mode.cv_score,
        found.mode.p_value,
        percent(figures.head(TOP).map(|head| head.direction)),
        percent(Some(figures.error())),
        count(made.pool.as_ref().map(|pool| pool.kept)),
        count(generated.then_some(made.kept)),
        count(generated.then_some(made.attempted)),
    ));
}

/// Where everything is.
pub(in crate::cli) fn paths(ui: &mut Ui, done: &Finished) {
    let layout = done.folder.layout();
    ui.say("");
    for entry in &done.detected.report.classes {
        let preview = layout.preview(&entry.mode.class, entry.mode.mode);
        ui.say(format_args!("preview   {}", preview.display()));
    }
    if done.pooled.is_some() || done.decided.is_some() {
        let manifest = layout.manifest_dir();
        ui.say(format_args!(
            "manifest  {}",
            manifest.join("train.parquet").display()
        ));
    }
    ui.say(format_args!("report    {}", layout.report().display()));
    ui.say(format_args!(
        "tables    {}",
        layout.report_dir().join("classes.csv").display()
    ));
    ui.say(format_args!("summary   {}", layout.summary().display()));
}
