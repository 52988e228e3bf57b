//! Whitening: every dimension to mean 0 and deviation 1 over a reference split, then unit length.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::io::{Classified, ErrorKind};

/// Why embeddings could not be whitened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhitenError {
    /// With `n < 2` the divisor `n − 1` is zero.
    #[error("whitening needs at least 2 rows, got {rows}")]
    TooFewRows {
        /// Rows of the matrix.
        rows: usize,
    },

    /// An entry is NaN or infinite.
    #[error("row {row}, dimension {dim} is {value}: embed that example again or drop it")]
    NonFinite {
        /// Zero-based row.
        row: usize,
        /// Zero-based column.
        dim: usize,
        /// The entry itself.
        value: f32,
    },

    /// No dimension varies.
    #[error("all {dims} dimensions are the same in every row: is the encoder broken?")]
    NoVariation {
        /// Columns of the matrix.
        dims: usize,
    },

    /// Another width than the one learned.
    #[error("embeddings have {found} dimensions, but the whitening was learned on {expected}")]
    Width {
        /// Columns of the whitening.
        expected: usize,
        /// Columns found.
        found: usize,
    },

    /// A row is exactly the mean, so that it has no direction.
    #[error("row {row} is zero after whitening: it has no direction; drop that example")]
    Zero {
        /// Zero-based row.
        row: usize,
    },
}

impl Classified for WhitenError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// Mean and deviation of every dimension of a reference split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Whitening {
    mean: Array1<f32>,
    deviation: Array1<f32>,
    dropped: Vec<usize>,
}

impl Whitening {
    /// Learns the mean and standard deviation of every dimension of a reference split.
    ///
    /// Learn it once, on the train split, and use it unchanged for every other split, caption and
    /// generated image: scores compare only when they were made by the same `Whitening`.
    ///
    /// # Shapes and units
    ///
    /// - `embeddings`: `[n, d]`, one example per row, before L2 normalisation.
    /// - result: mean `[d]` and deviation `[d]` (divisor `n − 1`), both in units of the input.
    ///   Dimensions that do not vary are dropped (see [`Whitening::dropped`]).
    ///
    /// # Errors
    ///
    /// - [`WhitenError::TooFewRows`] if `n < 2`.
    /// - [`WhitenError::NonFinite`] at the first NaN or infinite entry in row order.
    /// - [`WhitenError::NoVariation`] if every dimension would be dropped.
    ///
    /// # Source
    ///
    /// `z = (e − μ)/σ`, Jain et al. 2023. The reference (`failure_directions/src/svm_utils.py` at
    /// d484125) divides by zero on a constant dimension.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hardlight::direction::Whitening;
    /// let whitening = Whitening::fit(ndarray::array![[0.0, 2.0], [2.0, 6.0]].view())?;
    /// assert_eq!(whitening.mean().to_vec(), [1.0, 4.0]);
    /// # Ok::<(), hardlight::direction::WhitenError>(())
    /// ```
    pub fn fit(embeddings: ArrayView2<'_, f32>) -> Result<Self, WhitenError> {
        let (n, dims) = embeddings.dim();
        if n < 2 {
            return Err(WhitenError::TooFewRows { rows: n });
        }
        if let Some(((row, dim), &value)) = embeddings.indexed_iter().find(|(_, v)| !v.is_finite())
        {
            return Err(WhitenError::NonFinite { row, dim, value });
        }
        let mut mean = Array1::<f64>::zeros(dims);
        for row in embeddings.outer_iter() {
            mean.zip_mut_with(&row, |m, &v| *m += f64::from(v));
        }
        mean /= n as f64;
        let mut squares = Array1::<f64>::zeros(dims);
        for row in embeddings.outer_iter() {
            for (d, &v) in row.iter().enumerate() {
                squares[d] += (f64::from(v) - mean[d]).powi(2);
            }
        }
        let deviation = squares.mapv(|s| (s / (n as f64 - 1.0)).sqrt() as f32);
        Self::from_parts(mean.mapv(|m| m as f32), deviation)
    }

    /// The whitening of a mean and a deviation that [`Whitening::fit`] gave, both `[d]`.
    ///
    /// # Errors
    ///
    /// [`WhitenError::NoVariation`] if every dimension would be dropped.
    pub(super) fn from_parts(
        mean: Array1<f32>,
        deviation: Array1<f32>,
    ) -> Result<Self, WhitenError> {
        let dims = mean.len();
        // A dead unit's deviation is rounding noise of its value, not exactly zero.
        let dead = |d: usize| f64::from(deviation[d]) <= 1e-7 * f64::from(mean[d]).abs();
        let dropped: Vec<usize> = (0..dims).filter(|&d| dead(d)).collect();
        if dropped.len() == dims {
            return Err(WhitenError::NoVariation { dims });
        }
        Ok(Self {
            mean,
            deviation,
            dropped,
        })
    }

    /// Mean of every dimension, `[d]`.
    pub fn mean(&self) -> ArrayView1<'_, f32> {
        self.mean.view()
    }

    /// Standard deviation of every dimension, `[d]`.
    pub fn deviation(&self) -> ArrayView1<'_, f32> {
        self.deviation.view()
    }

    /// Dimensions that do not vary; they are zero in everything whitened.
    pub fn dropped(&self) -> &[usize] {
        &self.dropped
    }

    /// `(e − μ)/σ` without normalisation, for one vector `[d]`; dropped dimensions are zero.
    pub fn standardise(&self, row: ArrayView1<'_, f32>) -> Array1<f64> {
        let mut z: Array1<f64> = row
            .iter()
            .zip(&self.mean)
            .zip(&self.deviation)
            .map(|((&e, &m), &s)| (f64::from(e) - f64::from(m)) / f64::from(s))
            .collect();
        for &d in &self.dropped {
            z[d] = 0.0;
        }
        z
    }

    /// Whitens and normalises rows.
    ///
    /// # Shapes
    ///
    /// `[n, d]` to `[n, d]` of unit rows.
    ///
    /// # Errors
    ///
    /// [`WhitenError::Width`], [`WhitenError::NonFinite`] or [`WhitenError::Zero`], naming the row.
    pub fn apply(&self, embeddings: ArrayView2<'_, f32>) -> Result<Array2<f64>, WhitenError> {
        let (n, found) = embeddings.dim();
        let expected = self.mean.len();
        if found != expected {
            return Err(WhitenError::Width { expected, found });
        }
        let mut out = Array2::zeros((n, found));
        for (row, (from, mut to)) in embeddings
            .outer_iter()
            .zip(out.axis_iter_mut(Axis(0)))
            .enumerate()
        {
            if let Some((dim, &value)) = from.iter().enumerate().find(|(_, v)| !v.is_finite()) {
                return Err(WhitenError::NonFinite { row, dim, value });
            }
            let z = self.standardise(from);
            let norm = z.dot(&z).sqrt();
            if norm <= 0.0 || !norm.is_finite() {
                return Err(WhitenError::Zero { row });
            }
            to.assign(&(z / norm));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rows_become_standardised_unit_vectors() {
        let data = array![[1.0_f32, 5.0, 7.0], [3.0, 5.0, 1.0], [5.0, 5.0, 4.0]];
        let whitening = Whitening::fit(data.view()).unwrap();
        assert_eq!(whitening.dropped(), [1]);
        assert_eq!(whitening.deviation()[0], 2.0);
        let x = whitening.apply(data.slice(ndarray::s![..2, ..])).unwrap();
        let h = 0.5_f64.sqrt();
        for (got, want) in x.iter().zip([-h, 0.0, h, 0.0, 0.0, -1.0]) {
            assert!((got - want).abs() < 1e-6, "{x:?}");
        }
    }

    #[test]
    fn bad_rows_are_named() {
        let fit = |data: Array2<f32>| Whitening::fit(data.view());
        assert!(matches!(
            fit(array![[1.0]]),
            Err(WhitenError::TooFewRows { rows: 1 })
        ));
        assert!(matches!(
            fit(array![[1.0], [f32::NAN]]),
            Err(WhitenError::NonFinite { row: 1, dim: 0, .. })
        ));
        assert!(matches!(
            fit(array![[2.0], [2.0]]),
            Err(WhitenError::NoVariation { dims: 1 })
        ));
        let whitening = fit(array![[1.0], [3.0]]).unwrap();
        assert!(matches!(
            whitening.apply(array![[1.0], [2.0]].view()),
            Err(WhitenError::Zero { row: 1 })
        ));
        assert!(matches!(
            whitening.apply(array![[1.0, 2.0]].view()),
            Err(WhitenError::Width {
                expected: 1,
                found: 2
            })
        ));
    }
}
