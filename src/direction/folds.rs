//! Folds: which part of the examples tests what was learned on the others.
//!
//! Units are dealt, never images: near-duplicates on both sides of a fold would be learned by heart. Units come
//! in an order that the run's seed shuffles, the largest first, and each goes to the fold that has the smallest
//! share of its kinds so far, so that right and wrong are spread evenly. [`Folds::TableOrder`] is the reference
//! implementation's instead.

use std::fmt;

use rand::seq::SliceRandom;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::units::Units;

/// How the examples of a class are dealt to folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folds {
    /// So many folds of units, shuffled by the seed, stratified by right and wrong.
    Shuffled(usize),
    /// Two stratified folds of images in the order of the table, once: the reference's
    /// (`failure-directions` at d484125), which depend on how the table is sorted.
    TableOrder,
}

/// The word for [`Folds::TableOrder`] in settings.
const TABLE_ORDER: &str = "table-order";

impl Folds {
    /// How many folds.
    pub fn count(self) -> usize {
        match self {
            Self::Shuffled(folds) => folds,
            Self::TableOrder => 2,
        }
    }
}

impl Serialize for Folds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Shuffled(folds) => to.serialize_u64(*folds as u64),
            Self::TableOrder => to.serialize_str(TABLE_ORDER),
        }
    }
}

impl<'de> Deserialize<'de> for Folds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Written;
        impl Visitor<'_> for Written {
            type Value = Folds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of folds, or \"table-order\"")
            }

            fn visit_u64<E: Error>(self, folds: u64) -> Result<Folds, E> {
                usize::try_from(folds)
                    .map(Folds::Shuffled)
                    .map_err(|_too_large| E::custom(format!("{folds} folds are too many")))
            }

            fn visit_i64<E: Error>(self, folds: i64) -> Result<Folds, E> {
                match u64::try_from(folds) {
                    Ok(folds) => self.visit_u64(folds),
                    Err(_negative) => Err(E::custom(format!("{folds} is no number of folds"))),
                }
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Folds, E> {
                if word == TABLE_ORDER {
                    Ok(Folds::TableOrder)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(word), &self))
                }
            }
        }
        from.deserialize_any(Written)
    }
}

/// The fold that tests each example, `[n]`, and how many folds there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folding {
    /// From 0, below `folds`.
    pub of: Vec<usize>,
    /// How many.
    pub folds: usize,
}

impl Folding {
    /// scikit-learn's `StratifiedKFold(folds)` without shuffling.
    pub fn in_order(right: &[bool], folds: usize) -> Self {
        let of = stratified_folds(right, folds);
        Self { of, folds }
    }
}

/// Who deals: everything but the outcomes is settled, so that permuted outcomes are dealt as the real ones.
#[derive(Debug, Clone)]
pub(super) enum Dealer {
    /// Orders of units, one a repeat.
    Units {
        orders: Vec<Vec<usize>>,
        folds: usize,
    },
    /// The place of every example in the table.
    Table(Vec<usize>),
}

impl Dealer {
    /// Shuffles units once a repeat, each with a generator of its own.
    pub(super) fn shuffled<R: rand::Rng>(
        units: &Units,
        folds: usize,
        repeats: usize,
        rng: impl Fn(usize) -> R,
    ) -> Self {
        let orders = (0..repeats).map(|repeat| {
            let mut order: Vec<usize> = (0..units.len()).collect();
            order.shuffle(&mut rng(repeat));
            order.sort_by_key(|&unit| std::cmp::Reverse(units.members(unit).len()));
            order
        });
        let orders = orders.collect();
        Self::Units { orders, folds }
    }

    /// A folding a repeat.
    pub(super) fn deal(&self, units: &Units, right: &[bool]) -> Vec<Folding> {
        match self {
            Self::Units { orders, folds } => orders
                .iter()
                .map(|order| deal(order, units, right, *folds))
                .collect(),
            Self::Table(place) => {
                let mut sorted = vec![false; right.len()];
                for (&right, &place) in right.iter().zip(place) {
                    sorted[place] = right;
                }
                let in_table = stratified_folds(&sorted, 2);
                let of = place.iter().map(|&place| in_table[place]).collect();
                vec![Folding { of, folds: 2 }]
            }
        }
    }
}

/// Gives every unit to the fold with the smallest share of what the unit holds; of equals the one with the fewest
/// images, then the first.
fn deal(order: &[usize], units: &Units, right: &[bool], folds: usize) -> Folding {
    let wrong = right.iter().filter(|&&right| !right).count();
    let totals = [wrong, right.len() - wrong].map(|total| (total.max(1) as f64).powi(2));
    let mut held = vec![[0_usize; 2]; folds];
    let mut of = vec![0; right.len()];
    for &unit in order {
        let mut own = [0_usize; 2];
        for &member in units.members(unit) {
            own[usize::from(right[member])] += 1;
        }
        let cost = |held: &[usize; 2]| -> f64 {
            let kinds = own.iter().zip(held).zip(totals);
            kinds
                .map(|((&own, &held), total)| own as f64 * held as f64 / total)
                .sum()
        };
        let best = (0..folds).min_by(|&a, &b| {
            let (a, b) = (&held[a], &held[b]);
            let images = |held: &[usize; 2]| held[0] + held[1];
            cost(a).total_cmp(&cost(b)).then(images(a).cmp(&images(b)))
        });
        let fold = best.unwrap_or_default();
        for (held, own) in held[fold].iter_mut().zip(own) {
            *held += own;
        }
        for &member in units.members(unit) {
            of[member] = fold;
        }
    }
    Folding { of, folds }
}

/// The fold of every example: scikit-learn's `StratifiedKFold(folds)` without shuffling.
///
/// Kinds are numbered by first appearance, so that which fold gets the odd one out is theirs too
/// (scikit-learn 1.7 `model_selection/_split.py`, `_make_test_folds`).
pub fn stratified_folds(right: &[bool], folds: usize) -> Vec<usize> {
    let first = right.first().copied().unwrap_or(true);
    let count = right.iter().filter(|&&r| r == first).count();
    let mut fold_of = vec![0; right.len()];
    for kind in [first, !first] {
        let (start, end) = if kind == first {
            (0, count)
        } else {
            (count, right.len())
        };
        // How many of this kind each fold tests.
        let mut share: Vec<usize> = (0..folds)
            .map(|f| (start..end).filter(|i| i % folds == f).count())
            .collect();
        let mut fold = 0;
        for (i, _) in right.iter().enumerate().filter(|&(_, &r)| r == kind) {
            while fold + 1 < folds && share[fold] == 0 {
                fold += 1;
            }
            share[fold] = share[fold].saturating_sub(1);
            fold_of[i] = fold;
        }
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn folds_are_scikit_learns() {
        // StratifiedKFold(2) of [1,0,1,1,0,1,1]: test folds [0,1,2,...]; by hand from its source:
        // kind 1 (five, first to appear) gives 3 to fold 0, kind 0 (two) 1 to each.
        let right = [true, false, true, true, false, true, true];
        assert_eq!(stratified_folds(&right, 2), [0, 0, 0, 0, 1, 1, 1]);
        let right = [false, true, true, false, false, true];
        assert_eq!(stratified_folds(&right, 2), [0, 0, 1, 0, 1, 1]);
    }

    #[test]
    fn units_stay_together_and_kinds_are_spread_evenly() {
        // 40 images alone, ten of them wrong, then 5 units of 4, two of them wrong.
        let keys: Vec<Option<u32>> = (0..60).map(|i| (i >= 40).then_some(i / 4)).collect();
        let units = Units::of_keys(60, &keys);
        let right: Vec<bool> = (0..60_usize)
            .map(|i| if i < 40 { i % 4 != 0 } else { i >= 48 })
            .collect();
        let dealer = Dealer::shuffled(&units, 3, 5, |repeat| {
            ChaCha8Rng::seed_from_u64(repeat as u64)
        });
        let dealt = dealer.deal(&units, &right);
        assert_eq!(dealt.len(), 5);
        assert_ne!(dealt[0], dealt[1], "each repeat is shuffled anew");
        for folding in &dealt {
            for unit in (40..60).step_by(4) {
                let own = &folding.of[unit..unit + 4];
                assert!(own.iter().all(|&fold| fold == own[0]), "{own:?}");
            }
            for fold in 0..3 {
                let of = |kind| {
                    let own = (0..60).filter(|&i| folding.of[i] == fold);
                    own.filter(|&i| right[i] == kind).count()
                };
                assert!((5..=7).contains(&of(false)), "{} wrong", of(false));
                assert!((13..=15).contains(&of(true)), "{} right", of(true));
            }
        }
    }

    #[test]
    fn in_table_order_the_table_decides() {
        let right = [true, false, true, true, false, true, true];
        // The example at place p of the table is the one that `place` sends there.
        let place = vec![6, 5, 4, 3, 2, 1, 0];
        let units = Units::single(7);
        let dealt = Dealer::Table(place.clone()).deal(&units, &right);
        let sorted: Vec<bool> = right.iter().rev().copied().collect();
        let expected = stratified_folds(&sorted, 2);
        assert_eq!(dealt.len(), 1);
        for (i, &place) in place.iter().enumerate() {
            assert_eq!(dealt[0].of[i], expected[place]);
        }
    }

    #[test]
    fn settings_say_a_number_or_the_word() {
        for (folds, text) in [
            (Folds::Shuffled(2), "2"),
            (Folds::TableOrder, "\"table-order\""),
        ] {
            assert_eq!(serde_json::to_string(&folds).unwrap(), text);
            assert_eq!(serde_json::from_str::<Folds>(text).unwrap(), folds);
        }
        let error = serde_json::from_str::<Folds>("\"sorted\"").unwrap_err();
        assert!(error.to_string().contains("table-order"), "{error}");
        assert!(serde_json::from_str::<Folds>("-1").is_err());
    }
}
