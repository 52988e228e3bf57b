use std::path::PathBuf;

use crate::io::{Classified, ErrorKind, IoError, JsonFileError};
use crate::run::state::StateError;

/// Why a sheet could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreviewError {
    /// The file, or its folder, could not be written.
    #[error(transparent)]
    Io(#[from] IoError),

    /// `report.json` cannot be read.
    #[error(transparent)]
    Report(#[from] JsonFileError),

    /// What the run holds of its attempts is damaged.
    #[error(transparent)]
    State(#[from] StateError),

    /// The sheet could not be encoded.
    #[error("could not encode {} as a PNG of {width}×{height}", path.display())]
    Encode {
        /// The file that was to be written.
        path: PathBuf,
        /// Width of the sheet, px.
        width: u32,
        /// Height of the sheet, px.
        height: u32,
        /// What the encoder said.
        #[source]
        source: image::ImageError,
    },
}

impl Classified for PreviewError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::State(error) => error.kind(),
            Self::Report(error) => error.kind(),
            Self::Encode { .. } => ErrorKind::Other,
        }
    }
}
