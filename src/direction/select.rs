//! Choosing `C`: stratified folds, balanced accuracy, strictly better replaces.

use ndarray::{Array2, ArrayView2};

use super::svm::{self, Solution};

/// The `C` that are tried, smallest first.
pub const GRID: [f64; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

/// The winner of a selection.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The chosen `C`.
    pub c: f64,
    /// Its mean balanced accuracy over the folds.
    pub score: f64,
    /// Its out-of-fold decision value for every example.
    pub out_of_fold: Vec<f64>,
}

/// The fold of every example: scikit-learn's `StratifiedKFold(folds)` without shuffling.
///
/// Kinds are numbered by first appearance, so that which fold gets the odd one out is theirs too
/// (scikit-learn 1.7 `model_selection/_split.py`, `_make_test_folds`).
pub fn stratified_folds(right: &[bool], folds: usize) -> Vec<usize> {
    let first = right.first().copied().unwrap_or(true);
    let count = right.iter().filter(|&&r| r == first).count();
    let mut fold_of = vec![0; right.len()];
    for kind in [first, !first] {
        let (start, end) = if kind == first {
            (0, count)
        } else {
            (count, right.len())
        };
        // How many of this kind each fold tests.
        let mut share: Vec<usize> = (0..folds)
            .map(|f| (start..end).filter(|i| i % folds == f).count())
            .collect();
        let mut fold = 0;
        for (i, _) in right.iter().enumerate().filter(|&(_, &r)| r == kind) {
            while fold + 1 < folds && share[fold] == 0 {
                fold += 1;
            }
            share[fold] = share[fold].saturating_sub(1);
            fold_of[i] = fold;
        }
    }
    fold_of
}

/// Tries every `C` on the folds.
///
/// `gram` `[n, n]` belongs to the examples of which `right` says whether the classifier was right;
/// both kinds are in every fold's training part.
pub fn select(gram: &Array2<f64>, right: &[bool], folds: usize) -> Selection {
    let fold_of = stratified_folds(right, folds);
    let parts: Vec<Fold> = (0..folds).map(|f| Fold::new(right, &fold_of, f)).collect();
    let mut best: Option<Selection> = None;
    // A solution without bounded α stays the solution for every larger C.
    let mut settled: Vec<Option<Solution>> = vec![None; folds];
    for c in GRID {
        if settled.iter().all(Option::is_some) {
            break;
        }
        let mut out_of_fold = vec![0.0; right.len()];
        let mut score = 0.0;
        for (part, settled) in parts.iter().zip(&mut settled) {
            let solution = settled
                .clone()
                .unwrap_or_else(|| svm::solve(gram, &part.train, &part.targets, c));
            let values = svm::decisions(gram, &part.train, &part.targets, &solution, &part.test);
            score += balanced_accuracy(
                part.test
                    .iter()
                    .map(|&i| right[i])
                    .zip(values.iter().map(|&f| f > 0.0)),
            ) / folds as f64;
            for (&i, &f) in part.test.iter().zip(&values) {
                out_of_fold[i] = f;
            }
            if !solution.bounded {
                *settled = Some(solution);
            }
        }
        if best.as_ref().is_none_or(|best| score > best.score + 1e-12) {
            best = Some(Selection {
                c,
                score,
                out_of_fold,
            });
        }
    }
    best.unwrap_or(Selection {
        c: GRID[0],
        score: 0.5,
        out_of_fold: vec![0.0; right.len()],
    })
}

/// Which fold tests every example, and `‖w‖` of each fold's model at `c`: what turns the decision
/// values of [`Selection::out_of_fold`] into distances. `x` is `[n, d]`.
pub(super) fn fold_norms(
    x: ArrayView2<'_, f64>,
    gram: &Array2<f64>,
    right: &[bool],
    folds: usize,
    c: f64,
) -> (Vec<usize>, Vec<f64>) {
    let fold_of = stratified_folds(right, folds);
    let norms = (0..folds)
        .map(|f| {
            let part = Fold::new(right, &fold_of, f);
            let solution = svm::solve(gram, &part.train, &part.targets, c);
            let w = svm::weights(x, &part.train, &part.targets, &solution);
            w.dot(&w).sqrt().max(f64::MIN_POSITIVE)
        })
        .collect();
    (fold_of, norms)
}

struct Fold {
    train: Vec<usize>,
    targets: Vec<f64>,
    test: Vec<usize>,
}

impl Fold {
    fn new(right: &[bool], fold_of: &[usize], fold: usize) -> Self {
        let (test, train): (Vec<usize>, Vec<usize>) =
            (0..right.len()).partition(|&i| fold_of[i] == fold);
        let targets = targets(train.iter().map(|&i| right[i]));
        Self {
            train,
            targets,
            test,
        }
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
    use super::*;

    #[test]
    fn folds_are_scikit_learns() {
        // StratifiedKFold(2) of [1,0,1,1,0,1,1]: test folds [0,1,2,...]; by hand from its source:
        // kind 1 (five, first to appear) gives 3 to fold 0, kind 0 (two) 1 to each.
        let right = [true, false, true, true, false, true, true];
        assert_eq!(stratified_folds(&right, 2), [0, 0, 0, 0, 1, 1, 1]);
        let right = [false, true, true, false, false, true];
        assert_eq!(stratified_folds(&right, 2), [0, 0, 1, 0, 1, 1]);
    }

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
}
