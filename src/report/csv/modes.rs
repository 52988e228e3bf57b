//! `modes.csv`: the failure modes, the one worth fixing first at the head.

use super::{Field, TableError, encode};
use crate::report::detection::{DetectionReport, ModeReport};
use crate::report::overview::{ClassModes, Worth};

/// A failure mode with its place in the overview; those that stand for nothing have none.
struct Line<'a> {
    entry: &'a ModeReport,
    rank: Option<usize>,
    worth: Option<&'a Worth>,
    class: Option<&'a ClassModes>,
}

/// What a column says of a failure mode, under its name.
type Column = (&'static str, fn(&Line<'_>) -> Field);

const COLUMNS: [Column; 15] = [
    ("rank", |l| l.rank.into()),
    ("class", |l| l.entry.mode.class.as_str().into()),
    ("mode", |l| (l.entry.mode.mode as usize).into()),
    ("explains", |l| l.entry.mode.explains.into()),
    ("class_mistakes", |l| l.class.map(|c| c.mistakes).into()),
    ("share", |l| l.class.and_then(|c| share(l, c)).into()),
    ("shared", |l| l.worth.map(|w| w.shared).into()),
    ("confidence", |l| l.worth.map(|w| w.confidence).into()),
    ("worth", |l| l.worth.map(|w| w.worth).into()),
    ("acted_on", |l| l.worth.is_some_and(|w| w.acted_on).into()),
    ("p_value", |l| l.entry.mode.p_value.into()),
    ("q_value", |l| l.entry.mode.q_value.into()),
    ("standing", |l| l.entry.mode.standing.words().into()),
    ("class_modes", |l| l.class.map(|c| c.modes).into()),
    ("class_unexplained", |l| {
        l.class.map(|c| c.unexplained).into()
    }),
];

/// Share of the class's mistakes that a mode explains; none without any.
fn share(line: &Line<'_>, class: &ClassModes) -> Option<f64> {
    (class.mistakes > 0).then(|| line.entry.mode.explains as f64 / class.mistakes as f64)
}

/// `modes.csv`: those to fix in their order, then the others by class and mode.
pub(super) fn modes(report: &DetectionReport) -> Result<Vec<u8>, TableError> {
    let overview = &report.overview;
    let line = |entry| {
        let id = ModeReport::id(entry);
        let rank = overview.rank(id);
        Line {
            entry,
            rank,
            worth: rank.and_then(|rank| overview.first_to_fix.get(rank - 1)),
            class: overview.classes.iter().find(|c| c.class_index == id.class),
        }
    };
    let mut lines: Vec<Line<'_>> = report.classes.iter().map(line).collect();
    // The sort is stable: those without a rank stay by class and mode.
    lines.sort_by_key(|line| line.rank.unwrap_or(usize::MAX));
    let rows: Vec<Vec<Field>> = lines
        .iter()
        .map(|line| COLUMNS.map(|(_, say)| say(line)).to_vec())
        .collect();
    encode(&COLUMNS.map(|(name, _)| name), &rows)
}
