//! What was decided, and what other thresholds would keep.

use crate::cli::ui::Ui;
use crate::direction::legible;
use crate::pipeline::Decided;
use crate::pipeline::redecide::Thresholds;
use crate::run::folder::Layout;

/// A line an arm, and where the manifest is.
pub(in crate::cli) fn decided(ui: &mut Ui, layout: &Layout, decided: &Decided) {
    ui.say(format_args!(
        "{:<16} {:>4} {:<8} {:>6} {:>9} {:>9}",
        "class", "mode", "arm", "kept", "quota", "attempts"
    ));
    for outcome in &decided.decisions.outcomes {
        let plan = &outcome.plan;
        ui.say(format_args!(
            "{:<16} {:>4} {:<8} {:>6} {:>9} {:>9}",
            plan.class,
            plan.mode.mode,
            plan.arm.name(),
            outcome.kept().count(),
            plan.quota,
            outcome.decided.len()
        ));
    }
    for outcome in decided.decisions.outcomes.iter().filter(|o| o.unfinished) {
        let lacking = outcome.plan.quota - outcome.kept().count();
        ui.warn(format_args!(
            "{} ({}): {lacking} images lack, and no more attempts are measured: `hardlight run` with the \
             same settings makes them",
            outcome.plan.class, outcome.plan.arm
        ));
    }
    let manifest = layout.manifest_dir().join("train.parquet");
    ui.say(format_args!("manifest  {}", manifest.display()));
}

/// What a few thresholds would keep, mode by mode.
pub(in crate::cli) fn thresholds(ui: &mut Ui, modes: &[Thresholds]) {
    for mode in modes {
        ui.say(format_args!(
            "{}, failure mode {}: {} attempts measured\n  {:>14} {:>8} {:>6}",
            mode.class, mode.mode.mode, mode.measured, "min alignment", "passing", "kept"
        ));
        for row in &mode.rows {
            let note = match (row.present, row.met) {
                (true, _) => "  (now)",
                (false, true) => "",
                (false, false) => "  quota unmet",
            };
            ui.say(format_args!(
                "  {:>14} {:>8} {:>6}{note}",
                legible(row.alignment),
                row.passing,
                row.kept
            ));
        }
    }
}
