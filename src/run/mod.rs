//! The run: plan, sample, judge, ledger, quota; resume, locks, the run folder.
//!
//! - [`folder`], [`lock`], [`settings_diff`]: a folder that belongs to one run and refuses another.
//! - [`ledger`]: every attempt, crash-safe.
//! - [`engine`]: the loop that fills quotas from plans; [`pool`]: real images before any are generated.
//! - [`cache`]: embeddings that are not made twice.
//! - [`skipped`]: images that cannot be used.
//!
//! May import every room above: `io`, `image_file`, `dataset`, `embed`, `direction`, `caption`, `generate`,
//! `filter`.

pub mod cache;
pub mod engine;
#[cfg(feature = "torch")]
pub mod features;
pub mod folder;
pub mod ledger;
pub mod lock;
pub mod look;
pub mod pool;
mod record;
pub mod settings_diff;
pub mod skipped;

pub use self::record::RunRecord;
