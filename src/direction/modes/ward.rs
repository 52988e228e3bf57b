//! The Ward tree over units.

use ndarray::Array2;

/// The inner nodes of the Ward tree over rows with the Gram matrix `gram` `[n, n]`, from the first merger to
/// the root: the rows below each, ascending.
///
/// Nodes of more than `largest` rows are left out.
///
/// # Source
///
/// Ward 1963, by the nearest-neighbour chain on squared Euclidean distances (Müllner 2011, "Modern
/// hierarchical, agglomerative clustering algorithms"), in the crate `kodama`; the same tree as scipy's
/// `linkage(x, "ward")`. Of equal distances the chain takes the first, so the tree depends on row order where
/// there are ties, and on nothing else.
pub fn nodes(gram: &Array2<f64>, largest: usize) -> Vec<Vec<usize>> {
    let n = gram.nrows();
    if n < 2 {
        return Vec::new();
    }
    let tree = kodama::linkage(&mut distances(gram), n, kodama::Method::Ward);
    let mut nodes: Vec<Option<Vec<usize>>> = (0..n).map(|row| Some(vec![row])).collect();
    for step in tree.steps() {
        let node = (step.size <= largest)
            .then(|| {
                let (a, b) = (&nodes[step.cluster1], &nodes[step.cluster2]);
                let mut rows = [a.as_deref()?, b.as_deref()?].concat();
                rows.sort_unstable();
                Some(rows)
            })
            .flatten();
        nodes.push(node);
    }
    nodes.into_iter().skip(n).flatten().collect()
}

/// Euclidean distances of all pairs, row by row above the diagonal, `[n (n − 1) / 2]`.
fn distances(gram: &Array2<f64>) -> Vec<f64> {
    let n = gram.nrows();
    let mut distances = Vec::with_capacity(n * (n - 1) / 2);
    for i in 0..n {
        for j in i + 1..n {
            let squared = gram[[i, i]] + gram[[j, j]] - 2.0 * gram[[i, j]];
            distances.push(squared.max(0.0).sqrt());
        }
    }
    distances
}
