//! Rows of a table file, one at a time, with cells by column name and their place for messages.
//!
//! A further format adds one arm to [`for_each`] and one to [`Filled`]; the readers above it see
//! only [`Row`].

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use super::{DatasetError, parquet};
use crate::io;
use crate::io::jsonl::MAX_LINE_BYTES;

/// What the name of a column with one class's probability begins with.
pub(super) const PROBABILITY_PREFIX: &str = "probability_";

/// The most characters of a bad cell that a message repeats.
const SHOWN_CHARS: usize = 60;

/// A file and a one-based line of it (of a Parquet a row, of a tar a member).
#[derive(Debug, Clone, Copy)]
pub(super) struct Location<'a> {
    pub(super) path: &'a Path,
    pub(super) line: usize,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extension = self.path.extension().and_then(|text| text.to_str());
        let unit = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("parquet") => "row",
            Some("tar") => "member",
            _ => "line",
        };
        write!(f, "{}, {unit} {}", self.path.display(), self.line)
    }
}

/// One row of a table.
pub(super) struct Row<'a> {
    pub(super) place: Location<'a>,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Csv {
        header: &'a Header,
        record: &'a csv::StringRecord,
    },
    Json(&'a Map<String, Value>),
    Parquet {
        /// All the file's columns, read or not.
        names: &'a [String],
        cells: &'a Map<String, Value>,
    },
}

/// The columns of a CSV file.
struct Header {
    names: Vec<String>,
    indices: HashMap<String, usize>,
}

/// One cell that is not empty.
#[derive(Clone, Copy)]
enum Filled<'a> {
    Text(&'a str),
    Json(&'a Value),
}

/// The probabilities of a row before the order of classes is known.
#[derive(Debug)]
pub(super) enum RawProbabilities {
    /// In class order.
    List(Vec<f32>),
    /// By class name.
    ByClass(Vec<(String, f32)>),
}

/// The columns that a table may have; others are passed over.
const COLUMNS: [&str; 10] = [
    "id",
    "path",
    "label",
    "split",
    "prediction",
    "confidence",
    "probabilities",
    "score",
    "group",
    "unit",
];

/// Calls `each` with every row of a CSV, JSONL or Parquet file, in order; the first error ends it.
pub(super) fn for_each(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let extension = path.extension().and_then(|text| text.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => for_each_csv(path, each),
        Some("jsonl" | "ndjson") => for_each_json(path, each),
        Some("parquet") => for_each_parquet(path, each),
        _ => Err(DatasetError::UnknownTable {
            path: path.to_owned(),
        }),
    }
}

fn for_each_csv(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let (file, _) = io::open(path)?;
    let record_bytes = Cell::new(0);
    let source = Bounded {
        file,
        read: &record_bytes,
    };
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(1 << 16)
        .from_reader(source);
    let last = Cell::new(0);
    let error = |source: csv::Error| {
        let line = source.position().map(csv::Position::line);
        let line = line.map_or_else(|| last.get() + 1, |line| line as usize);
        let place = Location { path, line }.to_string();
        DatasetError::Csv { place, source }
    };
    let names = reader.headers().map_err(error)?;
    let header = Header::new(names, Location { path, line: 1 })?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(error)? {
        let line = record.position().map_or(0, csv::Position::line) as usize;
        let cells = Cells::Csv {
            header: &header,
            record: &record,
        };
        let place = Location { path, line };
        each(&Row { place, cells })?;
        record_bytes.set(0);
        last.set(line);
    }
    Ok(())
}

/// A CSV file, which fails where one record is longer than any real one: without a line break, or
/// after a quotation mark that is never closed, the rest of the file would be one.
struct Bounded<'a> {
    file: File,
    /// Bytes read since the last record.
    read: &'a Cell<usize>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(into)?;
        let read = self.read.get() + count;
        self.read.set(read);
        if read > MAX_LINE_BYTES {
            let text = format!(
                "a row of more than {MAX_LINE_BYTES} bytes: is a quotation mark not closed?"
            );
            return Err(std::io::Error::other(text));
        }
        Ok(count)
    }
}

fn for_each_json(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    for item in io::jsonl::lines(path)? {
        let (line, text) = item?;
        let cells: Map<String, Value> = io::jsonl::parse(path, line, &text)?;
        let place = Location { path, line };
        let cells = Cells::Json(&cells);
        each(&Row { place, cells })?;
    }
    Ok(())
}

fn for_each_parquet(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let wanted = |name: &str| COLUMNS.contains(&name) || name.starts_with(PROBABILITY_PREFIX);
    let table = parquet::Table::open(path)?;
    let fields = table.schema().fields().iter();
    let names: Vec<String> = fields.map(|field| field.name().clone()).collect();
    table.for_each(&wanted, &mut |line, cells| {
        let place = Location { path, line };
        let names = &names;
        let cells = Cells::Parquet { names, cells };
        each(&Row { place, cells })
    })
}

impl Header {
    fn new(record: &csv::StringRecord, place: Location<'_>) -> Result<Self, DatasetError> {
        let names: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
        let mut indices = HashMap::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            // pandas writes its index under an empty name, perhaps twice.
            if indices.insert(name.clone(), index).is_some() && !name.is_empty() {
                return Err(DatasetError::DuplicateColumn {
                    place: place.to_string(),
                    column: name.clone(),
                });
            }
        }
        Ok(Self { names, indices })
    }
}

impl<'a> Row<'a> {
    /// Whether the row has the column, empty or not.
    pub(super) fn has(&self, column: &str) -> bool {
        match &self.cells {
            Cells::Csv { header, .. } => header.indices.contains_key(column),
            Cells::Json(cells) | Cells::Parquet { cells, .. } => cells.contains_key(column),
        }
    }

    /// The cell of a column; empty text and JSON's null are no cell.
    fn cell(&self, column: &str) -> Option<Filled<'a>> {
        match &self.cells {
            Cells::Csv { header, record } => {
                let text = record.get(*header.indices.get(column)?)?;
                (!text.is_empty()).then_some(Filled::Text(text))
            }
            Cells::Json(cells) | Cells::Parquet { cells, .. } => match cells.get(column)? {
                Value::Null => None,
                Value::String(text) if text.is_empty() => None,
                value => Some(Filled::Json(value)),
            },
        }
    }

    /// The column names of the row, in file order.
    fn columns(&self) -> Vec<&'a str> {
        match &self.cells {
            Cells::Csv { header, .. } => header.names.iter().map(String::as_str).collect(),
            Cells::Json(cells) => cells.keys().map(String::as_str).collect(),
            Cells::Parquet { names, .. } => names.iter().map(String::as_str).collect(),
        }
    }

    /// The text of a column: a string, or a whole number as it is written.
    pub(super) fn text(&self, column: &str) -> Result<Option<String>, DatasetError> {
        match self.cell(column) {
            None => Ok(None),
            Some(Filled::Text(text)) => Ok(Some(text.to_owned())),
            Some(Filled::Json(Value::String(text))) => Ok(Some(text.clone())),
            Some(Filled::Json(Value::Number(number))) if !number.is_f64() => {
                Ok(Some(number.to_string()))
            }
            Some(cell) => Err(self.bad(column, cell, "text or a whole number")),
        }
    }

    /// Whether a cell is a number rather than text; none if it is empty, or the format has no types.
    pub(super) fn is_number(&self, column: &str) -> Option<bool> {
        match self.cell(column)? {
            Filled::Text(_) => None,
            Filled::Json(value) => Some(value.is_number()),
        }
    }

    /// The text of a column that every row must fill.
    pub(super) fn required(&self, column: &str) -> Result<String, DatasetError> {
        self.text(column)?.ok_or_else(|| self.absent(column))
    }

    /// The error for a column that is not there, or empty here.
    pub(super) fn absent(&self, column: &str) -> DatasetError {
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
        DatasetError::MissingColumn {
            place: place.to_string(),
            column: column.to_owned(),
            found: self.columns().into_iter().map(str::to_owned).collect(),
        }
    }

    /// The number in a column.
    pub(super) fn number(&self, column: &str) -> Result<Option<f32>, DatasetError> {
        let Some(cell) = self.cell(column) else {
            return Ok(None);
        };
        let number = match cell {
            Filled::Text(text) => text.trim().parse().ok(),
            Filled::Json(value) => value.as_f64().map(|number| number as f32),
        };
        number
            .map(Some)
            .ok_or_else(|| self.bad(column, cell, "a number"))
    }

    /// The number in a column, which must be finite.
    pub(super) fn finite(&self, column: &str) -> Result<Option<f32>, DatasetError> {
        let number = self.number(column)?;
        match (number, self.cell(column)) {
            (Some(number), Some(cell)) if !number.is_finite() => {
                Err(self.bad(column, cell, "a finite number"))
            }
            _ => Ok(number),
        }
    }

    /// The probabilities: column `probabilities`, a list or an object of numbers (as JSON text in
    /// a CSV), or one column per class.
    pub(super) fn probabilities(&self) -> Result<Option<RawProbabilities>, DatasetError> {
        const COLUMN: &str = "probabilities";
        const EXPECTED: &str = "a JSON list of numbers, or an object of numbers by class";
        let Some(cell) = self.cell(COLUMN) else {
            return self.probability_columns();
        };
        let bad = || self.bad(COLUMN, cell, EXPECTED);
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
                    .map(|(class, value)| Ok((class.clone(), number(value)?)))
                    .collect::<Result<_, DatasetError>>()?;
                Ok(Some(RawProbabilities::ByClass(pairs)))
            }
            _ => Err(bad()),
        }
    }

    fn probability_columns(&self) -> Result<Option<RawProbabilities>, DatasetError> {
        let mut pairs = Vec::new();
        let mut empty = None;
        for column in self.columns() {
            let Some(class) = column.strip_prefix(PROBABILITY_PREFIX) else {
                continue;
            };
            match self.number(column)? {
                Some(value) => pairs.push((class.to_owned(), value)),
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
