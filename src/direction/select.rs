//! Choosing `C`: balanced accuracy over folds, mean over repeats, strictly better replaces.
//!
//! What makes hundreds of permutations cheap, without changing a result:
//!
//! - one Gram matrix, and one product of it with the signs of all folds at once;
//! - while every `α` is at its bound (most small `C`) the sign of a decision does not depend on `C`, so all these `C`
//!   are one, and need no solver;
//! - a larger `C` begins at the solution of the one before; a fold without `α` at its bound is done;
//! - a permutation is dropped as soon as the folds that are left cannot lift it to the score it is compared with.

use ndarray::{Array2, ArrayView1};

use super::folds::Folding;
use super::svm::{self, Path};

/// The `C` that are tried, smallest first.
pub const GRID: [f64; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

/// Scores are quotients of small whole numbers: less apart than this is equal.
const ROUNDING: f64 = 1e-12;

/// The winner of a selection.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The chosen `C`.
    pub c: f64,
    /// Its mean balanced accuracy over the folds of all repeats.
    pub score: f64,
    /// In what share of the repeats each example was told right or wrong correctly, out of fold.
    pub told: Vec<f64>,
}

/// Tries every `C` on the folds.
///
/// # Shapes
///
/// `gram` `[n, n]` belongs to the examples of which `right` says whether the classifier was right; a folding a
/// repeat, `[n]` each. A fold whose training part is of one kind scores 0.5.
pub fn select(gram: &Array2<f64>, right: &[bool], foldings: &[Folding]) -> Selection {
    let mut parts = Part::all(gram, right, foldings);
    let mut best = Selection {
        c: GRID[0],
        score: f64::NEG_INFINITY,
        told: vec![0.0; right.len()],
    };
    for c in candidates(&parts) {
        if parts.iter().all(|part| part.settled) {
            break;
        }
        let mut score = 0.0;
        for part in &mut parts {
            score += part.score(c, right);
        }
        score /= parts.len().max(1) as f64;
        if score > best.score + ROUNDING {
            let mut told = vec![0.0; right.len()];
            for part in &parts {
                for (&i, &says) in part.test.iter().zip(&part.says) {
                    told[i] += f64::from(u8::from(says == right[i])) / foldings.len() as f64;
                }
            }
            best = Selection { c, score, told };
        }
    }
    if best.score < 0.0 {
        // No fold has anything to learn from.
        best.score = 0.5;
    }
    best
}

/// Whether some `C` reaches a score.
pub(super) fn reaches(
    gram: &Array2<f64>,
    right: &[bool],
    foldings: &[Folding],
    score: f64,
) -> bool {
    let mut parts = Part::all(gram, right, foldings);
    let needed = (score - ROUNDING) * parts.len() as f64;
    for c in candidates(&parts) {
        if parts.iter().all(|part| part.settled) {
            break;
        }
        let mut sum = 0.0;
        let mut left = parts.len();
        for part in &mut parts {
            sum += part.score(c, right);
            left -= 1;
            // A fold scores 1 at most.
            if sum + (left as f64) < needed {
                break;
            }
        }
        if left == 0 && sum >= needed {
            return true;
        }
    }
    false
}

/// The `C` that can differ: of those at which no fold has an `α` off its bound, the first.
fn candidates(parts: &[Part<'_>]) -> Vec<f64> {
    let same = |c: f64| parts.iter().all(|part| part.is_closed(c));
    let closed = GRID.iter().take_while(|&&c| same(c)).count();
    let first = closed.min(1);
    [&GRID[..first], &GRID[closed..]].concat()
}

/// One fold of one repeat.
struct Part<'a> {
    train: Vec<usize>,
    targets: Vec<f64>,
    test: Vec<usize>,
    /// None if the training part is of one kind.
    path: Option<Path<'a>>,
    gram: &'a Array2<f64>,
    /// Scores of the tests without intercept, with every `α` at its bound at `C = 1`.
    pull: Vec<f64>,
    /// What the last solution says of each test: right or not.
    says: Vec<bool>,
    /// The score of that, as long as it is the same.
    known: Option<f64>,
    /// Whether larger `C` change nothing.
    settled: bool,
}

impl<'a> Part<'a> {
    fn all(gram: &'a Array2<f64>, right: &[bool], foldings: &[Folding]) -> Vec<Self> {
        let n = right.len();
        let places: Vec<(usize, usize)> = foldings
            .iter()
            .enumerate()
            .flat_map(|(repeat, folding)| (0..folding.folds).map(move |fold| (repeat, fold)))
            .collect();
        let mut splits = Vec::with_capacity(places.len());
        let mut signs = Array2::zeros((places.len(), n));
        for (at, &(repeat, fold)) in places.iter().enumerate() {
            let of = &foldings[repeat].of;
            let (test, train): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| of[i] == fold);
            let targets = targets(train.iter().map(|&i| right[i]));
            let weight = svm::weights_of(&targets, &vec![1.0; train.len()]);
            for ((&i, t), w) in train.iter().zip(&targets).zip(&weight) {
                signs[[at, i]] = t * w;
            }
            splits.push((train, targets, weight, test));
        }
        // The Gram matrix is its own transpose.
        let pulls = signs.dot(gram);
        let each = splits.into_iter().zip(pulls.outer_iter());
        each.map(|(split, pull)| Self::new(gram, split, pull))
            .collect()
    }

    fn new(
        gram: &'a Array2<f64>,
        (train, targets, weight, test): (Vec<usize>, Vec<f64>, Vec<f64>, Vec<usize>),
        pull: ArrayView1<'_, f64>,
    ) -> Self {
        let of = |rows: &[usize]| rows.iter().map(|&i| pull[i]).collect::<Vec<f64>>();
        let both = targets.iter().any(|&t| t > 0.0) && targets.iter().any(|&t| t < 0.0);
        let path = both.then(|| {
            let (rows, targets) = (train.clone(), targets.clone());
            Path::pulled(gram, rows, targets, weight, of(&train))
        });
        Self {
            says: vec![false; test.len()],
            pull: of(&test),
            path,
            train,
            targets,
            test,
            gram,
            known: None,
            settled: !both,
        }
    }

    /// Whether every `α` is at its bound at `c`.
    fn is_closed(&self, c: f64) -> bool {
        self.path.as_ref().is_none_or(|path| path.all_bounded(c))
    }

    /// The balanced accuracy on the tests at `c`, which is not below that of the last call.
    fn score(&mut self, c: f64, right: &[bool]) -> f64 {
        let Some(path) = &mut self.path else {
            return 0.5;
        };
        let closed = path.all_bounded(c);
        if let Some(score) = self.known.filter(|_| self.settled || closed) {
            return score;
        }
        if closed {
            let middle = path.middle();
            self.says = self.pull.iter().map(|&pull| pull > middle).collect();
        } else {
            let solution = path.solve(c);
            let (rows, targets) = (&self.train, &self.targets);
            let values = svm::decisions(self.gram, rows, targets, &solution, &self.test);
            self.says = values.iter().map(|&f| f > 0.0).collect();
            self.settled = !solution.bounded;
        }
        let truth = self.test.iter().map(|&i| right[i]);
        let score = balanced_accuracy(truth.zip(self.says.iter().copied()));
        self.known = Some(score);
        score
    }
}

/// +1 where the classifier was right, −1 where it was wrong.
pub(super) fn targets(right: impl Iterator<Item = bool>) -> Vec<f64> {
    right.map(|r| if r { 1.0 } else { -1.0 }).collect()
}

/// Mean of the recalls of the kinds that occur, over pairs (truth, prediction).
pub(super) fn balanced_accuracy(pairs: impl Iterator<Item = (bool, bool)>) -> f64 {
    let mut hits = [0_usize; 2];
    let mut counts = [0_usize; 2];
    for (truth, prediction) in pairs {
        counts[usize::from(truth)] += 1;
        hits[usize::from(truth)] += usize::from(truth == prediction);
    }
    let recalls: Vec<f64> = (0..2)
        .filter(|&k| counts[k] > 0)
        .map(|k| hits[k] as f64 / counts[k] as f64)
        .collect();
    if recalls.is_empty() {
        0.5
    } else {
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn balanced_accuracy_is_the_mean_recall() {
        let pairs = [
            (true, true),
            (true, false),
            (true, true),
            (true, true),
            (false, false),
        ];
        assert!((balanced_accuracy(pairs.into_iter()) - 0.875).abs() < 1e-12);
    }

    /// Without any of the shortcuts: every fold at every `C`, from the start.
    fn plainly(gram: &Array2<f64>, right: &[bool], foldings: &[Folding]) -> (f64, f64) {
        let mut best = (GRID[0], f64::NEG_INFINITY);
        for c in GRID {
            let mut scores = Vec::new();
            for folding in foldings {
                for fold in 0..folding.folds {
                    let (test, train): (Vec<usize>, Vec<usize>) =
                        (0..right.len()).partition(|&i| folding.of[i] == fold);
                    let targets = targets(train.iter().map(|&i| right[i]));
                    let solution = svm::solve(gram, &train, &targets, c);
                    let f = svm::decisions(gram, &train, &targets, &solution, &test);
                    let truth = test.iter().map(|&i| right[i]);
                    scores.push(balanced_accuracy(truth.zip(f.iter().map(|&f| f > 0.0))));
                }
            }
            let score = scores.iter().sum::<f64>() / scores.len() as f64;
            if score > best.1 + ROUNDING {
                best = (c, score);
            }
        }
        best
    }

    #[test]
    fn shortcuts_change_no_choice_and_no_score() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (n, d, planted) in [(40, 60, 0.4), (60, 6, 0.8), (50, 3, 0.0)] {
            let mut x = Array2::from_shape_fn((n, d), |_| rng.gen_range(-1.0..1.0));
            for mut row in x.outer_iter_mut() {
                let norm: f64 = row.dot(&row);
                row /= norm.sqrt();
            }
            let right: Vec<bool> = (0..n)
                .map(|i| x[[i, 0]] * planted + 0.3 * rng.gen_range(-1.0..1.0) < 0.1)
                .collect();
            let gram = svm::gram(x.view());
            let foldings = [2, 3].map(|folds| Folding::in_order(&right, folds));
            let selection = select(&gram, &right, &foldings);
            let (c, score) = plainly(&gram, &right, &foldings);
            assert!((selection.score - score).abs() < ROUNDING, "{n}, {d}");
            assert_eq!(selection.c, c, "{n}, {d}");
            for (above, expected) in [(0.0, true), (1e-6, false), (-0.05, true), (0.2, false)] {
                let reached = reaches(&gram, &right, &foldings, score + above);
                assert_eq!(reached, expected, "{n}, {d}: {score} + {above}");
            }
            // The share of the tests that were told, kind by kind, is about the mean over folds.
            let kind = |kind| {
                let own: Vec<f64> = (0..n)
                    .filter(|&i| right[i] == kind)
                    .map(|i| selection.told[i])
                    .collect();
                own.iter().sum::<f64>() / own.len() as f64
            };
            assert!((f64::midpoint(kind(true), kind(false)) - score).abs() < 0.05);
        }
    }
}
