//! The one error of this room: any error of the crate, with its kind and what was being done.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display};
use std::iter;

use crate::io::{Classified, ErrorKind};

/// Any [`Classified`] error of the crate.
///
/// Every one turns into it by `?` and keeps its kind and its causes. As with the `anyhow` crate, `{}`
/// prints the outermost text and `{:#}` the whole chain. It is no [`std::error::Error`] itself: that
/// would clash with the conversion.
///
/// # Examples
///
/// ```
/// use hardlight::io::ErrorKind;
/// use hardlight::pipeline::{WithContext as _, Error};
///
/// let error = Err::<(), _>(Error::input("no row is left"))
///     .context("could not read the table")
///     .unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Input);
/// assert_eq!(format!("{error:#}"), "could not read the table: no row is left");
/// ```
pub struct Error(Box<dyn Classified + Send + Sync>);

impl Error {
    /// The caller asked for something that makes no sense.
    pub fn usage(text: impl Into<Cow<'static, str>>) -> Self {
        Self::plain(ErrorKind::Usage, text)
    }

    /// A file, a folder, a model or a data set is not what was needed.
    pub fn input(text: impl Into<Cow<'static, str>>) -> Self {
        Self::plain(ErrorKind::Input, text)
    }

    /// The work ended, but not all that was asked for came out.
    pub fn incomplete(text: impl Into<Cow<'static, str>>) -> Self {
        Self::plain(ErrorKind::Incomplete, text)
    }

    /// Somebody asked to stop.
    pub fn stopped() -> Self {
        Self::plain(ErrorKind::Stopped, "stopped")
    }

    /// An error that does not know its kind, such as [`std::io::Error`] or [`serde_json::Error`].
    pub fn of_kind(kind: ErrorKind, error: impl StdError + Send + Sync + 'static) -> Self {
        Self(Box::new(Foreign {
            kind,
            error: Box::new(error),
        }))
    }

    /// Anything else that failed, such as an encoder on data of our own.
    pub fn other(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::of_kind(ErrorKind::Other, error)
    }

    fn plain(kind: ErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Plain {
            kind,
            text: text.into(),
        }))
    }

    /// What was being done when it happened; the kind stays.
    #[must_use]
    pub fn context(self, text: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(During {
            text: text.into(),
            source: self.0,
        }))
    }

    /// The kind of the failure, from which the exit code follows.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// The error and its causes, the outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let outermost: &(dyn StdError + 'static) = &*self.0;
        iter::successors(Some(outermost), |&error| error.source())
    }
}

impl<E: Classified + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if f.alternate() {
            for cause in self.chain().skip(1) {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

/// For `fn main` of examples and for tests: the text with its causes, a line each.
impl Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        for cause in self.chain().skip(1) {
            write!(f, "\n  because: {cause}")?;
        }
        Ok(())
    }
}

/// Says what was being done where a call failed.
pub trait WithContext<T> {
    /// Puts `text` before the error, which keeps its kind and becomes the cause.
    ///
    /// # Errors
    ///
    /// The error that was there.
    fn context(self, text: impl Into<Cow<'static, str>>) -> Result<T, Error>;

    /// [`WithContext::context`] with a text that is only made where there is an error.
    ///
    /// # Errors
    ///
    /// The error that was there.
    fn with_context<S: Into<Cow<'static, str>>>(self, text: impl FnOnce() -> S)
    -> Result<T, Error>;
}

impl<T, E: Into<Error>> WithContext<T> for Result<T, E> {
    fn context(self, text: impl Into<Cow<'static, str>>) -> Result<T, Error> {
        self.map_err(|error| error.into().context(text))
    }

    fn with_context<S: Into<Cow<'static, str>>>(
        self,
        text: impl FnOnce() -> S,
    ) -> Result<T, Error> {
        self.map_err(|error| error.into().context(text()))
    }
}

/// A text without a cause.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Plain {
    kind: ErrorKind,
    text: Cow<'static, str>,
}

impl Classified for Plain {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// An error from outside the crate, with the kind that its place gives it.
#[derive(Debug)]
struct Foreign {
    kind: ErrorKind,
    error: Box<dyn StdError + Send + Sync>,
}

impl Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.error, f)
    }
}

impl StdError for Foreign {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

impl Classified for Foreign {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// What was being done when the source happened.
#[derive(Debug)]
struct During {
    text: Cow<'static, str>,
    source: Box<dyn Classified + Send + Sync>,
}

impl Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for During {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

impl Classified for During {
    fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, WithContext as _};
    use crate::io::{Classified, ErrorKind};

    /// An error with a cause.
    #[derive(Debug, thiserror::Error)]
    #[error("the write failed")]
    struct Failed(#[source] std::io::Error);

    impl Classified for Failed {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Disk
        }
    }

    fn fail() -> Result<(), Error> {
        Err(Failed(std::io::Error::other("no space")).into())
    }

    #[test]
    fn a_classified_error_keeps_kind_and_causes_under_context() {
        let error = fail().context("could not write --out").unwrap_err();
        let error = error.context("could not export");
        assert_eq!(error.kind(), ErrorKind::Disk);
        assert_eq!(error.to_string(), "could not export");
        assert_eq!(
            format!("{error:#}"),
            "could not export: could not write --out: the write failed: no space"
        );
        assert_eq!(error.chain().count(), 4);
        assert!(
            error
                .chain()
                .any(<dyn std::error::Error>::is::<std::io::Error>)
        );
    }

    #[test]
    fn constructors_give_their_kind() {
        let source = std::io::Error::other("odd");
        let made = [
            (Error::usage("text"), ErrorKind::Usage, "text"),
            (Error::input("text"), ErrorKind::Input, "text"),
            (Error::incomplete("text"), ErrorKind::Incomplete, "text"),
            (Error::stopped(), ErrorKind::Stopped, "stopped"),
            (
                Error::of_kind(ErrorKind::Disk, source),
                ErrorKind::Disk,
                "odd",
            ),
            (
                Error::other(std::fmt::Error),
                ErrorKind::Other,
                "an error occurred when formatting an argument",
            ),
        ];
        for (error, kind, text) in made {
            assert_eq!(error.kind(), kind);
            assert_eq!(format!("{error:#}"), text);
        }
    }

    #[test]
    fn context_is_only_made_where_there_is_an_error() {
        let fine: Result<u8, Failed> = Ok(1);
        let fine = fine.with_context(|| -> String { unreachable!() });
        assert_eq!(fine.unwrap(), 1);
    }
}
