//! Who hears what the stages do: progress, information and warnings.
//!
//! The stages know no terminal. They tell a [`Reporter`], of which there are four: the terminal of the
//! command line, [`Silent`], [`Recorder`] (keeps warnings, for tests and for callers that show them
//! elsewhere) and [`JsonLines`] (one JSON object a line, for scripts).

mod json;
mod recorder;
mod stage;

use std::fmt::Display;
use std::path::Path;

pub use self::json::JsonLines;
pub use self::recorder::Recorder;
pub use self::stage::Stage;
use crate::io::IoError;

/// The unit of a stage that counts bytes, which are shown as kB, MB and GB.
pub const BYTES: &str = "bytes";

/// What a stage is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageInfo<'a> {
    /// What is done, as `embed val`.
    pub name: &'a str,
    /// Units in all.
    pub total: usize,
    /// What is counted, in the plural; [`BYTES`] for bytes.
    pub unit: &'static str,
}

impl<'a> StageInfo<'a> {
    /// A stage of `total` units.
    pub fn new(name: &'a str, total: usize, unit: &'static str) -> Self {
        Self { name, total, unit }
    }
}

/// Hears what the stages do.
///
/// One stage is open at a time: after [`begin`](Self::begin) come any number of
/// [`progress`](Self::progress), then [`end`](Self::end) or [`abandon`](Self::abandon). [`Stage`]
/// sees to that.
pub trait Reporter {
    /// A detail for the log alone.
    fn note(&mut self, text: &dyn Display);

    /// What is going on.
    fn info(&mut self, text: &dyn Display);

    /// Something that the user should know.
    fn warn(&mut self, text: &dyn Display);

    /// A stage begins.
    fn begin(&mut self, stage: &StageInfo<'_>);

    /// `done` units of the open stage were done by an earlier process and took no time now.
    fn resumed_from(&mut self, done: usize);

    /// `done` units of the open stage are done.
    fn progress(&mut self, done: usize, message: &str);

    /// The open stage came to its end.
    fn end(&mut self);

    /// The open stage was stopped, or failed.
    fn abandon(&mut self);

    /// The run folder has a log from now on; a reporter may add its lines to it.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the log cannot be opened.
    fn log_to(&mut self, path: &Path) -> Result<(), IoError> {
        let _ = path;
        Ok(())
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn note(&mut self, _: &dyn Display) {}
    fn info(&mut self, _: &dyn Display) {}
    fn warn(&mut self, _: &dyn Display) {}
    fn begin(&mut self, _: &StageInfo<'_>) {}
    fn resumed_from(&mut self, _: usize) {}
    fn progress(&mut self, _: usize, _: &str) {}
    fn end(&mut self) {}
    fn abandon(&mut self) {}
}
