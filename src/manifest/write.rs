//! The three encodings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;
use serde::{Serialize, Serializer};

use super::row::{COLUMNS, ColumnType, ColumnValue, Row};
use super::{ManifestError, SCHEMA};

/// The names of the files, in the order they are written and returned.
const FILES: [&str; 3] = ["train.jsonl", "train.csv", "train.parquet"];

/// Checks rows and writes them as `train.jsonl`, `train.csv` and `train.parquet` into an existing
/// folder, whose path comes back with each name.
///
/// Everything is encoded before the first file is written; each is replaced atomically.
///
/// # Errors
///
/// - [`ManifestError::NonFinite`], [`ManifestError::Invalid`], [`ManifestError::DuplicateId`] at
///   the first row that fails: nothing was written.
/// - [`ManifestError::Encode`], [`ManifestError::Io`].
pub fn write_all(folder: &Path, rows: &[Row]) -> Result<[PathBuf; 3], ManifestError> {
    let encoded = encode_all(rows)?;
    let paths = FILES.map(|name| folder.join(name));
    for (path, (_, content)) in paths.iter().zip(&encoded) {
        crate::io::write_atomic(path, content)?;
    }
    Ok(paths)
}

/// The files by name with their bytes, after the rows were checked.
pub(super) fn encode_all(rows: &[Row]) -> Result<[(&'static str, Vec<u8>); 3], ManifestError> {
    super::check(rows)?;
    let [jsonl_name, csv_name, parquet_name] = FILES;
    Ok([
        (
            jsonl_name,
            jsonl(rows).map_err(|source| encode(jsonl_name, source))?,
        ),
        (
            csv_name,
            csv(rows).map_err(|source| encode(csv_name, source))?,
        ),
        (
            parquet_name,
            parquet(rows).map_err(|source| encode(parquet_name, source))?,
        ),
    ])
}

fn encode(
    file: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> ManifestError {
    let source = Box::new(source);
    ManifestError::Encode { file, source }
}

/// A row as a JSON object with every key.
struct Line<'a>(&'a Row);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = COLUMNS.iter().map(|column| column.name);
        serializer.collect_map(names.zip(self.0.cells()))
    }
}

impl Serialize for ColumnValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(value) => value.serialize(serializer),
            Self::Whole(value) => value.serialize(serializer),
            Self::Real(value) => value.serialize(serializer),
        }
    }
}

fn jsonl(rows: &[Row]) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut bytes, &Line(row))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn csv(rows: &[Row]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().map(|column| column.name))?;
    for row in rows {
        for cell in row.cells() {
            match cell {
                ColumnValue::Text(text) => writer.write_field(text.unwrap_or_default())?,
                ColumnValue::Whole(value) => writer.write_field(shown(value))?,
                // As in JSON, so that both encodings read as the same number.
                ColumnValue::Real(value) => {
                    writer.write_field(shown(value.and_then(serde_json::Number::from_f64)))?;
                }
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// The text of a value, empty for none.
fn shown(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn parquet(rows: &[Row]) -> Result<Vec<u8>, ParquetError> {
    crate::io::parquet::encode(
        &batch(rows)?,
        &[("hardlight.manifest.schema", SCHEMA.to_string())],
    )
}

/// The rows as typed columns.
///
/// A column keeps its type when all its values are absent: readers that guess types would else take
/// two manifests for different tables.
fn batch(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let mut fields = Vec::with_capacity(COLUMNS.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(COLUMNS.len());
    for (index, column) in COLUMNS.iter().enumerate() {
        let values = cells.iter().map(|row| row[index]);
        let (kind, array): (_, ArrayRef) = match column.kind {
            ColumnType::Text => {
                let text = values.map(|cell| {
                    if let ColumnValue::Text(text) = cell {
                        text
                    } else {
                        None
                    }
                });
                (DataType::Utf8, Arc::new(text.collect::<StringArray>()))
            }
            ColumnType::Whole => {
                // Signed, because few readers know unsigned columns; the range was checked.
                let whole = values.map(|cell| match cell {
                    ColumnValue::Whole(Some(value)) => i64::try_from(value).ok(),
                    _ => None,
                });
                (DataType::Int64, Arc::new(whole.collect::<Int64Array>()))
            }
            ColumnType::Real => {
                let real = values.map(|cell| {
                    if let ColumnValue::Real(value) = cell {
                        value
                    } else {
                        None
                    }
                });
                (DataType::Float64, Arc::new(real.collect::<Float64Array>()))
            }
        };
        fields.push(Field::new(column.name, kind, !column.required));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arrow::array::{Array as _, AsArray as _};
    use arrow::datatypes::{Float64Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::row::tests::{original, synthetic};
    use super::*;

    fn rows() -> Vec<Row> {
        let seed = Some((1 << 48) - 1);
        vec![
            original(),
            synthetic(1),
            Row {
                seed,
                ..synthetic(2)
            },
        ]
    }

    /// A value in the form all encodings have in common.
    fn cell_text(cell: ColumnValue<'_>) -> Option<String> {
        match cell {
            ColumnValue::Text(value) => value.map(str::to_owned),
            ColumnValue::Whole(value) => value.map(|value| value.to_string()),
            ColumnValue::Real(value) => value.map(|value| format!("{:016x}", value.to_bits())),
        }
    }

    fn expected(rows: &[Row]) -> Vec<Vec<Option<String>>> {
        rows.iter()
            .map(|row| row.cells().map(cell_text).to_vec())
            .collect()
    }

    fn from_parquet(path: &Path) -> Vec<Vec<Option<String>>> {
        let file = fs::File::open(path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap();
        let mut rows = Vec::new();
        for batch in reader {
            let batch = batch.unwrap();
            let schema = batch.schema();
            let names: Vec<_> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            assert_eq!(names, COLUMNS.map(|column| column.name));
            for row in 0..batch.num_rows() {
                let cells = COLUMNS.iter().zip(batch.columns()).map(|(column, array)| {
                    let known = array.is_valid(row);
                    cell_text(match column.kind {
                        ColumnType::Text => {
                            ColumnValue::Text(known.then(|| array.as_string::<i32>().value(row)))
                        }
                        ColumnType::Whole => {
                            let value = array.as_primitive::<Int64Type>().value(row);
                            ColumnValue::Whole(known.then(|| u64::try_from(value).unwrap()))
                        }
                        ColumnType::Real => {
                            let value = array.as_primitive::<Float64Type>().value(row);
                            ColumnValue::Real(known.then_some(value))
                        }
                    })
                });
                rows.push(cells.collect());
            }
        }
        rows
    }

    fn from_csv(path: &Path) -> Vec<Vec<Option<String>>> {
        let mut reader = csv::Reader::from_path(path).unwrap();
        assert_eq!(
            reader.headers().unwrap().iter().collect::<Vec<_>>(),
            COLUMNS.map(|column| column.name)
        );
        let rows = reader.records().map(|record| {
            let record = record.unwrap();
            let cells =
                COLUMNS
                    .iter()
                    .zip(&record)
                    .map(|(column, text)| match (column.kind, text) {
                        (_, "") => None,
                        (ColumnType::Real, text) => {
                            cell_text(ColumnValue::Real(Some(text.parse().unwrap())))
                        }
                        (_, text) => Some(text.to_owned()),
                    });
            cells.collect()
        });
        rows.collect()
    }

    #[test]
    fn all_three_encodings_read_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let [jsonl, csv, parquet] = write_all(folder.path(), &rows()).unwrap();
        assert_eq!(super::super::read_jsonl(&jsonl).unwrap(), rows());
        assert_eq!(from_csv(&csv), expected(&rows()));
        assert_eq!(from_parquet(&parquet), expected(&rows()));
    }

    #[test]
    fn every_json_line_has_every_key_in_order() {
        let text = String::from_utf8(jsonl(&rows()).unwrap()).unwrap();
        assert_eq!(text.lines().count(), 3);
        for line in text.lines() {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).unwrap();
            let keys: Vec<_> = object.keys().map(String::as_str).collect();
            assert_eq!(keys, COLUMNS.map(|column| column.name));
        }
    }

    #[test]
    fn types_do_not_depend_on_the_values() {
        let schema = |rows: &[Row]| batch(rows).unwrap().schema();
        assert_eq!(schema(&[original()]), schema(&rows()));
        assert_eq!(schema(&[]), schema(&rows()));
        let schema = schema(&[]);
        assert_eq!(
            schema.field_with_name("seed").unwrap().data_type(),
            &DataType::Int64
        );
        assert_eq!(
            schema.field_with_name("strength").unwrap().data_type(),
            &DataType::Float64
        );
        assert!(!schema.field_with_name("path").unwrap().is_nullable());
    }

    #[test]
    fn an_empty_manifest_has_its_columns() {
        let folder = tempfile::tempdir().unwrap();
        let [jsonl, csv, parquet] = write_all(folder.path(), &[]).unwrap();
        assert_eq!(fs::read(jsonl).unwrap(), b"");
        assert!(
            fs::read_to_string(&csv)
                .unwrap()
                .starts_with("id,path,root,member,")
        );
        assert_eq!(from_csv(&csv), expected(&[]));
        assert_eq!(from_parquet(&parquet), expected(&[]));
    }

    #[test]
    fn the_bytes_are_the_same_each_time_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let read = || {
            let paths = write_all(folder.path(), &rows()).unwrap();
            paths.map(|path| fs::read(path).unwrap())
        };
        assert_eq!(read(), read());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn the_parquet_file_tells_its_schema() {
        let folder = tempfile::tempdir().unwrap();
        let [.., path] = write_all(folder.path(), &rows()).unwrap();
        let file = fs::File::open(path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let schema = reader
            .schema()
            .metadata()
            .get("hardlight.manifest.schema")
            .cloned();
        assert_eq!(schema, Some(SCHEMA.to_string()));
    }

    #[test]
    fn a_bad_row_leaves_the_old_manifest_whole() {
        let folder = tempfile::tempdir().unwrap();
        let paths = write_all(folder.path(), &rows()).unwrap();
        let before = paths.clone().map(|path| fs::read(path).unwrap());
        let mut bad = rows();
        bad[2].alignment = Some(f64::INFINITY);
        let error = write_all(folder.path(), &bad).unwrap_err();
        assert!(
            matches!(
                error,
                ManifestError::NonFinite {
                    row: 3,
                    column: "alignment",
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(paths.map(|path| fs::read(path).unwrap()), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_reader_that_has_the_old_file_open_keeps_all_of_it() {
        use std::io::Read as _;
        let folder = tempfile::tempdir().unwrap();
        let [jsonl, ..] = write_all(folder.path(), &rows()).unwrap();
        let before = fs::read(&jsonl).unwrap();
        let mut open = fs::File::open(&jsonl).unwrap();
        write_all(folder.path(), &rows()[..1]).unwrap();
        let mut seen = Vec::new();
        open.read_to_end(&mut seen).unwrap();
        assert_eq!(seen, before);
        assert_ne!(fs::read(&jsonl).unwrap(), before);
    }

    #[test]
    fn a_missing_folder_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        let error = write_all(&missing, &rows()).unwrap_err();
        let ManifestError::Io(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.path(), missing.join("train.jsonl"));
    }
}
