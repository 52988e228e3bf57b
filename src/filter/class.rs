//! The class, by zero-shot CLIP: the own reference caption must be the nearest.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::duplicate::KeptImages;
use super::{Filter, Measures, Policy, Reason};

/// Cosines with every class's reference caption (Radford et al. 2021, section 3.1).
#[derive(Debug, Clone)]
pub struct ZeroShot {
    references: Array2<f64>,
}

impl ZeroShot {
    /// From the embeddings of all classes' reference captions `[classes, d]`, before normalisation.
    pub fn new(references: ArrayView2<'_, f32>) -> Self {
        let mut references = references.mapv(f64::from);
        for mut row in references.outer_iter_mut() {
            let norm = row.dot(&row).sqrt();
            if norm > 0.0 {
                row /= norm;
            }
        }
        Self { references }
    }

    /// Cosine of an embedding `[d]` with the reference of `class`, and that less the largest with another
    /// (the own cosine again when there is no other class).
    pub fn score(&self, class: usize, embedding: ArrayView1<'_, f32>) -> (f64, f64) {
        let x: Array1<f64> = embedding.mapv(f64::from);
        let norm = x.dot(&x).sqrt().max(f64::MIN_POSITIVE);
        let cosines = self.references.dot(&x) / norm;
        let own = cosines[class];
        let other = cosines
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != class)
            .map(|(_, &cosine)| cosine)
            .fold(f64::NEG_INFINITY, f64::max);
        (own, if other.is_finite() { own - other } else { own })
    }
}

/// Rejects images of another class.
#[derive(Debug, Clone, Copy)]
pub struct Class {
    least: f64,
}

impl Class {
    /// As the policy has it.
    pub fn new(policy: &Policy) -> Self {
        let least = policy.class_margin;
        Self { least }
    }
}

impl Filter for Class {
    fn aims(&self) -> bool {
        true
    }

    fn reject(&self, measures: &Measures, _kept: &KeptImages) -> Option<Reason> {
        let least = self.least;
        let margin = measures.class_margin?;
        (margin < least).then_some(Reason::Class { margin, least })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::ZeroShot;

    #[test]
    fn the_nearest_reference_decides_whatever_the_lengths() {
        let references = array![[10.0_f32, 0.0], [0.0, 0.1]];
        let zero_shot = ZeroShot::new(references.view());
        let (similarity, margin) = zero_shot.score(0, array![3.0_f32, 4.0].view());
        assert!((similarity - 0.6).abs() < 1e-6);
        assert!((margin + 0.2).abs() < 1e-6);
        let (_, margin) = zero_shot.score(1, array![3.0, 4.0].view());
        assert!((margin - 0.2).abs() < 1e-6);
    }
}
