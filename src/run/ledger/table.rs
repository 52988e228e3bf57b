//! `ledger.parquet`: the ledger as a table, written when a run is done.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::{Decision, Entry};
use crate::io::{self, Classified, ErrorKind, IoError};

/// Why the table could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file could not be written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The encoder failed.
    #[error("could not encode {}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: ParquetError,
    },
}

impl Classified for TableError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Encode { .. } => ErrorKind::Other,
        }
    }
}

/// Writes all entries, in the order given, with the ledger's own column names.
///
/// # Errors
///
/// [`TableError`], naming the file.
pub fn write(path: &Path, entries: &[Entry]) -> Result<(), TableError> {
    let bytes = encode(entries).map_err(|source| TableError::Encode {
        path: path.to_owned(),
        source,
    })?;
    Ok(io::write_atomic(path, &bytes)?)
}

fn encode(entries: &[Entry]) -> Result<Vec<u8>, ParquetError> {
    let text = |of: &dyn Fn(&Entry) -> Option<String>| -> ArrayRef {
        Arc::new(entries.iter().map(of).collect::<StringArray>())
    };
    let whole = |of: &dyn Fn(&Entry) -> u64| -> ArrayRef {
        Arc::new(entries.iter().map(|e| Some(of(e))).collect::<UInt64Array>())
    };
    let real = |of: &dyn Fn(&Entry) -> Option<f64>| -> ArrayRef {
        Arc::new(entries.iter().map(of).collect::<Float64Array>())
    };
    let decision = |e: &Entry| match e.decision {
        Decision::Passed => "passed",
        Decision::Rejected => "rejected",
    };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("attempt", whole(&|e| e.attempt), false),
        ("id", text(&|e| Some(e.id.clone())), false),
        ("class", text(&|e| Some(e.class.clone())), false),
        ("class_index", whole(&|e| e.class_index as u64), false),
        ("mode", whole(&|e| u64::from(e.mode)), false),
        ("arm", text(&|e| Some(e.arm.clone())), false),
        ("caption", text(&|e| Some(e.caption.clone())), false),
        ("index", whole(&|e| e.index), false),
        ("seed", whole(&|e| e.seed), false),
        ("status", text(&|e| Some(e.status.clone())), false),
        ("alignment", real(&|e| e.alignment), true),
        ("threshold", real(&|e| e.threshold), true),
        ("class_similarity", real(&|e| e.class_similarity), true),
        ("class_margin", real(&|e| e.class_margin), true),
        (
            "nearest_train_similarity",
            real(&|e| e.nearest_train_similarity),
            true,
        ),
        ("decision", text(&|e| Some(decision(e).to_owned())), false),
        ("reason", text(&|e| e.reason.clone()), true),
        ("duplicate_of", text(&|e| e.duplicate_of.clone()), true),
        ("file", text(&|e| e.file.clone()), true),
        ("sha256", text(&|e| e.sha256.clone()), true),
        ("steps", whole(&|e| u64::from(e.steps)), false),
        ("guidance", real(&|e| Some(e.guidance)), false),
        ("scheduler", text(&|e| Some(e.scheduler.clone())), false),
        (
            "negative_prompt",
            text(&|e| Some(e.negative_prompt.clone())),
            false,
        ),
        ("width", whole(&|e| u64::from(e.width)), false),
        ("height", whole(&|e| u64::from(e.height)), false),
    ])?;
    io::parquet::encode(&batch, &[])
}

#[cfg(test)]
mod tests {
    use arrow::array::Array as _;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::tests::entry;
    use super::*;

    #[test]
    fn the_table_has_every_field_of_an_entry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.parquet");
        let entries = [entry(0), entry(1)];
        write(&path, &entries).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap();
        let batch = reader.next().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 2);
        let json = serde_json::to_value(&entries[0]).unwrap();
        let names: Vec<_> = batch
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        assert_eq!(
            names,
            json.as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        );
        let seeds = batch.column_by_name("seed").unwrap();
        let seeds = seeds.as_any().downcast_ref::<UInt64Array>().unwrap();
        assert_eq!(
            (seeds.value(0), seeds.value(1)),
            (entries[0].seed, entries[1].seed)
        );
        assert!(!batch.column_by_name("caption").unwrap().is_null(0));
    }
}
