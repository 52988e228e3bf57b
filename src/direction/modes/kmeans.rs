//! k-means over units.

use ndarray::{Array2, ArrayView2, Axis};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Lloyd's steps at most; a few dozen are enough for hundreds of units.
const STEPS: usize = 100;

/// The clusters of the rows of `x` `[n, d]`: rows of each, ascending; at most `k`, none empty.
///
/// # Source
///
/// Lloyd 1982, started by k-means++ (Arthur and Vassilvitskii 2007). A cluster that loses all its rows stays
/// lost. Of equally near centres the first counts.
pub fn clusters(x: ArrayView2<'_, f64>, k: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    if x.nrows() == 0 || k == 0 {
        return Vec::new();
    }
    let mut centres = seeds(x, k.min(x.nrows()), rng);
    let mut of = assign(x, &centres);
    for _ in 0..STEPS {
        centres = means(x, &of, &centres);
        let next = assign(x, &centres);
        if next == of {
            break;
        }
        of = next;
    }
    let mut clusters = vec![Vec::new(); centres.nrows()];
    for (row, &centre) in of.iter().enumerate() {
        clusters[centre].push(row);
    }
    clusters.retain(|rows: &Vec<usize>| !rows.is_empty());
    clusters
}

/// k-means++: every further centre is a row, drawn with its squared distance from the nearest one.
fn seeds(x: ArrayView2<'_, f64>, k: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    let n = x.nrows();
    let mut chosen = vec![rng.gen_range(0..n)];
    let mut nearest = vec![f64::INFINITY; n];
    while chosen.len() < k {
        let last = x.row(chosen[chosen.len() - 1]);
        for (row, least) in x.outer_iter().zip(&mut nearest) {
            let apart = &row - &last;
            *least = least.min(apart.dot(&apart));
        }
        let total: f64 = nearest.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut at = rng.gen_range(0.0..total);
        let drawn = nearest.iter().position(|&weight| {
            at -= weight;
            at < 0.0
        });
        // Rounding may leave a rest behind the last row.
        chosen.push(drawn.unwrap_or(n - 1));
    }
    x.select(Axis(0), &chosen)
}

/// The nearest centre of every row.
fn assign(x: ArrayView2<'_, f64>, centres: &Array2<f64>) -> Vec<usize> {
    let half: Vec<f64> = centres.outer_iter().map(|c| 0.5 * c.dot(&c)).collect();
    let products = x.dot(&centres.t());
    let nearest = |row: ndarray::ArrayView1<'_, f64>| {
        let mut best = (0, f64::NEG_INFINITY);
        for (at, (product, half)) in row.iter().zip(&half).enumerate() {
            // ‖x − c‖² = ‖x‖² − 2 (x·c − ‖c‖²/2).
            if product - half > best.1 {
                best = (at, product - half);
            }
        }
        best.0
    };
    products.outer_iter().map(nearest).collect()
}

/// The mean of every cluster's rows; the old centre where there are none.
fn means(x: ArrayView2<'_, f64>, of: &[usize], old: &Array2<f64>) -> Array2<f64> {
    let mut sums = Array2::zeros(old.dim());
    let mut counts = vec![0_usize; old.nrows()];
    for (row, &centre) in x.outer_iter().zip(of) {
        let mut sum = sums.row_mut(centre);
        sum += &row;
        counts[centre] += 1;
    }
    for ((mut sum, &count), old) in sums.outer_iter_mut().zip(&counts).zip(old.outer_iter()) {
        if count == 0 {
            sum.assign(&old);
        } else {
            sum /= count as f64;
        }
    }
    sums
}
