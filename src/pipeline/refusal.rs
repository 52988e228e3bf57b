//! What the pipeline itself refuses: what was asked for, or what was given.

use crate::io::{Classified, ErrorKind};

/// Settings that make no sense together, or with the data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// An input that is not what a stage needs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InputError(pub String);

impl Classified for UsageError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

impl Classified for InputError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// The work was stopped; what is done stays, and the same call goes on from there.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

impl Classified for Stopped {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Stopped
    }
}
