//! One row: its cells by the names that readers use, as text, as numbers, as classes, as probabilities.

use serde_json::{Map, Value};

use super::Location;
use super::names::{Columns, PROBABILITY_PREFIX};
use crate::dataset::{Contradiction, DatasetError};

/// The most characters of a bad cell that a message repeats.
const SHOWN_CHARS: usize = 60;

/// One row of a table.
pub(in crate::dataset) struct Row<'a> {
    pub(in crate::dataset) place: Location<'a>,
    columns: &'a Columns,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Csv {
        record: &'a csv::StringRecord,
        /// Whether numbers may be written with a comma: it does not separate cells.
        commas: bool,
    },
    /// Of JSON, or of a Parquet those of the columns that were decoded.
    Json(&'a Map<String, Value>),
}

/// One cell that is not empty.
#[derive(Clone, Copy)]
enum Filled<'a> {
    Text(&'a str),
    Json(&'a Value),
}

/// How a cell is written that names a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dataset) enum Written {
    /// As text, in a format that tells text from numbers.
    Text,
    /// As a number.
    Number,
    /// In a format that does not tell.
    Untyped,
}

/// A class as a cell has it, before it is known whether by name or by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dataset) struct ClassCell {
    /// A whole number in plain form, whatever its type was.
    pub(in crate::dataset) text: String,
    pub(in crate::dataset) written: Written,
}

/// The probabilities of a row before the order of classes is known.
#[derive(Debug)]
pub(in crate::dataset) enum RawProbabilities {
    /// In class order.
    List(Vec<f32>),
    /// By class.
    ByClass(Vec<(ClassCell, f32)>),
}

impl<'a> Row<'a> {
    /// A row of a CSV.
    pub(super) fn of_record(
        place: Location<'a>,
        columns: &'a Columns,
        record: &'a csv::StringRecord,
        commas: bool,
    ) -> Self {
        let cells = Cells::Csv { record, commas };
        Self {
            place,
            columns,
            cells,
        }
    }

    /// A row of JSON or of a Parquet.
    pub(in crate::dataset) fn of_cells(
        place: Location<'a>,
        columns: &'a Columns,
        cells: &'a Map<String, Value>,
    ) -> Self {
        let cells = Cells::Json(cells);
        Self {
            place,
            columns,
            cells,
        }
    }

    /// Whether the row has the column, empty or not.
    pub(in crate::dataset) fn has(&self, column: &str) -> bool {
        self.columns.index(column).is_some()
    }

    /// The cell of a column; empty text and JSON's null are no cell.
    fn cell(&self, column: &str) -> Option<Filled<'a>> {
        let index = self.columns.index(column)?;
        self.at(index)
    }

    fn at(&self, index: usize) -> Option<Filled<'a>> {
        match &self.cells {
            Cells::Csv { record, .. } => {
                let text = record.get(index)?;
                (!text.trim().is_empty()).then_some(Filled::Text(text))
            }
            Cells::Json(cells) => match cells.get(&self.columns.names()[index])? {
                Value::Null => None,
                Value::String(text) if text.trim().is_empty() => None,
                value => Some(Filled::Json(value)),
            },
        }
    }

    /// The text of a column: a string, or a whole number as it is written.
    pub(in crate::dataset) fn text(&self, column: &str) -> Result<Option<String>, DatasetError> {
        match self.cell(column) {
            None => Ok(None),
            Some(Filled::Text(text)) => Ok(Some(text.to_owned())),
            Some(Filled::Json(Value::String(text))) => Ok(Some(text.clone())),
            Some(cell) => match whole(cell) {
                Some(number) => Ok(Some(number.to_string())),
                None => Err(self.bad(column, cell, "text or a whole number")),
            },
        }
    }

    /// The class that a cell names or counts.
    pub(in crate::dataset) fn class(
        &self,
        column: &str,
    ) -> Result<Option<ClassCell>, DatasetError> {
        let Some(cell) = self.cell(column) else {
            return Ok(None);
        };
        let (text, written) = match cell {
            Filled::Text(text) => (text.trim().to_owned(), Written::Untyped),
            Filled::Json(Value::String(text)) => (text.clone(), Written::Text),
            Filled::Json(_) => match whole(cell) {
                Some(number) => (number.to_string(), Written::Number),
                None => return Err(self.bad(column, cell, "text or a whole number")),
            },
        };
        Ok(Some(ClassCell { text, written }))
    }

    /// Whether a cell is a number rather than text; none if it is empty, or the format has no types.
    pub(in crate::dataset) fn is_number(&self, column: &str) -> Option<bool> {
        match self.cell(column)? {
            Filled::Text(_) => None,
            Filled::Json(value) => Some(value.is_number()),
        }
    }

    /// The text of a column that every row must fill.
    pub(in crate::dataset) fn required(&self, column: &str) -> Result<String, DatasetError> {
        self.text(column)?.ok_or_else(|| self.absent(column))
    }

    /// The error for a column that is not there, or empty here.
    pub(in crate::dataset) fn absent(&self, column: &str) -> DatasetError {
        if self.has(column) {
            return DatasetError::EmptyCell {
                place: self.place.to_string(),
                column: column.to_owned(),
            };
        }
        let mut place = self.place;
        if matches!(self.cells, Cells::Csv { .. }) {
            // The fault is the header's.
            place.line = 1;
        }
        let (place, column) = (place.to_string(), column.to_owned());
        if let Some(found) = self.columns.several(&column) {
            return Contradiction::Columns {
                place,
                column,
                found,
            }
            .into();
        }
        DatasetError::MissingColumn {
            place,
            column,
            found: self.columns.names().to_vec(),
        }
    }

    /// The number in a column.
    pub(in crate::dataset) fn number(&self, column: &str) -> Result<Option<f32>, DatasetError> {
        let index = self.columns.index(column);
        index.map_or(Ok(None), |index| self.number_at(index, column))
    }

    fn number_at(&self, index: usize, column: &str) -> Result<Option<f32>, DatasetError> {
        let Some(cell) = self.at(index) else {
            return Ok(None);
        };
        let number = match cell {
            Filled::Text(text) => self.parsed(text.trim()),
            Filled::Json(value) => value.as_f64().map(|number| number as f32),
        };
        number
            .map(Some)
            .ok_or_else(|| self.bad(column, cell, "a number"))
    }

    /// A number, with a decimal comma where that can be nothing else.
    fn parsed(&self, text: &str) -> Option<f32> {
        let commas = matches!(self.cells, Cells::Csv { commas: true, .. });
        match text.split_once(',') {
            // 1,234 may be a thousand and more.
            Some((whole, decimals)) if commas => {
                let thousands = decimals.len() == 3 && whole.trim_start_matches('-') != "0";
                let plain = decimals
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b == b'e' || b == b'-');
                (plain && !thousands).then(|| text.replacen(',', ".", 1).parse().ok())?
            }
            _ => text.parse().ok(),
        }
    }

    /// The number in a column, which must be finite.
    pub(in crate::dataset) fn finite(&self, column: &str) -> Result<Option<f32>, DatasetError> {
        let number = self.number(column)?;
        match (number, self.cell(column)) {
            (Some(number), Some(cell)) if !number.is_finite() => {
                Err(self.bad(column, cell, "a finite number"))
            }
            _ => Ok(number),
        }
    }

    /// A number a class: a list or an object of numbers (as JSON text in a CSV), or, of `probabilities`, one
    /// column per class.
    pub(in crate::dataset) fn by_class(
        &self,
        column: &str,
    ) -> Result<Option<RawProbabilities>, DatasetError> {
        const EXPECTED: &str = "a JSON list of numbers, or an object of numbers by class";
        let Some(cell) = self.cell(column) else {
            return match column {
                "probabilities" => self.probability_columns(),
                _ => Ok(None),
            };
        };
        let bad = || self.bad(column, cell, EXPECTED);
        let parsed;
        let value = match cell {
            Filled::Json(Value::String(text)) => {
                parsed = serde_json::from_str(text).ok();
                parsed.as_ref().ok_or_else(bad)?
            }
            Filled::Json(value) => value,
            Filled::Text(text) => {
                parsed = serde_json::from_str::<Value>(text).ok();
                parsed.as_ref().ok_or_else(bad)?
            }
        };
        let number = |value: &Value| value.as_f64().map(|number| number as f32).ok_or_else(bad);
        match value {
            Value::Array(values) => {
                let list = values.iter().map(number).collect::<Result<_, _>>()?;
                Ok(Some(RawProbabilities::List(list)))
            }
            Value::Object(values) => {
                let pairs = values
                    .iter()
                    .map(|(class, value)| Ok((key(class), number(value)?)))
                    .collect::<Result<_, DatasetError>>()?;
                Ok(Some(RawProbabilities::ByClass(pairs)))
            }
            _ => Err(bad()),
        }
    }

    fn probability_columns(&self) -> Result<Option<RawProbabilities>, DatasetError> {
        let mut pairs = Vec::new();
        let mut empty = None;
        for (index, column) in self.columns.names().iter().enumerate() {
            let Some(class) = column.strip_prefix(PROBABILITY_PREFIX) else {
                continue;
            };
            match self.number_at(index, column)? {
                Some(value) => pairs.push((key(class), value)),
                None => empty = Some(column),
            }
        }
        match empty {
            _ if pairs.is_empty() => Ok(None),
            Some(column) => Err(self.absent(column)),
            None => Ok(Some(RawProbabilities::ByClass(pairs))),
        }
    }

    fn bad(&self, column: &str, cell: Filled<'_>, expected: &'static str) -> DatasetError {
        let text = match cell {
            Filled::Text(text) => text.to_owned(),
            Filled::Json(value) => value.to_string(),
        };
        let mut value: String = text.chars().take(SHOWN_CHARS).collect();
        if value.len() < text.len() {
            value.push('…');
        }
        DatasetError::BadCell {
            place: self.place.to_string(),
            column: column.to_owned(),
            value,
            expected,
        }
    }
}

/// The key of an object, or what follows the prefix of a column: text in either case, also of an index.
fn key(text: &str) -> ClassCell {
    ClassCell {
        text: text.to_owned(),
        written: Written::Untyped,
    }
}

/// A whole number, of an integer type or any other.
fn whole(cell: Filled<'_>) -> Option<i128> {
    let Filled::Json(Value::Number(number)) = cell else {
        return None;
    };
    if let Some(whole) = number.as_i128() {
        return Some(whole);
    }
    let real = number.as_f64().filter(|real| real.fract() == 0.0)?;
    (real.abs() < 9e15).then_some(real as i128)
}
