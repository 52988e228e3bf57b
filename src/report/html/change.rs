//! What retraining did: the demo's proof, and two models compared.

use maud::{Markup, html};

use super::contents::Contents;
use super::plots::{Change, changes};
use super::table::{Cell, Column, table};
use super::words::{change, count, counted, name, p_value, percent, range, sentence};
use crate::direction::evaluate::{Slice, SliceKind, mean_interval};
use crate::report::EvaluationReport;
use crate::report::retraining::{GroupMeasures, Retraining, Spread};

/// Rows that a plot of changes has at most.
const ROWS: usize = 16;

/// Whether there is anything to say.
pub(super) fn is_known(contents: &Contents) -> bool {
    contents.evaluation.is_some() || proof(contents).is_some()
}

fn proof(contents: &Contents) -> Option<&Retraining> {
    contents.summary.as_ref()?.retraining.as_ref()
}

/// The section; nothing where nothing was trained again.
pub(super) fn section(contents: &Contents) -> Markup {
    html! {
        @if is_known(contents) {
            section aria-labelledby="change" {
                h2 id="change" { "What retraining did" }
                @if let Some(proof) = proof(contents) { (of_proof(proof)) }
                @if let Some(evaluation) = &contents.evaluation { (of_models(evaluation)) }
            }
        }
    }
}

/// The demo's trainings.
fn of_proof(proof: &Retraining) -> Markup {
    let trainings = usize::try_from(proof.seeds).unwrap_or(usize::MAX);
    html! {
        p {
            "The classifier was trained again with " (counted(proof.added, "image", "images")) " added, "
            (counted(trainings, "time", "times")) " with each kind of images, and judged on test."
        }
        (worst(proof))
        div.plots { @if let Some(plot) = group_plot(proof) { (plot.markup()) } }
        (arms(proof))
    }
}

/// What the failure images do for the worst group, in a sentence.
fn worst(proof: &Retraining) -> Markup {
    let (before, after) = (proof.none.worst_group.mean, proof.failure.worst_group.mean);
    let by = proof.paired.failure_less_none.worst_group;
    html! {
        @if let (Some(before), Some(after)) = (before, after) {
            p.lead {
                "Accuracy on the worst group went from " (percent(before)) " with nothing added to " (percent(after))
                " with the kept images"
                @if let Some((low, high)) = interval(by, proof.seeds) {
                    " (95 % interval of the difference " (change(low)) " to " (change(high)) " points)"
                }
                "."
            }
        }
    }
}

/// The 95 % interval of a mean over trainings.
fn interval(of: Spread, seeds: u64) -> Option<(f64, f64)> {
    mean_interval(of.mean?, of.sd?, seeds)
}

/// Every group before and after.
fn group_plot(proof: &Retraining) -> Option<super::plots::Plot> {
    let change_of = |group: &GroupMeasures| {
        let (before, after, by) = (
            group.none.mean?,
            group.failure.mean?,
            group.failure_less_none.mean?,
        );
        Some(Change {
            text: format!(
                "{}, {}: {} → {} right (n = {})",
                group.class,
                group.group,
                percent(before),
                percent(after),
                count(group.images)
            ),
            by,
            interval: interval(group.failure_less_none, proof.seeds),
            better: by > 0.0,
        })
    };
    let all: Vec<Change> = proof
        .groups
        .iter()
        .filter_map(change_of)
        .take(ROWS)
        .collect();
    let better = all
        .iter()
        .filter(|change| change.interval.is_some_and(|(low, _)| low > 0.0))
        .count();
    let worse = all
        .iter()
        .filter(|change| change.interval.is_some_and(|(_, high)| high < 0.0))
        .count();
    let message = format!(
        "With the kept images {better} of {} are classified better and {worse} worse, beyond what another seed does.",
        counted(all.len(), "group", "groups")
    );
    let title = format!(
        "Accuracy by group, with the kept images against with none ({} trainings, paired by seed)",
        proof.seeds
    );
    changes(
        title,
        message,
        "change of accuracy, points (95 % interval)",
        &all,
    )
}

/// What each kind of images does.
fn arms(proof: &Retraining) -> Markup {
    let columns = [
        Column::words("Added images"),
        Column::numbers("All of test (± sd)"),
        Column::numbers("Majority groups (± sd)"),
        Column::numbers("Minority groups (± sd)"),
        Column::numbers("Worst group (± sd)"),
    ];
    let rows: Vec<Vec<Cell>> = proof
        .arms()
        .into_iter()
        .map(|(arm, measures)| {
            let mut cells = vec![Cell::text(arm_words(arm))];
            cells.extend(measures.named().into_iter().map(|(_, spread)| {
                Cell::maybe(spread.mean, |mean| {
                    let sd = spread
                        .sd
                        .map_or_else(String::new, |sd| format!(" ± {:.1}", 100.0 * sd));
                    format!("{:.1}{sd} %", 100.0 * mean)
                })
            }));
            cells
        })
        .collect();
    let caption = format!(
        "Accuracy on test by what was added (mean and standard deviation over {} trainings)",
        proof.seeds
    );
    table(&caption, &columns, &rows)
}

fn arm_words(arm: &str) -> String {
    match arm {
        "none" => "nothing",
        "augmented" => "nothing, but training images changed at random",
        "real" => "real images from the pool",
        "mistakes" => "the validation mistakes themselves",
        "neutral" => "generated from neutral captions",
        "easy" => "generated from easy captions",
        "failure_unfiltered" => "generated from failure captions, unfiltered",
        "failure" => "generated from failure captions and kept",
        other => other,
    }
    .to_owned()
}

/// Two models side by side.
fn of_models(evaluation: &EvaluationReport) -> Markup {
    let slices: Vec<(String, &Slice)> = slices(evaluation);
    let plotted: Vec<Change> = slices
        .iter()
        .filter_map(|(text, slice)| as_change(text, slice))
        .take(ROWS)
        .collect();
    let better = plotted
        .iter()
        .filter(|change| change.interval.is_some_and(|(_, high)| high < 0.0))
        .count();
    let message = format!(
        "The new model errs less on {better} of {} shown here, beyond chance.",
        counted(plotted.len(), "part", "parts")
    );
    let title = format!(
        "Change of the error rate from the old model to the new, {} split",
        evaluation.judged_on
    );
    let axis = "change of the error rate, points (95 % interval)";
    html! {
        h3 { "Old model and new" }
        p { "Before: " bdi { (evaluation.before.join(", ")) } ". After: " bdi { (evaluation.after.join(", ")) } "." }
        ul { @for change in evaluation.classes.iter().filter(|change| change.finding) { li { (sentence(&change.sentence)) } } }
        div.plots { @if let Some(plot) = changes(title, message, axis, &plotted) { (plot.markup()) } }
        (slice_table(evaluation, &slices))
    }
}

/// The slices that are shown: failures first, then the split and its groups, then what is left of every class.
fn slices(evaluation: &EvaluationReport) -> Vec<(String, &Slice)> {
    let of = |kinds: &'static [SliceKind]| {
        evaluation.classes.iter().flat_map(move |change| {
            let class = name(&change.class, change.mode.unwrap_or_default());
            let slices = change
                .slices
                .iter()
                .filter(|slice| kinds.contains(&slice.part));
            slices.map(move |slice| (format!("{class}: {}", part(slice)), slice))
        })
    };
    let overall = evaluation.overall.iter().map(|slice| (part(slice), slice));
    let mut all: Vec<(String, &Slice)> = of(&[SliceKind::Failure]).chain(overall).collect();
    all.extend(of(&[SliceKind::Rest, SliceKind::Class, SliceKind::Group]));
    all
}

fn part(slice: &Slice) -> String {
    let own = slice.name.as_deref().unwrap_or_default();
    match slice.part {
        SliceKind::Failure => "the failure".to_owned(),
        SliceKind::Rest => "rest of the class".to_owned(),
        SliceKind::Decile => format!("tenth {own}"),
        SliceKind::Group => format!("group {own}"),
        SliceKind::Class => "whole class".to_owned(),
        SliceKind::Elsewhere => "other classes".to_owned(),
        SliceKind::All => "whole split".to_owned(),
    }
}

fn as_change(text: &str, slice: &Slice) -> Option<Change> {
    let by = slice.change?;
    let of = slice.examples as f64;
    Some(Change {
        text: format!(
            "{text}: {} → {} wrong (n = {})",
            percent(slice.wrong_before / of),
            percent(slice.wrong_after / of),
            count(slice.examples)
        ),
        by,
        interval: slice.interval,
        better: by < 0.0,
    })
}

fn slice_table(evaluation: &EvaluationReport, slices: &[(String, &Slice)]) -> Markup {
    let columns = [
        Column::words("Part of the split"),
        Column::numbers("n"),
        Column::numbers("Wrong before"),
        Column::numbers("Wrong after"),
        Column::numbers("Change, points (95 % interval)"),
        Column::numbers("p"),
        Column::numbers("p, corrected"),
    ];
    let rows: Vec<Vec<Cell>> = slices
        .iter()
        .map(|(text, slice)| {
            let of = slice.examples as f64;
            let rate = |wrong: f64| Cell::maybe((of > 0.0).then(|| wrong / of), percent);
            vec![
                Cell::text(&**text),
                Cell::figure(of, count(slice.examples)),
                rate(slice.wrong_before),
                rate(slice.wrong_after),
                Cell::maybe(slice.change, |by| {
                    let ends = slice.interval.map(|(low, high)| {
                        range((100.0 * low, 100.0 * high), 1).replace('-', "\u{2212}")
                    });
                    format!(
                        "{}{}",
                        change(by),
                        ends.map_or_else(String::new, |ends| format!(" ({ends})"))
                    )
                }),
                Cell::figure(slice.p_value, p_value(slice.p_value)),
                Cell::figure(slice.p_corrected, p_value(slice.p_corrected)),
            ]
        })
        .collect();
    let caption = format!(
        "Intervals: {}. p: {}; corrected: {}",
        evaluation.interval, evaluation.p_value, evaluation.correction
    );
    table(&caption, &columns, &rows)
}
