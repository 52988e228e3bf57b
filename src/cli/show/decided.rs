//! What was decided, and what other thresholds would keep.

use crate::cli::ui::Ui;
use crate::direction::legible;
use crate::pipeline::redecide::{AtThreshold, Redecided, Thresholds};
use crate::run::decide::{Lack, Outcome};
use crate::run::folder::Layout;

/// A line an arm, and where the manifest is.
pub(in crate::cli) fn decided(ui: &mut Ui, layout: &Layout, redecided: &Redecided) {
    for picked in redecided.pool.iter().flat_map(|record| &record.modes) {
        ui.say(format_args!(
            "{}, failure mode {}: {} images from the pool's {}",
            picked.class,
            picked.mode,
            picked.picks.len(),
            picked.of_class
        ));
    }
    ui.say(format_args!(
        "{:<16} {:>4} {:<8} {:>6} {:>9} {:>9}",
        "class", "mode", "arm", "kept", "quota", "attempts"
    ));
    let outcomes = &redecided.decided.decisions.outcomes;
    for outcome in outcomes {
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
    lacking(ui, outcomes);
    let manifest = layout.manifest_dir().join("train.parquet");
    ui.say(format_args!("manifest  {}", manifest.display()));
}

/// A warning for every arm that lacks images.
pub(in crate::cli) fn lacking(ui: &mut Ui, outcomes: &[Outcome]) {
    for outcome in outcomes {
        if let Some(lack) = outcome.lack() {
            let plan = &outcome.plan;
            ui.warn(format_args!(
                "{} ({}): {}",
                plan.mode.named(&plan.class),
                plan.arm,
                words(lack)
            ));
        }
    }
}

/// How many images lack, why, and what helps.
fn words(lack: Lack) -> String {
    match lack {
        Lack::Unmade {
            images,
            attempts,
            budget,
        } if attempts < images as u64 => format!(
            "{images} images lack, and the budget of {budget} attempts leaves {attempts}: give `hardlight run` \
             a larger --budget (generate.budget)"
        ),
        Lack::Unmade {
            images, attempts, ..
        } => format!(
            "{images} images lack, and no more attempts are measured: `hardlight run` with the same settings \
             makes them, in {attempts} more attempts at most"
        ),
        Lack::Spent { images, budget } => format!(
            "{images} images lack, and the budget of {budget} attempts is spent: give `hardlight run` a larger \
             --budget (generate.budget), or ask for less, with --quota or --min-alignment"
        ),
        Lack::Controls { images, attempts } => format!(
            "{images} control images lack, and all {attempts} attempts at them are made: ask for more of them \
             (generate.controls)"
        ),
    }
}

/// What a few thresholds would keep, mode by mode.
pub(in crate::cli) fn thresholds(ui: &mut Ui, modes: &[Thresholds]) {
    for mode in modes {
        let pool = mode.rows.iter().any(|row| row.pool.is_some());
        ui.say(format_args!(
            "{}, failure mode {}: {} attempts measured\n  {:>14}{} {:>8} {:>6}",
            mode.class,
            mode.mode.mode,
            mode.measured,
            "min alignment",
            if pool { "   pool" } else { "" },
            "passing",
            "kept"
        ));
        for row in &mode.rows {
            let pool = row.pool.map(|n| format!(" {n:>6}")).unwrap_or_default();
            ui.say(format_args!(
                "  {:>14}{pool} {:>8} {:>6}{}",
                legible(row.alignment),
                row.passing,
                row.kept,
                notes(row)
            ));
        }
    }
}

/// What is to be said of a threshold.
fn notes(row: &AtThreshold) -> String {
    let notes = [
        (row.present, "(now)"),
        (row.asked && !row.present, "(asked for)"),
        (!row.met, "quota unmet"),
    ];
    let said = notes.iter().filter(|(is, _)| *is);
    said.flat_map(|(_, note)| ["  ", note]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_budget_bars_it_another_budget_is_named() {
        let unmade = |attempts| Lack::Unmade {
            images: 3,
            attempts,
            budget: 16,
        };
        let can = words(unmade(3));
        assert!(can.contains("with the same settings makes them"), "{can}");
        let cannot = [
            unmade(2),
            Lack::Spent {
                images: 3,
                budget: 16,
            },
        ];
        for lack in cannot {
            let text = words(lack);
            assert!(!text.contains("makes them"), "{text}");
            assert!(text.contains("budget of 16 attempts"), "{text}");
            assert!(text.contains("--budget (generate.budget)"), "{text}");
        }
        let controls = words(Lack::Controls {
            images: 1,
            attempts: 4,
        });
        assert!(controls.contains("generate.controls"), "{controls}");
    }

    #[test]
    fn now_is_what_the_run_holds_and_not_what_is_asked_for() {
        let row = |present, asked, met| AtThreshold {
            alignment: 0.5,
            present,
            asked,
            pool: None,
            passing: 4,
            kept: 2,
            met,
        };
        assert_eq!(notes(&row(true, false, true)), "  (now)");
        assert_eq!(
            notes(&row(false, true, false)),
            "  (asked for)  quota unmet"
        );
        assert_eq!(notes(&row(true, true, false)), "  (now)  quota unmet");
        assert_eq!(notes(&row(false, false, true)), "");
    }
}
