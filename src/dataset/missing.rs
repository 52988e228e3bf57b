//! What stands in a cell for no value.

use std::fmt::Display;

use super::Remarks;

/// What pandas reads as missing (`STR_NA_VALUES` in `pandas/_libs/parsers.pyx` at 2.3), and what `datasets`
/// writes for a `ClassLabel` that is not known.
const SENTINELS: [&str; 20] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-1",
];

/// Whether a text stands for no class. A class may be called so all the same: where it is given by name, that
/// counts.
pub(super) fn is_missing(text: &str) -> bool {
    let text = text.trim();
    SENTINELS.contains(&text) || text == "-1.0"
}

/// Rows or entries that say nothing, and where the first is.
#[derive(Debug, Default)]
pub(super) struct Missing {
    count: usize,
    first: Option<(String, String)>,
}

impl Missing {
    /// Counts one.
    pub(super) fn add(&mut self, place: impl Display, text: &str) {
        self.count += 1;
        self.first
            .get_or_insert_with(|| (place.to_string(), text.to_owned()));
    }

    /// Says what was passed over; `what` is what they lack.
    pub(super) fn say(&self, what: &str, remarks: &mut Remarks) {
        let Some((place, text)) = &self.first else {
            return;
        };
        let are = if self.count == 1 {
            "row has"
        } else {
            "rows have"
        };
        let shown = if text.is_empty() {
            "empty".to_owned()
        } else {
            format!("{text:?}; if it is the name of a class, list it in data.classes")
        };
        remarks.doubt(format!(
            "{} {are} no {what} and are passed over, the first: {place} ({shown})",
            self.count
        ));
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_nothing_is_known() {
        for text in [
            "", " ", "-1", "-1.0", "nan", "NaN", "None", "null", "<NA>", "N/A",
        ] {
            assert!(is_missing(text), "{text:?}");
        }
        for text in ["0", "1", "-2", "none", "no", "unknown", "cat"] {
            assert!(!is_missing(text), "{text:?}");
        }
    }
}
