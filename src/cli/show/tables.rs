//! The detection report in the terminal.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::cli::ui::Ui;
use crate::direction::report::{Figures, KS, SplitReport};
use crate::report::csv::OVERALL;
use crate::report::detection::{DetectionReport, SpaceMode, SpaceReport};
use crate::report::doubts::LabelErrors;
use crate::report::mode::Mode;

/// Classes that a table shows; `report/*.csv` has all.
pub(super) const MOST: usize = 20;

/// Likely label errors that are named.
const NAMED: usize = 5;

/// Everything but the closing table.
pub(super) fn show(ui: &mut Ui, report: &DetectionReport) {
    ui.say("");
    for entry in report.classes.iter().take(MOST) {
        ui.say(&entry.judged.sentence);
    }
    more(ui, report.classes.len());
    super::modes::say(ui, &report.overview);
    let modes: Vec<&Mode> = report.classes.iter().map(|entry| &entry.mode).collect();
    for split in &report.splits {
        self::split(ui, split, &modes);
    }
    if !report.spaces.is_empty() {
        spaces(ui, report);
    }
    label_errors(ui, &report.label_errors);
}

fn more(ui: &mut Ui, all: usize) {
    if all > MOST {
        ui.say(format_args!(
            "… and {} more: report/*.csv has all",
            all - MOST
        ));
    }
}

/// A ranking with its name; the mode that it is of, but for that of all classes.
struct Ranking<'a> {
    name: String,
    mode: Option<&'a Mode>,
    figures: &'a Figures,
}

/// A line a ranking, all classes together first.
fn rankings<'a>(split: &'a SplitReport, modes: &[&'a Mode]) -> Vec<Ranking<'a>> {
    let overall = split.overall.iter().map(|figures| Ranking {
        name: OVERALL.to_owned(),
        mode: None,
        figures,
    });
    let classes = split.classes.iter().take(MOST).map(|report| Ranking {
        name: report.id().named(&report.class),
        mode: modes.iter().copied().find(|mode| mode.id() == report.id()),
        figures: &report.figures,
    });
    overall.chain(classes).collect()
}

/// The tables of one split.
fn split(ui: &mut Ui, split: &SplitReport, modes: &[&Mode]) {
    let how = if split.out_of_fold {
        ", out of fold: each scored by a model that did not see it"
    } else {
        ""
    };
    ui.say(format_args!(
        "\n{}: {} examples, {:.1} % right{how}",
        split.split,
        split.examples,
        100.0 * split.model_accuracy
    ));
    if split.unranked > 0 {
        ui.say(format_args!(
            "{} of them are of classes without a direction and in no ranking",
            split.unranked
        ));
    }
    let rankings = rankings(split, modes);
    ui.say(format_args!(
        "  {:<16} {:>7} {:>7} {:>6} {:>6} {:>6} {:>8} {:>9}  {:>20}  {:>19}",
        "class",
        "of",
        "wrong",
        "cv",
        "p",
        "q",
        "svm acc",
        "balanced",
        "flagged: wrong right",
        "passed: wrong right"
    ));
    for ranking in &rankings {
        let Ranking {
            name,
            mode,
            figures,
        } = ranking;
        let cv = mode.map(|mode| mode.cv_score).or(split.cv_score);
        let [hit, missed, alarm, passed] = figures.confusion;
        ui.say(format_args!(
            "  {name:<16} {:>7} {:>7} {:>6} {:>6} {:>6} {:>8.3} {:>9.3}  {hit:>14} {alarm:>5}  {missed:>13} {passed:>5}",
            figures.examples,
            figures.mistakes,
            number(cv, 3),
            number(mode.and_then(|mode| mode.p_value), 3),
            number(mode.and_then(|mode| mode.q_value), 3),
            figures.svm_accuracy,
            figures.svm_balanced_accuracy,
        ));
    }
    heads(ui, &rankings);
    minority(ui, &rankings);
    tenths(ui, &rankings);
    more(ui, split.classes.len());
}

/// Accuracy by tenths, each with its interval below it.
fn tenths(ui: &mut Ui, rankings: &[Ranking<'_>]) {
    ui.say("  accuracy per tenth, the most aligned first, with its 95 % interval");
    for Ranking { name, figures, .. } in rankings {
        let each = figures.decile_examples.iter();
        let (fewest, most) = (each.clone().min(), each.max());
        let of = match (fewest, most) {
            (Some(fewest), Some(most)) if fewest < most => format!("{fewest}-{most} each"),
            (Some(fewest), _) => format!("{fewest} each"),
            _ => String::new(),
        };
        let (mut line, mut below) = (format!("  {name:<16}"), format!("  {of:>16}"));
        for (accuracy, (low, high)) in figures.decile_accuracy.iter().zip(&figures.decile_interval)
        {
            let _ = write!(line, " {accuracy:>9.2}");
            let _ = write!(below, " {low:.2}-{high:.2}");
        }
        ui.say(line);
        ui.say(below);
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"))
}

/// Precision and lift at `K`, with the least confident beside it.
fn heads(ui: &mut Ui, rankings: &[Ranking<'_>]) {
    let given = |ranking: &Ranking<'_>| {
        let mut heads = ranking.figures.at.iter();
        heads.any(|head| head.least_confidence.is_some())
    };
    let beside = if rankings.iter().any(given) {
        " | of the least confident"
    } else {
        ""
    };
    ui.say(format_args!(
        "  share of mistakes among the K most aligned, its 95 % interval (times chance){beside}; K beyond the class \
         is left out"
    ));
    let mut line = format!("  {:<16} {:>6}", "class", "chance");
    for k in KS {
        let _ = write!(line, "  {:<29}", format!("K = {k}"));
    }
    ui.say(line.trim_end());
    for Ranking { name, figures, .. } in rankings {
        let mut line = format!("  {name:<16} {:>6.2}", figures.error());
        for k in KS {
            let cell = figures.head(k).map_or_else(
                || "-".to_owned(),
                |head| {
                    let lift = head.lift.map(|l| format!(" (x{l:.1})")).unwrap_or_default();
                    let least = head.least_confidence.map(|s| format!(" | {s:.2}"));
                    let (low, high) = head.interval;
                    format!(
                        "{:.2} {low:.2}-{high:.2}{lift}{}",
                        head.direction,
                        least.unwrap_or_default()
                    )
                },
            );
            let _ = write!(line, "  {cell:<29}");
        }
        ui.say(line.trim_end());
    }
}

/// The minority among the hardest, where groups are known.
fn minority(ui: &mut Ui, rankings: &[Ranking<'_>]) {
    let known = |ranking: &&Ranking<'_>| ranking.figures.minority_base.is_some();
    if !rankings.iter().any(|ranking| known(&ranking)) {
        return;
    }
    ui.say("  share of the minority among the K most aligned | of the least confident");
    let mut line = format!("  {:<16} {:>6}", "class", "all");
    for k in KS {
        let _ = write!(line, "  {:<13}", format!("K = {k}"));
    }
    ui.say(format_args!("{line}  K = the minority"));
    for Ranking { name, figures, .. } in rankings.iter().filter(known) {
        let mut line = format!("  {name:<16} {:>6}", number(figures.minority_base, 2));
        let heads = KS.iter().map(|&k| figures.head(k));
        for head in heads.chain([figures.at_minority.as_ref()]) {
            let share = head.and_then(|head| head.minority);
            let least = head.and_then(|head| head.least_confidence_minority);
            let least = least.map(|s| format!(" | {s:.2}")).unwrap_or_default();
            let _ = write!(line, "  {:<13}", number(share, 2) + &least);
        }
        ui.say(line.trim_end());
    }
}

/// The spaces, class by class.
fn spaces(ui: &mut Ui, report: &DetectionReport) {
    ui.say(format_args!(
        "\nspaces side by side, on {}\n  {:<16} {:<20} {:>6} {:>6} {:>6} {:>7} {:>5} {:>8} {:>6} {:>9}",
        report.judged_on, "class", "space", "cv", "p", "q", "finding", "K", "wrong", "lift", "minority"
    ));
    let modes = report.spaces.iter().flat_map(|space| &space.classes);
    let classes: BTreeSet<usize> = modes.map(|entry| entry.mode.class_index).collect();
    for &class in classes.iter().take(MOST) {
        for space in &report.spaces {
            let own = space.classes.iter();
            for entry in own.filter(|entry| entry.mode.class_index == class) {
                space_line(ui, space, entry);
            }
        }
    }
    more(ui, classes.len());
}

fn space_line(ui: &mut Ui, space: &SpaceReport, entry: &SpaceMode) {
    let mode = &entry.mode;
    let head = &entry.judged.figures.hardest;
    ui.say(format_args!(
        "  {:<16} {:<20} {:>6.3} {:>6} {:>6} {:>7} {:>5} {:>8} {:>6} {:>9}",
        mode.id().named(&mode.class),
        space.space,
        mode.cv_score,
        number(mode.p_value, 3),
        number(mode.q_value, 3),
        if mode.finding { "yes" } else { "no" },
        head.k,
        number(Some(head.direction), 2),
        number(head.lift, 2),
        number(head.minority, 2),
    ));
}

fn label_errors(ui: &mut Ui, found: &LabelErrors) {
    if found.examples.is_empty() {
        return;
    }
    ui.say(format_args!(
        "\n{} mistakes are likely label errors, not failures of the classifier (report/label_errors.csv):",
        found.examples.len()
    ));
    for example in found.examples.iter().take(NAMED) {
        ui.say(format_args!(
            "  {}: labelled {}, its neighbours and the classifier say {}",
            example.id, example.label, example.likely
        ));
    }
}
