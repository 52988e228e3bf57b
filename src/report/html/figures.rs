//! The plots and tables of a failure mode: there when they are asked for.

use maud::{Markup, html};

use super::contents::Contents;
use super::plots::{self, Plot};
use super::said::{wrong, wrong_interval};
use super::table::{Cell, Column, table};
use super::words::{between, count, name, p_value, percent};
use crate::caption::{Accuracy, CaptionVerdict};
use crate::report::captions::{Caption, ModeCaptions};
use crate::report::detection::ModeReport;

/// All plots that there are figures for, and the captions as a table.
pub(super) fn figures(
    contents: &Contents,
    entry: &ModeReport,
    captions: Option<&ModeCaptions>,
) -> Markup {
    let class = name(&entry.mode.class, entry.mode.mode);
    let split = contents.report.judged_on;
    let judged = &entry.judged.figures;
    let made = contents
        .summary
        .as_ref()
        .and_then(|summary| summary.mode(entry.mode.id()));
    let attempts = contents.attempts.get(&entry.mode.id());
    let plots: Vec<Plot> = [
        plots::histogram(entry),
        plots::deciles(&class, judged, split),
        plots::heads(&class, judged, split),
        captions.and_then(plots::captions),
        made.and_then(|made| plots::rejected(&class, made.attempted, made.kept, &made.rejected)),
        attempts.and_then(|attempts| plots::acceptance(&class, attempts, contents.quota)),
    ]
    .into_iter()
    .flatten()
    .collect();
    html! {
        details.figures {
            summary { "Plots and tables of " bdi { (class) } }
            div.plots {
                @for plot in &plots { (plot.markup()) }
            }
            @if let Some(captions) = captions { (captions_table(captions)) }
        }
    }
}

/// Every caption that was held against real images.
fn captions_table(of: &ModeCaptions) -> Markup {
    let columns = [
        Column::words("Caption"),
        Column::words("Kind"),
        Column::words("Verdict"),
        Column::numbers("Alignment"),
        Column::numbers("p"),
        Column::numbers("Wrong on validation (95 % interval)"),
        Column::numbers("Wrong on the judged split (95 % interval)"),
    ];
    let kinds = [
        ("hard", &of.hard),
        ("reference", &of.neutral),
        ("easy", &of.easy),
    ];
    let rows: Vec<Vec<Cell>> = kinds
        .iter()
        .flat_map(|(kind, all)| all.iter().map(|caption| row(caption, kind)))
        .collect();
    let caption = format!(
        "Captions of {} ({} were tried, {} of them left out)",
        name(&of.class, of.mode),
        count(of.candidates),
        count(of.dropped)
    );
    table(&caption, &columns, &rows)
}

fn row(caption: &Caption, kind: &str) -> Vec<Cell> {
    let errors = |accuracy: Option<Accuracy>| match accuracy {
        Some(accuracy) => Cell::figure(
            wrong(accuracy),
            format!(
                "{} of {} ({})",
                percent(wrong(accuracy)),
                count(accuracy.images),
                between(wrong_interval(accuracy))
            ),
        ),
        None => Cell::text("–"),
    };
    vec![
        Cell::text(&*caption.caption),
        Cell::text(kind),
        Cell::text(caption.verdict.map_or("–", CaptionVerdict::name)),
        Cell::figure(caption.alignment, format!("{:.3}", caption.alignment)),
        Cell::maybe(caption.p_value, p_value),
        errors(caption.val),
        errors(caption.judged),
    ]
}
