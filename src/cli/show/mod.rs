//! What commands print: tables and sentences of results.

mod captions;
mod closing;
mod decided;
mod modes;
mod proof;
mod tables;

pub(super) use self::closing::{paths, table};
pub(super) use self::decided::{decided, lacking, thresholds};
pub(super) use self::proof::{judged, retraining};
