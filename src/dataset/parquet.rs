//! Rows of a Parquet table as JSON objects, a batch in memory at a time.
//!
//! | column type | cell |
//! | --- | --- |
//! | text, dictionary of text (pandas' categories) | text |
//! | whole numbers, floats, booleans | the same in JSON; not-a-number is the text `NaN`, which no reader takes |
//! | lists and structs of these | lists and objects |
//!
//! Columns that nobody asks for are not decoded, whatever their type.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value};

use super::DatasetError;
use crate::io;
use crate::io::parquet::guard::guarded;
use crate::io::parquet::rows::{self, BYTES};

/// Rows decoded at once.
const BATCH: usize = 1024;

/// Rows with images decoded at once.
const IMAGES: usize = 32;

/// The most rows of a table: a few bytes of Parquet can announce any number.
const MAX_ROWS: u64 = 50_000_000;

/// What is done with the number and the cells of a row.
type EachRow<'a> = dyn FnMut(usize, &Map<String, Value>) -> Result<(), DatasetError> + 'a;

/// A Parquet file whose columns are not chosen yet.
pub(super) struct Table<'a> {
    path: &'a Path,
    builder: ParquetRecordBatchReaderBuilder<File>,
}

impl<'a> Table<'a> {
    /// Opens a file and reads its schema.
    pub(super) fn open(path: &'a Path) -> Result<Self, DatasetError> {
        let (file, _) = io::open(path)?;
        let builder = decoded(path, || ParquetRecordBatchReaderBuilder::try_new(file))?;
        let groups = builder.metadata().row_groups().iter();
        let counts: Option<Vec<u64>> = groups.map(|g| g.num_rows().try_into().ok()).collect();
        let sum =
            counts.and_then(|counts| counts.iter().try_fold(0_u64, |sum, n| sum.checked_add(*n)));
        let rows = sum.unwrap_or(u64::MAX);
        if rows > MAX_ROWS {
            return Err(DatasetError::TooManyRows {
                path: path.to_owned(),
                rows,
                limit: MAX_ROWS,
            });
        }
        let columns = builder.metadata().row_groups().iter();
        let columns = columns.flat_map(RowGroupMetaData::columns);
        if columns
            .map(ColumnChunkMetaData::compression)
            .any(|codec| codec == Compression::LZO)
        {
            return Err(DatasetError::Codec {
                path: path.to_owned(),
                codec: "LZO",
            });
        }
        Ok(Self { path, builder })
    }

    /// The rows, from 0, of a column of images that have no bytes, with the paths they have instead.
    ///
    /// Where the file's statistics say that there is none, nothing is decoded.
    pub(super) fn rows_without_bytes(
        &self,
        column: usize,
    ) -> Result<BTreeMap<u64, Option<String>>, DatasetError> {
        let path = self.path;
        let schema = self.builder.parquet_schema();
        let mut rows = BTreeMap::new();
        let leaf = rows::bytes_leaf(schema, column)
            .ok_or_else(|| malformed(path, format!("column {column} holds no images")))?;
        let complete = |group: &RowGroupMetaData| {
            let statistics = group.column(leaf).statistics();
            group.num_rows() == 0 || statistics.and_then(Statistics::null_count_opt) == Some(0)
        };
        if self.builder.metadata().row_groups().iter().all(complete) {
            return Ok(rows);
        }
        let (file, _) = io::open(path)?;
        let mut reader = decoded(path, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
            builder
                .with_projection(mask)
                .with_batch_size(IMAGES)
                .build()
        })?;
        let mut first = 0;
        while let Some(batch) = decoded(path, || reader.next().transpose())? {
            let column = batch.column(0);
            let (bytes, paths) = match column.as_struct_opt() {
                None => (column, None),
                Some(fields) => {
                    let bytes = fields.column_by_name(BYTES);
                    (bytes.unwrap_or(column), fields.column_by_name("path"))
                }
            };
            let paths = paths.map(|paths| decoded(path, || cast(paths, &DataType::Utf8)));
            let paths = paths.transpose()?;
            for at in 0..batch.num_rows() {
                if column.is_null(at) || bytes.is_null(at) {
                    let name = paths
                        .as_ref()
                        .and_then(|paths| value(paths, at).as_str().map(str::to_owned));
                    rows.insert(first + at as u64, name.filter(|_| !column.is_null(at)));
                }
            }
            first += batch.num_rows() as u64;
        }
        Ok(rows)
    }

    /// Its columns.
    pub(super) fn schema(&self) -> &Schema {
        self.builder.schema()
    }

    /// Batches of the wanted columns.
    fn read(self, wanted: &dyn Fn(&str) -> bool) -> Result<ParquetRecordBatchReader, DatasetError> {
        let fields = self.builder.schema().fields().iter().enumerate();
        let roots = fields.filter(|(_, field)| wanted(field.name()));
        let roots: Vec<usize> = roots.map(|(index, _)| index).collect();
        let mask = ProjectionMask::roots(self.builder.parquet_schema(), roots);
        let reader = self.builder.with_projection(mask).with_batch_size(BATCH);
        decoded(self.path, || reader.build())
    }

    /// Calls `each` with the number, from 1, and the wanted cells of every row; the first error ends
    /// it.
    pub(super) fn for_each(
        self,
        wanted: &dyn Fn(&str) -> bool,
        each: &mut EachRow<'_>,
    ) -> Result<(), DatasetError> {
        let path = self.path;
        let mut row = 0;
        let mut reader = self.read(wanted)?;
        while let Some(batch) = decoded(path, || reader.next().transpose())? {
            let schema = batch.schema();
            let mut columns = Vec::with_capacity(batch.num_columns());
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                let target = plain(field.data_type()).ok_or_else(|| DatasetError::BadColumn {
                    path: path.to_owned(),
                    column: field.name().clone(),
                    found: field.data_type().to_string(),
                    expected: "text, numbers, or lists of them",
                })?;
                let column = decoded(path, || cast(column, &target))?;
                columns.push((field.name(), column));
            }
            // One map for all rows: its keys are the same.
            let names = columns.iter().map(|(name, _)| (*name).clone());
            let mut cells: Map<String, Value> = names.zip(std::iter::repeat(Value::Null)).collect();
            for at in 0..batch.num_rows() {
                for (cell, (_, column)) in cells.values_mut().zip(&columns) {
                    *cell = value(column, at);
                }
                row += 1;
                each(row, &cells)?;
            }
        }
        Ok(())
    }
}

/// Runs the decoder on a file that may be damaged.
fn decoded<T, E: Into<Cause>>(
    path: &Path,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, DatasetError> {
    guarded(|| work().map_err(Into::<Cause>::into)).map_err(|source| malformed(path, source))
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

fn malformed(path: &Path, source: impl Into<Cause>) -> DatasetError {
    DatasetError::Parquet {
        path: path.to_owned(),
        source: source.into(),
    }
}

/// The type that a column is read as; none if it has no cells in JSON.
fn plain(kind: &DataType) -> Option<DataType> {
    Some(match kind {
        DataType::Null => DataType::Null,
        DataType::Boolean => DataType::Boolean,
        DataType::UInt64 => DataType::UInt64,
        kind if kind.is_integer() => DataType::Int64,
        kind if kind.is_floating() => DataType::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, values) => plain(values)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(Arc::new(Field::new("item", plain(item.data_type())?, true)))
        }
        DataType::Struct(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|f| Some(Field::new(f.name(), plain(f.data_type())?, true)));
            DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into())
        }
        _ => return None,
    })
}

/// A cell of a column whose type [`plain`] gave.
fn value(column: &ArrayRef, at: usize) -> Value {
    if column.is_null(at) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(at).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(at).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(at).into(),
        DataType::Float64 => {
            let number = column.as_primitive::<Float64Type>().value(at);
            serde_json::Number::from_f64(number)
                .map_or_else(|| number.to_string().into(), Value::Number)
        }
        DataType::Utf8 => column.as_string::<i32>().value(at).into(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(at);
            (0..items.len()).map(|item| value(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(column.as_struct().columns());
            let cells = columns.map(|(field, column)| (field.name().clone(), value(column, at)));
            Value::Object(cells.collect())
        }
        _ => Value::Null,
    }
}
