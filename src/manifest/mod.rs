//! The manifest: the table that augmented training reads, in three encodings of the same content.
//!
//! ```text
//! rows ──check──▶ cells ──┬──▶ train.jsonl    every key in every line, absent values as null
//!                         ├──▶ train.csv      absent values as empty cells
//!                         └──▶ train.parquet  typed columns, zstd
//! ```
//!
//! [`Row`] says what the columns are. The same rows give the same bytes; the order of rows is the
//! caller's. Each file appears whole or not at all.
//!
//! An image lies at `root/path`. A relative `root` starts from the run folder (`.` for generated
//! images), so a run folder can be moved, and moved together with its data.
//!
//! [`verify`] checks a run folder against its manifest and ledger; [`weigh`] changes weights by
//! alignment; [`export`] lays the images out for particular readers.
//!
//! Not here: which images go in.

pub mod export;
mod row;
pub mod verify;
pub mod weigh;
mod write;

pub use row::{COLUMNS, Column, ColumnType, Row, Source};
pub use write::write_all;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::io::{Classified, ErrorKind, IoError};

/// Version of the columns; stands in the Parquet file's metadata as `hardlight.manifest.schema`.
pub const SCHEMA: u32 = 3;

/// Why a manifest could not be written or read. Rows count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] IoError),

    /// A number is NaN or infinite.
    #[error("row {row} ({id:?}): {column} is {value}, expected a finite number")]
    NonFinite {
        /// The row.
        row: usize,
        /// Its id.
        id: String,
        /// The column.
        column: &'static str,
        /// The number.
        value: f64,
    },

    /// A value is outside its column's range.
    #[error("row {row} ({id:?}): {column} is {value}, expected {expected}")]
    Invalid {
        /// The row.
        row: usize,
        /// Its id.
        id: String,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
        /// What would do.
        expected: &'static str,
    },

    /// Two rows have the same id.
    #[error("row {row} has the id {id:?} of row {first}: ids must be unique")]
    DuplicateId {
        /// The second row.
        row: usize,
        /// The first row.
        first: usize,
        /// The id they share.
        id: String,
    },

    /// A path has no UTF-8 form.
    #[error("{} is not UTF-8: rename it", .path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },

    /// An original has no alignment to be weighed by.
    #[error(
        "row {row} ({id:?}) has no embedding: the training data changed since the run, so run it again"
    )]
    NotEmbedded {
        /// The row.
        row: usize,
        /// Its id.
        id: String,
    },

    /// An encoder failed.
    #[error("could not encode {file}")]
    Encode {
        /// The file's name.
        file: &'static str,
        /// What the encoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Classified for ManifestError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Encode { .. } => ErrorKind::Other,
            _ => ErrorKind::Input,
        }
    }
}

/// Reads and checks a `train.jsonl`.
///
/// # Errors
///
/// [`ManifestError::Io`], also for a line with unknown or missing columns; then those of
/// [`write_all`] about rows.
pub fn read_jsonl(path: &Path) -> Result<Vec<Row>, ManifestError> {
    let rows: Vec<Row> = crate::io::jsonl::read(path)?
        .into_iter()
        .map(|(_, row)| row)
        .collect();
    check(&rows)?;
    Ok(rows)
}

/// How the manifest of a run folder writes the root of other images: relative to the run folder,
/// or absolute if the two have no folder in common that could be moved.
///
/// Both must exist; links are resolved.
///
/// # Errors
///
/// [`ManifestError::Io`], [`ManifestError::NotUtf8`].
pub fn root_text(run_folder: &Path, root: &Path) -> Result<String, ManifestError> {
    let resolve = |path: &Path| {
        // The folder of a table that is named without one.
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        path.canonicalize().map_err(|source| IoError::Read {
            path: path.to_owned(),
            source,
        })
    };
    let (from, to) = (resolve(run_folder)?, resolve(root)?);
    let shared: Vec<Component<'_>> = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a)
        .collect();
    let not_utf8 = || ManifestError::NotUtf8 { path: to.clone() };
    if !shared
        .iter()
        .any(|part| matches!(part, Component::Normal(_)))
    {
        return Ok(to.to_str().ok_or_else(not_utf8)?.to_owned());
    }
    let up = from.components().count() - shared.len();
    let mut parts = vec![".."; up];
    for part in to.components().skip(shared.len()) {
        parts.push(part.as_os_str().to_str().ok_or_else(not_utf8)?);
    }
    Ok(if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    })
}

/// Checks all that must hold of the rows of a manifest.
fn check(rows: &[Row]) -> Result<(), ManifestError> {
    let mut ids = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let number = index + 1;
        row.check(number)?;
        if let Some(first) = ids.insert(row.id.as_str(), number) {
            return Err(ManifestError::DuplicateId {
                row: number,
                first,
                id: row.id.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::row::tests::{original, synthetic};
    use super::*;

    #[test]
    fn ids_must_be_unique() {
        let rows = [synthetic(1), original(), synthetic(1)];
        let error = check(&rows).unwrap_err();
        assert!(
            matches!(
                &error,
                ManifestError::DuplicateId {
                    row: 3,
                    first: 1,
                    ..
                }
            ),
            "{error:?}"
        );
    }

    #[test]
    fn roots_are_relative_where_a_folder_is_shared() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["runs/a", "data/set"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let run = folder.path().join("runs/a");
        let text = |root: &Path| root_text(&run, root).unwrap();
        assert_eq!(text(&folder.path().join("data/set")), "../../data/set");
        assert_eq!(text(&folder.path().join("runs/a/../../data")), "../../data");
        assert_eq!(text(&folder.path().join("runs")), "..");
        assert_eq!(text(&run), ".");
        #[cfg(target_os = "linux")]
        assert_eq!(text(Path::new("/proc")), "/proc");
        assert!(root_text(&run, &folder.path().join("none")).is_err());
    }

    #[test]
    fn reading_checks_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path(), &[synthetic(1)]).unwrap();
        let path = folder.path().join("train.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.clone() + &text).unwrap();
        let error = read_jsonl(&path).unwrap_err();
        assert!(
            matches!(error, ManifestError::DuplicateId { .. }),
            "{error:?}"
        );
        fs::write(&path, text.replace("\"weight\"", "\"wait\"")).unwrap();
        let error = read_jsonl(&path).unwrap_err();
        assert!(
            matches!(error, ManifestError::Io(IoError::Json { line: 1, .. })),
            "{error:?}"
        );
    }
}
