//! What can be wrong with captions.

use std::path::PathBuf;

use crate::direction::WhitenError;
use crate::io::IoError;

/// Why captions could not be made or scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptionError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),

    /// The grammar is not TOML, or has a key or value that is not known.
    #[error("{origin} is not a grammar; prompts/README.md shows what one looks like")]
    Parse {
        /// The file.
        origin: String,
        /// What the TOML reader said, with line and column.
        #[source]
        source: Box<toml::de::Error>,
    },

    /// A template names a slot that is not there.
    #[error("{origin}: template {template:?} names {{{slot}}}, which is no slot: it has {known:?}")]
    Slot {
        /// The file.
        origin: String,
        /// The template.
        template: String,
        /// The slot it names.
        slot: String,
        /// The slots there are.
        known: Vec<String>,
    },

    /// A brace is not closed.
    #[error("{origin}: template {template:?} opens a brace that it does not close")]
    Brace {
        /// The file.
        origin: String,
        /// The template.
        template: String,
    },

    /// A grammar would make more captions than anyone scores.
    #[error(
        "{origin} makes {count} captions for a class, at most {most} are allowed: give slots fewer values"
    )]
    TooMany {
        /// The file.
        origin: String,
        /// Captions it would make.
        count: u128,
        /// What is allowed.
        most: u128,
    },

    /// Nothing to score.
    #[error("{origin} has no captions for class {class:?}")]
    Empty {
        /// The file.
        origin: String,
        /// The class.
        class: String,
    },

    /// A caption's embedding cannot be whitened.
    #[error("caption {caption:?} has no place in the space of the images")]
    Whiten {
        /// The caption.
        caption: String,
        /// Why.
        #[source]
        source: WhitenError,
    },

    /// The table could not be encoded.
    #[error("could not write {}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: parquet::errors::ParquetError,
    },
}
