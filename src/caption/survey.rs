//! What the val images nearest to every caption say, and how often chance says as much.
//!
//! Which images are nearest does not depend on who was wrong. So where mistakes have nothing to do with what
//! captions describe, outcomes dealt anew between units are as likely as those seen. The p-value of a caption
//! is the share of such dealings in which *any* caption looked at had as many mistakes among its nearest units:
//! it is corrected for how many captions there are, and for whatever choice is made among them (Westfall and
//! Young 1993, single step). It is the hypergeometric test of every caption with a sharper correction than
//! Holm's, for captions that say nearly the same count nearly once.

use ndarray::{ArrayView2, Axis, s};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::check::{FEWEST, Images, ONE_IN};

/// Dealings of the outcomes.
const DRAWS: usize = 999;

/// Captions times images that are compared; of more images every so-many-th is looked at, so that it takes seconds.
const WORK: usize = 20_000_000;

/// Images that are looked at however many captions there are.
const FEW_IMAGES: usize = 1_000;

/// Captions that are compared with all images at once.
const BLOCK: usize = 256;

/// Sums that differ by less are equal.
const ROUNDING: f64 = 1e-9;

/// What the units nearest to a caption say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surveyed {
    /// Share of mistakes among them, 0 to 1; among the nearest of those that are not left aside.
    pub error: f64,
    /// Share of dealings in which some caption had as many, 0 to 1.
    pub p_value: f64,
}

/// The units of some images with their outcomes.
struct Outcomes {
    /// The rows looked at.
    rows: Vec<usize>,
    /// The unit of each.
    of: Vec<usize>,
    /// The share of mistakes of every unit.
    wrong: Vec<f64>,
    /// Whether all images of a unit are left aside.
    aside: Vec<bool>,
}

impl Outcomes {
    fn new(images: &Images, captions: usize) -> Self {
        let n = images.len();
        let most = FEW_IMAGES.max(WORK / captions.max(1));
        let rows: Vec<usize> = (0..n).step_by(n.div_ceil(most).max(1)).collect();
        let mut ids: Vec<u32> = rows.iter().map(|&row| images.unit_of(row)).collect();
        ids.sort_unstable();
        ids.dedup();
        let unit = |row: usize| ids.partition_point(|&id| id < images.unit_of(row));
        let of: Vec<usize> = rows.iter().map(|&row| unit(row)).collect();
        let mut counts = vec![(0.0, 0.0); ids.len()];
        let mut aside = vec![true; ids.len()];
        for (&row, &unit) in rows.iter().zip(&of) {
            let (wrong, all) = &mut counts[unit];
            *wrong += f64::from(u8::from(!images.is_right(row)));
            *all += 1.0;
            aside[unit] &= images.is_aside(row);
        }
        let wrong = counts.into_iter().map(|(wrong, all)| wrong / all).collect();
        Self {
            rows,
            of,
            wrong,
            aside,
        }
    }

    /// The units nearest to each caption, `[captions][m]`, of those that `counts` says yes to: a twentieth of
    /// them, and at least 10. A unit is as near as its nearest image.
    fn nearest(
        &self,
        images: &Images,
        captions: ArrayView2<'_, f32>,
        counts: impl Fn(usize) -> bool + Sync,
    ) -> Vec<Vec<usize>> {
        let counted: Vec<usize> = (0..self.wrong.len()).filter(|&unit| counts(unit)).collect();
        let m = FEWEST.max(counted.len().div_ceil(ONE_IN));
        let embeddings = images.unit_rows().select(Axis(0), &self.rows);
        let n = captions.nrows();
        let blocks: Vec<usize> = (0..n).step_by(BLOCK).collect();
        let of_block = |&begin: &usize| -> Vec<Vec<usize>> {
            let block = captions.slice(s![begin..(begin + BLOCK).min(n), ..]);
            let cosines = block.dot(&embeddings.t());
            let each = cosines.outer_iter();
            each.map(|cosines| self.head(cosines.iter().copied(), &counted, m))
                .collect()
        };
        blocks.par_iter().flat_map_iter(of_block).collect()
    }

    /// The `m` nearest of the `counted` units.
    fn head(&self, cosines: impl Iterator<Item = f32>, counted: &[usize], m: usize) -> Vec<usize> {
        let mut best = vec![f32::NEG_INFINITY; self.wrong.len()];
        for (&unit, cosine) in self.of.iter().zip(cosines) {
            best[unit] = best[unit].max(cosine);
        }
        let mut order = counted.to_vec();
        if m < order.len() {
            order.select_nth_unstable_by(m, |&a, &b| best[b].total_cmp(&best[a]).then(a.cmp(&b)));
            order.truncate(m);
        }
        order
    }
}

/// Looks at the images nearest to each caption; none for images that are not there.
///
/// # Shapes
///
/// `captions` `[captions, d]`, before normalisation.
pub fn survey(images: &Images, captions: ArrayView2<'_, f32>, seed: u64) -> Option<Vec<Surveyed>> {
    if images.len() == 0 {
        return None;
    }
    let outcomes = Outcomes::new(images, captions.nrows());
    let nearest = outcomes.nearest(images, captions, |_| true);
    let own = outcomes
        .aside
        .contains(&true)
        .then(|| outcomes.nearest(images, captions, |unit| !outcomes.aside[unit]));
    let sum = |wrong: &[f64], units: &[usize]| units.iter().map(|&unit| wrong[unit]).sum::<f64>();
    let deal = |draw: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(draw as u64);
        let mut dealt = outcomes.wrong.clone();
        dealt.shuffle(&mut rng);
        let sums = nearest.iter().map(|units| sum(&dealt, units));
        sums.fold(0.0, f64::max)
    };
    let mut hardest: Vec<f64> = (0..DRAWS).into_par_iter().map(deal).collect();
    hardest.sort_by(f64::total_cmp);
    let own = own.as_ref().unwrap_or(&nearest);
    let surveyed = nearest.iter().zip(own).map(|(units, own)| {
        let seen = sum(&outcomes.wrong, units);
        let as_hard = DRAWS - hardest.partition_point(|&of_draw| of_draw < seen - ROUNDING);
        Surveyed {
            error: sum(&outcomes.wrong, own) / own.len().max(1) as f64,
            p_value: (1.0 + as_hard as f64) / (1.0 + DRAWS as f64),
        }
    });
    Some(surveyed.collect())
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::Rng;

    use super::*;

    /// `n` images of `of` each unit around directions at random, and captions at random; every unit is wrong with
    /// the chance that its first coordinate decides.
    fn drawn(units: usize, of: usize, share: [f64; 2], seed: u64) -> (Images, Array2<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let d = 16;
        let mut rows = Array2::zeros((units * of, d));
        let (mut right, mut ids) = (Vec::new(), Vec::new());
        for unit in 0..units {
            let centre: Vec<f32> = (0..d).map(|_| rng.gen_range(-1.0..1.0)).collect();
            let share = share[usize::from(centre[0] > 0.5)];
            let wrong = rng.gen_bool(share);
            for member in 0..of {
                for (to, &from) in rows.row_mut(unit * of + member).iter_mut().zip(&centre) {
                    *to = from + 0.05 * rng.gen_range(-1.0_f32..1.0);
                }
                right.push(!wrong);
                ids.push(unit as u32);
            }
        }
        let mut captions = Array2::from_shape_fn((60, d), |_| rng.gen_range(-1.0_f32..1.0));
        captions.row_mut(0).fill(0.0);
        captions[[0, 0]] = 1.0;
        (Images::new(rows.view(), right).with_units(&ids), captions)
    }

    #[test]
    fn bursts_that_share_an_outcome_confirm_nothing() {
        let any = |of: usize, seed: u64| {
            let (images, captions) = drawn(60, of, [0.3, 0.3], seed);
            let surveyed = survey(&images, captions.view(), 1).unwrap();
            surveyed.iter().any(|caption| caption.p_value < 0.05)
        };
        for of in [1, 4] {
            let confirmed = (0..40).filter(|&seed| any(of, seed)).count();
            assert!(confirmed <= 5, "{confirmed} of 40 with units of {of}");
        }
    }

    #[test]
    fn what_is_hard_is_confirmed_among_many_captions() {
        let (images, captions) = drawn(200, 1, [0.1, 0.8], 3);
        let surveyed = survey(&images, captions.view(), 1).unwrap();
        assert_eq!(surveyed.len(), 60);
        assert!(surveyed[0].error > 0.6, "{:?}", surveyed[0]);
        assert!(surveyed[0].p_value < 0.05, "{:?}", surveyed[0]);
        let confirmed = surveyed.iter().filter(|s| s.p_value < 0.05).count();
        assert!(confirmed < 10, "{confirmed}");
    }

    #[test]
    fn mistakes_of_another_mode_are_left_aside_in_the_share_and_not_in_the_p_value() {
        let (images, captions) = drawn(200, 1, [0.1, 0.8], 3);
        let all = survey(&images, captions.view(), 1).unwrap();
        // The other mode holds what caption 0 describes.
        let first = |row: usize| images.unit_rows()[[row, 0]];
        let aside: Vec<bool> = (0..200)
            .map(|row| !images.is_right(row) && first(row) > 0.2)
            .collect();
        assert!(aside.iter().filter(|&&aside| aside).count() > 10);
        let own = survey(&images.clone().with_aside(aside), captions.view(), 1).unwrap();
        assert!(own[0].error < 0.3, "{:?}", own[0]);
        let p = |all: &[Surveyed]| all.iter().map(|one| one.p_value).collect::<Vec<f64>>();
        assert_eq!(p(&own), p(&all));
    }

    #[test]
    fn few_images_or_none_tell_nothing() {
        let (images, captions) = drawn(8, 1, [0.5, 0.5], 4);
        let surveyed = survey(&images, captions.view(), 1).unwrap();
        // All units are near to every caption.
        assert!(surveyed.iter().all(|s| s.p_value == 1.0));
        let nothing = Images::new(Array2::zeros((0, 16)).view(), Vec::new());
        assert_eq!(survey(&nothing, captions.view(), 1), None);
    }
}
