//! How far figures of a ranking move between resamples of units: lift at `K`, and the area under the curve.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::figures::Ranked;
use crate::direction::significance::{interval, resample};
use crate::direction::units::Units;

/// Resamples behind an interval.
const DRAWS: usize = 200;

/// What resamples of a ranking say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spreads {
    /// How likely a mistake ranks before an example that is right.
    pub(super) auc: Option<f64>,
    /// 95 % interval of that.
    pub(super) auc_interval: Option<(f64, f64)>,
    lifts: Vec<(usize, Option<(f64, f64)>)>,
}

impl Spreads {
    /// The 95 % interval of the lift at one of the `K` that were asked for.
    pub(super) fn lift(&self, k: usize) -> Option<(f64, f64)> {
        let (_, interval) = self.lifts.iter().find(|(at, _)| *at == k)?;
        *interval
    }
}

/// Resamples a ranking, `order` from the most aligned to the least, for the heads `ks`.
pub(super) fn spreads(of: &Ranked<'_>, order: &[usize], mut ks: Vec<usize>) -> Spreads {
    ks.retain(|&k| k > 0);
    ks.sort_unstable();
    ks.dedup();
    let n = order.len();
    let units = match of.units {
        Some(keys) => {
            let keys: Vec<Option<u32>> = keys.iter().map(|&key| Some(key)).collect();
            Units::of_keys(n, &keys)
        }
        None => Units::single(n),
    };
    let drawn: Vec<Walked> = (0..DRAWS as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            rng.set_stream(draw);
            walk(of, order, &ks, &resample(&units, n, &mut rng))
        })
        .collect();
    let lifts = ks.iter().enumerate().map(|(at, &k)| {
        let mut values: Vec<f64> = drawn.iter().filter_map(|one| one.lifts[at]).collect();
        (k, interval(&mut values))
    });
    let mut areas: Vec<f64> = drawn.iter().filter_map(|one| one.auc).collect();
    Spreads {
        lifts: lifts.collect(),
        auc_interval: interval(&mut areas),
        auc: walk(of, order, &ks, &vec![1.0; n]).auc,
    }
}

/// One walk down a ranking in which example `i` stands `times[i]` times.
struct Walked {
    lifts: Vec<Option<f64>>,
    auc: Option<f64>,
}

fn walk(of: &Ranked<'_>, order: &[usize], ks: &[usize], times: &[f64]) -> Walked {
    let (mut seen, mut wrong) = (0.0, 0.0);
    let mut heads: Vec<f64> = Vec::with_capacity(ks.len());
    // Pairs of a mistake before a right example; of equal scores half.
    let (mut pairs, mut tied_wrong, mut tied_right) = (0.0, 0.0, 0.0);
    let mut last = f64::NAN;
    let close = |pairs: &mut f64, wrong_before: f64, tied_wrong: f64, tied_right: f64| {
        *pairs += tied_right * (wrong_before + 0.5 * tied_wrong);
    };
    for &i in order {
        let (here, is_wrong) = (times[i], of.wrong[i]);
        if of.score[i] != last {
            close(&mut pairs, wrong - tied_wrong, tied_wrong, tied_right);
            (tied_wrong, tied_right) = (0.0, 0.0);
            last = of.score[i];
        }
        while let Some(&k) = ks.get(heads.len())
            && seen + here >= k as f64
        {
            let part = if is_wrong { k as f64 - seen } else { 0.0 };
            heads.push((wrong + part) / k as f64);
        }
        seen += here;
        if is_wrong {
            wrong += here;
            tied_wrong += here;
        } else {
            tied_right += here;
        }
    }
    close(&mut pairs, wrong - tied_wrong, tied_wrong, tied_right);
    let right = seen - wrong;
    let base = wrong / seen.max(1.0);
    let lift = |at: usize| {
        heads
            .get(at)
            .filter(|_| wrong > 0.0)
            .map(|head| head / base)
    };
    Walked {
        lifts: (0..ks.len()).map(lift).collect(),
        auc: (wrong > 0.0 && right > 0.0).then(|| pairs / (wrong * right)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked<'a>(score: &'a [f64], wrong: &'a [bool], units: Option<&'a [u32]>) -> Ranked<'a> {
        Ranked {
            score,
            wrong,
            confidence: None,
            minority: None,
            units,
        }
    }

    #[test]
    fn areas_count_pairs_and_ties_as_half() {
        let (score, wrong) = ([3.0, 2.0, 2.0, 1.0], [true, true, false, false]);
        let of = ranked(&score, &wrong, None);
        // Of four pairs three are in order, and one is a tie.
        assert_eq!(
            walk(&of, &[0, 1, 2, 3], &[], &[1.0; 4]).auc,
            Some(3.5 / 4.0)
        );
        let twice = walk(&of, &[0, 1, 2, 3], &[2], &[0.0, 1.0, 2.0, 1.0]);
        assert_eq!(twice.auc, Some((0.5 * 2.0 + 1.0) / 3.0));
        // The head of 2: the mistake and one of the two right ones; the base is 1 in 4.
        assert_eq!(twice.lifts, [Some(2.0)]);
        let all_right = ranked(&score, &[false; 4], None);
        assert_eq!(walk(&all_right, &[0, 1, 2, 3], &[2], &[1.0; 4]).auc, None);
    }

    #[test]
    fn units_widen_intervals() {
        let n = 200;
        let score: Vec<f64> = (0..n).map(|i| -f64::from(i / 10)).collect();
        let wrong: Vec<bool> = (0..n).map(|i| (i / 10) % 3 == 0).collect();
        let order: Vec<usize> = (0..200).collect();
        let units: Vec<u32> = (0..200).map(|i| i / 10).collect();
        let width = |units| {
            let spreads = spreads(&ranked(&score, &wrong, units), &order, vec![50, 10, 50]);
            let (low, high) = spreads.lift(50).unwrap();
            let (low_area, high_area) = spreads.auc_interval.unwrap();
            let area = spreads.auc.unwrap();
            assert!(low_area < area && area < high_area);
            assert_eq!(spreads.lift(25), None);
            [high - low, high_area - low_area]
        };
        let (images, bursts) = (width(None), width(Some(&units)));
        assert!(
            bursts[0] > 2.0 * images[0] && bursts[1] > 2.0 * images[1],
            "{images:?} {bursts:?}"
        );
    }
}
