//! The regions that may turn out to be failure modes, from the places of units alone.

use std::cmp::Reverse;

use ndarray::ArrayView2;

use super::options::KMEANS;
use super::{SearchOptions, kmeans, ward};

/// Numbers of clusters of k-means.
pub const CLUSTERS: [usize; 4] = [4, 8, 16, 32];

/// The candidates over the units `x` `[n, d]`: the units of each, ascending.
///
/// Largest first, so that of two that stand out alike the larger is found; no two are equal.
pub fn candidates(x: ArrayView2<'_, f64>, options: &SearchOptions) -> Vec<Vec<usize>> {
    let largest = (options.max_share * x.nrows() as f64).floor() as usize;
    if largest < options.min_size {
        return Vec::new();
    }
    let mut all = ward::nodes(x, largest);
    for k in CLUSTERS {
        let mut rng = options.rng(KMEANS, k);
        all.extend(kmeans::clusters(x, k, &mut rng));
    }
    all.retain(|units| (options.min_size..=largest).contains(&units.len()));
    distinct(all)
}

/// Largest first, then in order of their units; duplicates removed.
pub(super) fn distinct(mut all: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    all.sort_unstable_by(|a, b| (Reverse(a.len()), a).cmp(&(Reverse(b.len()), b)));
    all.dedup();
    all
}
