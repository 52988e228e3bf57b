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
//! and all `C` share. A larger `C` begins at the solution of the one before.

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
    /// Length of the weights.
    pub norm: f64,
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
    Path::new(gram, rows.to_vec(), targets.to_vec()).solve(c)
}

/// The solutions of one problem for rising `C`, each begun at the last.
///
/// With every `α` at its bound the scores without intercept are `C` times those at `C = 1`, the *pull*: whether
/// that is optimal is a comparison of two numbers. Where it is not, the ray through the last solution is
/// followed to its best point, and pairs are moved from there.
#[derive(Debug)]
pub(super) struct Path<'a> {
    gram: &'a Array2<f64>,
    rows: Vec<usize>,
    targets: Vec<f64>,
    /// Bounds at `C = 1`.
    weight: Vec<f64>,
    /// Scores without intercept of `rows`, all at their bounds at `C = 1`.
    pull: Vec<f64>,
    /// The Gram matrix of `rows`, once it is needed, row by row.
    kernel: Vec<f64>,
    last: Option<Last>,
}

/// A solution to begin at.
#[derive(Debug)]
struct Last {
    c: f64,
    alpha: Vec<f64>,
    /// Scores without intercept.
    score: Vec<f64>,
}

impl<'a> Path<'a> {
    /// Every example counts once. Targets of both signs are asked for.
    pub(super) fn new(gram: &'a Array2<f64>, rows: Vec<usize>, targets: Vec<f64>) -> Self {
        let times = vec![1.0; rows.len()];
        Self::weighted(gram, rows, targets, &times)
    }

    /// The example `rows[i]` counts `times[i]` times: as if it stood there so often.
    pub(super) fn weighted(
        gram: &'a Array2<f64>,
        rows: Vec<usize>,
        targets: Vec<f64>,
        times: &[f64],
    ) -> Self {
        let weight = weights_of(&targets, times);
        let mut all = Array1::zeros(gram.nrows());
        for ((&row, t), w) in rows.iter().zip(&targets).zip(&weight) {
            all[row] = t * w;
        }
        let whole = gram.dot(&all);
        let pull = rows.iter().map(|&row| whole[row]).collect();
        Self::pulled(gram, rows, targets, weight, pull)
    }

    /// With the pull known.
    pub(super) fn pulled(
        gram: &'a Array2<f64>,
        rows: Vec<usize>,
        targets: Vec<f64>,
        weight: Vec<f64>,
        pull: Vec<f64>,
    ) -> Self {
        Self {
            gram,
            rows,
            targets,
            weight,
            pull,
            kernel: Vec::new(),
            last: None,
        }
    }

    /// The largest pull of a right example less the smallest of a wrong one: as long as `C` times it is at most 2,
    /// every `α` is at its bound.
    fn spread(&self) -> (f64, f64) {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for (&pull, &t) in self.pull.iter().zip(&self.targets) {
            if t > 0.0 {
                most = most.max(pull);
            } else {
                least = least.min(pull);
            }
        }
        (least, most)
    }

    /// Whether every `α` is at its bound at `c`.
    pub(super) fn all_bounded(&self, c: f64) -> bool {
        let (least, most) = self.spread();
        c * (most - least) <= 2.0
    }

    /// The pull at which decision values change their sign as long as every `α` is at its bound.
    pub(super) fn middle(&self) -> f64 {
        let (least, most) = self.spread();
        0.5 * (least + most)
    }

    /// The solution at `c`, which is not below that of the last call.
    pub(super) fn solve(&mut self, c: f64) -> Solution {
        let bound: Vec<f64> = self.weight.iter().map(|w| c * w).collect();
        if self.all_bounded(c) {
            return self.bounded_solution(c, bound);
        }
        let mut state = self.begin(c, &bound);
        let violation = state.run(&self.kernel, &self.targets, &bound);
        let solution = finish(&state, &self.targets, &bound, violation);
        let Work { alpha, score } = state;
        self.last = Some(Last { c, alpha, score });
        solution
    }

    fn bounded_solution(&self, c: f64, bound: Vec<f64>) -> Solution {
        let (least, most) = self.spread();
        let (low, high) = (-1.0 - c * least, 1.0 - c * most);
        let alone = bound.iter().zip(&self.targets).zip(&self.pull);
        let quadratic: f64 = alone.map(|((a, t), pull)| a * t * c * pull).sum();
        Solution {
            objective: 0.5 * quadratic - bound.iter().sum::<f64>(),
            norm: quadratic.max(0.0).sqrt(),
            alpha: bound,
            b: 0.5 * (low + high),
            unique_b: high - low < TOLERANCE,
            bounded: true,
            violation: 0.0,
        }
    }

    /// The best point of the ray through the last solution, or through that with every `α` at its bound.
    fn begin(&mut self, c: f64, bound: &[f64]) -> Work {
        if self.kernel.is_empty() {
            self.kernel.reserve_exact(self.rows.len().pow(2));
            for &i in &self.rows {
                let row = self.gram.row(i);
                self.kernel.extend(self.rows.iter().map(|&j| row[j]));
            }
        }
        let last = self.last.take().unwrap_or_else(|| Last {
            c: 1.0,
            alpha: self.weight.clone(),
            score: self.pull.clone(),
        });
        let linear: f64 = last.alpha.iter().sum();
        let each = last.alpha.iter().zip(&self.targets).zip(&last.score);
        let quadratic: f64 = each.map(|((a, t), s)| a * t * s).sum();
        let most = c / last.c;
        let along = if quadratic > 0.0 {
            (linear / quadratic).min(most)
        } else {
            most
        };
        let alpha = last.alpha.iter().zip(bound);
        Work {
            alpha: alpha.map(|(a, &bound)| snap(a * along, bound)).collect(),
            score: last.score.iter().map(|s| s * along).collect(),
        }
    }
}

/// Bounds at `C = 1`: `n / (2 n_t)` for every time an example counts, of `n` times in all, `n_t` of them of its sign.
pub(super) fn weights_of(targets: &[f64], times: &[f64]) -> Vec<f64> {
    let sum = |sign: f64| -> f64 {
        let of = targets.iter().zip(times).filter(|(t, _)| **t * sign > 0.0);
        of.map(|(_, times)| times).sum()
    };
    let (positive, negative) = (sum(1.0), sum(-1.0));
    let all = positive + negative;
    let each = targets.iter().zip(times);
    each.map(|(&t, times)| times * all / (2.0 * if t > 0.0 { positive } else { negative }))
        .collect()
}

/// A feasible point on the way to a solution.
#[derive(Debug)]
struct Work {
    alpha: Vec<f64>,
    /// `Σⱼ αⱼ tⱼ xᵢ·xⱼ`, `[n]`.
    score: Vec<f64>,
}

impl Work {
    /// Moves two examples at a time, the pair that promises most, until no pair is worth it; gives the
    /// violation that is left.
    fn run(&mut self, kernel: &[f64], targets: &[f64], bound: &[f64]) -> f64 {
        let n = targets.len();
        let diagonal: Vec<f64> = (0..n).map(|i| kernel[i * n + i]).collect();
        let mut violation = f64::INFINITY;
        // libsvm's own limit; reached only by data that no solver separates in float64.
        for _ in 0..10_000_000_usize.max(100 * n) {
            let Some((i, most)) = self.first(targets, bound) else {
                break;
            };
            let row = &kernel[i * n..(i + 1) * n];
            let (second, least) = self.second((i, most), row, &diagonal, targets, bound);
            violation = most - least;
            let Some(j) = second.filter(|_| violation >= TOLERANCE) else {
                break;
            };
            let other = &kernel[j * n..(j + 1) * n];
            self.step((i, row), (j, other), &diagonal, targets, bound);
        }
        violation.max(0.0)
    }

    /// The example whose `α t` should rise most, with `t − score` there.
    fn first(&self, targets: &[f64], bound: &[f64]) -> Option<(usize, f64)> {
        let mut found = None;
        let mut most = f64::NEG_INFINITY;
        let each = self
            .alpha
            .iter()
            .zip(bound)
            .zip(targets.iter().zip(&self.score));
        for (i, ((&a, &bound), (&t, &score))) in each.enumerate() {
            let can_rise = if t > 0.0 { a < bound } else { a > 0.0 };
            if can_rise && t - score >= most {
                most = t - score;
                found = Some(i);
            }
        }
        found.map(|i| (i, most))
    }

    /// The partner of `i` that promises most, and the least `t − score` of all that can fall.
    fn second(
        &self,
        (i, most): (usize, f64),
        row: &[f64],
        diagonal: &[f64],
        targets: &[f64],
        bound: &[f64],
    ) -> (Option<usize>, f64) {
        let (mut found, mut best, mut least) = (None, f64::INFINITY, f64::INFINITY);
        let own = diagonal[i];
        let each = self
            .alpha
            .iter()
            .zip(bound)
            .zip(targets.iter().zip(&self.score));
        let each = each.zip(row.iter().zip(diagonal));
        for (j, (((&a, &bound), (&t, &score)), (&near, &other))) in each.enumerate() {
            let can_fall = if t > 0.0 { a > 0.0 } else { a < bound };
            if !can_fall {
                continue;
            }
            least = least.min(t - score);
            let gain = most - (t - score);
            if gain > 0.0 {
                let curvature = (own + other - 2.0 * near).max(1e-12);
                let decrease = -gain * gain / curvature;
                if decrease <= best {
                    (found, best) = (Some(j), decrease);
                }
            }
        }
        (found, least)
    }

    /// Along `αᵢ += tᵢ s`, `αⱼ −= tⱼ s` the constraint holds and the objective is a parabola.
    fn step(
        &mut self,
        (i, row): (usize, &[f64]),
        (j, other): (usize, &[f64]),
        diagonal: &[f64],
        targets: &[f64],
        bound: &[f64],
    ) {
        let curvature = (diagonal[i] + diagonal[j] - 2.0 * row[j]).max(1e-12);
        let (ti, tj) = (targets[i], targets[j]);
        let wanted = ((ti - self.score[i]) - (tj - self.score[j])) / curvature;
        let room = |a: f64, bound: f64, rises: bool| if rises { bound - a } else { a };
        let (before_i, before_j) = (self.alpha[i], self.alpha[j]);
        let step =
            wanted
                .min(room(before_i, bound[i], ti > 0.0))
                .min(room(before_j, bound[j], tj < 0.0));
        self.alpha[i] = snap(before_i + ti * step, bound[i]);
        self.alpha[j] = snap(before_j - tj * step, bound[j]);
        let (di, dj) = (
            ti * (self.alpha[i] - before_i),
            tj * (self.alpha[j] - before_j),
        );
        for ((score, a), b) in self.score.iter_mut().zip(row).zip(other) {
            *score += di * a + dj * b;
        }
    }
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
fn finish(state: &Work, targets: &[f64], bound: &[f64], violation: f64) -> Solution {
    let Work { alpha, score } = state;
    let (mut sum, mut free) = (0.0, 0_usize);
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    let (mut quadratic, mut bounded) = (0.0, false);
    for i in 0..alpha.len() {
        let b = targets[i] - score[i];
        let at_zero = alpha[i] <= 0.0;
        bounded |= alpha[i] >= bound[i];
        quadratic += alpha[i] * targets[i] * score[i];
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
    Solution {
        alpha: alpha.clone(),
        b,
        unique_b: free > 0 || high - low < TOLERANCE,
        bounded,
        objective: 0.5 * quadratic - alpha.iter().sum::<f64>(),
        violation,
        norm: quadratic.max(0.0).sqrt(),
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
mod tests;
