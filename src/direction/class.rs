//! One problem: examples of a class, right or wrong, and the direction between them.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::crossfit::{Admitted, CrossFitted};
use super::folds::{Dealer, Folds};
use super::probability::FailureProbability;
use super::significance::{self, Dealt, Purpose, Tested, rng};
use super::units::Units;
use super::{Direction, FitOptions, ModeId, Skipped, ValExamples, select, svm};
use crate::dataset::ExampleId;

/// The examples of a problem, in an order that follows from what they are: another order of the table changes nothing.
pub(super) struct Problem {
    id: ModeId,
    ids: Vec<ExampleId>,
    /// Where each stands among the problem's examples in table order.
    place: Vec<usize>,
    x: Array2<f64>,
    gram: Array2<f64>,
    right: Vec<bool>,
    units: Units,
}

/// How a direction is tested.
pub(super) enum Test {
    /// By its CV score among permutations of the outcomes, so many at most.
    Permutations(usize),
    /// It was tested before it was learned.
    Done(Tested),
}

impl Test {
    /// What it comes to for a CV score.
    fn of(self, dealt: Dealt<'_>, score: f64, seed: u64, id: ModeId) -> Tested {
        match self {
            Self::Permutations(most) => significance::test(dealt, score, seed, id, most),
            Self::Done(tested) => tested,
        }
    }
}

impl Problem {
    /// The problem of `rows` of val, rising, of which `right` says which the classifier gets right.
    pub(super) fn new(
        val: ValExamples<'_>,
        id: ModeId,
        rows: &[usize],
        right: impl Fn(usize) -> bool,
    ) -> Self {
        let place = canonical(val.x, rows, &right);
        let sorted: Vec<usize> = place.iter().map(|&at| rows[at]).collect();
        let x = val.x.select(Axis(0), &sorted);
        let keys: Option<Vec<Option<u32>>> = val
            .units
            .map(|all| sorted.iter().map(|&row| all[row]).collect());
        Self {
            id,
            ids: sorted.iter().map(|&row| val.ids[row]).collect(),
            gram: svm::gram(x.view()),
            units: Units::near(x.view(), keys.as_deref()),
            right: sorted.iter().map(|&row| right(row)).collect(),
            place,
            x,
        }
    }

    /// The problem of some of the examples, rising, for another mode of the class: what is one unit stays one.
    pub(super) fn part(&self, id: ModeId, rows: &[usize]) -> Self {
        let mut in_table_order: Vec<usize> = (0..rows.len()).collect();
        in_table_order.sort_by_key(|&at| self.place[rows[at]]);
        let mut place = vec![0; rows.len()];
        for (table, at) in in_table_order.into_iter().enumerate() {
            place[at] = table;
        }
        Self {
            id,
            ids: rows.iter().map(|&row| self.ids[row]).collect(),
            place,
            x: self.x.select(Axis(0), rows),
            gram: self.gram.select(Axis(0), rows).select(Axis(1), rows),
            right: rows.iter().map(|&row| self.right[row]).collect(),
            units: self.units.part(rows),
        }
    }

    /// Whitened, normalised embeddings, `[n, d]`.
    pub(super) fn x(&self) -> ArrayView2<'_, f64> {
        self.x.view()
    }

    /// Whether the classifier is right, `[n]`.
    pub(super) fn right(&self) -> &[bool] {
        &self.right
    }

    pub(super) fn units(&self) -> &Units {
        &self.units
    }

    /// `[wrong, right]` examples.
    fn counts(&self) -> [usize; 2] {
        let right = self.right.iter().filter(|&&right| right).count();
        [self.right.len() - right, right]
    }

    /// Why near-duplicates leave nothing to learn a direction from; none if they do not.
    fn unlearnable(&self, folds: usize) -> Option<Skipped> {
        let [wrong, right] = self.counts();
        let [wrong_units, right_units] = self.units.kinds(&self.right);
        (wrong_units < folds || right_units < folds).then(|| Skipped {
            class: self.id.class,
            right,
            wrong,
            reason: format!(
                "its {wrong} wrong and {right} right val examples are near-duplicates of each other, in \
                 {wrong_units} and {right_units} groups: a direction needs {folds} groups of each"
            ),
        })
    }

    fn dealer(&self, options: &FitOptions) -> Dealer {
        match options.folds {
            Folds::TableOrder => Dealer::Table(self.place.clone()),
            Folds::Shuffled(folds) => Dealer::shuffled(&self.units, folds, options.repeats, |at| {
                rng(options.seed, self.id, Purpose::Folds, at)
            }),
        }
    }

    /// Learns and tests the direction; `q_value` is for the caller, who knows the family. Also gives what
    /// stands behind threshold and probability.
    pub(super) fn learn(
        &self,
        options: &FitOptions,
        test: Test,
    ) -> Result<(Direction, CrossFitted), Skipped> {
        if let Some(skipped) = self.unlearnable(options.folds.count()) {
            return Err(skipped);
        }
        let Self {
            id,
            ref gram,
            ref right,
            ref units,
            ..
        } = *self;
        let dealer = self.dealer(options);
        let dealt = Dealt {
            gram,
            right,
            units,
            dealer: &dealer,
        };
        let selection = select::select(gram, right, &dealer.deal(units, right));
        let (w, b) = self.plane(selection.c);
        let fitted = CrossFitted::new(gram, right, units, selection.c, (options.seed, id));
        let threshold = fitted.threshold(right, options.quantile);
        let wrong_ones: Vec<bool> = right.iter().map(|right| !right).collect();
        let probability =
            FailureProbability::fit(&fitted.distance, &wrong_ones, &fitted.folding.of);
        let [wrong, hits] = self.counts();
        let too_few = wrong.min(hits) < options.min_mistakes;
        let tested = (!too_few).then(|| test.of(dealt, selection.score, options.seed, id));
        let resamples = options.bootstrap;
        let plane = (&w, selection.c);
        let cosine =
            significance::bootstrap(dealt, self.x.view(), plane, options.seed, id, resamples);
        let direction = Direction {
            id,
            b,
            c: selection.c,
            cv_score: selection.score,
            cv_interval: significance::score_interval(dealt, &selection.told, options.seed, id),
            p_value: tested.map(|tested| tested.p),
            q_value: None,
            permutations: tested.map_or(0, |tested| tested.draws),
            at_floor: tested.is_some_and(|tested| tested.at_floor),
            threshold,
            admits: Admitted::of(&fitted.distance, right, threshold),
            probability: Some(probability),
            right: hits,
            wrong,
            units: units.len(),
            too_few,
            bootstrap_cosine: cosine,
            explains: self.named(self.found_again(&fitted.distance)),
            shared: 0,
            out_of_fold: self.in_table_order(&fitted.distance),
            w,
        };
        Ok((direction, fitted))
    }

    /// The mistakes on the failure side of models that did not see them.
    fn found_again(&self, distance: &[f64]) -> Vec<usize> {
        let all = 0..distance.len();
        all.filter(|&i| !self.right[i] && distance[i] > 0.0)
            .collect()
    }

    /// Some of the examples by name, in table order.
    pub(super) fn named(&self, mut rows: Vec<usize>) -> Vec<ExampleId> {
        rows.sort_unstable_by_key(|&row| self.place[row]);
        rows.into_iter().map(|row| self.ids[row]).collect()
    }

    /// Weights and intercept learned on all examples.
    fn plane(&self, c: f64) -> (Array1<f64>, f64) {
        let all: Vec<usize> = (0..self.right.len()).collect();
        let targets = select::targets(self.right.iter().copied());
        let solution = svm::solve(&self.gram, &all, &targets, c);
        let w = svm::weights(self.x.view(), &all, &targets, &solution);
        (w, solution.b)
    }

    pub(super) fn in_table_order(&self, values: &[f64]) -> Vec<f64> {
        let mut sorted = vec![0.0; values.len()];
        for (&place, &value) in self.place.iter().zip(values) {
            sorted[place] = value;
        }
        sorted
    }

    /// Undoes [`Self::in_table_order`].
    pub(super) fn in_own_order(&self, values: &[f64]) -> Vec<f64> {
        self.place.iter().map(|&place| values[place]).collect()
    }
}

/// Why so few examples have no direction; none if they are enough to try.
pub(super) fn too_small(class: usize, right: usize, wrong: usize, folds: usize) -> Option<Skipped> {
    (right < folds || wrong < folds).then(|| Skipped {
        class,
        right,
        wrong,
        reason: format!(
            "a direction needs at least {folds} right and {folds} wrong val examples; it has {right} and \
             {wrong}"
        ),
    })
}

/// Positions in `rows` by what the examples are: coordinate by coordinate, then the outcome.
fn canonical(x: ArrayView2<'_, f64>, rows: &[usize], right: &impl Fn(usize) -> bool) -> Vec<usize> {
    let mut place: Vec<usize> = (0..rows.len()).collect();
    place.sort_by(|&a, &b| {
        let (a, b) = (rows[a], rows[b]);
        let mut apart = x.row(a).into_iter().zip(x.row(b));
        let first = apart.find_map(|(a, b)| Some(a.total_cmp(b)).filter(|order| order.is_ne()));
        first
            .unwrap_or(std::cmp::Ordering::Equal)
            .then(right(a).cmp(&right(b)))
    });
    place
}
