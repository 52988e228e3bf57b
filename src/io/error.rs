//! The one error of this room: every variant names the path.

use std::io;
use std::path::{Path, PathBuf};

use super::image::DecodeError;
use super::{Classified, ErrorKind};

/// Why a file could not be read, understood or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// Opening or reading failed.
    #[error("could not read {}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },

    /// Creating, writing, syncing or renaming failed.
    #[error("could not write {}", .path.display())]
    Write {
        /// The file or folder that was to appear.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },

    /// The path is a folder, pipe, socket or device: reading it could hang or never end.
    #[error("{} is {found}, expected a regular file", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is, with its article.
        found: &'static str,
    },

    /// The file stands in for one that Git LFS keeps elsewhere.
    #[error(
        "{} is a Git LFS pointer, not the file itself: run `git lfs pull` in its repository, or download the file",
        .path.display()
    )]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },

    /// The file is larger than its kind of content may be.
    #[error("{} has {bytes} bytes, the limit is {limit}", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },

    /// The text is not UTF-8.
    #[error("{}{} is not UTF-8 text: save it as UTF-8", .path.display(), at_line(*.line))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// One-based line, of a file of lines.
        line: Option<usize>,
        /// Where the first bad byte is.
        #[source]
        source: std::str::Utf8Error,
    },

    /// The file holds no image that can be used.
    #[error("could not decode {}", .path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        #[source]
        source: DecodeError,
    },

    /// The file holds no matrix that can be used.
    #[error("could not use {} as a matrix", .path.display())]
    Matrix {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        #[source]
        source: super::matrix::MatrixError,
    },

    /// A row of a Parquet file could not be read.
    #[error("could not read row {row}, counted from 0, of {}", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: u64,
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A line of a JSONL file is longer than any real record.
    #[error("{}, line {line}: longer than {limit} bytes", .path.display())]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// The longest line that is read.
        limit: usize,
    },

    /// A line of a JSONL file is not the JSON that is expected there.
    #[error("{}, line {line}: not the JSON expected there", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

impl Classified for IoError {
    fn kind(&self) -> ErrorKind {
        if self.is_disk() {
            ErrorKind::Disk
        } else {
            ErrorKind::Input
        }
    }
}

impl IoError {
    /// Whether the disk refused a write: full, read-only, no permission, over quota, failing.
    ///
    /// False for everything about reading, and for a write to a path that cannot exist (a missing
    /// parent, a file where a folder should be): that is a wrong path, not a bad disk.
    pub fn is_disk(&self) -> bool {
        use io::ErrorKind as Kind;
        match self {
            Self::Write { source, .. } => !matches!(
                source.kind(),
                Kind::NotFound
                    | Kind::NotADirectory
                    | Kind::IsADirectory
                    | Kind::AlreadyExists
                    | Kind::InvalidInput
                    | Kind::InvalidFilename
            ),
            _ => false,
        }
    }

    /// The path the error is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. }
            | Self::Write { path, .. }
            | Self::NotAFile { path, .. }
            | Self::LfsPointer { path }
            | Self::TooLarge { path, .. }
            | Self::NotUtf8 { path, .. }
            | Self::Image { path, .. }
            | Self::Matrix { path, .. }
            | Self::Parquet { path, .. }
            | Self::LineTooLong { path, .. }
            | Self::Json { path, .. } => path,
        }
    }
}

/// A line in a message.
fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line},"))
}
