//! All cosines of some vectors with many others, block by block.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

/// Known vectors in a block: with [`QUERIES`] a thread's buffer has 1 MiB.
const BLOCK: usize = 1024;

/// Queries at once.
const QUERIES: usize = 256;

/// What was found for one query.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Hits {
    /// Row and cosine of the nearest, of equals the first; none where no cosine is a number.
    pub(super) nearest: Option<(usize, f32)>,
    /// Rows from the least cosine on, in their order.
    pub(super) near: Vec<usize>,
}

impl Hits {
    fn see(&mut self, row: usize, cosine: f32, least: f32) {
        if cosine > self.nearest.map_or(f32::NEG_INFINITY, |(_, best)| best) {
            self.nearest = Some((row, cosine));
        }
        if cosine >= least {
            self.near.push(row);
        }
    }

    /// Adds what was found in a later block.
    fn add(&mut self, later: Self) {
        if let Some((row, cosine)) = later.nearest
            && cosine > self.nearest.map_or(f32::NEG_INFINITY, |(_, best)| best)
        {
            self.nearest = Some((row, cosine));
        }
        self.near.extend(later.near);
    }
}

/// One over the length of every row; zero for a zero vector.
pub(super) fn inverse_norms(matrix: ArrayView2<'_, f32>) -> Vec<f32> {
    let inverse = |row: ndarray::ArrayView1<'_, f32>| {
        let squares = row.iter().map(|&v| f64::from(v) * f64::from(v));
        let norm = squares.sum::<f64>().sqrt();
        if norm > 0.0 { (1.0 / norm) as f32 } else { 0.0 }
    };
    matrix.outer_iter().map(inverse).collect()
}

/// Compares every query with every known vector; both before normalisation, `[q, d]` and `[n, d]`.
///
/// `least` is the cosine from which a row counts as near; none for no such rows. Memory beyond the rows
/// found does not grow with `n` times `q`. A query's hits do not depend on the other queries.
pub(super) fn search(
    queries: ArrayView2<'_, f32>,
    known: ArrayView2<'_, f32>,
    inverse: &[f32],
    least: Option<f32>,
) -> Vec<Hits> {
    let least = least.unwrap_or(f32::INFINITY);
    let mut found = Vec::with_capacity(queries.nrows());
    for chunk in queries.axis_chunks_iter(Axis(0), QUERIES) {
        let scale = inverse_norms(chunk);
        let mut units = chunk.to_owned();
        for (mut row, &scale) in units.outer_iter_mut().zip(&scale) {
            row.mapv_inplace(|v| v * scale);
        }
        found.extend(among(&units, known, inverse, least));
    }
    found
}

/// Hits of up to [`QUERIES`] unit vectors.
fn among(
    units: &Array2<f32>,
    known: ArrayView2<'_, f32>,
    inverse: &[f32],
    least: f32,
) -> Vec<Hits> {
    let starts: Vec<usize> = (0..known.nrows()).step_by(BLOCK).collect();
    let blocks: Vec<Vec<Hits>> = starts
        .par_iter()
        .map_init(
            || Array2::zeros((units.nrows(), BLOCK)),
            |buffer, &start| {
                let end = (start + BLOCK).min(known.nrows());
                let mut products = buffer.slice_mut(s![.., ..end - start]);
                let block = known.slice(s![start..end, ..]);
                general_mat_mul(1.0, units, &block.t(), 0.0, &mut products);
                let rows = products.outer_iter();
                rows.map(|products| {
                    let mut hits = Hits::default();
                    for (at, (&product, &scale)) in
                        products.iter().zip(&inverse[start..end]).enumerate()
                    {
                        hits.see(start + at, product * scale, least);
                    }
                    hits
                })
                .collect()
            },
        )
        .collect();
    let mut found = vec![Hits::default(); units.nrows()];
    for block in blocks {
        for (all, later) in found.iter_mut().zip(block) {
            all.add(later);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn random(rows: usize, dim: usize, seed: u64) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_fn((rows, dim), |_| rng.gen_range(-1.0_f32..1.0))
    }

    #[test]
    fn every_cosine_is_seen_across_blocks_and_chunks() {
        let known = random(2 * BLOCK + 37, 9, 1);
        let queries = random(QUERIES + 5, 9, 2);
        let inverse = inverse_norms(known.view());
        let found = search(queries.view(), known.view(), &inverse, Some(0.7));
        assert_eq!(found.len(), queries.nrows());
        let mut several = 0;
        for (query, hits) in queries.outer_iter().zip(&found) {
            let cosine = |row: usize| {
                let other = known.row(row);
                let norms = query.dot(&query).sqrt() * other.dot(&other).sqrt();
                query.dot(&other) / norms
            };
            let (at, best) = hits.nearest.unwrap();
            let most = (0..known.nrows()).map(cosine).fold(f32::MIN, f32::max);
            assert!((best - most).abs() < 1e-5 && (cosine(at) - most).abs() < 1e-5);
            // Apart from those at the border, to which rounding counts.
            let sure = |row: &usize| (cosine(*row) - 0.7).abs() > 1e-5;
            let near: Vec<usize> = hits.near.iter().copied().filter(sure).collect();
            let expected: Vec<usize> = (0..known.nrows())
                .filter(|&row| cosine(row) >= 0.7)
                .filter(sure)
                .collect();
            assert_eq!(near, expected);
            several += usize::from(near.len() > 1);
        }
        assert!(several > 100, "{several}");
    }

    #[test]
    fn a_query_does_not_feel_its_neighbours_or_the_threads() {
        let known = random(BLOCK + 300, 33, 3);
        let queries = random(41, 33, 4);
        let inverse = inverse_norms(known.view());
        let look = |rows: ArrayView2<'_, f32>| search(rows, known.view(), &inverse, Some(0.3));
        let all = look(queries.view());
        for size in [1, 2, 3, 7, 8, 16, 40] {
            let mut parts = Vec::new();
            for part in queries.axis_chunks_iter(Axis(0), size) {
                parts.extend(look(part));
            }
            assert_eq!(parts, all, "{size} at once");
        }
        for threads in [1, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            assert_eq!(pool.install(|| look(queries.view())), all);
        }
    }

    #[test]
    fn zero_and_broken_vectors_are_near_nothing() {
        let known = ndarray::array![[0.0_f32, 0.0], [1.0, 1.0], [2.0, 2.0]];
        let inverse = inverse_norms(known.view());
        let queries = ndarray::array![[0.0_f32, 0.0], [f32::NAN, 1.0], [3.0, 3.0]];
        let found = search(queries.view(), known.view(), &inverse, Some(0.9));
        assert_eq!(found[0].near, [0; 0]);
        assert_eq!(found[1], Hits::default());
        // Of equals the first.
        assert_eq!(found[2].nearest.unwrap().0, 1);
        assert_eq!(found[2].near, [1, 2]);
        let none = search(queries.view(), known.slice(s![..0, ..]), &[], Some(0.9));
        assert_eq!(none, vec![Hits::default(); 3]);
    }
}
