//! Why settings were refused.

use crate::dataset::Split;
use crate::io::{Classified, ErrorKind, IoError};

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] IoError),

    /// The file is not TOML, or has a key or a value that is not known.
    #[error("settings in {origin} were refused; `hardlight init` writes a commented file")]
    Parse {
        /// The file, or the option.
        origin: String,
        /// What the TOML reader said, with line and column.
        #[source]
        source: Box<toml::de::Error>,
    },

    /// A `--set` is not `section.key=value`.
    #[error("--set {text}: expected section.key=value, as in --set generate.steps=12")]
    Assignment {
        /// What was given.
        text: String,
    },

    /// A value is out of range.
    #[error("{key} is {value}: expected {expected}")]
    Range {
        /// The key, with its section.
        key: String,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },

    /// A split that images must not be taken from.
    #[error(
        "data.pool is {split}, but {reason}: put the images to choose from in a split of their own, pool"
    )]
    Pool {
        /// The split.
        split: Split,
        /// What it is there for.
        reason: &'static str,
    },
}

impl Classified for SettingsError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}
