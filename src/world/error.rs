use std::path::PathBuf;

use crate::io::{Classified, ErrorKind, IoError};

/// What can go wrong while a world is made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// A probability of the world is none.
    #[error("world: `{key}` is {value}, expected a number from 0 to 1")]
    Probability {
        /// The field of [`crate::world::face::WorldConfig`].
        key: &'static str,
        /// Its value.
        value: f64,
    },
    /// The correlation of the training split is not a share.
    #[error(
        "world: the correlation is {value}, expected the majority's share of each label, from 0 to 1"
    )]
    Correlation {
        /// The value given.
        value: f64,
    },
    /// The folder holds a picture that the data set to be written does not have.
    #[error(
        "{}: not a picture of the data set to be written, which a reader would take for one; \
         choose an empty folder or delete it",
        path.display()
    )]
    Leftover {
        /// The first such file, in order of name.
        path: PathBuf,
    },
    /// A folder could not be listed.
    #[error("{}: could not be listed", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A portrait could not be encoded.
    #[error("{}: the portrait could not be encoded as PNG", path.display())]
    Encode {
        /// The file it was meant for.
        path: PathBuf,
        /// Why not.
        source: image::ImageError,
    },
    /// The table could not be put together.
    #[error("{}: the table could not be put together", path.display())]
    Table {
        /// The file it was meant for.
        path: PathBuf,
        /// Why not.
        source: csv::Error,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl Classified for WorldError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Probability { .. } | Self::Correlation { .. } => ErrorKind::Usage,
            Self::Encode { .. } | Self::Table { .. } => ErrorKind::Other,
            Self::Leftover { .. } | Self::List { .. } => ErrorKind::Input,
        }
    }
}
