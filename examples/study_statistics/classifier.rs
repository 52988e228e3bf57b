//! A small classifier whose seed can be changed: random features, then softmax regression by stochastic
//! gradient descent.
//!
//! ```text
//! x [n, d] ──standardise, random weights, ReLU──▶ hidden [n, h] ──learned weights──▶ logits [n, classes]
//! ```
//!
//! The seed draws the features and the order of the examples, as a retraining with another seed does.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::seq::SliceRandom;

use crate::simulate::draws::Draws;

const EPOCHS: usize = 12;
/// The first step, against the mean squared length of activations.
const RATE: f64 = 1.0;
const DECAY: f64 = 1e-3;

/// A trained classifier.
pub(crate) struct Classifier {
    mean: Array1<f64>,
    deviation: Array1<f64>,
    /// `[d, h]`.
    features: Array2<f64>,
    /// `[h]`.
    offsets: Array1<f64>,
    /// `[h, classes]`.
    weights: Array2<f64>,
}

impl Classifier {
    /// Trains on rows `[n, d]` of classes below `classes`.
    pub(crate) fn train(
        x: ArrayView2<'_, f64>,
        labels: &[usize],
        classes: usize,
        hidden: usize,
        draws: &mut Draws,
    ) -> Self {
        let d = x.ncols();
        let mean = x.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(d));
        let mut classifier = Self {
            mean,
            deviation: x.std_axis(Axis(0), 0.0).mapv(|v| v.max(1e-9)),
            features: draws.normals(d, hidden) / (d as f64).sqrt(),
            offsets: draws.vector(hidden, 0.5 * (hidden as f64).sqrt()),
            weights: Array2::zeros((hidden, classes)),
        };
        let hidden = classifier.hidden(x);
        let squares = hidden.mapv(|v| v * v).sum() / hidden.nrows().max(1) as f64;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        for epoch in 0..EPOCHS {
            order.shuffle(draws.rng());
            let rate = RATE / squares / (1.0 + epoch as f64);
            for &i in &order {
                let row = hidden.row(i);
                let mut apart = softmax(&row.dot(&classifier.weights));
                apart[labels[i]] -= 1.0;
                classifier.weights *= 1.0 - rate * DECAY;
                for (mut weights, &activation) in classifier.weights.outer_iter_mut().zip(&row) {
                    if activation > 0.0 {
                        weights.scaled_add(-rate * activation, &apart);
                    }
                }
            }
        }
        classifier
    }

    /// The layer before the last, `[n, h]`.
    pub(crate) fn hidden(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let z = (&x - &self.mean) / &self.deviation;
        (z.dot(&self.features) + &self.offsets).mapv(|v| v.max(0.0))
    }

    /// The likeliest class of every row.
    pub(crate) fn predict(&self, x: ArrayView2<'_, f64>) -> Vec<usize> {
        let logits = self.hidden(x).dot(&self.weights);
        let likeliest = |row: ndarray::ArrayView1<'_, f64>| {
            (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]))
        };
        let rows = logits.outer_iter();
        rows.map(|row| likeliest(row).unwrap_or_default()).collect()
    }
}

fn softmax(logits: &Array1<f64>) -> Array1<f64> {
    let most = logits.fold(f64::NEG_INFINITY, |most, &v| most.max(v));
    let mut p = logits.mapv(|v| (v - most).exp());
    p /= p.sum();
    p
}
