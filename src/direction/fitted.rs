//! What a fit comes to: the directions of every class, and the classes without any.

use ndarray::{Array1, ArrayView1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probability::FailureProbability;
use super::{Admitted, ModeId};
use crate::dataset::ExampleId;

/// What a direction's test came to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Better than chance: `q < 0.05` over all classes.
    Finding,
    /// No better than chance.
    Chance,
    /// No other arrangement of right and wrong was as good, and there are too few of them for `q < 0.05`.
    TooFewPermutations,
    /// Too few mistakes, or too few right examples, to be tested.
    TooFewExamples,
}

impl Standing {
    /// In words, after "the direction is" or by itself.
    pub fn words(self) -> &'static str {
        match self {
            Self::Finding => "a finding",
            Self::Chance => "no better than chance",
            Self::TooFewPermutations => "too few permutations to tell",
            Self::TooFewExamples => "too few mistakes or right images to tell",
        }
    }
}

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
    /// Mean balanced accuracy over folds and repeats: 0.5 is no failure mode, 1 a fully consistent one.
    pub cv_score: f64,
    /// 95 % interval of that, over resamples of units.
    pub cv_interval: Option<(f64, f64)>,
    /// Share of permutations whose score is as good (Besag and Clifford 1991); none if it was not tested.
    pub p_value: Option<f64>,
    /// The p-value adjusted for the number of those tested (Benjamini and Hochberg 1995).
    pub q_value: Option<f64>,
    /// Permutations drawn.
    pub permutations: usize,
    /// Whether no other arrangement of right and wrong was as good.
    pub at_floor: bool,
    /// The calibrated threshold: a quantile of the mistakes' out-of-fold alignments.
    pub threshold: f64,
    /// The real right images that it lets pass.
    pub admits: Admitted,
    /// Probability of failure by alignment.
    pub probability: Option<FailureProbability>,
    /// Val examples of the class that were classified right.
    pub right: usize,
    /// Val examples of the class that were classified wrong and that it was learned from: all of them for mode
    /// 0, those of its region for the others.
    pub wrong: usize,
    /// Units that all of them make ([`super::units`]).
    pub units: usize,
    /// Whether there were too few of a kind to test anything.
    pub too_few: bool,
    /// 95 % interval of the cosine with the directions of bootstrap resamples.
    pub bootstrap_cosine: Option<(f64, f64)>,
    /// The mistakes of the class that the mode explains, of the examples that [`super::fit`] was given, in their order.
    ///
    /// Of mode 0 they are those that lie on its failure side out of fold. Of the others they are the mistakes
    /// of its region, and those of no region that reach its threshold and are more aligned with no other mode:
    /// no mistake is in two.
    pub explains: Vec<ExampleId>,
    /// Those of them that reach the threshold of another such mode of the class too; 0 for mode 0.
    pub shared: usize,
    /// Out-of-fold alignment of every val example of the class, in table order: from ten folds at the chosen penalty.
    pub out_of_fold: Vec<f64>,
}

impl Direction {
    /// The decision value of a whitened, normalised vector `[d]`: negative means "predicted wrong".
    pub fn decision(&self, x: ArrayView1<'_, f64>) -> f64 {
        self.w.dot(&x) + self.b
    }

    /// The alignment of a whitened, normalised vector `[d]`: its signed distance `−(w·x + b)/‖w‖` from the
    /// plane between right and wrong. Larger is harder; classes and modes compare.
    pub fn alignment(&self, x: ArrayView1<'_, f64>) -> f64 {
        -self.decision(x) / self.norm()
    }

    /// The direction of failure `v = −w/‖w‖`, `[d]`.
    pub fn unit(&self) -> Array1<f64> {
        -&self.w / self.norm()
    }

    /// `‖w‖`, which turns decision values into distances.
    pub fn norm(&self) -> f64 {
        self.w.dot(&self.w).sqrt().max(f64::MIN_POSITIVE)
    }

    /// The probability that the classifier gets an image of the class with this alignment wrong, among images
    /// such as val's; none where no curve was learned.
    pub fn failure_probability(&self, alignment: f64) -> Option<f64> {
        let probability = self.probability.as_ref()?;
        Some(probability.curve.at(alignment))
    }

    /// What its test came to.
    pub fn standing(&self) -> Standing {
        match self.q_value {
            _ if self.too_few => Standing::TooFewExamples,
            Some(q) if q < 0.05 => Standing::Finding,
            Some(_) if !self.at_floor => Standing::Chance,
            _ => Standing::TooFewPermutations,
        }
    }

    /// Whether the failure mode is better than chance, at 5 % over all classes.
    pub fn is_finding(&self) -> bool {
        self.standing() == Standing::Finding
    }

    /// A direction for tests: of weights `w` and intercept 0, a finding that nothing else is known of.
    #[cfg(test)]
    pub(crate) fn made_up(id: ModeId, w: Array1<f64>) -> Self {
        Self {
            id,
            w,
            b: 0.0,
            c: 1.0,
            cv_score: 0.9,
            cv_interval: Some((0.8, 0.95)),
            p_value: Some(0.01),
            q_value: Some(0.01),
            permutations: 199,
            at_floor: false,
            threshold: 0.0,
            admits: Admitted {
                right: 1,
                of: 5,
                share: 0.2,
                interval: (0.1, 0.6),
            },
            probability: None,
            right: 5,
            wrong: 5,
            units: 10,
            too_few: false,
            bootstrap_cosine: None,
            explains: Vec::new(),
            shared: 0,
            out_of_fold: Vec::new(),
        }
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
