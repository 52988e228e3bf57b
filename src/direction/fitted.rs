//! What a fit comes to: the directions of every class, and the classes without any.

use ndarray::{Array1, ArrayView1};
use serde::Serialize;

use super::ModeId;
use crate::dataset::ExampleId;

/// The failure direction of one mode of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction {
    /// Which failure mode it is.
    pub id: ModeId,
    /// Weights, `[d]`.
    pub w: Array1<f64>,
    /// Intercept.
    pub b: f64,
    /// The chosen penalty.
    pub c: f64,
    /// Mean balanced accuracy over folds: 0.5 is no failure mode, 1 a fully consistent one.
    pub cv_score: f64,
    /// Share of permutations whose score is as good.
    pub p_value: f64,
    /// The p-value adjusted for the number of classes (Benjamini and Hochberg 1995).
    pub q_value: f64,
    /// The calibrated threshold: a quantile of the mistakes' out-of-fold alignments.
    pub threshold: f64,
    /// Val examples of the class that were classified right.
    pub right: usize,
    /// Val examples of the class that were classified wrong.
    pub wrong: usize,
    /// Whether there were too few mistakes to call anything a finding.
    pub too_few: bool,
    /// 95 % interval of the cosine with the directions of bootstrap resamples.
    pub bootstrap_cosine: Option<(f64, f64)>,
    /// The mistakes of the class that the mode explains, of the examples that [`super::fit`] was given, in their order.
    pub explains: Vec<ExampleId>,
    /// Out-of-fold alignment of every val example of the class, in table order.
    pub out_of_fold: Vec<f64>,
    /// The same as distances: each divided by `‖w‖` of the fold's model that scored it.
    pub out_of_fold_distance: Vec<f64>,
}

impl Direction {
    /// The decision value of a whitened, normalised vector `[d]`: negative means "predicted wrong".
    pub fn decision(&self, x: ArrayView1<'_, f64>) -> f64 {
        self.w.dot(&x) + self.b
    }

    /// The alignment of a whitened, normalised vector `[d]`: larger is harder.
    pub fn alignment(&self, x: ArrayView1<'_, f64>) -> f64 {
        -self.decision(x)
    }

    /// The direction of failure `v = −w/‖w‖`, `[d]`.
    pub fn unit(&self) -> Array1<f64> {
        -&self.w / self.norm()
    }

    /// `‖w‖`, which makes alignments of different classes comparable as distances.
    pub fn norm(&self) -> f64 {
        self.w.dot(&self.w).sqrt().max(f64::MIN_POSITIVE)
    }

    /// Whether the failure mode is better than chance, at 5 % over all classes.
    pub fn is_finding(&self) -> bool {
        !self.too_few && self.q_value < 0.05
    }
}

/// A class without a direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Index of the class.
    pub class: usize,
    /// Val examples of the class that were classified right.
    pub right: usize,
    /// Val examples of the class that were classified wrong.
    pub wrong: usize,
    /// Why there is no direction.
    pub reason: String,
}

/// What was learned: a class has as many directions as it has failure modes.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The directions, by class and mode.
    pub directions: Vec<Direction>,
    /// The classes without a direction.
    pub skipped: Vec<Skipped>,
}

impl Fitted {
    /// The direction of a mode.
    pub fn get(&self, id: ModeId) -> Option<&Direction> {
        self.directions.iter().find(|direction| direction.id == id)
    }

    /// The directions of a class; none where it was skipped.
    pub fn of_class(&self, class: usize) -> impl Iterator<Item = &Direction> {
        let all = self.directions.iter();
        all.filter(move |direction| direction.id.class == class)
    }
}
