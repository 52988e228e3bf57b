//! The report as tables for spreadsheets: a row a class and split, a row a head, a row a tenth.
//!
//! Cells with text that a spreadsheet would take for a formula (those that begin with `=`, `+`, `-`, `@`, a
//! tab or a carriage return) get a `'` in front; numbers never do. Cells without a value are empty.

use super::figures::{AtK, Figures};
use super::{Direction, SplitReport};
use crate::direction::Fitted;
use crate::io::{Classified, ErrorKind};

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
pub enum Cell {
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

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Whole(count)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl Cell {
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
pub fn encode(names: &[&str], rows: &[Vec<Cell>]) -> Result<Vec<u8>, TableError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    writer.write_record(names)?;
    for row in rows {
        writer.write_record(row.iter().map(Cell::shown))?;
    }
    let bytes = writer.into_inner();
    bytes.map_err(|error| csv::Error::from(error.into_error()).into())
}

/// What one space came to.
#[derive(Debug, Clone, Copy)]
pub struct SpaceView<'a> {
    /// The space's name.
    pub space: &'a str,
    /// What was learned in it.
    pub fitted: &'a Fitted,
    /// Class names by index.
    pub classes: &'a [String],
    /// The splits judged.
    pub splits: &'a [SplitReport],
}

/// The class of a row that is about all classes together.
pub const OVERALL: &str = "(overall)";

/// A ranking with its place: space, split, class, mode.
struct Line<'a> {
    place: [Cell; 4],
    split: &'a SplitReport,
    direction: Option<&'a Direction>,
    figures: &'a Figures,
}

fn lines<'a>(spaces: &[SpaceView<'a>]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for view in spaces {
        for split in view.splits {
            let place = |class: &str, mode: Option<u32>| {
                let mode = mode.map(|mode| mode as usize);
                let split = split.split.as_str();
                [view.space.into(), split.into(), class.into(), mode.into()]
            };
            if let Some(figures) = &split.overall {
                lines.push(Line {
                    place: place(OVERALL, None),
                    split,
                    direction: None,
                    figures,
                });
            }
            for report in &split.classes {
                let mut all = view.fitted.directions.iter();
                let direction = all.find(|d| {
                    d.id.mode == report.mode
                        && view
                            .classes
                            .get(d.id.class)
                            .is_some_and(|class| *class == report.class)
                });
                lines.push(Line {
                    place: place(&report.class, Some(report.mode)),
                    split,
                    direction,
                    figures: &report.figures,
                });
            }
        }
    }
    lines
}

/// `classes.csv`: accuracy, CV score, confusion, a row a class and split and one for all classes.
///
/// # Errors
///
/// [`TableError`].
pub fn classes(spaces: &[SpaceView<'_>]) -> Result<Vec<u8>, TableError> {
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
    let rows: Vec<Vec<Cell>> = lines(spaces)
        .into_iter()
        .map(|line| {
            let f = line.figures;
            let d = line.direction;
            let overall = d.is_none();
            let mut row = Vec::from(line.place);
            row.extend([
                line.split.out_of_fold.into(),
                f.examples.into(),
                f.mistakes.into(),
                f.model_accuracy.into(),
                d.map(|d| d.cv_score).or(line.split.cv_score).into(),
                d.map(|d| d.p_value).into(),
                d.map(|d| d.q_value).into(),
                d.map(Direction::is_finding).into(),
                f.svm_accuracy.into(),
                f.svm_balanced_accuracy.into(),
            ]);
            row.extend(f.confusion.map(Cell::from));
            row.push(f.minority_base.into());
            row.push(overall.then_some(line.split.unranked).into());
            row
        })
        .collect();
    encode(&NAMES, &rows)
}

/// `heads.csv`: precision and lift at `K`, a row a ranking and `K`.
///
/// # Errors
///
/// [`TableError`].
pub fn heads(spaces: &[SpaceView<'_>]) -> Result<Vec<u8>, TableError> {
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
    for line in lines(spaces) {
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

/// `deciles.csv`: the classifier's accuracy from the most aligned tenth (1) to the least.
///
/// # Errors
///
/// [`TableError`].
pub fn deciles(spaces: &[SpaceView<'_>]) -> Result<Vec<u8>, TableError> {
    let mut rows = Vec::new();
    for line in lines(spaces) {
        for (at, &accuracy) in line.figures.decile_accuracy.iter().enumerate() {
            let mut row = line.place.to_vec();
            row.extend([(at + 1).into(), accuracy.into()]);
            rows.push(row);
        }
    }
    let names = ["space", "split", "class", "mode", "decile", "accuracy"];
    encode(&names, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_would_be_a_formula_is_quoted_and_numbers_are_not() {
        let rows = [vec![
            Cell::from("=1+1"),
            Cell::from("@x"),
            Cell::from("a=b, \"c\""),
            Cell::from(-0.5),
            Cell::from(None::<f64>),
        ]];
        let bytes = encode(&["a", "b", "c", "d", "e"], &rows).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "a,b,c,d,e\n'=1+1,'@x,\"a=b, \"\"c\"\"\",-0.5,\n"
        );
    }
}
