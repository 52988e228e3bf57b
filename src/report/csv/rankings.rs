//! Tables of rankings: a row a space, split and failure mode, one for all classes together.

use super::{Field, TableError, encode};
use crate::direction::ModeId;
use crate::direction::report::{AtK, Figures, SplitReport};
use crate::report::detection::DetectionReport;
use crate::report::mode::Mode;

/// The class of a row that is about all classes together.
pub const OVERALL: &str = "(overall)";

/// The columns of a ranking's place.
const PLACE: [&str; 4] = ["space", "split", "class", "mode"];

/// A ranking with its place: space, split, class, mode.
pub(super) struct Line<'a> {
    place: [Field; 4],
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

/// What a column says of a ranking, under its name.
type Column = (&'static str, fn(&Line<'_>) -> Field);

/// The columns of `classes.csv` behind the place.
const COLUMNS: [Column; 26] = [
    ("out_of_fold", |l| l.split.out_of_fold.into()),
    ("examples", |l| l.figures.examples.into()),
    ("mistakes", |l| l.figures.mistakes.into()),
    ("model_accuracy", |l| l.figures.model_accuracy.into()),
    ("cv_score", |l| {
        l.mode.map(|m| m.cv_score).or(l.split.cv_score).into()
    }),
    ("cv_low", |l| cv(l).map(|cv| cv.0).into()),
    ("cv_high", |l| cv(l).map(|cv| cv.1).into()),
    ("p_value", |l| l.mode.and_then(|m| m.p_value).into()),
    ("q_value", |l| l.mode.and_then(|m| m.q_value).into()),
    ("finding", |l| l.mode.map(|m| m.finding).into()),
    ("auc", |l| l.figures.auc.into()),
    ("auc_low", |l| {
        l.figures.auc_interval.map(|auc| auc.0).into()
    }),
    ("auc_high", |l| {
        l.figures.auc_interval.map(|auc| auc.1).into()
    }),
    ("hardest", |l| l.figures.hardest.k.into()),
    ("hardest_precision", |l| l.figures.hardest.direction.into()),
    ("hardest_low", |l| l.figures.hardest.interval.0.into()),
    ("hardest_high", |l| l.figures.hardest.interval.1.into()),
    ("standing", |l| l.mode.map(|m| m.standing.words()).into()),
    ("svm_accuracy", |l| l.figures.svm_accuracy.into()),
    ("svm_balanced_accuracy", |l| {
        l.figures.svm_balanced_accuracy.into()
    }),
    ("mistakes_flagged", |l| l.figures.confusion[0].into()),
    ("mistakes_missed", |l| l.figures.confusion[1].into()),
    ("right_flagged", |l| l.figures.confusion[2].into()),
    ("right_passed", |l| l.figures.confusion[3].into()),
    ("minority_share", |l| l.figures.minority_base.into()),
    ("unranked", |l| {
        l.mode.is_none().then_some(l.split.unranked).into()
    }),
];

/// The interval of a mode's CV score.
fn cv(line: &Line<'_>) -> Option<(f64, f64)> {
    line.mode.and_then(|mode| mode.cv_interval_95)
}

/// `classes.csv`.
pub(super) fn classes(lines: &[Line<'_>]) -> Result<Vec<u8>, TableError> {
    let names: Vec<&str> = PLACE
        .into_iter()
        .chain(COLUMNS.map(|(name, _)| name))
        .collect();
    let row = |line: &Line<'_>| {
        let mut row = line.place.to_vec();
        row.extend(COLUMNS.map(|(_, cell)| cell(line)));
        row
    };
    let rows: Vec<Vec<Field>> = lines.iter().map(row).collect();
    encode(&names, &rows)
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
