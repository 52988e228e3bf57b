//! The closing table of a run, and where everything is.

use super::{captions, tables};
use crate::cli::ui::Ui;
use crate::pipeline::order::Finished;
use crate::pipeline::outputs::TOP;

/// The closing table: a line a failure mode.
pub(in crate::cli) fn table(ui: &mut Ui, done: &Finished) {
    let Finished {
        detected,
        captioned,
        pooled,
        decided,
        ..
    } = done;
    let dataset = done.dataset();
    ui.say(format_args!(
        "{:<16} {:>5} {:>7} {:>6} {:>12} {:>10} {:>5} {:>5} {:>9}",
        "class", "wrong", "cv", "p", "hardest 50", "of class", "pool", "kept", "attempts"
    ));
    for (at, direction) in detected.fitted.directions.iter().enumerate() {
        let report = detected.reports.get(at);
        let head = report.and_then(|r| r.figures.head(TOP));
        let class = &dataset.classes[direction.id.class];
        let outcome = decided.as_ref();
        let outcome = outcome.and_then(|decided| decided.of_mode(direction.id));
        let picked = pooled.as_ref().and_then(|pooled| pooled.of(direction));
        let percent = |share: Option<f64>| {
            share.map_or_else(|| "-".to_owned(), |s| format!("{:.0} % wrong", 100.0 * s))
        };
        let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        ui.say(format_args!(
            "{:<16} {:>5} {:>7.3} {:>6.3} {:>12} {:>10} {:>5} {:>5} {:>9}",
            class,
            direction.wrong,
            direction.cv_score,
            direction.p_value,
            percent(head.map(|head| head.direction)),
            percent(report.map(|r| r.figures.error())),
            count(picked.map(|picked| picked.picks.len())),
            count(outcome.map(|outcome| outcome.kept().count())),
            count(outcome.map(|outcome| outcome.decided.len())),
        ));
    }
    if let Some(captioned) = captioned {
        captions::say(ui, dataset, detected, captioned);
    }
    tables::show(ui, &done.embedded.data, detected);
}

/// Where everything is.
pub(in crate::cli) fn paths(ui: &mut Ui, done: &Finished) {
    let layout = done.folder.layout();
    ui.say("");
    for direction in &done.detected.fitted.directions {
        let class = &done.dataset().classes[direction.id.class];
        ui.say(format_args!(
            "preview   {}",
            layout.preview(class, direction.id.mode).display()
        ));
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
