//! The product as a library: every stage a function from typed inputs to a typed result.
//!
//! ```text
//! data::open ─▶ Data ─┐
//!                     ├─▶ embed ─▶ Embedded ─▶ detect ─▶ Detected ─┬─▶ pool ─▶ Pooled
//! Models::open ───────┘                                            └─▶ caption ─▶ Captioned
//!                                    generate ─▶ Generated ─▶ manifest ─▶ previews
//! ```
//!
//! [`run`] does all of it in its order; [`run_with`] takes data and models that are open
//! already, so stand-ins serve as well as CLIP and Stable Diffusion.
//!
//! Nothing here knows a command line or a terminal: progress and warnings go to a
//! [`Reporter`](reporter::Reporter), results are returned and written to the run folder. Without libtorch
//! all of it is there but what opens models.

pub mod candidates;
pub mod captions;
mod context;
pub mod data;
pub mod detect;
#[cfg(feature = "torch")]
pub(crate) mod device;
#[cfg(feature = "torch")]
pub mod doctor;
mod doubts;
pub mod embed;
mod error;
pub mod generate;
mod identity;
mod judge;
pub mod listing;
pub mod manifest;
mod meaning;
pub mod models;
pub mod order;
pub mod outputs;
pub(crate) mod own;
pub mod pool;
mod predict;
#[cfg(feature = "torch")]
pub(crate) mod proof;
mod report;
pub mod reporter;
pub mod saved;
mod skipped;
pub mod space;
pub mod study;
#[cfg(feature = "torch")]
pub mod vectors;
pub mod weigh;

pub use self::captions::{Captioned, caption};
pub use self::context::{Context, Job, StopCheck};
pub use self::data::Data;
pub use self::detect::{Detected, detect};
#[cfg(feature = "torch")]
pub use self::device::device;
pub use self::embed::{Embedded, embed};
pub use self::error::{Error, WithContext};
pub use self::generate::{Generated, generate};
pub use self::models::Models;
#[cfg(feature = "torch")]
pub use self::order::run;
pub use self::order::{Finished, Target, Until, run_with};
pub use self::pool::{Pooled, pool};
pub use self::reporter::{JsonLines, Recorder, Reporter, Silent, Stage};
