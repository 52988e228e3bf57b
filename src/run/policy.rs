//! How many images a run wants, and which it keeps: what may change without being another run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::filter;

/// The policy of a run. Everything that follows from it is decided from the ledger, as often as it
/// changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Images to keep per failure mode.
    pub quota: usize,
    /// Attempts per failure mode at most; 0 means ten times what is asked for.
    pub budget: u64,
    /// Control images per failure mode and kind of caption.
    pub controls: usize,
    /// Rejected images that are shown per failure mode, in plan order.
    pub keep_rejected: usize,
    /// What an image must reach.
    pub filter: filter::Policy,
}

impl Policy {
    /// Attempts at most for so many images of a failure mode.
    pub fn attempts(&self, quota: usize) -> u64 {
        if self.budget == 0 {
            10 * quota as u64
        } else {
            self.budget
        }
    }
}
