//! Drawn classes, for tests: blobs of unit vectors, some of which the classifier fails on.

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ClassRows, FailureMode, SearchOptions, search};

/// Dimensions; enough that blobs lie nearly at right angles.
pub(in crate::direction) const DIMS: usize = 32;

/// A drawn class.
pub(in crate::direction) struct Class {
    pub(in crate::direction) x: Array2<f64>,
    /// Blob of every image.
    pub(in crate::direction) blob: Vec<usize>,
    /// Every image its own, unless a test says otherwise.
    pub(in crate::direction) unit: Vec<usize>,
    pub(in crate::direction) right: Vec<bool>,
}

impl Class {
    /// Blobs of the given numbers of images and shares of mistakes; images of a blob have a cosine of about 0.5.
    pub(in crate::direction) fn draw(blobs: &[(usize, f64)], seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || (0..12).map(|_| rng.r#gen::<f64>()).sum::<f64>() - 6.0;
        let centres = Array2::from_shape_fn((blobs.len(), DIMS), |_| normal());
        let sizes = blobs.iter().enumerate();
        let blob: Vec<usize> = sizes.flat_map(|(at, &(n, _))| vec![at; n]).collect();
        let mut x = Array2::from_shape_fn((blob.len(), DIMS), |_| normal());
        for (mut row, &at) in x.outer_iter_mut().zip(&blob) {
            row += &centres.row(at);
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        let right = blob.iter().map(|&at| !rng.gen_bool(blobs[at].1)).collect();
        let unit = (0..blob.len()).collect();
        Self {
            x,
            blob,
            unit,
            right,
        }
    }

    /// Four blobs of 50 by two traits: those with the first fail, whatever the second is.
    pub(in crate::direction) fn crossed(seed: u64) -> Self {
        let drawn = Self::draw(&[(50, 0.85), (50, 0.85), (50, 0.04), (50, 0.04)], seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 1);
        let mut normal = || (0..12).map(|_| rng.r#gen::<f64>()).sum::<f64>() - 6.0;
        let traits = Array2::from_shape_fn((2, DIMS), |_| normal());
        let mut x = Array2::from_shape_fn((200, DIMS), |_| normal());
        for (mut row, &blob) in x.outer_iter_mut().zip(&drawn.blob) {
            let sign = |second: bool| if second { -1.0 } else { 1.0 };
            row.scaled_add(sign(blob > 1), &traits.row(0));
            row.scaled_add(sign(blob % 2 == 1), &traits.row(1));
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        Self { x, ..drawn }
    }

    pub(in crate::direction) fn rows(&self) -> ClassRows<'_> {
        ClassRows {
            x: self.x.view(),
            unit: &self.unit,
            right: &self.right,
        }
    }

    pub(in crate::direction) fn search(&self, seed: u64) -> Vec<FailureMode> {
        let options = SearchOptions {
            seed,
            ..SearchOptions::default()
        };
        search(self.rows(), &options)
    }

    /// The blob that most of a mode's images are of, and their share.
    pub(in crate::direction) fn of(&self, mode: &FailureMode) -> (usize, f64) {
        let count = |at| mode.members.iter().filter(|&&i| self.blob[i] == at).count();
        let (most, at) = (0..=self.blob[self.blob.len() - 1])
            .map(|at| (count(at), at))
            .max()
            .unwrap();
        (at, most as f64 / mode.members.len() as f64)
    }
}
