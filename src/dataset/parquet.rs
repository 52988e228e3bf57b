//! Rows of a Parquet table as JSON objects, a batch in memory at a time.
//!
//! | column type | cell |
//! | --- | --- |
//! | text, dictionary of text (pandas' categories) | text |
//! | whole numbers, floats, booleans | the same in JSON; not-a-number is the text `NaN`, which no reader takes |
//! | lists and structs of these | lists and objects |
//!
//! Columns that nobody asks for are not decoded, whatever their type.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};

use super::DatasetError;
use crate::io;

/// Rows decoded at once.
const BATCH: usize = 1024;

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
        let builder = ParquetRecordBatchReaderBuilder::try_new(file);
        let builder = builder.map_err(|source| malformed(path, source))?;
        Ok(Self { path, builder })
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
        reader
            .build()
            .map_err(|source| malformed(self.path, source))
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
        for batch in self.read(wanted)? {
            let batch = batch.map_err(|source| malformed(path, source))?;
            let schema = batch.schema();
            let mut columns = Vec::with_capacity(batch.num_columns());
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                let target = plain(field.data_type()).ok_or_else(|| DatasetError::BadColumn {
                    path: path.to_owned(),
                    column: field.name().clone(),
                    found: field.data_type().to_string(),
                    expected: "text, numbers, or lists of them",
                })?;
                let column = cast(column, &target).map_err(|source| malformed(path, source))?;
                columns.push((field.name(), column));
            }
            for at in 0..batch.num_rows() {
                let cells = columns.iter();
                let cells = cells.map(|(name, column)| ((*name).clone(), value(column, at)));
                row += 1;
                each(row, &cells.collect())?;
            }
        }
        Ok(())
    }
}

fn malformed(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> DatasetError {
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
