//! Every class and failure mode as a line of one table.

use maud::{Markup, html};

use super::card::anchor;
use super::contents::Contents;
use super::table::{Cell, Column, table};
use super::words::{between, count, p_value, percent};
use crate::direction::{ModeId, legible};
use crate::report::detection::{ModeReport, SkippedClass};

/// The table, with the modes that have a card linked to them.
pub(super) fn all(contents: &Contents, carded: &[ModeId]) -> Markup {
    let report = &contents.report;
    let columns = [
        Column::words("Class"),
        Column::numbers("Mode"),
        Column::words("What the test came to"),
        Column::numbers("Fix"),
        Column::numbers("Mistakes explained"),
        Column::numbers("q"),
        Column::numbers("CV score (95 % interval)"),
        Column::numbers("AUC (95 % interval)"),
        Column::numbers("Wrong among the hardest (95 % interval)"),
        Column::numbers("Wrong of the class"),
        Column::numbers("Threshold"),
        Column::numbers("Kept"),
    ];
    let mut rows: Vec<Vec<Cell>> = report
        .classes
        .iter()
        .map(|entry| row(contents, entry, carded))
        .collect();
    rows.extend(report.skipped.iter().map(skipped));
    let caption = format!(
        "Classes and failure modes; figures of the {} split, n in each cell; CV score of validation",
        report.judged_on
    );
    html! {
        section aria-labelledby="all" {
            h2 id="all" { "All classes" }
            @if report.classes.iter().filter(|entry| entry.mode.finding).count() > carded.len() {
                p { "Only the first " (count(carded.len())) " findings have a card above, with their pictures; the others are lines of this table." }
            }
            (table(&caption, &columns, &rows))
        }
    }
}

fn row(contents: &Contents, entry: &ModeReport, carded: &[ModeId]) -> Vec<Cell> {
    let mode = &entry.mode;
    let id = mode.id();
    let figures = &entry.judged.figures;
    let hardest = &figures.hardest;
    let made = contents
        .summary
        .as_ref()
        .and_then(|summary| summary.mode(id));
    let kept = made.filter(|made| made.attempted > 0);
    let with = |value: f64, interval: Option<(f64, f64)>| {
        let interval = interval.map_or_else(String::new, |(low, high)| {
            format!(" ({low:.2} to {high:.2})")
        });
        format!("{value:.2}{interval}")
    };
    let class = Cell::text(&*mode.class);
    let outcome = if entry.barred.is_empty() {
        mode.standing.words().to_owned()
    } else {
        let kinds: Vec<&str> = entry.barred.iter().map(|kind| kind.name()).collect();
        format!(
            "{}; barred: {}",
            mode.standing.words(),
            kinds.join(", ").replace('_', " ")
        )
    };
    let rank = contents.report.overview.rank(id);
    vec![
        if carded.contains(&id) {
            class.to(anchor(id))
        } else {
            class
        },
        Cell::figure(f64::from(mode.mode), mode.mode.to_string()),
        Cell::text(outcome),
        Cell::maybe(rank.map(|rank| rank as f64), |rank| format!("{rank:.0}")),
        Cell::figure(mode.explains as f64, count(mode.explains)),
        Cell::maybe(mode.q_value, p_value),
        Cell::figure(
            mode.cv_score,
            format!(
                "{}, n\u{a0}{}",
                with(mode.cv_score, mode.cv_interval_95),
                count(mode.val_examples)
            ),
        ),
        Cell::maybe(figures.auc, |auc| {
            format!(
                "{}, n\u{a0}{}",
                with(auc, figures.auc_interval),
                count(figures.examples)
            )
        }),
        Cell::figure(
            hardest.direction,
            format!(
                "{} of {} ({})",
                percent(hardest.direction),
                count(hardest.k),
                between(hardest.interval)
            ),
        ),
        Cell::figure(
            figures.error(),
            format!(
                "{} of {}",
                percent(figures.error()),
                count(figures.examples)
            ),
        ),
        Cell::figure(entry.threshold, legible(entry.threshold)),
        Cell::maybe(kept.map(|made| made.kept as f64), |_| {
            kept.map_or_else(String::new, |made| {
                format!("{} of {}", count(made.kept), count(made.attempted))
            })
        }),
    ]
}

fn skipped(class: &SkippedClass) -> Vec<Cell> {
    let of = class.right + class.wrong;
    let share = class.wrong as f64 / of.max(1) as f64;
    let mut cells = vec![
        Cell::text(&*class.class),
        Cell::text("–"),
        Cell::text(format!("not looked at: {}", class.reason)),
    ];
    cells.resize(9, Cell::text("–"));
    cells.push(Cell::figure(
        share,
        format!("{} of {} (validation)", percent(share), count(of)),
    ));
    cells.resize(12, Cell::text("–"));
    cells
}
