//! The product as a library: every stage a function from typed inputs to a typed result.
//!
//! ```text
//! open ─▶ predict ─▶ embed ─▶ detect ─▶ pool ─▶ caption ─▶ generate ─▶ manifest ─▶ previews
//! ```
//!
//! Nothing here knows a command line or a terminal: progress and warnings go to a
//! [`Reporter`](reporter::Reporter), results are returned and written to the run folder.

#[cfg(feature = "torch")]
pub(crate) mod candidates;
#[cfg(feature = "torch")]
pub(crate) mod captions;
#[cfg(feature = "torch")]
mod classifier;
mod context;
#[cfg(feature = "torch")]
pub(crate) mod detect;
#[cfg(feature = "torch")]
pub(crate) mod device;
#[cfg(feature = "torch")]
mod doubts;
#[cfg(feature = "torch")]
mod embed;
mod error;
#[cfg(feature = "torch")]
pub(crate) mod generate;
#[cfg(feature = "torch")]
pub(crate) mod inputs;
#[cfg(feature = "torch")]
mod judge;
#[cfg(feature = "torch")]
pub(crate) mod manifest;
#[cfg(feature = "torch")]
pub(crate) mod models;
#[cfg(feature = "torch")]
pub(crate) mod order;
#[cfg(feature = "torch")]
pub(crate) mod outputs;
#[cfg(feature = "torch")]
pub(crate) mod own;
#[cfg(feature = "torch")]
pub(crate) mod pool;
#[cfg(feature = "torch")]
mod predict;
#[cfg(feature = "torch")]
pub(crate) mod proof;
#[cfg(feature = "torch")]
mod report;
pub mod reporter;
#[cfg(feature = "torch")]
pub(crate) mod saved;
#[cfg(feature = "torch")]
mod skipped;
#[cfg(feature = "torch")]
pub(crate) mod space;
#[cfg(feature = "torch")]
pub(crate) mod study;

pub use self::context::{Context, Job, StopCheck};
#[cfg(feature = "torch")]
pub use self::device::device;
pub use self::error::{Error, WithContext};
pub use self::reporter::{JsonLines, Recorder, Reporter, Silent, Stage};
