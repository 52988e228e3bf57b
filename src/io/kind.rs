//! What kind of failure an error is: what a caller does next, and the exit code, follow from it.

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller asked for something that makes no sense: a flag, a setting, a combination of them.
    Usage,
    /// A file, a folder, a model or a data set is not what was needed.
    Input,
    /// The work ended, but not all that was asked for came out.
    Incomplete,
    /// The GPU was lost.
    Device,
    /// The disk refused a write.
    Disk,
    /// Somebody asked to stop.
    Stopped,
    /// Anything else, such as a network that does not answer.
    Other,
}

/// An error that knows its kind.
///
/// Every public error of the crate is one, so that exit codes follow without looking into types.
pub trait Classified: std::error::Error {
    /// The kind of this failure.
    fn kind(&self) -> ErrorKind;
}
