//! What became of attempts.

use std::collections::BTreeMap;

use crate::run::ledger::Entry;

/// What one plan came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ModeOutcome {
    /// All attempts, in plan order.
    pub entries: Vec<Entry>,
    /// Whether the quota was met.
    pub met: bool,
}

/// Status of an entry whose image counts towards the quota.
pub const KEPT: &str = "kept";
/// Status of an entry that passed after the quota was met.
pub const SURPLUS: &str = "surplus";
/// Status of an entry that failed a filter.
pub const REJECTED: &str = "rejected";
/// Status of an entry of a control arm, which no filter judges.
pub const CONTROL: &str = "control";

impl ModeOutcome {
    /// Entries whose images count towards the quota, in plan order.
    pub fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|e| e.status == KEPT || e.status == CONTROL)
    }

    /// How many attempts failed, by reason.
    pub fn rejected(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for reason in self.entries.iter().filter_map(|e| e.reason.clone()) {
            *counts.entry(reason).or_default() += 1;
        }
        counts
    }
}
