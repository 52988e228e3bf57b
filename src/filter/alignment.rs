//! The failure side: alignment with the mode's direction against its threshold.

use ndarray::ArrayView1;

use super::duplicate::KeptImages;
use super::{Filter, Measures, Policy, Reason};
use crate::direction::{Direction, Whitening};

/// The alignment of an embedding `[d]` under the whitening that the direction was learned behind; none if
/// whitening leaves nothing of it.
pub fn alignment(
    whitening: &Whitening,
    direction: &Direction,
    embedding: ArrayView1<'_, f32>,
) -> Option<f64> {
    let row = embedding.insert_axis(ndarray::Axis(0));
    let x = whitening.apply(row).ok()?;
    let alignment = direction.alignment(x.row(0));
    alignment.is_finite().then_some(alignment)
}

/// Rejects easy images.
#[derive(Debug, Clone, Copy)]
pub struct Alignment {
    least: f64,
}

impl Alignment {
    /// As the policy has it, else the mode's calibrated threshold.
    pub fn new(policy: &Policy, threshold: f64) -> Self {
        let least = policy.min_alignment.unwrap_or(threshold);
        Self { least }
    }
}

impl Filter for Alignment {
    fn aims(&self) -> bool {
        true
    }

    fn reject(&self, measures: &Measures, _kept: &KeptImages) -> Option<Reason> {
        let least = self.least;
        // Without an alignment it is not finite, which was asked before.
        let alignment = measures.alignment?;
        (alignment < least).then_some(Reason::Alignment { alignment, least })
    }
}
