//! The product as a library: every stage a function from typed inputs to a typed result.
//!
//! ```text
//! data::open ─▶ Data ─┐
//!                     ├─▶ embed ─▶ Embedded ─▶ detect ─▶ Detected ─┬─▶ pool ─▶ Pooled
//! Models::open ───────┘                                            └─▶ caption ─▶ Captioned
//!                         sample ─▶ Sampled ─▶ decide ─▶ Decided ─▶ manifest ─▶ previews
//! ```
//!
//! [`run`] does all of it in its order; [`run_with`] takes data and models that are open
//! already, so stand-ins serve as well as CLIP and Stable Diffusion.
//!
//! Nothing here knows a command line or a terminal: progress and warnings go to a
//! [`Reporter`], results are returned and written to the run folder. Without libtorch
//! all of it is there but what opens models.

pub mod candidates;
pub mod captions;
mod context;
pub mod data;
pub mod decide;
#[cfg(feature = "torch")]
pub mod demo;
pub mod detect;
#[cfg(feature = "torch")]
pub(crate) mod device;
#[cfg(feature = "torch")]
pub mod doctor;
mod doubts;
pub mod embed;
mod error;
mod evaluate;
mod identity;
mod learn;
pub mod listing;
pub mod manifest;
mod meaning;
mod measure;
mod minorities;
pub mod models;
pub mod order;
pub mod outputs;
pub mod pictures;
pub mod policy;
pub mod pool;
pub mod precomputed;
mod predict;
pub mod redecide;
mod report;
pub mod reporter;
pub mod sample;
pub mod saved;
pub mod score;
pub mod settings;
mod skipped;
pub mod space;
mod starts;
mod threshold;
#[cfg(feature = "torch")]
pub mod vectors;
pub mod verify;
pub mod weigh;

pub use self::captions::{Captioned, caption};
pub use self::context::{Context, Job, StopCheck};
pub use self::data::Data;
pub use self::decide::{Decided, decide};
pub use self::detect::{Detected, detect};
#[cfg(feature = "torch")]
pub use self::device::device;
pub use self::embed::{Embedded, embed};
pub use self::error::{Error, WithContext};
pub use self::evaluate::evaluate;
pub use self::models::Models;
#[cfg(feature = "torch")]
pub use self::order::run;
pub use self::order::{Finished, Target, Until, run_with};
pub use self::pool::{Pooled, pool};
pub use self::reporter::{JsonLines, Recorder, Reporter, Silent, Stage};
pub use self::sample::{Sampled, sample};

#[cfg(test)]
mod tests;
