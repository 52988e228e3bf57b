//! The class, by zero-shot CLIP: the own reference caption must be the nearest.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// Cosines with every class's reference caption (Radford et al. 2021, section 3.1).
#[derive(Debug, Clone)]
pub struct ClassTest {
    references: Array2<f64>,
    class: usize,
    margin: f64,
}

impl ClassTest {
    /// A test for images of `class`, with the embeddings of all classes' reference captions
    /// `[classes, d]` before normalisation, passing from `margin` on.
    pub fn new(references: ArrayView2<'_, f32>, class: usize, margin: f64) -> Self {
        let mut references = references.mapv(f64::from);
        for mut row in references.outer_iter_mut() {
            let norm = row.dot(&row).sqrt();
            if norm > 0.0 {
                row /= norm;
            }
        }
        Self {
            references,
            class,
            margin,
        }
    }

    /// Cosine with the own reference, and that less the largest other one (the own cosine again
    /// when there is no other class).
    pub fn score(&self, embedding: ArrayView1<'_, f32>) -> (f64, f64) {
        let x: Array1<f64> = embedding.mapv(f64::from);
        let norm = x.dot(&x).sqrt().max(f64::MIN_POSITIVE);
        let cosines = self.references.dot(&x) / norm;
        let own = cosines[self.class];
        let other = cosines
            .iter()
            .enumerate()
            .filter(|(class, _)| *class != self.class)
            .map(|(_, &cosine)| cosine)
            .fold(f64::NEG_INFINITY, f64::max);
        (own, if other.is_finite() { own - other } else { own })
    }

    /// Whether a margin is large enough.
    pub fn passes(&self, margin: f64) -> bool {
        margin >= self.margin
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::ClassTest;

    #[test]
    fn the_nearest_reference_decides_whatever_the_lengths() {
        let references = array![[10.0_f32, 0.0], [0.0, 0.1]];
        let own = ClassTest::new(references.view(), 0, 0.0);
        let (similarity, margin) = own.score(array![3.0_f32, 4.0].view());
        assert!((similarity - 0.6).abs() < 1e-6);
        assert!((margin + 0.2).abs() < 1e-6);
        assert!(!own.passes(margin));
        let (_, margin) = ClassTest::new(references.view(), 1, 0.0).score(array![3.0, 4.0].view());
        assert!((margin - 0.2).abs() < 1e-6);
    }
}
