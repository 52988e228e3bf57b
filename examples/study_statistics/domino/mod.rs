//! Domino, to compare with: an error-aware Gaussian mixture over embedding, label and prediction.
//!
//! Source: Eyuboglu, Varma, Saab, Delbrouck, Lee-Messer, Dunnmon, Zou, Ré, "Domino: Discovering systematic
//! errors with cross-modal embeddings", ICLR 2022 (arXiv 2203.14960), section 4. Where the paper is silent,
//! what its code does (HazyResearch/domino at 5284ad8, `domino/_slice/mixture`): 128 principal components, 25
//! components of diagonal covariance with 1e-6 added, k-means first, at most 100 rounds or a mean
//! log-likelihood that changes by less than 1e-3; the 5 components whose predictions exceed their labels most
//! are the slices. Written anew here.
//!
//! Label and prediction weigh 10 each, as in the authors' benchmark and in the notebooks of failure-directions.

pub(crate) mod kmeans;
mod mixture;
mod pca;

use ndarray::{Array2, ArrayView2};

use self::mixture::{Mixture, Values};
use self::pca::Pca;
use crate::simulate::draws::Draws;

/// Components of the mixture.
const COMPONENTS: usize = 25;
/// Those that are slices.
pub(crate) const SLICES: usize = 5;
/// Principal components.
const DIMS: usize = 128;

/// The mixture of one class, whose label is the same for all.
pub(crate) struct Domino {
    pca: Pca,
    mixture: Mixture,
    slices: Vec<usize>,
}

impl Domino {
    /// Fits embeddings `[n, d]` of a class, of which `right` says which the classifier gets right, `[n]`.
    pub(crate) fn fit(embeddings: ArrayView2<'_, f32>, right: &[bool], draws: &mut Draws) -> Self {
        let x = embeddings.mapv(f64::from);
        let pca = Pca::fit(&x, DIMS.min(x.nrows()).min(x.ncols()), draws);
        let places = pca.apply(&x);
        let mixture = Mixture::fit(Values::new(&places, right), COMPONENTS, draws);
        // Labels are all the same, so what predictions exceed them by is the share of mistakes.
        let errors = mixture.errors();
        let mut slices: Vec<usize> = (0..errors.len()).collect();
        slices.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
        slices.truncate(SLICES);
        Self {
            pca,
            mixture,
            slices,
        }
    }

    /// How much each image belongs to each slice, `[n, slices]`. As in Domino, the outcomes of what is judged
    /// are looked at.
    pub(crate) fn membership(
        &self,
        embeddings: ArrayView2<'_, f32>,
        right: &[bool],
    ) -> Array2<f64> {
        let places = self.pca.apply(&embeddings.mapv(f64::from));
        let (of, _) = self.mixture.membership(Values::new(&places, right));
        of.select(ndarray::Axis(1), &self.slices)
    }
}
