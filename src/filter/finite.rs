//! Broken images: pixels or an embedding that are not numbers.

use super::duplicate::KeptImages;
use super::{Filter, Measures, Reason};

/// Rejects what is not finite.
#[derive(Debug, Clone, Copy)]
pub struct Finite;

impl Filter for Finite {
    fn reject(&self, measures: &Measures, _kept: &KeptImages) -> Option<Reason> {
        (!measures.finite).then_some(Reason::NonFinite)
    }
}
