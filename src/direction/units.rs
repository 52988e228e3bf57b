//! Units: images that are one observation, because they show nearly the same or because the user says so.
//!
//! Four near-duplicates that share an outcome are one mistake, not four: dealt as images they made 81 % of classes
//! without any failure findings, dealt as units 5 %. Two images of a class are connected where the cosine of their
//! whitened embeddings reaches [`NEAR`], or where they carry the same key (a patient, a video, a burst); units are
//! the connected components.
//!
//! Nearness says something where images are far from each other as a rule. In fewer than [`FEWEST_DIMS`]
//! dimensions a cosine of 0.9 is common among strangers, so only keys count. In a space that a classifier has
//! collapsed (mean cosine of a class's images above a half) the bar rises with the mean: a fifth of the mean
//! distance is near, as 0.9 is at a half.

use std::collections::BTreeMap;

use ndarray::{ArrayView2, Axis, s};
use rayon::prelude::*;

/// Images with at least this cosine in whitened space are one unit.
pub const NEAR: f64 = 0.9;

/// With fewer dimensions nearness is not looked for: of 1,000 images with directions at random about 1,400
/// pairs reach 0.9 in 6 dimensions, and one class in five has such a pair in 16.
pub const FEWEST_DIMS: usize = 16;

/// Rows that are compared with all others at once.
const BLOCK: usize = 256;

/// A partition of `n` examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The unit of every example.
    of: Vec<usize>,
    /// The examples of every unit, rising; units stand in the order of their first example.
    members: Vec<Vec<usize>>,
}

impl Units {
    /// Every example by itself.
    pub fn single(n: usize) -> Self {
        Sets::new(n).units()
    }

    /// Examples with the same key are one unit; those without a key stand alone.
    ///
    /// # Shapes
    ///
    /// `keys` `[n]`; what it has more or less is passed over.
    pub fn of_keys(n: usize, keys: &[Option<u32>]) -> Self {
        let mut sets = Sets::new(n);
        sets.join_keys(keys);
        sets.units()
    }

    /// The units of one class, by nearness and by key.
    ///
    /// # Shapes
    ///
    /// `x` `[n, d]`, whitened, unit rows; `keys` `[n]`, where there are any.
    pub fn near(x: ArrayView2<'_, f64>, keys: Option<&[Option<u32>]>) -> Self {
        let n = x.nrows();
        let mut sets = Sets::new(n);
        sets.join_keys(keys.unwrap_or_default());
        if x.ncols() < FEWEST_DIMS {
            return sets.units();
        }
        let near = bar(x);
        for begin in (0..n).step_by(BLOCK) {
            let end = (begin + BLOCK).min(n);
            let cosines = x
                .slice(s![begin..end, ..])
                .dot(&x.slice(s![begin.., ..]).t());
            for (at, row) in cosines.outer_iter().enumerate() {
                for (other, &cosine) in row.iter().enumerate().skip(at + 1) {
                    if cosine >= near {
                        sets.join(begin + at, begin + other);
                    }
                }
            }
        }
        sets.units()
    }

    /// The units of some examples: what was one unit stays one.
    #[must_use]
    pub fn part(&self, examples: &[usize]) -> Self {
        let keys: Vec<Option<u32>> = examples.iter().map(|&i| Some(self.of[i] as u32)).collect();
        Self::of_keys(examples.len(), &keys)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The unit of an example.
    pub fn of(&self, example: usize) -> usize {
        self.of[example]
    }

    /// The examples of a unit, rising.
    pub fn members(&self, unit: usize) -> &[usize] {
        &self.members[unit]
    }

    /// Units with a wrong example, and units with a right one.
    pub fn kinds(&self, right: &[bool]) -> [usize; 2] {
        [false, true].map(|kind| {
            let holds = |members: &&Vec<usize>| members.iter().any(|&i| right[i] == kind);
            self.members.iter().filter(holds).count()
        })
    }
}

/// Classes with more examples are not searched for near-duplicates by [`by_class`]: it compares all with all.
const MOST: usize = 20_000;

/// The unit of every example of a split, numbered over all classes, which share none.
///
/// # Shapes
///
/// `x` `[n, d]`, whitened, unit rows; `labels` `[n]`; `keys` `[n]`, where there are any.
pub fn by_class(
    x: ArrayView2<'_, f64>,
    labels: &[usize],
    keys: Option<&[Option<u32>]>,
) -> Vec<u32> {
    let classes = labels.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        rows[label].push(row);
    }
    let found: Vec<Units> = rows
        .par_iter()
        .map(|rows| {
            let keys: Option<Vec<Option<u32>>> =
                keys.map(|all| rows.iter().map(|&row| all[row]).collect());
            if rows.len() > MOST {
                return Units::of_keys(rows.len(), keys.as_deref().unwrap_or_default());
            }
            Units::near(x.select(Axis(0), rows).view(), keys.as_deref())
        })
        .collect();
    let mut of = vec![0; labels.len()];
    let mut before = 0;
    for (rows, units) in rows.iter().zip(found) {
        for (at, &row) in rows.iter().enumerate() {
            of[row] = (before + units.of(at)) as u32;
        }
        before += units.len();
    }
    of
}

/// The cosine at which images of a class are near: [`NEAR`], or more where all of them are alike.
fn bar(x: ArrayView2<'_, f64>) -> f64 {
    let n = x.nrows() as f64;
    let sum = x.sum_axis(Axis(0));
    // Σᵢ Σⱼ xᵢ·xⱼ has n ones on its diagonal.
    let mean = (sum.dot(&sum) - n) / (n * (n - 1.0)).max(1.0);
    NEAR.max(1.0 - 0.2 * (1.0 - mean))
}

/// Disjoint sets, by union and path halving.
struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    fn new(n: usize) -> Self {
        Self {
            parent: (0..n).collect(),
        }
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// The smaller root stays, so a set's root is its first example.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    fn join_keys(&mut self, keys: &[Option<u32>]) {
        let mut first: BTreeMap<u32, usize> = BTreeMap::new();
        for (at, key) in keys.iter().enumerate().take(self.parent.len()) {
            if let Some(key) = key {
                let known = *first.entry(*key).or_insert(at);
                self.join(known, at);
            }
        }
    }

    fn units(mut self) -> Units {
        let n = self.parent.len();
        let mut of = vec![0; n];
        let mut members: Vec<Vec<usize>> = Vec::new();
        for at in 0..n {
            let root = self.root(at);
            if root == at {
                of[at] = members.len();
                members.push(vec![at]);
            } else {
                of[at] = of[root];
                members[of[root]].push(at);
            }
        }
        Units { of, members }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn unit_rows(mut x: Array2<f64>) -> Array2<f64> {
        for mut row in x.outer_iter_mut() {
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        x
    }

    #[test]
    fn nearness_chains_and_keys_join_what_is_far() {
        // Angles in degrees; a cosine of 0.9 is 25.8 degrees.
        let angles = [0.0_f64, 20.0, 40.0, 90.0, 180.0, 270.0];
        let x = Array2::from_shape_fn((6, 16), |(i, d)| {
            let angle = angles[i].to_radians();
            match d {
                0 => angle.cos(),
                1 => angle.sin(),
                _ => 0.0,
            }
        });
        let units = Units::near(x.view(), None);
        assert_eq!(units.len(), 4, "{units:?}");
        assert_eq!(units.members(0), [0, 1, 2], "0 and 2 by way of 1");
        let keys = [None, Some(7), None, Some(7), Some(8), None];
        let units = Units::near(x.view(), Some(&keys));
        assert_eq!(units.members(0), [0, 1, 2, 3]);
        assert_eq!((units.len(), units.of(4), units.of(5)), (3, 1, 2));
        assert_eq!(Units::of_keys(6, &keys).len(), 5);
        // Classes share no unit, however near.
        let classes = [1, 1, 0, 0, 0, 1];
        assert_eq!(by_class(x.view(), &classes, None), [3, 3, 0, 1, 2, 4]);
        let right = [true, false, true, true, true, false];
        assert_eq!(units.kinds(&right), [2, 2]);
    }

    #[test]
    fn nearness_counts_where_images_are_far_from_each_other_as_a_rule() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut drawn = |d: usize, shared: f64| {
            let mut x = Array2::from_shape_fn((300, d), |_| rng.gen_range(-1.0..1.0));
            x.column_mut(0).mapv_inplace(|v| v + shared);
            unit_rows(x)
        };
        assert_eq!(Units::near(drawn(6, 0.0).view(), None).len(), 300);
        assert_eq!(Units::near(drawn(16, 0.0).view(), None).len(), 300);
        // All images within a cone: a mean cosine of about 0.95 makes none a duplicate.
        let cone = drawn(16, 10.0);
        assert!(bar(cone.view()) > 0.98, "{}", bar(cone.view()));
        assert!(Units::near(cone.view(), None).len() > 270);
        let mut twice = cone.clone();
        let first = cone.row(0).to_owned();
        twice.row_mut(1).assign(&first);
        let pairs = Units::near(twice.view(), None);
        assert_eq!(pairs.of(0), pairs.of(1));
    }

    #[test]
    fn blocks_find_what_all_pairs_find() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let n = BLOCK + 90;
        let mut x = Array2::zeros((n, 16));
        for mut row in x.outer_iter_mut() {
            for value in row.iter_mut().take(4) {
                *value = rng.gen_range(-1.0..1.0);
            }
        }
        let x = unit_rows(x);
        let mut sets = Sets::new(n);
        for i in 0..n {
            for j in 0..i {
                if x.row(i).dot(&x.row(j)) >= NEAR {
                    sets.join(i, j);
                }
            }
        }
        assert_eq!(Units::near(x.view(), None), sets.units());
        assert_eq!(Units::single(3).len(), 3);
        assert!(Units::single(0).is_empty());
    }
}
