//! What a run's JSON files hold, as types: written from them, read back by them, and described by them.
//!
//! ```text
//! pipeline ──▶ DetectionReport  ─▶ report.json    ─┬─▶ preview, evaluate, export: the same types
//!              Summary          ─▶ summary.json   ─┤
//!              EvaluationReport ─▶ evaluate.json  ─┼─▶ docs/schemas/*.schema.json, for others
//!              RunRecord        ─▶ run.json       ─┤
//!              PoolRecord       ─▶ pool.json      ─┘
//! ```
//!
//! Each is a [`JsonFile`]: its schema number says which version of hardlight reads it, an error names the
//! file and the key. Every entry about a failure mode carries the name of its class, the class's index and
//! the number of the mode within the class ([`Mode`]). Figures that may not exist are `null`, never NaN.
//!
//! - [`detection`], [`summary`], [`evaluation`]: a file each; `run.json` and `pool.json` are the run's own.
//! - [`csv`]: the detection report as tables for spreadsheets; [`html`]: all of it as one page for people.
//! - [`mode`], [`captions`], [`doubts`], [`retraining`]: what they are put together from.
//!
//! Not here: how figures are computed ([`crate::direction::report`], [`crate::direction::evaluate`],
//! [`crate::caption`]), and what the terminal shows of them.

pub mod captions;
pub mod csv;
pub mod detection;
pub mod doubts;
pub mod evaluation;
pub mod html;
pub mod mode;
pub mod overview;
pub mod retraining;
pub mod summary;

pub use self::captions::CaptionsReport;
pub use self::detection::DetectionReport;
pub use self::evaluation::EvaluationReport;
pub use self::mode::Mode;
pub use self::summary::Summary;
pub use crate::direction::persist::DirectionsFile;
pub use crate::io::{JsonFile, JsonFileError};
pub use crate::run::RunRecord;
pub use crate::run::pool::PoolRecord;

/// The version of hardlight that writes a file.
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

#[cfg(test)]
mod tests;
