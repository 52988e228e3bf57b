//! The closing table of a run, and where everything is.

use super::{captions, tables};
use crate::cli::ui::Ui;
use crate::direction::legible;
use crate::pipeline::order::Finished;
use crate::pipeline::outputs::summary;
use crate::report::detection::ModeReport;
use crate::report::summary::ModeSummary;

/// The closing table: a line a failure mode, then captions and the detection report.
pub(in crate::cli) fn table(ui: &mut Ui, done: &Finished) {
    ui.say(format_args!(
        "{:<16} {:>5} {:>7} {:>6} {:>6} {:>16} {:>10} {:>5} {:>5} {:>9}",
        "class", "wrong", "cv", "p", "q", "hardest", "of class", "pool", "kept", "attempts"
    ));
    let report = &done.detected.report;
    for (found, made) in report.classes.iter().zip(summary(done).classes) {
        line(ui, found, &made, made_any(done, found));
    }
    let findings = report.classes.iter().filter(|entry| entry.mode.finding);
    for entry in findings.take(tables::MOST) {
        threshold(ui, entry);
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
    let percent = |share: f64| format!("{:.0} % wrong", 100.0 * share);
    let share = |p: Option<f64>| p.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"));
    let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let figures = &found.judged.figures;
    ui.say(format_args!(
        "{:<16} {:>5} {:>7.3} {:>6} {:>6} {:>16} {:>10} {:>5} {:>5} {:>9}",
        found.id().named(&found.mode.class),
        found.wrong,
        found.mode.cv_score,
        share(found.mode.p_value),
        share(found.mode.q_value),
        format!(
            "{} of {}",
            percent(figures.hardest.direction),
            figures.hardest.k
        ),
        percent(figures.error()),
        count(made.pool.as_ref().map(|pool| pool.kept)),
        count(generated.then_some(made.kept)),
        count(generated.then_some(made.attempted)),
    ));
}

/// The threshold of a mode, and what it lets pass.
fn threshold(ui: &mut Ui, found: &ModeReport) {
    let (low, high) = found.admits.interval;
    ui.say(format_args!(
        "{}: images of alignment {} and more count as part of the failure; {:.0} % of the {} right val images do \
         (95 % interval {:.0} to {:.0} %)",
        found.id().named(&found.mode.class),
        legible(found.threshold),
        100.0 * found.admits.share,
        found.admits.of,
        100.0 * low,
        100.0 * high
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
    ui.say(format_args!("page      {}", layout.page().display()));
    ui.say(format_args!("report    {}", layout.report().display()));
    ui.say(format_args!(
        "tables    {}",
        layout.report_dir().join("classes.csv").display()
    ));
    ui.say(format_args!("summary   {}", layout.summary().display()));
}
