//! The linear SVM with an unregularised intercept and balanced weights, solved in its dual.
//!
//! ```text
//! min over α:  ½ αᵀQα − Σ αᵢ     0 ≤ αᵢ ≤ Cᵢ,  Σ αᵢ tᵢ = 0,  Qᵢⱼ = tᵢ tⱼ xᵢ·xⱼ,  Cᵢ = C n / (2 n_t)
//! ```
//!
//! `αᵢ = Cᵢ` is always feasible with balanced weights, and optimal exactly where some intercept puts
//! every example inside its margin; that is tried first, for most small `C` are such. Otherwise
//! sequential minimal optimisation with second-order working-set selection (Fan, Chen and Lin 2005,
//! "Working set selection using second order information", WSS 2) on a Gram matrix that all folds
//! and all `C` share.

use ndarray::{Array1, Array2, ArrayView2};

/// Largest violation of the optimality conditions at which the solver stops; scikit-learn's is 1e-3.
const TOLERANCE: f64 = 1e-5;

/// A solved problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Dual variables, one per training example.
    pub alpha: Vec<f64>,
    /// Intercept: the middle of the optimal interval where it is not unique.
    pub b: f64,
    /// Whether `b` is determined by the data.
    pub unique_b: bool,
    /// Whether some `α` is at its upper bound; if none is, larger `C` change nothing.
    pub bounded: bool,
    /// `½ αᵀQα − Σ αᵢ` at the solution.
    pub objective: f64,
    /// Largest violation of the optimality conditions.
    pub violation: f64,
}

/// The Gram matrix `X Xᵀ` of unit rows, `[n, n]`.
pub fn gram(x: ArrayView2<'_, f64>) -> Array2<f64> {
    x.dot(&x.t())
}

/// Solves for the examples `rows` of a Gram matrix, with targets ±1 and penalty `c`.
///
/// # Shapes
///
/// `gram` `[n, n]`; `rows` indexes it; `targets` has an entry for each of `rows`, both signs among
/// them.
pub fn solve(gram: &Array2<f64>, rows: &[usize], targets: &[f64], c: f64) -> Solution {
    let n = rows.len();
    let positive = targets.iter().filter(|&&t| t > 0.0).count();
    let bound: Vec<f64> = targets
        .iter()
        .map(|&t| {
            let same = if t > 0.0 { positive } else { n - positive };
            c * n as f64 / (2.0 * same as f64)
        })
        .collect();
    all_bounded(gram, rows, targets, &bound)
        .unwrap_or_else(|| pairwise(gram, rows, targets, &bound))
}

/// The solution with every example at its bound, where that is optimal.
fn all_bounded(
    gram: &Array2<f64>,
    rows: &[usize],
    targets: &[f64],
    bound: &[f64],
) -> Option<Solution> {
    let n = rows.len();
    // Scores without intercept.
    let f: Vec<f64> = (0..n)
        .map(|i| {
            (0..n)
                .map(|j| bound[j] * targets[j] * gram[[rows[i], rows[j]]])
                .sum()
        })
        .collect();
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    for (&f, &t) in f.iter().zip(targets) {
        if t > 0.0 {
            high = high.min(1.0 - f);
        } else {
            low = low.max(-1.0 - f);
        }
    }
    if low > high {
        return None;
    }
    let quadratic: f64 = (0..n).map(|i| bound[i] * targets[i] * f[i]).sum();
    Some(Solution {
        alpha: bound.to_vec(),
        b: 0.5 * (low + high),
        unique_b: high - low < TOLERANCE,
        bounded: true,
        objective: 0.5 * quadratic - bound.iter().sum::<f64>(),
        violation: 0.0,
    })
}

/// Moves two examples at a time, the pair that promises most, until no pair is worth it.
#[allow(clippy::too_many_lines, reason = "one algorithm, read in one go")]
fn pairwise(gram: &Array2<f64>, rows: &[usize], targets: &[f64], bound: &[f64]) -> Solution {
    let n = rows.len();
    let q = |i: usize, j: usize| targets[i] * targets[j] * gram[[rows[i], rows[j]]];
    let mut alpha = vec![0.0; n];
    let mut gradient = vec![-1.0; n];
    let diagonal: Vec<f64> = (0..n).map(|i| q(i, i)).collect();
    let can_rise = |a: f64, i: usize| {
        if targets[i] > 0.0 {
            a < bound[i]
        } else {
            a > 0.0
        }
    };
    let can_fall = |a: f64, i: usize| {
        if targets[i] > 0.0 {
            a > 0.0
        } else {
            a < bound[i]
        }
    };
    let mut violation = f64::INFINITY;
    // libsvm's own limit; reached only by data that no solver separates in float64.
    for _ in 0..10_000_000_usize.max(100 * n) {
        let mut first = None;
        let mut most = f64::NEG_INFINITY;
        for i in 0..n {
            if can_rise(alpha[i], i) && -targets[i] * gradient[i] >= most {
                most = -targets[i] * gradient[i];
                first = Some(i);
            }
        }
        let Some(i) = first else { break };
        let (mut second, mut best, mut least) = (None, f64::INFINITY, f64::INFINITY);
        for j in 0..n {
            if !can_fall(alpha[j], j) {
                continue;
            }
            let score = -targets[j] * gradient[j];
            least = least.min(score);
            let gain = most - score;
            if gain > 0.0 {
                let curvature = diagonal[i] + diagonal[j] - 2.0 * targets[i] * targets[j] * q(i, j);
                let decrease = -gain * gain / curvature.max(1e-12);
                if decrease <= best {
                    (second, best) = (Some(j), decrease);
                }
            }
        }
        violation = most - least;
        let Some(j) = second.filter(|_| violation >= TOLERANCE) else {
            break;
        };

        // Along α_i += t_i s, α_j −= t_j s the constraint holds and the objective is a parabola.
        let curvature =
            (diagonal[i] + diagonal[j] - 2.0 * targets[i] * targets[j] * q(i, j)).max(1e-12);
        let wanted = (-targets[i] * gradient[i] + targets[j] * gradient[j]) / curvature;
        let room = |a: f64, bound: f64, rises: bool| if rises { bound - a } else { a };
        let step = wanted
            .min(room(alpha[i], bound[i], targets[i] > 0.0))
            .min(room(alpha[j], bound[j], targets[j] < 0.0));
        let (before_i, before_j) = (alpha[i], alpha[j]);
        alpha[i] = snap(before_i + targets[i] * step, bound[i]);
        alpha[j] = snap(before_j - targets[j] * step, bound[j]);
        let (di, dj) = (alpha[i] - before_i, alpha[j] - before_j);
        for (k, g) in gradient.iter_mut().enumerate() {
            *g += q(k, i) * di + q(k, j) * dj;
        }
    }
    finish(alpha, &gradient, targets, bound, violation.max(0.0))
}

/// Puts a value that is a rounding error away from a bound onto it, so that it counts as bounded.
fn snap(a: f64, bound: f64) -> f64 {
    if a < 1e-12 * bound {
        0.0
    } else if a > bound * (1.0 - 1e-12) {
        bound
    } else {
        a
    }
}

/// The intercept: the mean over free examples, or the middle of the interval the others leave.
fn finish(
    alpha: Vec<f64>,
    gradient: &[f64],
    targets: &[f64],
    bound: &[f64],
    violation: f64,
) -> Solution {
    let (mut sum, mut free) = (0.0, 0_usize);
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    for i in 0..alpha.len() {
        let b = -targets[i] * gradient[i];
        let at_zero = alpha[i] <= 0.0;
        if !at_zero && alpha[i] < bound[i] {
            sum += b;
            free += 1;
        } else if at_zero == (targets[i] > 0.0) {
            low = low.max(b);
        } else {
            high = high.min(b);
        }
    }
    let b = if free > 0 {
        sum / free as f64
    } else {
        0.5 * (low + high)
    };
    let unique_b = free > 0 || high - low < TOLERANCE;
    let objective = 0.5
        * alpha
            .iter()
            .zip(gradient)
            .map(|(a, g)| a * (g - 1.0))
            .sum::<f64>();
    let bounded = alpha.iter().zip(bound).any(|(a, bound)| a >= bound);
    Solution {
        alpha,
        b,
        unique_b,
        bounded,
        objective,
        violation,
    }
}

/// The weights `w = Σ αᵢ tᵢ xᵢ`, `[d]`, of a solution for the rows `rows` of `x` `[n, d]`.
pub fn weights(
    x: ArrayView2<'_, f64>,
    rows: &[usize],
    targets: &[f64],
    solution: &Solution,
) -> Array1<f64> {
    let mut w = Array1::zeros(x.ncols());
    for ((&row, &t), &a) in rows.iter().zip(targets).zip(&solution.alpha) {
        if a > 0.0 {
            w.scaled_add(a * t, &x.row(row));
        }
    }
    w
}

/// Decision values of the examples `of`, from a solution for `rows` of the same Gram matrix.
pub fn decisions(
    gram: &Array2<f64>,
    rows: &[usize],
    targets: &[f64],
    solution: &Solution,
    of: &[usize],
) -> Vec<f64> {
    of.iter()
        .map(|&i| {
            let sum: f64 = rows
                .iter()
                .zip(targets)
                .zip(&solution.alpha)
                .map(|((&row, &t), &a)| a * t * gram[[i, row]])
                .sum();
            sum + solution.b
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn two_points_have_the_margin_between_them() {
        let x = array![[2.0, 0.0], [-1.0, 0.0]];
        let targets = [1.0, -1.0];
        let solution = solve(&gram(x.view()), &[0, 1], &targets, 10.0);
        let w = weights(x.view(), &[0, 1], &targets, &solution);
        // w·2 + b = 1 and −w + b = −1.
        assert!((w[0] - 2.0 / 3.0).abs() < 1e-6 && (solution.b + 1.0 / 3.0).abs() < 1e-6);
        assert!(!solution.bounded && solution.unique_b);
        let f = decisions(&gram(x.view()), &[0, 1], &targets, &solution, &[0, 1]);
        assert!((f[0] - 1.0).abs() < 1e-6 && (f[1] + 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_small_penalty_gives_the_difference_of_means_and_the_middle_intercept() {
        let x = array![[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0]];
        let targets = [1.0, 1.0, -1.0];
        let solution = solve(&gram(x.view()), &[0, 1, 2], &targets, 1e-3);
        let w = weights(x.view(), &[0, 1, 2], &targets, &solution);
        let half = 1e-3 * 3.0 / 2.0;
        assert!((w[0] - half * 1.9).abs() < 1e-12 && (w[1] - half * 0.3).abs() < 1e-12);
        assert!(!solution.unique_b && solution.bounded);
        // 1 − f of the best right example, −1 − f of the wrong one.
        let f: Vec<f64> = x.outer_iter().map(|row| row.dot(&w)).collect();
        let middle = 0.5 * ((1.0 - f[0].max(f[1])) + (-1.0 - f[2]));
        assert!((solution.b - middle).abs() < 1e-12);
    }
}
