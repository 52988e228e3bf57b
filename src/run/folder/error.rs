//! Why a folder cannot be used for a run.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::io::{Classified, ErrorKind, IoError, JsonFileError};
use crate::run::lock::LockError;
use crate::run::settings_diff::Change;

/// The most changed settings that a message lists.
const MAX_LISTED: usize = 30;

/// Why a folder cannot be used for a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] IoError),

    /// Another command works there.
    #[error(transparent)]
    Lock(LockError),

    /// The path is not a folder.
    #[error("{} is not a folder: choose another path for the run", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },

    /// There are files that are not from a run.
    #[error(
        "{} holds {found:?} and no run.json, so it is not a run folder: choose a new or an empty \
         one", .path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The first of its entries, in bytewise order.
        found: String,
    },

    /// `run.json` cannot be understood, or another version wrote it.
    #[error(transparent)]
    Record(JsonFileError),

    /// The folder holds another run.
    #[error(
        "{} holds another run: choose another folder, or start anew with --force-new (embeddings \
         stay); what differs:{}", .path.display(), list(.changes)
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs, from the folder's to the present identity, sorted by key.
        changes: Vec<Change>,
    },
}

impl Classified for FolderError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) | Self::Lock(LockError::Io(error)) => error.kind(),
            Self::Record(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

impl From<JsonFileError> for FolderError {
    fn from(error: JsonFileError) -> Self {
        match error {
            JsonFileError::Io(error) => Self::Io(error),
            other => Self::Record(other),
        }
    }
}

impl From<LockError> for FolderError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Io(error) => Self::Io(error),
            held @ LockError::Held { .. } => Self::Lock(held),
        }
    }
}

/// Changes, each on its own line, after a line break.
fn list(changes: &[Change]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for change in changes.iter().take(MAX_LISTED) {
        let _ = write!(text, "\n  {change}");
    }
    if let Some(more) = changes.len().checked_sub(MAX_LISTED + 1) {
        let _ = write!(text, "\n  and {} more", more + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_lists_of_changes_are_cut() {
        let change = Change {
            key: "a".to_owned(),
            old: None,
            new: Some(json!(1)),
        };
        let lines = |count| list(&vec![change.clone(); count]);
        assert!(lines(30).ends_with("a: (absent) → 1"));
        assert_eq!(lines(30).lines().count(), 31);
        assert!(lines(32).ends_with("\n  and 2 more"));
    }
}
