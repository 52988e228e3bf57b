//! The regions that may turn out to be failure modes, from the places of units alone.

use std::cmp::Reverse;

use super::options::KMEANS;
use super::units::Units;
use super::{SearchOptions, kmeans, ward};

/// Numbers of clusters of k-means.
pub const CLUSTERS: [usize; 4] = [4, 8, 16, 32];

/// The candidates of a class: the units of each, ascending.
///
/// Largest first, so that of two that stand out alike the larger is found; no two are equal.
pub fn candidates(units: &Units, options: &SearchOptions) -> Vec<Vec<usize>> {
    let largest = (options.max_share * units.len() as f64).floor() as usize;
    if largest < options.min_size {
        return Vec::new();
    }
    let mut all = ward::nodes(&units.gram, largest);
    for k in CLUSTERS {
        let mut rng = options.rng(KMEANS, k);
        all.extend(kmeans::clusters(units.x.view(), k, &mut rng));
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
