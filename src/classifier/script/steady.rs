//! Whether a network's answer for an image follows from that image alone.
//!
//! A trace keeps the mode in which it was made, and nothing in the file says which: `f_set_eval` does not reach it. A
//! network that was traced in training mode drops features by chance, and normalises an image by those beside it.

use ndarray::{Array4, Axis};

use super::Script;
use crate::classifier::ClassifierError;

/// The first image stands at the begin and the end of the batch.
const BATCH: [usize; 4] = [0, 1, 2, 0];

/// Between two places of one batch the sums are the same ones.
const SAME_SHAPE: f32 = 1e-4;

/// Between two sizes of a batch they are made in another order, on a GPU with fewer digits.
const OTHER_SHAPE: f32 = 1e-2;

impl Script {
    /// Shows the network one image alone, and twice in a batch; twice alone if it is to see one at once.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Unsteady`] if the answers differ; those of [`Script::run`].
    pub fn check_steady(
        &self,
        (height, width): (usize, usize),
        batch: usize,
    ) -> Result<(), ClassifierError> {
        let images = |which: &[usize]| {
            Array4::from_shape_fn((which.len(), 3, height, width), |(row, c, y, x)| {
                noise(which[row], (c * height + y) * width + x)
            })
        };
        let alone = self.run(images(&[0]).view())?.logits;
        let (rows, when) = if batch > 1 {
            (self.run(images(&BATCH).view())?.logits, "in one batch")
        } else {
            let again = self.run(images(&[0]).view())?.logits;
            let rows = ndarray::concatenate![Axis(0), alone, again];
            (rows, "run twice")
        };
        let unsteady = |a: &[f32], b: &[f32], most: f32, when| match differing(a, b, most) {
            None => Ok(()),
            Some((logit, one, other)) => Err(ClassifierError::Unsteady {
                path: self.path.clone(),
                logit,
                one,
                other,
                when,
            }),
        };
        let [alone, first, last] =
            [alone.row(0), rows.row(0), rows.row(rows.nrows() - 1)].map(|row| row.to_vec());
        unsteady(&first, &last, SAME_SHAPE, when)?;
        unsteady(&alone, &first, OTHER_SHAPE, "alone and in a batch")
    }
}

/// A number of an image without an end, mean 0, in the range of normalised pixels; later images are paler.
fn noise(image: usize, at: usize) -> f32 {
    let hash = ((at + 1) * (2 * image + 1)).wrapping_mul(0x9E37_79B9) >> 8;
    ((hash % 1009) as f32 / 504.0 - 1.0) * 2.0 / (1 + image) as f32
}

/// The first logit that differs by more than a share of the largest, with its two values.
fn differing(a: &[f32], b: &[f32], most: f32) -> Option<(usize, f32, f32)> {
    let finite = a.iter().chain(b).filter(|x| x.is_finite());
    let largest = finite.fold(f32::MIN_POSITIVE, |max, x| max.max(x.abs()));
    let pairs = a.iter().zip(b).enumerate();
    let mut differing = pairs.filter(|(_, (a, b))| {
        let both_nan = a.is_nan() && b.is_nan();
        !(both_nan || a == b || (*a - *b).abs() <= most * largest)
    });
    differing.next().map(|(logit, (a, b))| (logit, *a, *b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_differ_by_more_than_their_rounding() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let a = [100.0, nan, inf, -0.5];
        assert_eq!(
            differing(&a, &[100.001, nan, inf, -0.501], SAME_SHAPE),
            None
        );
        let other = [100.001, nan, inf, -0.6];
        assert_eq!(differing(&a, &other, SAME_SHAPE), Some((3, -0.5, -0.6)));
        assert_eq!(differing(&a, &other, OTHER_SHAPE), None);
        // A number beside a NaN.
        assert!(differing(&a, &[100.0, 1.0, inf, -0.5], OTHER_SHAPE).is_some());
    }

    #[test]
    fn images_differ_and_have_no_colour_of_their_own() {
        for image in 0..3 {
            let all: Vec<f32> = (0..3072).map(|at| noise(image, at)).collect();
            let mean = all.iter().sum::<f32>() / 3072.0;
            let square = all.iter().map(|x| x * x).sum::<f32>() / 3072.0;
            assert!(mean.abs() < 0.1, "{image}: {mean}");
            assert!(
                (square.sqrt() * (1 + image) as f32 - 1.155).abs() < 0.1,
                "{image}: {square}"
            );
        }
        assert!((0..9).all(|at| noise(0, at) != noise(1, at)));
    }
}
