//! Why a ledger cannot be read or added to.

use std::path::PathBuf;

use super::SCHEMA;
use crate::generate::AttemptId;
use crate::io::{Classified, ErrorKind, IoError};

/// Why the ledger could not be read or added to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Reading, writing or syncing failed.
    #[error(transparent)]
    Io(#[from] IoError),

    /// A line that is not the last is damaged.
    #[error(
        "{}, line {line}: damaged, {reason}: restore the file from a copy, or remove this line: its attempt is then \
         made again", .path.display()
    )]
    Corrupt {
        /// The ledger.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A line is whole, but does not hold what was measured of an attempt.
    #[error("{}, line {line}: not an attempt of schema {SCHEMA}", .path.display())]
    Line {
        /// The ledger.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },

    /// A line was written by another version.
    #[error(
        "{}, line {line}: schema {found}, this version reads {SCHEMA}: use the version of hardlight that \
         wrote it, or start anew with --force-new", .path.display()
    )]
    Schema {
        /// The ledger.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// Its schema.
        found: u32,
    },

    /// A line's id is not the hash of its recipe.
    #[error(
        "{}, line {line}: the recipe is not that of attempt {id}: restore the file from a copy",
        .path.display()
    )]
    Recipe {
        /// The ledger.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// What it says.
        id: AttemptId,
    },

    /// Two lines are about the same attempt.
    #[error("{}, line {line}: attempt {id} stands on line {first} already", .path.display())]
    Duplicate {
        /// The ledger.
        path: PathBuf,
        /// One-based line of the second.
        line: usize,
        /// One-based line of the first.
        first: usize,
        /// The attempt.
        id: AttemptId,
    },

    /// A number has no JSON form.
    #[error("attempt {id}: {field} is {value}, which no ledger can hold")]
    NonFinite {
        /// The attempt.
        id: AttemptId,
        /// The field.
        field: &'static str,
        /// NaN or an infinity.
        value: f64,
    },

    /// An earlier append failed, so what the disk holds is not known.
    #[error("{} is closed, because an earlier write to it failed: open it again", .path.display())]
    Closed {
        /// The ledger.
        path: PathBuf,
    },
}

impl Classified for LedgerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Closed { .. } => ErrorKind::Disk,
            _ => ErrorKind::Input,
        }
    }
}
