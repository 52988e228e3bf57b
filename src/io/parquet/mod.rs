//! A record batch as the bytes of a Parquet file: zstd, one row group, no name of a library in it that
//! would change the bytes; single rows of a Parquet file; and whether one can be read at all.

pub(crate) mod guard;
pub(crate) mod rows;

use std::path::Path;

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use self::guard::guarded;
use super::IoError;

/// Encodes a batch, with `(key, value)` pairs for the file's metadata.
///
/// # Errors
///
/// What the encoder says.
pub fn encode(batch: &RecordBatch, metadata: &[(&str, String)]) -> Result<Vec<u8>, ParquetError> {
    let pairs: Vec<KeyValue> = metadata
        .iter()
        .map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()))
        .collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by("hardlight".to_owned())
        .set_key_value_metadata((!pairs.is_empty()).then_some(pairs))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(bytes)
}

/// Reads a file to its end; gives the names of its columns, and how many rows it has.
///
/// # Errors
///
/// [`IoError`], with the first row that cannot be read.
pub fn read_through(path: &Path) -> Result<(Vec<String>, u64), IoError> {
    type Cause = Box<dyn std::error::Error + Send + Sync>;
    let (file, _) = super::open(path)?;
    let mut rows = 0;
    let names = guarded(|| -> Result<Vec<String>, Cause> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let fields = reader.schema().fields().iter();
        let names = fields.map(|field| field.name().clone()).collect();
        for batch in reader.build()? {
            rows += batch?.num_rows() as u64;
        }
        Ok(names)
    });
    let names = names.map_err(|source| IoError::Parquet {
        path: path.to_owned(),
        row: rows,
        source,
    })?;
    Ok((names, rows))
}
