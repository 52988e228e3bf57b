//! Is a direction more than chance: permutations, several classes at once, bootstrap.

use ndarray::{Array1, Array2, ArrayView2};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{FitOptions, quantile, select, svm};

/// One generator a class and draw, so that threads do not share any.
fn rng(seed: u64, class: usize, purpose: u64, draw: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (purpose << 56));
    rng.set_stream(((class as u64) << 32) | draw as u64);
    rng
}

/// `(1 + permutations at least as good) / (1 + permutations)`: the whole selection of `C` is
/// repeated with right and wrong dealt anew, so that the choice of `C` is paid for.
///
/// Source: Phipson and Smyth 2010, "Permutation p-values should never be zero".
pub fn permutation_p(
    gram: &Array2<f64>,
    right: &[bool],
    score: f64,
    class: usize,
    options: &FitOptions,
) -> f64 {
    let as_good = (0..options.permutations)
        .into_par_iter()
        .filter(|&draw| {
            let mut dealt = right.to_vec();
            dealt.shuffle(&mut rng(options.seed, class, 1, draw));
            select::select(gram, &dealt, options.folds).score >= score - 1e-12
        })
        .count();
    (1.0 + as_good as f64) / (1.0 + options.permutations as f64)
}

/// The p-values adjusted for their number (Benjamini and Hochberg 1995, step-up).
pub fn adjust(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut q = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (i, &at) in order.iter().enumerate() {
        let rank = p.len() - i;
        least = least.min(p[at] * p.len() as f64 / rank as f64);
        q[at] = least;
    }
    q
}

/// The 95 % interval of the cosine between `w` and the weights learned on resamples.
pub(super) fn bootstrap(
    x: ArrayView2<'_, f64>,
    gram: &Array2<f64>,
    right: &[bool],
    w: &Array1<f64>,
    c: f64,
    class: usize,
    options: &FitOptions,
) -> Option<(f64, f64)> {
    let n = right.len();
    let mut cosines: Vec<f64> = (0..options.bootstrap)
        .into_par_iter()
        .filter_map(|draw| {
            let mut rng = rng(options.seed, class, 2, draw);
            let rows: Vec<usize> = (0..n).map(|_| rng.gen_range(0..n)).collect();
            let targets = select::targets(rows.iter().map(|&i| right[i]));
            if targets.iter().all(|&t| t > 0.0) || targets.iter().all(|&t| t < 0.0) {
                return None;
            }
            let solution = svm::solve(gram, &rows, &targets, c);
            let other = svm::weights(x, &rows, &targets, &solution);
            let norms = (w.dot(w) * other.dot(&other)).sqrt();
            (norms > 0.0).then(|| w.dot(&other) / norms)
        })
        .collect();
    if cosines.is_empty() {
        return None;
    }
    Some((quantile(&mut cosines, 0.025), quantile(&mut cosines, 0.975)))
}

#[cfg(test)]
mod tests {
    use super::adjust;

    #[test]
    fn adjusted_values_are_those_of_r() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.5), "BH")
        let want = [0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5];
        for (got, want) in adjust(&[0.01, 0.04, 0.03, 0.5]).iter().zip(want) {
            assert!((got - want).abs() < 1e-12);
        }
    }
}
