//! The search for several failure modes in one class: regions of the class where mistakes gather.
//!
//! ```text
//! rows [n, d], units ──Ward tree, k-means──▶ candidates ──scan, outcomes dealt anew──▶ regions
//!                      (blind to outcomes)                                               │
//!                          modes in order of evidence ◀──one SVM each, merge alike───────┘
//! ```
//!
//! 1. [`candidates`]: nodes of a Ward tree ([`ward`]) and clusters of [`kmeans`] over the units, from
//!    their places alone.
//! 2. [`scan`]: the candidate whose mistakes stand out most is accepted if, with the outcomes dealt
//!    anew over the units, the largest of *all* candidates rarely stands out as much; if its mistakes gather in
//!    two places, it is two regions ([`split`]). Its images are taken out and the rest is scanned again, until
//!    nothing is accepted.
//! 3. [`separate`], [`merge`]: an SVM for every accepted region (its mistakes against all right images
//!    of the class); two that find each other's mistakes as they find their own, or that right images differ between as
//!    they do ([`step`]), are one mode.
//!
//! Clustering the mistakes themselves makes modes out of nothing; candidates that never saw an outcome
//! and the maximum over all of them do not. A failure without regions, a gradient, is left to the one
//! direction of the whole class (mode 0).
//!
//! Units ([`units`]) are what is dealt and counted: images that are near-duplicates of each other, or of one
//! patient or video, are one observation. Everything is serial, so no byte depends on threads.
//!
//! Sources: the maximum over all regions under dealt outcomes is a scan statistic (Kulldorff 1997,
//! "A spatial scan statistic"; Westfall and Young 1993 for the maximum); taking out what was found and
//! scanning again is Zhang, Assunção and Kulldorff 2010, "Spatial scan statistics adjusted for multiple
//! clusters".

pub mod candidates;
#[cfg(test)]
pub(in crate::direction) mod drawn;
pub mod kmeans;
pub mod merge;
mod options;
pub mod scan;
pub mod separate;
pub mod split;
pub mod step;
#[cfg(test)]
mod tests;
pub mod units;
pub mod ward;

use std::collections::BTreeMap;

use ndarray::{Array1, ArrayView1, ArrayView2};

pub use self::options::SearchOptions;

use self::scan::Scan;
use self::separate::{Judge, Separated};
use self::units::Units;
use super::svm;

/// The images of one class, rows in the caller's order.
#[derive(Debug, Clone, Copy)]
pub struct ClassRows<'a> {
    /// Whitened, normalised embeddings, `[n, d]`, finite.
    pub x: ArrayView2<'a, f64>,
    /// Unit of every image, `[n]`: equal numbers are one unit. The numbers themselves mean nothing.
    pub unit: &'a [usize],
    /// Whether the classifier was right, `[n]`.
    pub right: &'a [bool],
}

/// A region of the class where mistakes gather, and its direction.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureMode {
    /// Its images: rows of the class, ascending. No image is in two modes.
    pub members: Vec<usize>,
    /// Those of them that the classifier got wrong, ascending.
    pub mistakes: Vec<usize>,
    /// How far its mistakes stand out from the whole class ([`scan::z`]), in standard deviations.
    pub z: f64,
    /// Share of dealings in which some candidate stands out as much; the smallest of its regions' if
    /// several were merged.
    pub p: f64,
    /// Weights of its SVM (its mistakes against all right images of the class), `[d]`.
    pub w: Array1<f64>,
    /// Intercept.
    pub b: f64,
    /// Penalty.
    pub c: f64,
}

impl FailureMode {
    /// Signed distance `−(w·x + b)/‖w‖` of a whitened, normalised vector `[d]`: larger is harder.
    pub fn distance(&self, x: ArrayView1<'_, f64>) -> f64 {
        let norm = self.w.dot(&self.w).sqrt().max(f64::MIN_POSITIVE);
        -(self.w.dot(&x) + self.b) / norm
    }
}

/// The mode that a whitened, normalised vector `[d]` belongs to: that of the largest distance, the first
/// of equals; `None` without modes.
pub fn nearest(modes: &[FailureMode], x: ArrayView1<'_, f64>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (at, mode) in modes.iter().enumerate() {
        let distance = mode.distance(x);
        if best.is_none_or(|(_, most)| distance > most) {
            best = Some((at, distance));
        }
    }
    best.map(|(at, _)| at)
}

/// Whether a class has units, mistakes and right images enough to be searched: else [`search`] finds nothing.
pub fn can_be_searched(class: ClassRows<'_>, options: &SearchOptions) -> bool {
    let mut units = BTreeMap::new();
    for (&unit, &right) in class.unit.iter().zip(class.right) {
        *units.entry(unit).or_insert(false) |= !right;
    }
    let largest = (options.max_share * units.len() as f64).floor() as usize;
    let with_mistakes = units.values().filter(|&&wrong| wrong).count();
    largest >= options.min_size
        && with_mistakes >= options.min_mistakes
        && class.right.iter().any(|&right| right)
}

/// Finds the failure modes of one class, in order of evidence (`p`, then `z`).
///
/// The list is empty for a class that has none, or too few units or mistakes to tell.
///
/// # Shapes
///
/// Those of [`ClassRows`]. Memory and time are `O(n²)`: the Gram matrix and the distances of all pairs.
///
/// # Panics
///
/// If the lengths of `class` differ.
pub fn search(class: ClassRows<'_>, options: &SearchOptions) -> Vec<FailureMode> {
    let ClassRows { x, unit, right } = class;
    assert_eq!([unit.len(), right.len()], [x.nrows(); 2], "rows of a class");
    if !can_be_searched(class, options) {
        return Vec::new();
    }
    let gram = svm::gram(x);
    let units = Units::new(class, &gram);
    let judge = Judge::new(class, &gram, &units, options);
    let regions = accept(&units, &judge, options);
    let mut modes: Vec<FailureMode> = merge::merge(&judge, regions, options)
        .iter()
        .map(|region| judge.mode(region))
        .collect();
    modes.sort_by(|a, b| {
        let evidence = a.p.total_cmp(&b.p).then(b.z.total_cmp(&a.z));
        evidence.then(a.members.cmp(&b.members))
    });
    modes
}

/// Accepts candidates one by one, each time from the units that are left.
fn accept(units: &Units, judge: &Judge<'_>, options: &SearchOptions) -> Vec<Separated> {
    let candidates = candidates::candidates(units, options);
    let mut left = vec![true; units.len()];
    let mut regions = Vec::new();
    let again = |left: &[bool], round| scan::scan(&units.wrong, left, &candidates, round, options);
    for round in 0.. {
        let Some((scan, at)) = again(&left, round) else {
            break;
        };
        for &unit in &scan.candidates[at] {
            left[unit] = false;
        }
        let p = scan.p(at, options);
        for (units, p) in parts(&scan, scan.candidates[at].clone(), p, judge, options) {
            regions.push(judge.separate(&units, p));
        }
    }
    regions
}

/// The regions that an accepted one, with its p-value, consists of: itself, or the parts in which its mistakes
/// gather, if each stands out by itself.
fn parts(
    scan: &Scan,
    units: Vec<usize>,
    p: f64,
    judge: &Judge<'_>,
    options: &SearchOptions,
) -> Vec<(Vec<usize>, f64)> {
    let Some(halves) = judge.split(&units) else {
        return vec![(units, p)];
    };
    let p_values = halves.each_ref().map(|half| scan.p_of(half, options));
    if p_values.iter().any(|&p| p >= options.level) {
        return vec![(units, p)];
    }
    let each = halves.into_iter().zip(p_values);
    each.flat_map(|(half, p)| parts(scan, half, p, judge, options))
        .collect()
}
