//! A record batch as the bytes of a Parquet file: zstd, one row group, no name of a library in it that
//! would change the bytes; and single rows of a Parquet file.

pub(crate) mod guard;
pub(crate) mod rows;

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

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
