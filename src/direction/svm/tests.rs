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
