//! Figures of many runs, each with its interval, and tables of them.

use std::fmt;

use hardlight::direction::report::wilson;

/// How many of so many.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    pub(crate) hits: usize,
    pub(crate) of: usize,
}

impl Share {
    /// Counts what is true.
    pub(crate) fn of(all: impl IntoIterator<Item = bool>) -> Self {
        let mut share = Self::default();
        for hit in all {
            share.hits += usize::from(hit);
            share.of += 1;
        }
        share
    }

    /// The share, 0 to 1.
    pub(crate) fn value(self) -> f64 {
        self.hits as f64 / self.of.max(1) as f64
    }
}

impl fmt::Display for Share {
    /// In percent, with its 95 % interval (Wilson).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = wilson(self.hits, self.of);
        write!(
            f,
            "{:.1} ({:.1}–{:.1})",
            100.0 * self.value(),
            100.0 * low,
            100.0 * high
        )
    }
}

/// A mean over runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    pub(crate) value: f64,
    /// Half of its 95 % interval.
    pub(crate) spread: f64,
}

impl Mean {
    /// Of one number a run; 0 of none.
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len().max(1) as f64;
        let value = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - value).powi(2)).sum();
        let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
        Self {
            value,
            spread: 1.96 * deviation / n.sqrt(),
        }
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ± {:.2}", self.value, self.spread)
    }
}

/// A table in Markdown.
pub(crate) struct Table {
    text: String,
}

impl Table {
    /// With the names of its columns.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let rule = vec!["---"; columns.len()].join(" | ");
        Self {
            text: format!("| {} |\n| {rule} |\n", columns.join(" | ")),
        }
    }

    /// Adds a row, which is shown on the terminal too: some take minutes.
    pub(crate) fn row(&mut self, cells: &[String]) {
        let row = format!("| {} |\n", cells.join(" | "));
        eprint!("{row}");
        self.text += &row;
    }

    /// The whole table.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
