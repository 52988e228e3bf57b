//! `decisions.jsonl` and `ledger.parquet`: every attempt that counts, with what was decided, as tables.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::{Row, Status};
use crate::generate::Arm;
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

/// Writes rows, in the order given, as JSON lines and as Parquet.
///
/// # Errors
///
/// [`TableError`], naming the file.
pub fn write(jsonl: &Path, parquet: &Path, rows: &[Row]) -> Result<(), TableError> {
    io::jsonl::write(jsonl, rows)?;
    Ok(io::write_atomic(parquet, &encode(parquet, rows)?)?)
}

/// The bytes of the Parquet table, which would be written to this path.
///
/// # Errors
///
/// [`TableError::Encode`].
pub fn encode(path: &Path, rows: &[Row]) -> Result<Vec<u8>, TableError> {
    bytes(rows).map_err(|source| TableError::Encode {
        path: path.to_owned(),
        source,
    })
}

fn bytes(rows: &[Row]) -> Result<Vec<u8>, ParquetError> {
    let text = |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let whole = |of: &dyn Fn(&Row) -> u64| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| Some(of(row)))
                .collect::<UInt64Array>(),
        )
    };
    let real = |of: &dyn Fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Float64Array>())
    };
    let arm = |row: &Row| Arm::name(row.arm).to_owned();
    let status = |row: &Row| Status::name(row.status).to_owned();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", text(&|r| Some(r.id.clone())), false),
        ("class", text(&|r| Some(r.class.clone())), false),
        ("class_index", whole(&|r| r.class_index as u64), false),
        ("mode", whole(&|r| u64::from(r.mode)), false),
        ("arm", text(&|r| Some(arm(r))), false),
        ("caption", text(&|r| Some(r.caption.clone())), false),
        ("index", whole(&|r| r.index), false),
        ("seed", whole(&|r| r.seed), false),
        ("status", text(&|r| Some(status(r))), false),
        ("reason", text(&|r| r.reason.clone()), true),
        ("duplicate_of", text(&|r| r.duplicate_of.clone()), true),
        ("alignment", real(&|r| r.alignment), true),
        ("threshold", real(&|r| r.threshold), true),
        ("class_similarity", real(&|r| r.class_similarity), true),
        ("class_margin", real(&|r| r.class_margin), true),
        (
            "nearest_train_similarity",
            real(&|r| r.nearest_train_similarity),
            true,
        ),
        ("file", text(&|r| Some(r.file.clone())), false),
        ("sha256", text(&|r| Some(r.sha256.clone())), false),
        ("steps", whole(&|r| u64::from(r.steps)), false),
        ("guidance", real(&|r| Some(r.guidance)), false),
        ("scheduler", text(&|r| Some(r.scheduler.clone())), false),
        (
            "negative_prompt",
            text(&|r| Some(r.negative_prompt.clone())),
            false,
        ),
        ("width", whole(&|r| u64::from(r.width)), false),
        ("height", whole(&|r| u64::from(r.height)), false),
        ("recipe", text(&|r| Some(r.recipe.clone())), false),
    ])?;
    io::parquet::encode(&batch, &[])
}
