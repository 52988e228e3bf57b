//! Principal components: subspace iteration, then Jacobi's rotations within the subspace.

use ndarray::{Array1, Array2, Axis, s};

use crate::simulate::draws::Draws;

/// Dimensions of the subspace beyond those asked for (Halko, Martinsson and Tropp 2011).
const MORE: usize = 10;
const ITERATIONS: usize = 8;
const SWEEPS: usize = 30;

/// The directions along which rows vary most.
pub(crate) struct Pca {
    mean: Array1<f64>,
    /// Unit rows, `[k, d]`, largest variance first.
    axes: Array2<f64>,
}

impl Pca {
    /// The first `k`, at most `d`, components of rows `[n, d]`.
    pub(crate) fn fit(x: &Array2<f64>, k: usize, draws: &mut Draws) -> Self {
        let d = x.ncols();
        let mean = x.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(d));
        let centred = x - &mean;
        let size = (k + MORE).min(d);
        let mut basis = if size == d {
            Array2::eye(d)
        } else {
            draws.normals(size, d)
        };
        if size < d {
            for _ in 0..ITERATIONS {
                basis = centred.dot(&basis.t()).t().dot(&centred);
                orthonormalise(&mut basis);
            }
        }
        let projected = centred.dot(&basis.t());
        let (values, vectors) = eigen(projected.t().dot(&projected));
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let kept = vectors.select(Axis(1), &order[..k]);
        Self {
            mean,
            axes: kept.t().dot(&basis),
        }
    }

    /// Rows in the components, `[n, k]`.
    pub(crate) fn apply(&self, x: &Array2<f64>) -> Array2<f64> {
        (x - &self.mean).dot(&self.axes.t())
    }
}

/// Makes rows orthonormal (Gram and Schmidt, twice over for rounding).
fn orthonormalise(rows: &mut Array2<f64>) {
    for at in 0..rows.nrows() {
        let (before, mut rest) = rows.view_mut().split_at(Axis(0), at);
        let mut row = rest.row_mut(0);
        for _ in 0..2 {
            let along = before.dot(&row);
            row -= &along.dot(&before);
        }
        let norm = row.dot(&row).sqrt().max(f64::MIN_POSITIVE);
        row /= norm;
    }
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix, by Jacobi's cyclic rotations.
fn eigen(mut a: Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let n = a.nrows();
    // Rows, which lie together in memory, and are turned into columns at the end.
    let mut vectors = Array2::<f64>::eye(n);
    let whole: f64 = a.iter().map(|v| v * v).sum();
    for _ in 0..SWEEPS {
        let diagonal: f64 = a.diag().iter().map(|v| v * v).sum();
        if whole - diagonal <= 1e-18 * whole {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[[p, q]] == 0.0 {
                    continue;
                }
                let theta = (a[[q, q]] - a[[p, p]]) / (2.0 * a[[p, q]]);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let (c, s) = (1.0 / t.hypot(1.0), t / t.hypot(1.0));
                rotate(&mut a, p, q, (c, s));
                for i in 0..n {
                    let (one, other) = (a[[i, p]], a[[i, q]]);
                    a[[i, p]] = c * one - s * other;
                    a[[i, q]] = s * one + c * other;
                }
                rotate(&mut vectors, p, q, (c, s));
            }
        }
    }
    (a.diag().to_owned(), vectors.reversed_axes())
}

/// Rotates rows `p` and `q`, `p < q`.
fn rotate(a: &mut Array2<f64>, p: usize, q: usize, (c, s): (f64, f64)) {
    let (mut one, mut other) = a.multi_slice_mut((s![p, ..], s![q, ..]));
    for (one, other) in one.iter_mut().zip(other.iter_mut()) {
        (*one, *other) = (c * *one - s * *other, s * *one + c * *other);
    }
}
