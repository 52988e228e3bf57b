//! The run: plan, sample, judge, ledger, quota; resume, locks, the run folder.
//!
//! - [`folder`], [`lock`], [`settings_diff`]: a folder that belongs to one run and refuses another.
//! - [`plan`]: what attempts follow from; [`policy`]: how many are wanted, and which are kept.
//! - [`sampling`]: makes and measures attempts until quotas are met; [`ledger`]: what was measured,
//!   crash-safe.
//! - [`decide`](mod@decide): which images are kept, as a fold over the ledger; [`gallery`]: their folders.
//! - [`pool`]: real images before any are generated.
//! - [`cache`]: embeddings that are not made twice.
//! - [`skipped`]: images that cannot be used.
//!
//! May import every room above: `io`, `image_file`, `dataset`, `embed`, `direction`, `caption`, `generate`,
//! `filter`.

pub mod cache;
pub mod decide;
#[cfg(feature = "torch")]
pub mod features;
pub mod folder;
pub mod gallery;
pub mod ledger;
pub mod lock;
pub mod plan;
pub mod policy;
pub mod pool;
mod record;
pub mod sampling;
pub mod settings_diff;
pub mod skipped;
pub mod state;
pub mod typical_image;

pub use self::record::RunRecord;
