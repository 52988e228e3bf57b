//! The mixture: a Gaussian for the place, a categorical distribution each for label and prediction.
//!
//! ```text
//! log p(i, s) = log weight(s) + log N(z(i); mean(s), diag var(s)) + γ log P(y(i) | s) + γ log P(ŷ(i) | s)
//! ```
//!
//! Within a class `y` is the same everywhere, so its term is the same for all components, and left out.

use ndarray::{Array1, Array2, Axis};

use super::kmeans;
use crate::simulate::draws::Draws;

/// γ, the weight of a prediction beside the place.
const WEIGHT: f64 = 10.0;
const ROUNDS: usize = 100;
const CHANGE: f64 = 1e-3;
/// Added to every variance.
const FLOOR: f64 = 1e-6;

/// What is modelled.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    /// `[n, d]`.
    places: &'a Array2<f64>,
    /// Whether the prediction is the label, `[n]`.
    right: &'a [bool],
}

impl<'a> Values<'a> {
    pub(crate) fn new(places: &'a Array2<f64>, right: &'a [bool]) -> Self {
        Self { places, right }
    }

    fn wrong(&self) -> Array1<f64> {
        let outcomes = self.right.iter();
        outcomes.map(|&right| f64::from(u8::from(!right))).collect()
    }
}

/// The components.
pub(crate) struct Mixture {
    /// `[k]`.
    weights: Array1<f64>,
    /// `[k, d]`.
    means: Array2<f64>,
    /// `[k, d]`.
    variances: Array2<f64>,
    /// Probability of a wrong prediction, `[k]`.
    errors: Array1<f64>,
}

impl Mixture {
    pub(crate) fn fit(of: Values<'_>, k: usize, draws: &mut Draws) -> Self {
        let clusters = kmeans::clusters(of.places.view(), k, draws);
        let mut belongs = Array2::zeros((clusters.len(), k));
        for (i, &cluster) in clusters.iter().enumerate() {
            belongs[[i, cluster]] = 1.0;
        }
        let mut mixture = Self::estimate(of, &belongs);
        let mut last = f64::NEG_INFINITY;
        for _ in 0..ROUNDS {
            let (belongs, likelihood) = mixture.membership(of);
            mixture = Self::estimate(of, &belongs);
            if (likelihood - last).abs() < CHANGE {
                break;
            }
            last = likelihood;
        }
        mixture
    }

    /// The likeliest components given who belongs to which, `[n, k]`.
    fn estimate(of: Values<'_>, belongs: &Array2<f64>) -> Self {
        let counts = belongs.sum_axis(Axis(0)) + 10.0 * f64::EPSILON;
        let shares = counts.view().insert_axis(Axis(1));
        let means = belongs.t().dot(of.places) / shares;
        let squares = belongs.t().dot(&of.places.mapv(|v| v * v)) / shares;
        let mut variances = squares - &means * &means;
        variances.mapv_inplace(|v| v.max(0.0) + FLOOR);
        Self {
            weights: &counts / belongs.nrows() as f64,
            errors: belongs.t().dot(&of.wrong()) / &counts,
            means,
            variances,
        }
    }

    /// Who belongs to which component, `[n, k]`, and the mean log-likelihood.
    pub(crate) fn membership(&self, of: Values<'_>) -> (Array2<f64>, f64) {
        let precisions = self.variances.mapv(|v| 1.0 / v);
        let scaled = &self.means * &precisions;
        let squares = of.places.mapv(|v| v * v).dot(&precisions.t());
        let cross = of.places.dot(&scaled.t());
        let constant: Array1<f64> = (0..self.weights.len())
            .map(|s| {
                let spread: f64 = self.variances.row(s).iter().map(|v| v.ln()).sum();
                let d = self.means.ncols() as f64;
                let own = self.means.row(s).dot(&scaled.row(s));
                self.weights[s].ln() - 0.5 * (own + spread + d * std::f64::consts::TAU.ln())
            })
            .collect();
        let mut log = cross - 0.5 * squares + constant;
        let says = |p: f64| WEIGHT * (p + f64::EPSILON).ln();
        for (mut row, &right) in log.outer_iter_mut().zip(of.right) {
            for (value, &error) in row.iter_mut().zip(&self.errors) {
                *value += says(if right { 1.0 - error } else { error });
            }
        }
        let mut total = 0.0;
        for mut row in log.outer_iter_mut() {
            let most = row.fold(f64::NEG_INFINITY, |most, &v| most.max(v));
            row.mapv_inplace(|v| (v - most).exp());
            let sum = row.sum();
            row /= sum;
            total += most + sum.ln();
        }
        let n = log.nrows().max(1) as f64;
        (log, total / n)
    }

    /// The share of mistakes in each component, `[k]`.
    pub(crate) fn errors(&self) -> &Array1<f64> {
        &self.errors
    }
}
