//! Rows of a table file, one at a time, with cells by column name and their place for messages.
//!
//! | file | how it is read |
//! | --- | --- |
//! | `.csv`, `.tsv` | [`csv`](self::csv): separated by commas, semicolons, tabs or bars, told from the header |
//! | `.jsonl`, `.ndjson`, `.json` | [`json`]: an object a line, or one list of objects |
//! | `.parquet` | [`super::parquet`] |
//!
//! A further format adds one arm to [`for_each`] and one to `Cells`; the readers above it see only
//! [`Row`].

mod csv;
mod json;
mod names;
mod row;
mod text;

use std::fmt;
use std::path::Path;

use super::{DatasetError, parquet};

pub(super) use self::names::{Columns, PROBABILITY_PREFIX};
pub(super) use self::row::{ClassCell, RawProbabilities, Row, Written};

/// A file and a one-based line of it (of a Parquet a row, of a tar a member).
#[derive(Debug, Clone, Copy)]
pub(super) struct Location<'a> {
    pub(super) path: &'a Path,
    pub(super) line: usize,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match extension(self.path).as_str() {
            "parquet" | "npy" | "safetensors" => "row",
            "tar" => "member",
            _ => "line",
        };
        write!(f, "{}, {unit} {}", self.path.display(), self.line)
    }
}

/// What a file's name ends in, in lower case.
pub(super) fn extension(path: &Path) -> String {
    let extension = path.extension().and_then(|text| text.to_str());
    extension.unwrap_or_default().to_ascii_lowercase()
}

/// Calls `each` with every row of a table, in order; the first error ends it.
///
/// What was told from the file itself (columns of other names, a separator, an encoding) comes back as
/// sentences.
pub(super) fn for_each(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<Vec<String>, DatasetError> {
    match extension(path).as_str() {
        "csv" | "tsv" => csv::for_each(path, each),
        "jsonl" | "ndjson" | "json" => json::for_each(path, each),
        "parquet" => for_each_parquet(path, each),
        _ => Err(DatasetError::UnknownTable {
            path: path.to_owned(),
        }),
    }
}

fn for_each_parquet(
    path: &Path,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), DatasetError>,
) -> Result<Vec<String>, DatasetError> {
    let table = parquet::Table::open(path)?;
    let fields = table.schema().fields().iter();
    let columns = Columns::new(fields.map(|field| field.name().clone()).collect());
    table.for_each(&|name| columns.is_read(name), &mut |line, cells| {
        let place = Location { path, line };
        each(&Row::of_cells(place, &columns, cells))
    })?;
    Ok(columns.sentences(path))
}
