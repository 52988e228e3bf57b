//! The detection report in the terminal.

use std::fmt::Write as _;

use crate::cli::ui::Ui;
use crate::dataset::Dataset;
use crate::direction::report::csv::OVERALL;
use crate::direction::report::{Figures, KS, SplitReport};
use crate::direction::{Direction, Fitted};
use crate::pipeline::data::Data;
use crate::pipeline::detect::Detected;
use crate::pipeline::study::Learned;

/// Classes that a table shows; `report/*.csv` has all.
const MOST: usize = 20;

/// The largest `K` that spaces are compared at.
const TOP: usize = 50;

/// Likely label errors that are named.
const NAMED: usize = 5;

/// Everything but the closing table.
pub(super) fn show(ui: &mut Ui, data: &Data, detected: &Detected) {
    ui.say("");
    for report in detected.reports.iter().take(MOST) {
        ui.say(&report.sentence);
    }
    more(ui, detected.reports.len());
    for split in &detected.splits {
        self::split(ui, split, &detected.fitted, &data.dataset);
    }
    if !detected.compared.is_empty() {
        spaces(ui, data, detected);
    }
    label_errors(ui, &data.dataset, detected);
}

fn more(ui: &mut Ui, all: usize) {
    if all > MOST {
        ui.say(format_args!(
            "… and {} classes more: report/*.csv has all",
            all - MOST
        ));
    }
}

/// A line a ranking: its name and figures, all classes together first.
fn rankings(split: &SplitReport) -> Vec<(&str, &Figures)> {
    let overall = split.overall.iter().map(|figures| (OVERALL, figures));
    let classes = split.classes.iter().take(MOST);
    overall
        .chain(classes.map(|report| (report.class.as_str(), &report.figures)))
        .collect()
}

/// The tables of one split.
fn split(ui: &mut Ui, split: &SplitReport, fitted: &Fitted, dataset: &Dataset) {
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
    let rankings = rankings(split);
    ui.say(format_args!(
        "  {:<16} {:>7} {:>7} {:>6} {:>6} {:>8} {:>9}  {:>20}  {:>19}",
        "class",
        "of",
        "wrong",
        "cv",
        "p",
        "svm acc",
        "balanced",
        "flagged: wrong right",
        "passed: wrong right"
    ));
    for (name, figures) in &rankings {
        let direction = direction(fitted, dataset, name);
        let cv = direction.map(|d| d.cv_score).or(split.cv_score);
        let [hit, missed, alarm, passed] = figures.confusion;
        ui.say(format_args!(
            "  {name:<16} {:>7} {:>7} {:>6} {:>6} {:>8.3} {:>9.3}  {hit:>14} {alarm:>5}  {missed:>13} {passed:>5}",
            figures.examples,
            figures.mistakes,
            number(cv, 3),
            number(direction.map(|d| d.p_value), 3),
            figures.svm_accuracy,
            figures.svm_balanced_accuracy,
        ));
    }
    heads(ui, &rankings);
    let minorities: Vec<_> = rankings
        .iter()
        .filter(|(_, figures)| figures.minority_base.is_some())
        .copied()
        .collect();
    if !minorities.is_empty() {
        minority(ui, &minorities);
    }
    ui.say("  accuracy per tenth, the most aligned first");
    for (name, figures) in &rankings {
        let mut line = format!("  {name:<16}");
        for accuracy in &figures.decile_accuracy {
            let _ = write!(line, " {accuracy:>5.2}");
        }
        ui.say(line);
    }
    more(ui, split.classes.len());
}

/// The direction of a class's row; none of the row of all classes.
fn direction<'a>(fitted: &'a Fitted, dataset: &Dataset, name: &str) -> Option<&'a Direction> {
    let mut all = fitted.directions.iter();
    all.find(|d| dataset.classes[d.id.class] == name)
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"))
}

/// Precision and lift at `K`, with the least confident beside it.
fn heads(ui: &mut Ui, rankings: &[(&str, &Figures)]) {
    let given = |(_, figures): &(&str, &Figures)| {
        let mut heads = figures.at.iter();
        heads.any(|head| head.least_confidence.is_some())
    };
    let beside = if rankings.iter().any(given) {
        " | of the least confident"
    } else {
        ""
    };
    ui.say(format_args!(
        "  share of mistakes among the K most aligned (times chance){beside}; K beyond the class is \
         left out"
    ));
    let mut line = format!("  {:<16} {:>6}", "class", "chance");
    for k in KS {
        let _ = write!(line, "  {:<19}", format!("K = {k}"));
    }
    ui.say(line.trim_end());
    for (name, figures) in rankings {
        let mut line = format!("  {name:<16} {:>6.2}", figures.error());
        for k in KS {
            let cell = figures.head(k).map_or_else(
                || "-".to_owned(),
                |head| {
                    let lift = head.lift.map(|l| format!(" (x{l:.1})")).unwrap_or_default();
                    let least = head.least_confidence.map(|s| format!(" | {s:.2}"));
                    format!("{:.2}{lift}{}", head.direction, least.unwrap_or_default())
                },
            );
            let _ = write!(line, "  {cell:<19}");
        }
        ui.say(line.trim_end());
    }
}

/// The minority among the hardest.
fn minority(ui: &mut Ui, rankings: &[(&str, &Figures)]) {
    ui.say("  share of the minority among the K most aligned | of the least confident");
    let mut line = format!("  {:<16} {:>6}", "class", "all");
    for k in KS {
        let _ = write!(line, "  {:<13}", format!("K = {k}"));
    }
    ui.say(format_args!("{line}  K = the minority"));
    for (name, figures) in rankings {
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
fn spaces(ui: &mut Ui, data: &Data, detected: &Detected) {
    ui.say(format_args!(
        "\nspaces side by side, on {}\n  {:<16} {:<20} {:>6} {:>6} {:>7} {:>5} {:>8} {:>6} {:>9}",
        detected.judged_on,
        "class",
        "space",
        "cv",
        "p",
        "finding",
        "K",
        "wrong",
        "lift",
        "minority"
    ));
    let own = (data.space.name(), detected.learned());
    let others = detected.compared.iter();
    let all: Vec<(String, Learned<'_>)> = [own]
        .into_iter()
        .chain(others.map(|(space, studied)| (space.name(), studied.learned())))
        .collect();
    for class in data.dataset.classes.iter().take(MOST) {
        for (space, learned) in &all {
            let of = learned.fitted.directions.iter().zip(learned.reports);
            for (d, report) in of.filter(|(_, report)| report.class == *class) {
                let mut heads = report.figures.at.iter().rev();
                let head = heads.find(|head| head.k <= TOP);
                ui.say(format_args!(
                    "  {class:<16} {space:<20} {:>6.3} {:>6.3} {:>7} {:>5} {:>8} {:>6} {:>9}",
                    d.cv_score,
                    d.p_value,
                    if d.is_finding() { "yes" } else { "no" },
                    head.map_or_else(|| "-".to_owned(), |head| head.k.to_string()),
                    number(head.map(|head| head.direction), 2),
                    number(head.and_then(|head| head.lift), 2),
                    number(head.and_then(|head| head.minority), 2),
                ));
            }
        }
    }
    more(ui, data.dataset.classes.len());
}

fn label_errors(ui: &mut Ui, dataset: &Dataset, detected: &Detected) {
    let suspects = &detected.doubts.labels.suspects;
    if suspects.is_empty() {
        return;
    }
    ui.say(format_args!(
        "\n{} mistakes are likely label errors, not failures of the classifier (report/label_errors.csv):",
        suspects.len()
    ));
    for suspect in suspects.iter().take(NAMED) {
        let mistake = suspect.error.mistake;
        ui.say(format_args!(
            "  {}: labelled {}, its neighbours and the classifier say {}",
            dataset.example(mistake.example).id,
            dataset.classes[mistake.label],
            dataset.classes[mistake.prediction]
        ));
    }
}
