//! The failure modes of a class beside mode 0: where its mistakes gather, each with a direction of its own.
//!
//! ```text
//! class ──search──▶ regions ──each one's mistakes against all right images──▶ direction, C, threshold, probability
//!                                                          │
//!               every mistake to one region or to none ◀───┘
//! ```
//!
//! The p-value is the search's ([`modes::search`]), not that of a CV score: the region was chosen for its mistakes, so
//! telling them apart is no evidence any more. CV score, threshold and probability say how well, not whether.

use std::cmp::Reverse;

use super::class::{Problem, Test};
use super::crossfit::CrossFitted;
use super::modes::separate::auc;
use super::modes::{self, ClassRows, FailureMode, SearchOptions};
use super::probability::FailureProbability;
use super::significance::{self, Tested};
use super::{Direction, FitOptions, ModeId};

/// A mode and mode 0 are one if each finds the other's mistakes this well (AUC). One that explains half of the
/// class's mistakes, the others being scattered, reaches about 0.75 of all.
const ALIKE: f64 = 0.75;

/// What a search came to.
#[derive(Default)]
pub(super) struct Found {
    /// The modes, from 1 on, that with the most mistakes first.
    pub(super) directions: Vec<Direction>,
    /// Tests behind no mode: the scan that found nothing more. The correction for many counts it.
    pub(super) in_vain: usize,
}

/// A region with its direction.
struct Learned {
    direction: Direction,
    /// Alignment of all examples of the class by models that did not see them.
    distance: Vec<f64>,
    /// The region's mistakes, as examples of the class.
    mistakes: Vec<usize>,
}

/// Looks for modes in the class of `whole`, whose mode 0 is `first`; `family` is the number of tests over all classes.
pub(super) fn find(
    whole: &Problem,
    first: &Direction,
    options: &FitOptions,
    family: usize,
) -> Found {
    let n = whole.right().len();
    let unit: Vec<usize> = (0..n).map(|i| whole.units().of(i)).collect();
    let class = ClassRows {
        x: whole.x(),
        unit: &unit,
        right: whole.right(),
    };
    let search = SearchOptions {
        permutations: dealings(options, family),
        min_mistakes: options.min_mistakes.max(options.folds.count()),
        seed: options.seed,
        class: first.id.class,
        ..SearchOptions::default()
    };
    if !modes::can_be_searched(class, &search) {
        return Found::default();
    }
    let mut regions = modes::search(class, &search);
    // The sort is stable: equals stay in order of evidence.
    regions.sort_by_key(|region| Reverse(region.mistakes.len()));
    let mut learned: Vec<Learned> = Vec::new();
    for region in regions {
        let id = ModeId::new(first.id.class, learned.len() as u32 + 1);
        learned.extend(learn(whole, id, region, options, &search));
    }
    if let [only] = &learned[..]
        && is_mode_0(whole, first, only)
    {
        learned.clear();
    }
    explain(whole, &mut learned);
    Found {
        directions: learned.into_iter().map(|mode| mode.direction).collect(),
        in_vain: 1,
    }
}

/// Dealings of outcomes at most: five times the permutations (999 for 199), for they are cheap, and so many as
/// a single mode among all tests needs.
fn dealings(options: &FitOptions, family: usize) -> usize {
    significance::most(5 * (options.permutations + 1) - 1, family)
}

/// The direction of a region; none where near-duplicates leave too little to learn from.
fn learn(
    whole: &Problem,
    id: ModeId,
    region: FailureMode,
    options: &FitOptions,
    search: &SearchOptions,
) -> Option<Learned> {
    let right = whole.right();
    let mut rows = region.mistakes.clone();
    rows.extend((0..right.len()).filter(|&i| right[i]));
    rows.sort_unstable();
    let tested = Tested {
        p: region.p,
        draws: search.draws(region.p),
        at_floor: region.p * (search.permutations as f64 + 1.0) < 1.5,
    };
    let part = whole.part(id, &rows);
    let (mut direction, crossed) = part.learn(options, Test::Done(tested)).ok()?;
    let (distance, fold_of) = spread(whole, &direction, &rows, &crossed);
    let wrong: Vec<bool> = right.iter().map(|right| !right).collect();
    direction.probability = Some(FailureProbability::fit(&distance, &wrong, &fold_of));
    direction.out_of_fold = whole.in_table_order(&distance);
    Some(Learned {
        direction,
        distance,
        mistakes: region.mistakes,
    })
}

/// Distances and folds of all examples of the class: those of `rows` as they were learned on, the others by the whole
/// direction, which did not see them either.
fn spread(
    whole: &Problem,
    direction: &Direction,
    rows: &[usize],
    crossed: &CrossFitted,
) -> (Vec<f64>, Vec<usize>) {
    let folds = crossed.folding.folds;
    let x = whole.x();
    let mut distance: Vec<f64> = x.outer_iter().map(|x| direction.alignment(x)).collect();
    let units = whole.units();
    let mut fold_of: Vec<usize> = (0..distance.len()).map(|i| units.of(i) % folds).collect();
    for ((&row, &own), &fold) in rows.iter().zip(&crossed.distance).zip(&crossed.folding.of) {
        distance[row] = own;
        fold_of[row] = fold;
    }
    (distance, fold_of)
}

/// Whether the only mode that was found is practically mode 0: each ranks the other's mistakes before right images.
fn is_mode_0(whole: &Problem, first: &Direction, only: &Learned) -> bool {
    let of_first = whole.in_own_order(&first.out_of_fold);
    let right = whole.right();
    let of = |distance: &[f64], kind: bool| -> Vec<f64> {
        let own = (0..right.len()).filter(|&i| right[i] == kind);
        own.map(|i| distance[i]).collect()
    };
    let its: Vec<f64> = only.mistakes.iter().map(|&i| of_first[i]).collect();
    let finds_its = auc(its, of(&of_first, true));
    let finds_all = auc(of(&only.distance, false), of(&only.distance, true));
    finds_its.min(finds_all) >= ALIKE
}

/// Says which mistakes each mode explains: those of its region, and those of no region that reach its threshold
/// and belong to it, being more aligned with no other mode.
fn explain(whole: &Problem, modes: &mut [Learned]) {
    let mut of: Vec<Vec<usize>> = modes.iter().map(|mode| mode.mistakes.clone()).collect();
    let mut free: Vec<bool> = whole.right().iter().map(|right| !right).collect();
    for &row in of.iter().flatten() {
        free[row] = false;
    }
    let reaches = |mode: &Learned, i: usize| mode.distance[i] >= mode.direction.threshold;
    for i in (0..free.len()).filter(|&i| free[i]) {
        let all = modes.iter().enumerate();
        let nearest = all.reduce(|a, b| {
            if b.1.distance[i] > a.1.distance[i] {
                b
            } else {
                a
            }
        });
        if let Some((at, mode)) = nearest
            && reaches(mode, i)
        {
            of[at].push(i);
        }
    }
    let shared: Vec<usize> = (0..modes.len())
        .map(|own| {
            let others = |i: usize| {
                let mut others = modes.iter().enumerate().filter(|(at, _)| *at != own);
                others.any(|(_, other)| reaches(other, i))
            };
            of[own].iter().filter(|&&i| others(i)).count()
        })
        .collect();
    for ((mode, rows), shared) in modes.iter_mut().zip(of).zip(shared) {
        mode.direction.explains = whole.named(rows);
        mode.direction.shared = shared;
    }
}

#[cfg(test)]
mod tests;
