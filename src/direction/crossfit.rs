//! Distances of val as a fresh image would have them, and the threshold that follows.
//!
//! The promise of a threshold is that half of the real mistakes (or another share) would pass. In-sample
//! distances break it, for support vectors sit at the margin; so do distances from two folds, whose models have
//! seen half of the examples. Ten folds keep it: of fresh mistakes 50 to 54 % passed.

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::folds::{Dealer, Folding};
use super::report::wilson;
use super::significance::{Purpose, rng};
use super::svm::Path;
use super::units::Units;
use super::{ModeId, quantile, select, svm};

/// Folds, where there are as many units of each kind.
const FOLDS: usize = 10;

/// The real right images that a threshold lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Admitted {
    /// Right val examples at or above the threshold, out of fold.
    pub right: usize,
    /// Right val examples.
    pub of: usize,
    /// Their share, 0 to 1; 0 without examples.
    pub share: f64,
    /// 95 % interval of the share (Wilson), lower end first.
    pub interval: (f64, f64),
}

impl Admitted {
    /// Counts distances against a threshold.
    pub(super) fn of(distance: &[f64], right: &[bool], threshold: f64) -> Self {
        let own = || distance.iter().zip(right).filter(|(_, right)| **right);
        let (of, passing) = (
            own().count(),
            own().filter(|(d, _)| **d >= threshold).count(),
        );
        Self {
            right: passing,
            of,
            share: passing as f64 / of.max(1) as f64,
            interval: wilson(passing, of),
        }
    }
}

/// Every example's distance by the fold's model that did not see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CrossFitted {
    /// Signed distances `−f/‖w‖`, `[n]`: larger is harder.
    pub(super) distance: Vec<f64>,
    /// The fold of every example.
    pub(super) folding: Folding,
}

impl CrossFitted {
    /// Ten folds of units at `c`; fewer where a kind has fewer units.
    pub(super) fn new(
        gram: &Array2<f64>,
        right: &[bool],
        units: &Units,
        c: f64,
        (seed, id): (u64, ModeId),
    ) -> Self {
        let [wrong, others] = units.kinds(right);
        let folds = FOLDS.min(wrong).min(others).max(2);
        let dealer = Dealer::shuffled(units, folds, 1, |repeat| {
            rng(seed, id, Purpose::Threshold, repeat)
        });
        let folding = dealer.deal(units, right).remove(0);
        let mut distance = vec![0.0; right.len()];
        for fold in 0..folds {
            let (test, train): (Vec<usize>, Vec<usize>) =
                (0..right.len()).partition(|&i| folding.of[i] == fold);
            let targets = select::targets(train.iter().map(|&i| right[i]));
            if targets.iter().all(|&t| t > 0.0) || targets.iter().all(|&t| t < 0.0) {
                continue;
            }
            let solution = Path::new(gram, train.clone(), targets.clone()).solve(c);
            let norm = solution.norm.max(f64::MIN_POSITIVE);
            let values = svm::decisions(gram, &train, &targets, &solution, &test);
            for (&i, f) in test.iter().zip(values) {
                distance[i] = -f / norm;
            }
        }
        Self { distance, folding }
    }

    /// The quantile of the mistakes' distances.
    pub(super) fn threshold(&self, right: &[bool], share: f64) -> f64 {
        let all = self.distance.iter().zip(right);
        let mut mistakes: Vec<f64> = all.filter(|(_, r)| !**r).map(|(d, _)| *d).collect();
        quantile(&mut mistakes, share)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Axis};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// `n` unit rows and outcomes; what the first coordinate says fails, but for noise.
    fn drawn(n: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut x = Array2::from_shape_fn((n, 8), |_| rng.gen_range(-1.0..1.0));
        for mut row in x.outer_iter_mut() {
            let norm: f64 = row.dot(&row);
            row /= norm.sqrt();
        }
        let right = (0..n).map(|i| x[[i, 0]] + 0.4 * rng.gen_range(-1.0..1.0) < 0.25);
        let right = right.collect();
        (x, right)
    }

    #[test]
    fn each_distance_is_that_of_the_model_that_did_not_see_the_example() {
        let (x, right) = drawn(70, 2);
        let gram = svm::gram(x.view());
        let units = Units::single(70);
        for c in [1e-3, 1.0] {
            let id = ModeId::new(0, 0);
            let fitted = CrossFitted::new(&gram, &right, &units, c, (1, id));
            assert_eq!(fitted.folding.folds, 10);
            for fold in [0, 7] {
                let of = |i: &usize| fitted.folding.of[*i] == fold;
                let train: Vec<usize> = (0..70).filter(|i| !of(i)).collect();
                let part = x.select(Axis(0), &train);
                let rows: Vec<usize> = (0..train.len()).collect();
                let targets = select::targets(train.iter().map(|&i| right[i]));
                let solution = svm::solve(&part.dot(&part.t()), &rows, &targets, c);
                let mut w = Array1::<f64>::zeros(8);
                for ((row, t), alpha) in part.outer_iter().zip(&targets).zip(&solution.alpha) {
                    w = w + &row * (t * alpha);
                }
                let norm = w.dot(&w).sqrt();
                for i in (0..70).filter(of) {
                    let distance = -(w.dot(&x.row(i)) + solution.b) / norm;
                    assert!((fitted.distance[i] - distance).abs() < 1e-4, "{i}");
                }
            }
        }
    }

    #[test]
    fn half_of_fresh_mistakes_pass_and_few_fresh_right_images() {
        let (mut passed, mut let_in) = ([0, 0], [0, 0]);
        for seed in 0..6 {
            let (x, right) = drawn(160, seed);
            let gram = svm::gram(x.view());
            let units = Units::single(right.len());
            let fitted = CrossFitted::new(&gram, &right, &units, 0.1, (1, ModeId::new(0, 0)));
            let threshold = fitted.threshold(&right, 0.5);
            let all: Vec<usize> = (0..right.len()).collect();
            let targets = select::targets(right.iter().copied());
            let solution = svm::solve(&gram, &all, &targets, 0.1);
            let w = svm::weights(x.view(), &all, &targets, &solution);
            let (fresh, outcomes) = drawn(400, 100 + seed);
            for (row, right) in fresh.outer_iter().zip(outcomes) {
                let passes = -(w.dot(&row) + solution.b) / solution.norm >= threshold;
                let counts = if right { &mut let_in } else { &mut passed };
                counts[0] += usize::from(passes);
                counts[1] += 1;
            }
            let admits = Admitted::of(&fitted.distance, &right, threshold);
            assert_eq!(admits.of, right.iter().filter(|r| **r).count());
            assert!(admits.share < 0.2, "{admits:?}");
        }
        let share = |[part, all]: [usize; 2]| part as f64 / all as f64;
        let (passed, let_in) = (share(passed), share(let_in));
        assert!(
            (0.42..0.58).contains(&passed),
            "{passed} of fresh mistakes pass"
        );
        assert!(let_in < 0.15, "{let_in} of fresh right images pass");
    }

    #[test]
    fn few_mistakes_make_few_folds() {
        let (x, _) = drawn(40, 3);
        let right: Vec<bool> = (0..40).map(|i| i % 10 != 0).collect();
        let gram = svm::gram(x.view());
        let units = Units::single(40);
        let fitted = CrossFitted::new(&gram, &right, &units, 1.0, (1, ModeId::new(0, 0)));
        assert_eq!(fitted.folding.folds, 4);
    }
}
