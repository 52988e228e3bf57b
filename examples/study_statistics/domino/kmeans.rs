//! k-means: Lloyd's rounds from centres that are drawn far apart (Arthur and Vassilvitskii 2007, "k-means++").

use ndarray::{Array2, ArrayView1, ArrayView2};
use rand::Rng;

use crate::simulate::draws::Draws;

/// Rounds at most, as in scikit-learn.
const ROUNDS: usize = 300;

/// The cluster of every row, below `k`.
pub(crate) fn clusters(x: ArrayView2<'_, f64>, k: usize, draws: &mut Draws) -> Vec<usize> {
    let mut centres = begin(x, k, draws);
    let mut of = Vec::new();
    for _ in 0..ROUNDS {
        let now = nearest(x, &centres);
        if now == of {
            break;
        }
        of = now;
        let mut counts = vec![0.0; k];
        let mut sums = Array2::<f64>::zeros(centres.dim());
        for (row, &cluster) in x.outer_iter().zip(&of) {
            let mut sum = sums.row_mut(cluster);
            sum += &row;
            counts[cluster] += 1.0;
        }
        for (cluster, &count) in counts.iter().enumerate() {
            // An empty cluster stays where it was.
            if count > 0.0 {
                centres
                    .row_mut(cluster)
                    .assign(&(&sums.row(cluster) / count));
            }
        }
    }
    of
}

/// The centre nearest to each row, the first of equals.
pub(crate) fn nearest(x: ArrayView2<'_, f64>, centres: &Array2<f64>) -> Vec<usize> {
    let cross = x.dot(&centres.t());
    let squares: Vec<f64> = centres.outer_iter().map(|c| c.dot(&c)).collect();
    let own = |row: ArrayView1<'_, f64>| {
        let distance = |at: usize| squares[at] - 2.0 * row[at];
        (0..squares.len()).min_by(|&a, &b| distance(a).total_cmp(&distance(b)))
    };
    cross
        .outer_iter()
        .map(|row| own(row).unwrap_or_default())
        .collect()
}

fn begin(x: ArrayView2<'_, f64>, k: usize, draws: &mut Draws) -> Array2<f64> {
    let mut centres = Array2::zeros((k, x.ncols()));
    let mut distance = vec![f64::INFINITY; x.nrows()];
    let mut next = draws.below(x.nrows());
    for at in 0..k {
        centres.row_mut(at).assign(&x.row(next));
        for (row, distance) in x.outer_iter().zip(&mut distance) {
            let apart = &row - &x.row(next);
            *distance = distance.min(apart.dot(&apart));
        }
        // A row is drawn with a probability in proportion to its squared distance.
        let mut left = draws.rng().r#gen::<f64>() * distance.iter().sum::<f64>();
        next = x.nrows() - 1;
        for (row, distance) in distance.iter().enumerate() {
            left -= distance;
            if left < 0.0 {
                next = row;
                break;
            }
        }
    }
    centres
}
