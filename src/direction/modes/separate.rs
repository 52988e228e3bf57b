//! The SVM of a region, and how two regions compare by theirs.

use ndarray::{Array1, Array2, ArrayView2};

use super::scan;
use super::split;
use super::step;
use super::units::Units;
use super::{ClassRows, FailureMode, SearchOptions};
use crate::direction::svm;

/// What all regions of a class are separated from and judged on.
pub struct Judge<'a> {
    x: ArrayView2<'a, f64>,
    gram: &'a Array2<f64>,
    units: &'a Units,
    /// Rows that the classifier got right.
    right: Vec<usize>,
    wrong: Vec<bool>,
    options: &'a SearchOptions,
}

/// A region with its SVM: its mistakes against all right images of the class.
#[derive(Debug, Clone, PartialEq)]
pub struct Separated {
    /// Its units, ascending.
    pub units: Vec<usize>,
    /// Share of dealings in which some candidate stands out as much.
    pub p: f64,
    svm: Model,
}

/// An SVM of some mistakes against the right images.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    /// The mistakes, as rows of the class.
    mistakes: Vec<usize>,
    w: Array1<f64>,
    b: f64,
    /// Alignment of every row of the class, in the SVM's own scale.
    hardness: Vec<f64>,
}

impl<'a> Judge<'a> {
    /// Prepares the comparison of regions of a class with the Gram matrix `gram` `[n, n]`; some images are
    /// right.
    pub fn new<'c: 'a>(
        class: ClassRows<'c>,
        gram: &'a Array2<f64>,
        units: &'a Units,
        options: &'a SearchOptions,
    ) -> Self {
        Self {
            x: class.x.reborrow(),
            units,
            gram,
            right: (0..class.right.len())
                .filter(|&row| class.right[row])
                .collect(),
            wrong: class.right.iter().map(|right| !right).collect(),
            options,
        }
    }

    /// Trains the SVM of a region, which has mistakes.
    pub fn separate(&self, units: &[usize], p: f64) -> Separated {
        Separated {
            units: units.to_vec(),
            p,
            svm: self.train(self.mistakes(units)),
        }
    }

    /// Whether two regions are one mode, and how much so: one failure ([`step`]), or the SVM of each finds the
    /// mistakes of the other, and all of them gather in one place.
    ///
    /// To find each other's mistakes is not enough. Where a class has few, tight groups, every SVM points away from the
    /// groups that are classified right, and finds mistakes of *any* other group.
    pub fn alike(&self, one: &Separated, other: &Separated) -> Option<f64> {
        if let Some(spread) = self.one_failure(&one.units, &other.units) {
            return Some(1.0 + spread);
        }
        let mean = 0.5 * (self.finds(one, other) + self.finds(other, one));
        let [a, b] = [one, other].map(|region| self.failing(&region.units));
        let apart = || split::apart(&self.units.gram, &a, &b);
        (mean >= self.options.merge_auc && !apart()).then_some(mean)
    }

    /// The two regions that a region's mistakes gather in, each with mistakes enough; none where they gather in one
    /// place, or where it is one failure all the same.
    pub fn split(&self, units: &[usize]) -> Option<[Vec<usize>; 2]> {
        let failing = self.failing(units);
        let groups = split::two_groups(&self.units.gram, &failing)?;
        let parts = split::assign(&self.units.gram, &groups, units);
        let enough = |part: &Vec<usize>| self.failing(part).len() >= self.options.min_mistakes;
        let is_one = || self.one_failure(&parts[0], &parts[1]).is_some();
        (parts.iter().all(enough) && !is_one()).then_some(parts)
    }

    /// Of regions with too few mistakes nothing can be said.
    fn one_failure(&self, one: &[usize], other: &[usize]) -> Option<f64> {
        let (a, b) = (self.mistakes(one), self.mistakes(other));
        let enough = a.len().min(b.len()) >= self.options.min_mistakes;
        enough.then(|| step::one_failure(self.gram, &self.right, &a, &b))?
    }

    /// The AUC of another region's mistakes against right images.
    fn finds(&self, one: &Separated, other: &Separated) -> f64 {
        let svm = &one.svm;
        auc(svm.ranked(&other.svm.mistakes), svm.ranked(&self.right))
    }

    /// The units with a mistake.
    pub fn failing(&self, units: &[usize]) -> Vec<usize> {
        let failing = units.iter().copied();
        failing.filter(|&u| self.units.wrong[u] > 0.0).collect()
    }

    /// The region as it is reported.
    pub fn mode(&self, region: &Separated) -> FailureMode {
        FailureMode {
            members: self.units.rows_of(&region.units),
            mistakes: region.svm.mistakes.clone(),
            z: scan::z(&self.units.wrong, &region.units),
            p: region.p,
            w: region.svm.w.clone(),
            b: region.svm.b,
            c: self.options.c,
        }
    }

    /// Wrong images of some units, ascending.
    fn mistakes(&self, units: &[usize]) -> Vec<usize> {
        let mut rows = self.units.rows_of(units);
        rows.retain(|&row| self.wrong[row]);
        rows
    }

    fn train(&self, mistakes: Vec<usize>) -> Model {
        let rows = [&mistakes[..], &self.right].concat();
        let mut targets = vec![1.0; rows.len()];
        targets[..mistakes.len()].fill(-1.0);
        let solution = svm::solve(self.gram, &rows, &targets, self.options.c);
        let w = svm::weights(self.x, &rows, &targets, &solution);
        let hardness = self.x.dot(&w).iter().map(|f| -(f + solution.b)).collect();
        Model {
            mistakes,
            w,
            b: solution.b,
            hardness,
        }
    }
}

impl Model {
    fn ranked(&self, rows: &[usize]) -> Vec<f64> {
        rows.iter().map(|&row| self.hardness[row]).collect()
    }
}

/// The share of pairs in which a value of `high` is the larger one; equal values count half.
///
/// The Mann–Whitney statistic; 0.5 if either is empty.
pub fn auc(mut high: Vec<f64>, mut low: Vec<f64>) -> f64 {
    if high.is_empty() || low.is_empty() {
        return 0.5;
    }
    high.sort_unstable_by(f64::total_cmp);
    low.sort_unstable_by(f64::total_cmp);
    let (mut below, mut not_above, mut won) = (0, 0, 0.0);
    for value in &high {
        while below < low.len() && low[below] < *value {
            below += 1;
        }
        while not_above < low.len() && low[not_above] <= *value {
            not_above += 1;
        }
        won += 0.5 * (below + not_above) as f64;
    }
    won / (high.len() as f64 * low.len() as f64)
}
