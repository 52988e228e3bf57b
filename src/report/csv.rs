//! The detection report as tables for spreadsheets.
//!
//! Cells with text that a spreadsheet would take for a formula (those that begin with `=`, `+`, `-`, `@`, a
//! tab or a carriage return) get a `'` in front; numbers never do. Cells without a value are empty.

mod doubts;
mod modes;
mod rankings;

use super::detection::DetectionReport;
use super::doubts::Duplicate;
use crate::dataset::Split;
use crate::io::{Classified, ErrorKind};

pub use self::rankings::OVERALL;

/// Why a table could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a table of the report could not be encoded")]
pub struct TableError {
    /// What the encoder said.
    #[source]
    source: csv::Error,
}

impl Classified for TableError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl From<csv::Error> for TableError {
    fn from(source: csv::Error) -> Self {
        Self { source }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    /// Text of any origin.
    Text(String),
    /// A count.
    Whole(usize),
    /// A real number; empty if it is not finite.
    Real(f64),
    /// A truth value.
    Flag(bool),
    /// Nothing.
    None,
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Split> for Field {
    fn from(split: Split) -> Self {
        split.name().into()
    }
}

impl From<usize> for Field {
    fn from(count: usize) -> Self {
        Self::Whole(count)
    }
}

impl From<f64> for Field {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Field {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Field>> From<Option<T>> for Field {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl Field {
    fn shown(&self) -> String {
        match self {
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
                format!("'{text}")
            }
            Self::Text(text) => text.clone(),
            Self::Whole(count) => count.to_string(),
            Self::Real(value) if value.is_finite() => value.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Real(_) | Self::None => String::new(),
        }
    }
}

/// A table with a line of names first, as CSV.
///
/// # Errors
///
/// [`TableError`], if a row is not as long as the names.
fn encode(names: &[&str], rows: &[Vec<Field>]) -> Result<Vec<u8>, TableError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    writer.write_record(names)?;
    for row in rows {
        writer.write_record(row.iter().map(Field::shown))?;
    }
    let bytes = writer.into_inner();
    bytes.map_err(|error| csv::Error::from(error.into_error()).into())
}

/// The files of `report/` by name; `duplicates` are all pairs, of which the report lists the first.
///
/// - `modes.csv`: which failure mode to fix first, how many mistakes each explains, and how many none does;
/// - `classes.csv`: accuracy, CV score, confusion: a row a space, split and failure mode, and one for all classes;
/// - `heads.csv`: precision and lift at `K`, a row a ranking and `K`;
/// - `deciles.csv`: the classifier's accuracy from the most aligned tenth (1) to the least;
/// - `label_errors.csv`, `duplicates.csv`, `warnings.csv`: a row an example or a warning.
///
/// # Errors
///
/// [`TableError`].
pub fn tables(
    report: &DetectionReport,
    duplicates: &[Duplicate],
) -> Result<[(&'static str, Vec<u8>); 7], TableError> {
    let lines = rankings::lines(report);
    Ok([
        ("modes.csv", modes::modes(report)?),
        ("classes.csv", rankings::classes(&lines)?),
        ("heads.csv", rankings::heads(&lines)?),
        ("deciles.csv", rankings::deciles(&lines)?),
        (
            "label_errors.csv",
            doubts::label_errors(&report.label_errors)?,
        ),
        ("duplicates.csv", doubts::duplicates(duplicates)?),
        ("warnings.csv", doubts::warnings(&report.warnings)?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_would_be_a_formula_is_quoted_and_numbers_are_not() {
        let rows = [vec![
            Field::from("=1+1"),
            Field::from("@x"),
            Field::from("a=b, \"c\""),
            Field::from(-0.5),
            Field::from(None::<f64>),
        ]];
        let bytes = encode(&["a", "b", "c", "d", "e"], &rows).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "a,b,c,d,e\n'=1+1,'@x,\"a=b, \"\"c\"\"\",-0.5,\n"
        );
    }
}
