//! Regions that are fragments of one mode.

use super::SearchOptions;
use super::separate::{Judge, Separated};

/// Merges regions that are alike ([`Judge::alike`]), the two that are most so first, until none are; then drops
/// those with too few mistakes.
///
/// Candidates cut a mode where the tree or k-means happens to; the scan then accepts the pieces one by one.
pub fn merge(
    judge: &Judge<'_>,
    mut modes: Vec<Separated>,
    options: &SearchOptions,
) -> Vec<Separated> {
    while let Some((a, b)) = most_alike(judge, &modes) {
        let other = modes.remove(b);
        let mut units = [&modes[a].units[..], &other.units].concat();
        units.sort_unstable();
        modes[a] = judge.separate(&units, modes[a].p.min(other.p));
    }
    modes.retain(|mode| judge.failing(&mode.units).len() >= options.min_mistakes);
    modes
}

/// The two regions `a < b` that are most alike; the first of equals.
fn most_alike(judge: &Judge<'_>, modes: &[Separated]) -> Option<(usize, usize)> {
    let mut best: Option<(usize, usize, f64)> = None;
    for (a, one) in modes.iter().enumerate() {
        for (b, other) in modes.iter().enumerate().skip(a + 1) {
            if let Some(mean) = judge.alike(one, other)
                && best.is_none_or(|(_, _, most)| mean > most)
            {
                best = Some((a, b, mean));
            }
        }
    }
    best.map(|(a, b, _)| (a, b))
}
