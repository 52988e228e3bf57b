use std::path::PathBuf;

use crate::embed::EmbedError;
use crate::generate::GenerateError;
use crate::io::image::DecodeError;
use crate::io::{Classified, ErrorKind, IoError};
use crate::run::ledger::LedgerError;
use crate::run::png::EncodeError;

/// Why generation stopped short.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The generator failed.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A generated image could not be embedded.
    #[error("could not embed a generated image")]
    Embed(#[from] EmbedError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An image could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// An image could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An image could not be read again from what it was encoded as.
    #[error("an image cannot be read back from the JPEG it was saved as")]
    Decode(#[from] DecodeError),
    /// The writing thread died.
    #[error("the thread that writes images died; run the same command again to go on")]
    Writer,
    /// A ledger line belongs to another plan.
    #[error(
        "{}: attempt {attempt} is {found:?} where the plan has {expected:?}: was the ledger copied \
         from another run?",
        path.display()
    )]
    ForeignLine {
        /// The ledger.
        path: PathBuf,
        /// The plan position.
        attempt: u64,
        /// The id in the ledger.
        found: String,
        /// The id in the plan.
        expected: String,
    },
}

impl Classified for EngineError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Generate(error) => error.kind(),
            Self::Embed(error) => error.kind(),
            Self::Ledger(error) => error.kind(),
            Self::Encode(error) => error.kind(),
            Self::Io(error) => error.kind(),
            Self::Decode(error) => error.kind(),
            Self::Writer => ErrorKind::Other,
            Self::ForeignLine { .. } => ErrorKind::Input,
        }
    }
}
