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
    const NAMES: [&str; 20] = [
        "space",
        "split",
        "class",
        "mode",
        "out_of_fold",
        "examples",
        "mistakes",
        "model_accuracy",
        "cv_score",
        "p_value",
        "q_value",
        "finding",
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
                mode.map(|m| m.p_value).into(),
                mode.map(|m| m.q_value).into(),
                mode.map(|m| m.finding).into(),
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
    const NAMES: [&str; 13] = [
        "space",
        "split",
        "class",
        "mode",
        "k",
        "k_is_minority",
        "precision",
        "lift",
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
                least_confidence,
                random,
                lift,
                least_confidence_lift,
                minority,
                least_confidence_minority,
            } = *head;
            let mut row = line.place.to_vec();
            row.extend([
                k.into(),
                is_minority.into(),
                direction.into(),
                lift.into(),
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
        for (at, &accuracy) in line.figures.decile_accuracy.iter().enumerate() {
            let mut row = line.place.to_vec();
            row.extend([(at + 1).into(), accuracy.into()]);
            rows.push(row);
        }
    }
    let names = ["space", "split", "class", "mode", "decile", "accuracy"];
    encode(&names, &rows)
}
