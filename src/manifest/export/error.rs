//! The error of exports.

use std::path::PathBuf;

use crate::dataset::DatasetError;
use crate::io::{Classified, ErrorKind, IoError};

/// Why a manifest could not be exported. Rows count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] IoError),

    /// An image that is a part of a larger file is not in it.
    #[error(transparent)]
    Member(#[from] DatasetError),

    /// There is something at the place of the export.
    #[error("{} is there already: give --to a new or an empty folder", .path.display())]
    Taken {
        /// The place.
        path: PathBuf,
    },

    /// No row is left.
    #[error("there is nothing to export: the manifest has no row with a weight above 0")]
    Empty,

    /// A row cannot be exported.
    #[error("manifest row {row} ({id:?}): {reason}")]
    Row {
        /// The row.
        row: usize,
        /// Its id.
        id: String,
        /// Why not, and what to do.
        reason: String,
    },

    /// A format without weights was asked for rows that have them.
    #[error(
        "{weighted} rows have another weight than 1, which {format} cannot hold: export hf or \
         webdataset, or train from manifest/train.parquet"
    )]
    Weights {
        /// The format.
        format: &'static str,
        /// Rows with weights.
        weighted: usize,
    },

    /// A reader that numbers classes by itself would number them otherwise.
    #[error(
        "split {split} has no image of class {class:?}: torchvision numbers the folders it finds, so \
         all later classes would get another index; export hf, webdataset or fiftyone"
    )]
    MissingClass {
        /// The split.
        split: &'static str,
        /// The class.
        class: String,
    },

    /// A file is not what its row says.
    #[error("{} has changed since the manifest was written (its SHA-256 is another): restore it, or \
             let `hardlight run` write the manifest again", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// A table could not be encoded.
    #[error("could not encode {}", .path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: serde_json::Error,
    },
}

impl Classified for ExportError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Member(error) => error.kind(),
            Self::Encode { .. } => ErrorKind::Other,
            _ => ErrorKind::Input,
        }
    }
}
