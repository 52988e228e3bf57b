//! The failure side: alignment with the mode's direction against its threshold.

use ndarray::ArrayView1;

use crate::direction::{Direction, Whitening};

/// Alignment under the direction's own whitening, against a threshold.
#[derive(Debug, Clone)]
pub struct AlignmentTest {
    /// The whitening every score of this run was made with.
    pub whitening: Whitening,
    /// The direction of the mode.
    pub direction: Direction,
    /// The smallest alignment that passes.
    pub threshold: f64,
}

impl AlignmentTest {
    /// The alignment of an embedding `[d]`; none if whitening leaves nothing of it.
    pub fn score(&self, embedding: ArrayView1<'_, f32>) -> Option<f64> {
        let row = embedding.insert_axis(ndarray::Axis(0));
        let x = self.whitening.apply(row).ok()?;
        let alignment = self.direction.alignment(x.row(0));
        alignment.is_finite().then_some(alignment)
    }

    /// Whether an alignment is hard enough.
    pub fn passes(&self, alignment: f64) -> bool {
        alignment >= self.threshold
    }
}
