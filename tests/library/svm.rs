//! The support vector machine against scikit-learn's `SVC(kernel="linear", class_weight="balanced")`
//! (`tests/oracle/golden/svm.py`), and its own certificate.
//!
//! `w` is compared always; `b`, cross-validation scores and the chosen `C` only where `b` is unique,
//! for libsvm's `b` elsewhere is an accident of rounding. There ours must be the middle of the
//! interval, whose ends the oracle gives.

use hardlight::direction::folds::{Folding, stratified_folds};
use hardlight::direction::select::{GRID, Selection, select};
use hardlight::direction::svm::{self, Solution};
use ndarray::{Array1, Array2};
use serde::Deserialize;

/// Cosine between the weights: an angle of 0.8°.
const COSINE: f64 = 0.9999;
/// Relative difference of the dual objectives.
const OBJECTIVE: f64 = 1e-4;
/// Largest violation of the optimality conditions; scikit-learn's default too.
const VIOLATION: f64 = 1e-3;
/// Difference of intercepts. Decision values of unit rows are about 1, and our solver stops when
/// the conditions hold to 1e-5.
const INTERCEPT: f64 = 1e-4;
/// Scores are quotients of small whole numbers: equal but for the last bits.
const SCORE: f64 = 1e-12;

#[derive(Deserialize)]
struct Problem {
    seed: u64,
    n: usize,
    d: usize,
    wrong: usize,
    repeat: usize,
    mix: f64,
    checksum: String,
    /// One digit a row: 2 where it is right, plus its fold.
    marks: String,
    fits: Vec<Fit>,
    chosen: Option<f64>,
}

#[derive(Deserialize)]
struct Fit {
    c: f64,
    b: Intercept,
    objective: f64,
    /// Mean balanced accuracy over two folds, where it does not hang on rounding.
    score: Option<f64>,
    /// Absent where it points as that of the last C before; of the largest C always there.
    w: Option<Vec<f64>>,
}

/// The optimal intercepts.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Intercept {
    One(f64),
    FromTo([f64; 2]),
}

impl Fit {
    fn unique(&self) -> bool {
        matches!(self.b, Intercept::One(_))
    }

    fn middle(&self) -> f64 {
        match self.b {
            Intercept::One(b) => b,
            Intercept::FromTo([from, to]) => 0.5 * (from + to),
        }
    }
}

impl Problem {
    /// The oracle's `rows`, operation by operation.
    fn rows(&self) -> Array2<f64> {
        let mut state = self.seed;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / 8_388_608.0 - 1.0
        };
        let mut x = Array2::zeros((self.n, self.d));
        for i in 0..self.n {
            for j in 0..self.d {
                x[[i, j]] = if i % self.repeat == 0 {
                    let mut total = 0.0;
                    for _ in 0..4 {
                        total += uniform();
                    }
                    total
                } else {
                    x[[i - 1, j]]
                };
            }
            for j in 1..self.d {
                if i % self.repeat == 0 {
                    x[[i, j]] += self.mix * x[[i, j - 1]];
                }
            }
        }
        for mut column in x.columns_mut() {
            let mut mean = 0.0;
            for value in &column {
                mean += value;
            }
            mean /= self.n as f64;
            let mut squares = 0.0;
            for value in &column {
                squares += (value - mean) * (value - mean);
            }
            let deviation = (squares / (self.n as f64 - 1.0)).sqrt();
            column.map_inplace(|value| *value = (*value - mean) / deviation);
        }
        for mut row in x.rows_mut() {
            let mut squares = 0.0;
            for value in &row {
                squares += value * value;
            }
            let norm = squares.sqrt();
            row.map_inplace(|value| *value /= norm);
        }
        x
    }

    fn right(&self) -> Vec<bool> {
        self.marks.bytes().map(|digit| digit >= b'2').collect()
    }

    fn folds(&self) -> Vec<usize> {
        self.marks
            .bytes()
            .map(|digit| usize::from(digit & 1))
            .collect()
    }

    fn name(&self) -> String {
        format!(
            "problem {}: {} of {} wrong, {} dimensions",
            self.seed, self.wrong, self.n, self.d
        )
    }
}

fn targets(right: &[bool], rows: &[usize]) -> Vec<f64> {
    rows.iter()
        .map(|&i| if right[i] { 1.0 } else { -1.0 })
        .collect()
}

fn golden() -> Vec<Problem> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/svm.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Runs `check` on every fit of every problem, with what it is called, where the oracle's weights
/// point, the rows, targets and our solution.
fn for_every_fit(
    mut check: impl FnMut(&str, (&Fit, &Array1<f64>), &Array2<f64>, &[f64], &Solution),
) {
    for problem in golden() {
        let x = problem.rows();
        let all: Vec<usize> = (0..problem.n).collect();
        let targets = targets(&problem.right(), &all);
        let gram = svm::gram(x.view());
        let mut weights = None;
        for fit in &problem.fits {
            weights = fit.w.as_ref().or(weights);
            let solution = svm::solve(&gram, &all, &targets, fit.c);
            let name = format!("{}, C = {}", problem.name(), fit.c);
            let weights = Array1::from_vec(weights.unwrap().clone());
            check(&name, (fit, &weights), &x, &targets, &solution);
        }
    }
}

fn our_weights(x: &Array2<f64>, targets: &[f64], solution: &Solution) -> Array1<f64> {
    let all: Vec<usize> = (0..x.nrows()).collect();
    svm::weights(x.view(), &all, targets, solution)
}

#[test]
fn the_problems_are_the_oracles_bit_for_bit_and_of_every_kind() {
    let problems = golden();
    for problem in &problems {
        let hash = problem
            .rows()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, value| {
                (hash ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3)
            });
        assert_eq!(
            format!("{hash:016x}"),
            problem.checksum,
            "{}",
            problem.name()
        );
        assert_eq!(
            problem.right().iter().filter(|r| !**r).count(),
            problem.wrong
        );
    }
    let some = |what: &dyn Fn(&Problem) -> bool| problems.iter().any(what);
    assert!(problems.len() >= 40);
    assert!(some(&|p| p.n == 8) && some(&|p| p.n == 300));
    assert!(some(&|p| p.d == 2) && some(&|p| p.d == 48));
    assert!(some(&|p| p.n >= 51 * p.wrong) && some(&|p| p.n == 2 * p.wrong));
    // At the largest C a separable problem has no slack left: the objective is −‖w‖²/2.
    let separable = |p: &Problem| {
        let last = p.fits.last().unwrap();
        let half = 0.5 * last.w.iter().flatten().map(|w| w * w).sum::<f64>();
        (last.objective + half).abs() < 1e-3 * half
    };
    assert!(some(&|p| separable(p)) && some(&|p| !separable(p)));
    // A repeated row that was classified both right and wrong.
    let torn = |p: &Problem| {
        let right = p.right();
        (1..p.n).any(|i| i % p.repeat != 0 && right[i] != right[i - 1])
    };
    assert!(some(&|p| torn(p)));
}

#[test]
fn weights_and_dual_objective_are_scikit_learns() {
    for_every_fit(|name, (fit, theirs), x, targets, solution| {
        let ours = our_weights(x, targets, solution);
        let cosine = ours.dot(theirs) / (ours.dot(&ours) * theirs.dot(theirs)).sqrt();
        assert!(cosine >= COSINE, "{name}: cosine {cosine}");
        // Not what the solver says of itself.
        let objective = 0.5 * ours.dot(&ours) - solution.alpha.iter().sum::<f64>();
        for objective in [objective, solution.objective] {
            let apart = (objective / fit.objective - 1.0).abs();
            assert!(
                apart <= OBJECTIVE,
                "{name}: objective {objective}, not {}",
                fit.objective
            );
        }
    });
}

#[test]
fn every_solution_is_feasible_and_optimal() {
    for_every_fit(|name, (fit, _), x, targets, solution| {
        let n = targets.len();
        let alpha = &solution.alpha;
        let bound = |i: usize| {
            let same = targets
                .iter()
                .filter(|&&t| (t > 0.0) == (targets[i] > 0.0))
                .count();
            fit.c * n as f64 / (2.0 * same as f64)
        };
        let balance: f64 = alpha.iter().zip(targets).map(|(a, t)| a * t).sum();
        assert!(
            balance.abs() <= 1e-9 * fit.c * n as f64,
            "{name}: Σ α t = {balance}"
        );
        let f = x.dot(&our_weights(x, targets, solution));
        let (mut most, mut least) = (f64::NEG_INFINITY, f64::INFINITY);
        for i in 0..n {
            let (a, bound) = (alpha[i], bound(i));
            assert!(
                (0.0..=bound * (1.0 + 1e-12)).contains(&a),
                "{name}: α {a} of {bound}"
            );
            // −t ∂/∂α of the dual, at which a pair of examples can or cannot exchange.
            let score = targets[i] - f[i];
            let (low, high) = (a <= 0.0, a >= bound * (1.0 - 1e-12));
            if if targets[i] > 0.0 { !high } else { !low } {
                most = most.max(score);
            }
            if if targets[i] > 0.0 { !low } else { !high } {
                least = least.min(score);
            }
        }
        let violation = most - least;
        assert!(violation <= VIOLATION, "{name}: violated by {violation}");
        assert!(
            solution.violation <= VIOLATION,
            "{name}: says {}",
            solution.violation
        );
        assert!(
            violation <= solution.violation + 1e-9,
            "{name}: more than it says"
        );
    });
}

#[test]
fn the_intercept_is_scikit_learns_where_it_is_unique_and_else_the_middle() {
    let mut kinds = [0, 0];
    for_every_fit(|name, (fit, _), _, _, solution| {
        kinds[usize::from(fit.unique())] += 1;
        assert_eq!(solution.unique_b, fit.unique(), "{name}: {:?}", fit.b);
        let middle = fit.middle();
        assert!(
            (solution.b - middle).abs() <= INTERCEPT,
            "{name}: {}, not {middle}",
            solution.b
        );
    });
    assert!(kinds[0] > 100 && kinds[1] > 100, "{kinds:?}");
}

#[test]
fn folds_are_scikit_learns() {
    for problem in golden() {
        let folds = stratified_folds(&problem.right(), 2);
        assert_eq!(folds, problem.folds(), "{}", problem.name());
    }
}

/// Mean balanced accuracy over the oracle's folds.
fn score(problem: &Problem, gram: &Array2<f64>, right: &[bool], c: f64) -> f64 {
    let mut total = 0.0;
    let folds = problem.folds();
    for fold in [0, 1] {
        let (test, train): (Vec<usize>, Vec<usize>) =
            (0..problem.n).partition(|&i| folds[i] == fold);
        let targets = targets(right, &train);
        let solution = svm::solve(gram, &train, &targets, c);
        let values = svm::decisions(gram, &train, &targets, &solution, &test);
        for kind in [true, false] {
            let of = || test.iter().zip(&values).filter(|(i, _)| right[**i] == kind);
            let hits = of().filter(|(_, f)| (**f > 0.0) == kind).count();
            total += hits as f64 / of().count() as f64 / 4.0;
        }
    }
    total
}

/// Runs `check` on every problem with scores that scikit-learn's must equal: (C, its score).
fn for_every_score(mut check: impl FnMut(&Problem, &Array2<f64>, &[bool], &[(f64, f64)])) {
    for problem in golden() {
        let scores: Vec<_> = problem
            .fits
            .iter()
            .filter_map(|f| Some((f.c, f.score?)))
            .collect();
        check(
            &problem,
            &svm::gram(problem.rows().view()),
            &problem.right(),
            &scores,
        );
    }
}

#[test]
fn cross_validation_scores_are_scikit_learns_where_b_is_unique() {
    let mut compared = 0;
    for_every_score(|problem, gram, right, scores| {
        for &(c, theirs) in scores {
            let ours = score(problem, gram, right, c);
            assert!(
                (ours - theirs).abs() < SCORE,
                "{}, C = {c}: {ours}, {theirs}",
                problem.name()
            );
            compared += 1;
        }
    });
    assert!(compared >= 40, "only {compared} scores");
}

#[test]
fn the_chosen_c_is_scikit_learns_among_those_whose_b_is_unique() {
    let (mut searched, mut chosen) = (0, 0);
    for_every_score(|problem, gram, right, scores| {
        let Some(theirs) = problem.chosen else { return };
        // Over the same C as scikit-learn's search; the smallest of equals.
        let mut best = (f64::NAN, f64::NEG_INFINITY);
        for &(c, _) in scores {
            let score = score(problem, gram, right, c);
            if score > best.1 + SCORE {
                best = (c, score);
            }
        }
        assert_eq!(best.0, theirs, "{}", problem.name());
        searched += usize::from(scores.len() > 1);

        // Over the whole grid another C may win, with an intercept that scikit-learn does not have;
        // but never one that loses to a score both agree on.
        let Selection { c, score, .. } = select(gram, right, &[Folding::in_order(right, 2)]);
        for &(other, theirs) in scores {
            let beaten = if other < c {
                theirs > score - SCORE
            } else {
                theirs > score + SCORE
            };
            assert!(
                !beaten || c == other,
                "{}: {c} ({score}) and {other} ({theirs})",
                problem.name()
            );
        }
        if let Some((_, theirs)) = scores.iter().find(|(other, _)| *other == c) {
            assert!(
                (score - theirs).abs() < SCORE,
                "{}: {score}, {theirs}",
                problem.name()
            );
            assert_eq!(c, problem.chosen.unwrap(), "{}", problem.name());
            chosen += 1;
        }
    });
    assert!(
        searched >= 10 && chosen >= 10,
        "{searched} searches, {chosen} choices"
    );
    assert_eq!(GRID, [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]);
}
