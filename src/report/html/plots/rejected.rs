//! What became of the attempts.

use std::collections::BTreeMap;

use super::ink::Ink;
use super::rows::{self, Mark, Row, RowAxis};
use super::{Plot, whole};
use crate::report::html::words;

/// Kept images and rejected ones by reason, as bars.
pub(in crate::report::html) fn rejected(
    class: &str,
    attempted: usize,
    kept: usize,
    by: &BTreeMap<String, usize>,
) -> Option<Plot> {
    if attempted == 0 {
        return None;
    }
    let mut reasons: Vec<(&String, &usize)> = by.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let bar = |name: String, n: usize, ink: Ink| Row {
        text: format!("{name}: {}", words::count(n)),
        at: n as f64,
        interval: None,
        mark: Mark::Bar(ink),
    };
    let mut rows = vec![bar("kept".to_owned(), kept, Ink::Kept)];
    rows.extend(
        reasons
            .iter()
            .map(|&(name, &n)| bar(format!("rejected, {}", words::reason(name)), n, Ink::Wrong)),
    );
    let message = match reasons.first() {
        Some((name, n)) => format!(
            "{kept} of {attempted} generated images were kept; the most frequent reason against one was “{}”, {n} times.",
            words::reason(name)
        ),
        None => format!("All {attempted} generated images were kept."),
    };
    let most = rows.iter().map(|row| row.at).fold(1.0, f64::max);
    let axis = RowAxis {
        range: 0.0..1.05 * most,
        name: "generated images",
        number: &|count| whole(*count),
        line: None,
    };
    let title = format!(
        "What became of the images generated for {class} (n = {})",
        words::count(attempted)
    );
    rows::draw(title, message, &rows, &axis)
}
