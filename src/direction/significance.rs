//! Is a direction more than chance: permutations of units, several classes at once, bootstrap.
//!
//! Permutations are drawn one after the other until [`ENOUGH`] were as good, or [`most`] were drawn: a class without a
//! failure is done after a few dozen, and of a class with one the p-value gets as small as the
//! correction for many classes asks for (Besag and Clifford 1991, "Sequential Monte Carlo p-values").

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView2};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::folds::Dealer;
use super::svm::{self, Path};
use super::units::Units;
use super::{ModeId, quantile, select};

/// As many permutations that are as good end the drawing: `h` of Besag and Clifford.
pub const ENOUGH: usize = 10;

/// Fewer units of one size than this are permuted with units of the next sizes.
const STRATUM: usize = 5;

/// Permutations that are drawn at once; what comes out does not depend on it.
const BATCH: usize = 16;

/// Resamples behind the interval of a CV score.
const RESAMPLES: usize = 500;

/// What random numbers are for: each has a stream of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Which unit goes to which fold, a draw a repeat.
    Folds,
    /// Which outcome goes to which unit, a draw a permutation.
    Permutation,
    /// Which units are in a resample of the direction.
    Bootstrap,
    /// Which units are in a resample of the CV score.
    Score,
    /// The folds behind the threshold.
    Threshold,
}

/// A generator by seed, class, mode, purpose and draw, so that neither threads nor modes share any.
pub(super) fn rng(seed: u64, id: ModeId, purpose: Purpose, draw: usize) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    for part in [seed, id.class as u64, u64::from(id.mode), purpose as u64] {
        hasher.update(&part.to_le_bytes());
    }
    let mut rng = ChaCha8Rng::from_seed(*hasher.finalize().as_bytes());
    rng.set_stream(draw as u64);
    rng
}

/// Permutations at most: `asked`, and with many classes as many as a single finding among them needs, 20 a test.
///
/// With 20 times `m` draws the smallest p-value is `1/(20 m + 1)`, so that even a failure that is the only one
/// of `m` classes has `q = m/(20 m + 1) < 0.05`. None where none are asked for.
pub fn most(asked: usize, family: usize) -> usize {
    if asked == 0 {
        0
    } else {
        asked.max(20 * family)
    }
}

/// Permutes outcomes between units, never within what belongs together.
///
/// A unit's outcomes move as a whole. Units of one size change places; a size that fewer than [`STRATUM`] units
/// have is put together with the next larger ones, and outcomes are stretched to the size of the unit they come
/// to (every image takes the outcome at the same relative place). Where all sizes are common, this is an exact
/// test of "the outcomes of units of a size are exchangeable", whatever images of a unit share.
#[derive(Debug, Clone)]
pub(super) struct Permuter {
    strata: Vec<Vec<usize>>,
}

impl Permuter {
    pub(super) fn new(units: &Units) -> Self {
        let mut by_size: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for unit in 0..units.len() {
            let size = units.members(unit).len();
            by_size.entry(size).or_default().push(unit);
        }
        let mut strata: Vec<Vec<usize>> = Vec::new();
        let mut pooled: Vec<Vec<usize>> = Vec::new();
        for own in by_size.into_values() {
            if own.len() >= STRATUM {
                strata.push(own);
                continue;
            }
            match pooled.last_mut().filter(|last| last.len() < STRATUM) {
                Some(last) => last.extend(own),
                None => pooled.push(own),
            }
        }
        if pooled.last().is_some_and(|last| last.len() < STRATUM)
            && let Some(rest) = pooled.pop()
        {
            match pooled.last_mut() {
                Some(last) => last.extend(rest),
                None => pooled.push(rest),
            }
        }
        strata.extend(pooled);
        Self { strata }
    }

    /// Outcomes dealt anew, `[n]`.
    pub(super) fn permute(&self, units: &Units, right: &[bool], rng: &mut impl Rng) -> Vec<bool> {
        let mut dealt = right.to_vec();
        for stratum in &self.strata {
            let mut from = stratum.clone();
            from.shuffle(rng);
            for (&to, &from) in stratum.iter().zip(&from) {
                let (to, from) = (units.members(to), units.members(from));
                for (place, &member) in to.iter().enumerate() {
                    dealt[member] = right[from[place * from.len() / to.len()]];
                }
            }
        }
        dealt
    }
}

/// What permutations came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tested {
    /// The p-value.
    pub(super) p: f64,
    /// Permutations drawn.
    pub(super) draws: usize,
    /// Whether no other arrangement of the outcomes was as good, so that more permutations would make p smaller, or
    /// there are too few arrangements.
    pub(super) at_floor: bool,
}

/// A class's outcomes and who deals them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dealt<'a> {
    pub(super) gram: &'a Array2<f64>,
    pub(super) right: &'a [bool],
    pub(super) units: &'a Units,
    pub(super) dealer: &'a Dealer,
}

/// The p-value of a CV score: the whole selection of `C` is repeated with the outcomes of units dealt anew, so that the
/// choice of `C` is paid for.
///
/// `ENOUGH / draws` if so many as good came in `draws` draws, `(1 + as good) / (1 + most)` otherwise (Besag and Clifford 1991,
/// section 2).
pub(super) fn test(of: Dealt<'_>, score: f64, seed: u64, id: ModeId, most: usize) -> Tested {
    let permuter = Permuter::new(of.units);
    let try_one = |draw: usize| {
        let mut rng = rng(seed, id, Purpose::Permutation, draw);
        let right = permuter.permute(of.units, of.right, &mut rng);
        let same = right == of.right;
        let as_good = same || {
            let foldings = of.dealer.deal(of.units, &right);
            select::reaches(of.gram, &right, &foldings, score)
        };
        (as_good, same)
    };
    sequential(most, try_one)
}

/// Draws until enough were as good; `try_one` says of a draw whether it was, and whether it is the observed
/// arrangement itself.
fn sequential(most: usize, try_one: impl Fn(usize) -> (bool, bool) + Sync) -> Tested {
    let (mut as_good, mut others) = (0, 0);
    for begin in (0..most).step_by(BATCH) {
        let end = (begin + BATCH).min(most);
        let tried: Vec<(bool, bool)> = (begin..end).into_par_iter().map(&try_one).collect();
        for (draw, (good, same)) in (begin..end).zip(tried) {
            as_good += usize::from(good);
            others += usize::from(good && !same);
            if as_good == ENOUGH {
                let draws = draw + 1;
                return Tested {
                    p: ENOUGH as f64 / draws as f64,
                    draws,
                    at_floor: others == 0,
                };
            }
        }
    }
    Tested {
        p: (1.0 + as_good as f64) / (1.0 + most as f64),
        draws: most,
        at_floor: others == 0,
    }
}

/// The p-values adjusted for their number (Benjamini and Hochberg 1995, step-up).
pub fn adjust(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut q = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (i, &at) in order.iter().enumerate() {
        let rank = p.len() - i;
        least = least.min(p[at] * p.len() as f64 / rank as f64);
        q[at] = least;
    }
    q
}

/// How often each example is in a resample of the units, `[n]`.
pub(super) fn resample(units: &Units, n: usize, rng: &mut impl Rng) -> Vec<f64> {
    let mut times = vec![0.0; n];
    for _ in 0..units.len() {
        for &member in units.members(rng.gen_range(0..units.len())) {
            times[member] += 1.0;
        }
    }
    times
}

/// The 95 % interval of the cosine between `w` and the weights learned on resamples of units.
///
/// An example that is in a resample several times is one with a bound as many times as high: the same problem,
/// and a smaller one.
pub(super) fn bootstrap(
    of: Dealt<'_>,
    x: ArrayView2<'_, f64>,
    (w, c): (&Array1<f64>, f64),
    seed: u64,
    id: ModeId,
    draws: usize,
) -> Option<(f64, f64)> {
    let mut cosines: Vec<f64> = (0..draws)
        .into_par_iter()
        .filter_map(|draw| {
            let mut rng = rng(seed, id, Purpose::Bootstrap, draw);
            let all = resample(of.units, of.right.len(), &mut rng);
            let rows: Vec<usize> = (0..all.len()).filter(|&i| all[i] > 0.0).collect();
            let times: Vec<f64> = rows.iter().map(|&i| all[i]).collect();
            let targets = select::targets(rows.iter().map(|&i| of.right[i]));
            if targets.iter().all(|&t| t > 0.0) || targets.iter().all(|&t| t < 0.0) {
                return None;
            }
            let solution = Path::weighted(of.gram, rows.clone(), targets.clone(), &times).solve(c);
            let other = svm::weights(x, &rows, &targets, &solution);
            let norms = (w.dot(w) * other.dot(&other)).sqrt();
            (norms > 0.0).then(|| w.dot(&other) / norms)
        })
        .collect();
    interval(&mut cosines)
}

/// The 95 % interval of a CV score over resamples of units, the folds' models staying as they are. `told` is
/// that of [`select::Selection`].
pub(super) fn score_interval(
    of: Dealt<'_>,
    told: &[f64],
    seed: u64,
    id: ModeId,
) -> Option<(f64, f64)> {
    let mut scores: Vec<f64> = (0..RESAMPLES)
        .filter_map(|draw| {
            let mut rng = rng(seed, id, Purpose::Score, draw);
            let times = resample(of.units, told.len(), &mut rng);
            let recall = |kind: bool| {
                let own = || (0..told.len()).filter(|&i| of.right[i] == kind);
                let all: f64 = own().map(|i| times[i]).sum();
                (all > 0.0).then(|| own().map(|i| times[i] * told[i]).sum::<f64>() / all)
            };
            Some(f64::midpoint(recall(true)?, recall(false)?))
        })
        .collect();
    interval(&mut scores)
}

/// The middle 95 % of what resamples came to.
pub(super) fn interval(values: &mut [f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    Some((quantile(values, 0.025), quantile(values, 0.975)))
}

#[cfg(test)]
mod tests;
