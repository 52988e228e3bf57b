//! Tables of rankings: a row a space, split and failure mode, one for all classes together.

use super::{Cell, TableError, encode};
use crate::direction::ModeId;
use crate::direction::report::{AtK, Figures, SplitReport};
use crate::report::detection::DetectionReport;
use crate::report::mode::Mode;

/// The class of a row that is about all classes together.
pub const OVERALL: &str = "(overall)";

/// A ranking with its place: space, split, class, mode.
pub(super) struct Line<'a> {
    place: [Cell; 4],
    split: &'a SplitReport,
    mode: Option<&'a Mode>,
    figures: &'a Figures,
}

/// Every ranking of a report, the run's own space first.
pub(super) fn lines(report: &DetectionReport) -> Vec<Line<'_>> {
    let own: Vec<_> = report.classes.iter().map(|entry| &entry.mode).collect();
    let mut lines = of_space(&report.space, &own, &report.splits);
    // Where spaces are compared, the first of them is the run's own.
    for space in report.spaces.iter().skip(1) {
        let modes: Vec<_> = space.classes.iter().map(|entry| &entry.mode).collect();
        lines.extend(of_space(&space.space, &modes, &space.splits));
    }
    lines
}

fn of_space<'a>(space: &str, modes: &[&'a Mode], splits: &'a [SplitReport]) -> Vec<Line<'a>> {
    let of = |id: ModeId| modes.iter().copied().find(|mode| mode.id() == id);
    let mut lines = Vec::new();
    for split in splits {
        let place = |class: &str, mode: Option<u32>| {
            let mode = mode.map(|mode| mode as usize);
            [space.into(), split.split.into(), class.into(), mode.into()]
        };
        lines.extend(split.overall.iter().map(|figures| Line {
            place: place(OVERALL, None),
            split,
            mode: None,
            figures,
        }));
        lines.extend(split.classes.iter().map(|report| Line {
            place: place(&report.class, Some(report.mode)),
            split,
            mode: of(report.id()),
            figures: &report.figures,
        }));
    }
    lines
}

/// `classes.csv`.
pub(super) fn classes(lines: &[Line<'_>]) -> Result<Vec<u8>, TableError> {
    const NAMES: [&str; 30] = [
        "space",
        "split",
        "class",
        "mode",
        "out_of_fold",
        "examples",
        "mistakes",
        "model_accuracy",
        "cv_score",
        "cv_low",
        "cv_high",
        "p_value",
        "q_value",
        "finding",
        "auc",
        "auc_low",
        "auc_high",
        "hardest",
        "hardest_precision",
        "hardest_low",
        "hardest_high",
        "standing",
        "svm_accuracy",
        "svm_balanced_accuracy",
        "mistakes_flagged",
        "mistakes_missed",
        "right_flagged",
        "right_passed",
        "minority_share",
        "unranked",
    ];
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| {
            let f = line.figures;
            let mode = line.mode;
            let mut row = line.place.to_vec();
            row.extend([
                line.split.out_of_fold.into(),
                f.examples.into(),
                f.mistakes.into(),
                f.model_accuracy.into(),
                mode.map(|m| m.cv_score).or(line.split.cv_score).into(),
                mode.and_then(|m| m.cv_interval_95).map(|cv| cv.0).into(),
                mode.and_then(|m| m.cv_interval_95).map(|cv| cv.1).into(),
                mode.and_then(|m| m.p_value).into(),
                mode.and_then(|m| m.q_value).into(),
                mode.map(|m| m.finding).into(),
                f.auc.into(),
                f.auc_interval.map(|auc| auc.0).into(),
                f.auc_interval.map(|auc| auc.1).into(),
                f.hardest.k.into(),
                f.hardest.direction.into(),
                f.hardest.interval.0.into(),
                f.hardest.interval.1.into(),
                mode.map(|m| m.standing.words()).into(),
                f.svm_accuracy.into(),
                f.svm_balanced_accuracy.into(),
            ]);
            row.extend(f.confusion.map(Cell::from));
            row.push(f.minority_base.into());
            row.push(mode.is_none().then_some(line.split.unranked).into());
            row
        })
        .collect();
    encode(&NAMES, &rows)
}

/// `heads.csv`.
pub(super) fn heads(lines: &[Line<'_>]) -> Result<Vec<u8>, TableError> {
    const NAMES: [&str; 17] = [
        "space",
        "split",
        "class",
        "mode",
        "k",
        "k_is_minority",
        "precision",
        "precision_low",
        "precision_high",
        "lift",
        "lift_low",
        "lift_high",
        "least_confidence_precision",
        "least_confidence_lift",
        "random_precision",
        "minority_share",
        "least_confidence_minority_share",
    ];
    let mut rows = Vec::new();
    for line in lines {
        let heads = line.figures.at.iter().map(|head| (head, false));
        let minority = line.figures.at_minority.iter().map(|head| (head, true));
        for (head, is_minority) in heads.chain(minority) {
            let AtK {
                k,
                direction,
                interval,
                least_confidence,
                random,
                lift,
                lift_interval,
                least_confidence_lift,
                minority,
                least_confidence_minority,
            } = *head;
            let mut row = line.place.to_vec();
            row.extend([
                k.into(),
                is_minority.into(),
                direction.into(),
                interval.0.into(),
                interval.1.into(),
                lift.into(),
                lift_interval.map(|lift| lift.0).into(),
                lift_interval.map(|lift| lift.1).into(),
                least_confidence.into(),
                least_confidence_lift.into(),
                random.into(),
                minority.into(),
                least_confidence_minority.into(),
            ]);
            rows.push(row);
        }
    }
    encode(&NAMES, &rows)
}

/// `deciles.csv`.
pub(super) fn deciles(lines: &[Line<'_>]) -> Result<Vec<u8>, TableError> {
    let mut rows = Vec::new();
    for line in lines {
        let Figures {
            decile_accuracy,
            decile_examples,
            decile_interval,
            ..
        } = line.figures;
        let each = decile_accuracy
            .iter()
            .zip(decile_examples)
            .zip(decile_interval);
        for (at, ((&accuracy, &examples), &(low, high))) in each.enumerate() {
            let mut row = line.place.to_vec();
            row.extend([(at + 1).into(), accuracy.into()]);
            row.extend([examples.into(), low.into(), high.into()]);
            rows.push(row);
        }
    }
    let names = [
        "space", "split", "class", "mode", "decile", "accuracy", "examples", "low", "high",
    ];
    encode(&names, &rows)
}
