//! Every class and failure mode as a line of one table.

use maud::{Markup, html};

use super::card::anchor;
use super::contents::Contents;
use super::table::{Cell, Column, table};
use super::words::{between, count, p_value, percent, range};
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
    let class = Cell::text(&*mode.class);
    let rank = contents.report.overview.rank(id);
    let mut cells = vec![
        if carded.contains(&id) {
            class.to(anchor(id))
        } else {
            class
        },
        Cell::figure(f64::from(mode.mode), mode.mode.to_string()),
        Cell::text(outcome(entry)),
        Cell::maybe(rank.map(|rank| rank as f64), |rank| format!("{rank:.0}")),
        Cell::figure(mode.explains as f64, count(mode.explains)),
        Cell::maybe(mode.q_value, p_value),
    ];
    cells.extend(judged(entry));
    let made = contents.summary.as_ref();
    let made = made.and_then(|summary| summary.mode(id));
    cells.push(match made.filter(|made| made.attempted > 0) {
        Some(made) => Cell::figure(
            made.kept as f64,
            format!("{} of {}", count(made.kept), count(made.attempted)),
        ),
        None => Cell::text("–"),
    });
    cells
}

/// What the test came to, and what bars it.
fn outcome(entry: &ModeReport) -> String {
    let words = entry.mode.standing.words();
    if entry.barred.is_empty() {
        return words.to_owned();
    }
    let kinds: Vec<&str> = entry.barred.iter().map(|kind| kind.name()).collect();
    format!("{words}; barred: {}", kinds.join(", ").replace('_', " "))
}

/// How well it ranks mistakes, with n and intervals, and where its threshold is.
fn judged(entry: &ModeReport) -> [Cell; 5] {
    let (mode, figures) = (&entry.mode, &entry.judged.figures);
    let score = |value: f64, interval: Option<(f64, f64)>, n: usize| {
        let interval = interval.map_or_else(String::new, |ends| format!(" ({})", range(ends, 2)));
        Cell::figure(value, format!("{value:.2}{interval}, n\u{a0}{}", count(n)))
    };
    let share = |share: f64, of: usize, interval: Option<(f64, f64)>| {
        let interval = interval.map_or_else(String::new, |ends| format!(" ({})", between(ends)));
        Cell::figure(
            share,
            format!("{} of {}{interval}", percent(share), count(of)),
        )
    };
    let hardest = &figures.hardest;
    [
        score(mode.cv_score, mode.cv_interval_95, mode.val_examples),
        figures.auc.map_or_else(
            || Cell::text("–"),
            |auc| score(auc, figures.auc_interval, figures.examples),
        ),
        share(hardest.direction, hardest.k, Some(hardest.interval)),
        share(figures.error(), figures.examples, None),
        Cell::figure(entry.threshold, legible(entry.threshold)),
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
