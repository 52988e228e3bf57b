//! What the model folder's own safety checker objects to.

use super::duplicate::KeptImages;
use super::{Filter, Measures, Reason};

/// Rejects what was flagged.
#[derive(Debug, Clone, Copy)]
pub struct Safety;

impl Filter for Safety {
    fn reject(&self, measures: &Measures, _kept: &KeptImages) -> Option<Reason> {
        measures.flagged.then_some(Reason::Safety)
    }
}
