//! A region that holds two modes.

use super::SearchOptions;
use super::scan::Scan;
use super::separate::Judge;

/// The candidate to accept in place of `at`, which stands out most: itself, or what it holds.
///
/// Where the tree joins two failing groups, the two together stand out more than each, and one SVM for both
/// is a blend. So if two candidates without a common unit lie inside that stand out significantly each, and
/// their SVMs tell them apart ([`Judge::apart`]), the stronger of them is taken, and looked into in turn; the
/// other is left for the next scan.
pub fn narrow(scan: &Scan, mut at: usize, judge: &Judge<'_>, options: &SearchOptions) -> usize {
    while let Some(stronger) = part(scan, at, judge, options) {
        at = stronger;
    }
    at
}

/// The stronger of two candidates inside `at` that are apart.
///
/// Pairs are tried from the one whose weaker part stands out most. What was found to be alike is one group, within
/// which no further pair is tried, so that few SVMs are trained.
fn part(scan: &Scan, at: usize, judge: &Judge<'_>, options: &SearchOptions) -> Option<usize> {
    let inside = inside(scan, at, judge, options);
    let units = |of: usize| &scan.candidates[of][..];
    let mut group: Vec<usize> = Vec::new();
    for (i, &weaker) in inside.iter().enumerate() {
        if is_subset(units(weaker), &group) {
            continue;
        }
        let mut others = inside[..i].iter().copied();
        let Some(stronger) = others.find(|&of| is_disjoint(units(of), units(weaker))) else {
            continue;
        };
        let [one, other] = [stronger, weaker].map(|of| judge.separate(units(of), 1.0));
        if judge.apart(&one, &other) {
            return Some(stronger);
        }
        group.extend(units(stronger).iter().chain(units(weaker)));
        group.sort_unstable();
        group.dedup();
    }
    None
}

/// The candidates inside `at` that are significant and have mistakes enough, strongest first.
fn inside(scan: &Scan, at: usize, judge: &Judge<'_>, options: &SearchOptions) -> Vec<usize> {
    let mut inside: Vec<usize> = (0..scan.candidates.len())
        .filter(|&of| of != at && is_subset(&scan.candidates[of], &scan.candidates[at]))
        .filter(|&of| judge.failing(&scan.candidates[of]).len() >= options.min_mistakes)
        .filter(|&of| scan.p(of, options) < options.level)
        .collect();
    // The sort is stable: equals stay in order of candidates.
    inside.sort_by(|&a, &b| scan.z[b].total_cmp(&scan.z[a]));
    inside
}

/// Whether all of `a` is in `b`; both ascending.
fn is_subset(a: &[usize], b: &[usize]) -> bool {
    a.len() <= b.len() && a.iter().all(|unit| b.binary_search(unit).is_ok())
}

/// Whether nothing of `a` is in `b`; both ascending.
fn is_disjoint(a: &[usize], b: &[usize]) -> bool {
    a.iter().all(|unit| b.binary_search(unit).is_err())
}
