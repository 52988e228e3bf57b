//! How far figures moved from one model to another.

use super::Plot;
use super::ink::Ink;
use super::rows::{self, Mark, Row, RowAxis};

/// A figure before and after, as the difference with its interval.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::html) struct Change {
    /// What it is of, with its examples and both values.
    pub(in crate::report::html) text: String,
    /// After less before, as a share.
    pub(in crate::report::html) by: f64,
    /// Its 95 % interval, lower end first.
    pub(in crate::report::html) interval: Option<(f64, f64)>,
    /// Whether it is for the better.
    pub(in crate::report::html) better: bool,
}

/// Changes side by side, with nothing as a broken line.
pub(in crate::report::html) fn changes(
    title: String,
    message: String,
    axis: &str,
    of: &[Change],
) -> Option<Plot> {
    if of.is_empty() {
        return None;
    }
    let row = |change: &Change| Row {
        text: change.text.clone(),
        at: change.by,
        interval: change.interval,
        mark: if change.better {
            Mark::Dot(Ink::Kept)
        } else {
            Mark::Triangle(Ink::Wrong)
        },
    };
    let rows: Vec<Row> = of.iter().map(row).collect();
    let ends = of.iter().flat_map(|change| {
        let (low, high) = change.interval.unwrap_or((change.by, change.by));
        [low, high, change.by, 0.0]
    });
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), end| {
        (low.min(end), high.max(end))
    });
    let air = 0.06 * (high - low).max(0.01);
    let axis = RowAxis {
        range: low - air..high + air,
        name: axis,
        number: &|share| format!("{:+.0}", 100.0 * share + 0.0).replace('-', "\u{2212}"),
        line: Some(0.0),
    };
    rows::draw(title, message, &rows, &axis)
}
