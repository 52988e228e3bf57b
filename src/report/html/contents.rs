//! What the page is made of: the run's typed files, and pictures as bytes.

use std::collections::BTreeMap;

use crate::direction::ModeId;
use crate::report::overview::Worth;
use crate::report::{DetectionReport, EvaluationReport, Summary};

/// What a run came to, as far as it went.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// The detection report, with captions where there are some.
    pub report: DetectionReport,
    /// What was generated and kept, and the demo's proof; none before the run ended.
    pub summary: Option<Summary>,
    /// Two models compared, where `hardlight evaluate` did.
    pub evaluation: Option<EvaluationReport>,
    /// Whether each attempt was kept, in plan order, mode by mode.
    pub attempts: BTreeMap<ModeId, Vec<bool>>,
    /// Images wanted of a failure mode; none where nothing was planned.
    pub quota: Option<usize>,
    /// Pictures of the modes that [`pictured`] names.
    pub pictures: BTreeMap<ModeId, Pictures>,
}

/// The pictures of a failure mode.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pictures {
    /// Real mistakes, the most aligned first.
    pub mistakes: Vec<Picture>,
    /// Real images taken from the pool, the most aligned first.
    pub pool: Vec<Picture>,
    /// Images that were generated and kept, spread over the plan.
    pub kept: Vec<Picture>,
}

/// A picture with its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// A JPEG; none where the image can no longer be read.
    pub jpeg: Option<Vec<u8>>,
    /// Width and height of it, px.
    pub size: (u32, u32),
    /// What it shows, for those who do not see it.
    pub alt: String,
    /// What stands below it.
    pub line: String,
}

/// Failure modes that have a card at most; the others are lines of a table.
pub const CARDS: usize = 24;

/// The failure modes that have a card: those that stand for what fails, the one worth fixing first at the head, then
/// the other findings, by class and mode.
pub fn pictured(report: &DetectionReport) -> Vec<ModeId> {
    let mut modes: Vec<ModeId> = report.overview.first_to_fix.iter().map(Worth::id).collect();
    modes.retain(|&id| report.mode(id).is_some());
    let findings = report.classes.iter().filter(|entry| entry.mode.finding);
    let others: Vec<ModeId> = findings
        .map(|entry| entry.mode.id())
        .filter(|id| !modes.contains(id))
        .collect();
    modes.extend(others);
    modes.truncate(CARDS);
    modes
}
