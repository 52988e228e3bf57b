//! Whether mistakes gather in two places or in one.
//!
//! ```text
//! mistakes ──nine tenths──▶ two groups (Ward, 2-means) ──▶ way from one to the other
//!    └─────the tenth──▶ where along the way ──all tenths together──▶ one heap or two?
//! ```
//!
//! Any heap can be halved, and its halves are easily told apart by where the cut was made; so neither that two
//! groups can be made nor that an SVM tells them apart says anything. Two heaps leave a gap between them: along
//! the way from the one to the other, mistakes that had no part in finding it lie at either end and few between.
//!
//! How often modes are told apart so, and how many false ones come: "Several failure modes in one class"
//! in docs/statistics.md.

use ndarray::Array2;

use super::ward;

/// Parts that are left out in turn.
const FOLDS: usize = 10;

/// Fewest mistakes of a group.
const FEWEST: usize = 5;

/// Steps of 2-means at most.
const STEPS: usize = 50;

/// What is left of the variance of an even spread when it is cut in two. Two normal heaps go below it where they
/// are 3.5 deviations apart.
const EVEN: f64 = 0.25;

/// How far below 1 − 2/π the rest of the variance of so many draws of one normal heap comes, times the root of
/// their number, in one of a thousand: between 0.97 and 1.10 for 10 to 400 draws, 40,000 times each.
const CHANCE: f64 = 1.06;

/// The two places where the units `of` gather, both ascending; none where it is one.
///
/// # Shapes
///
/// `gram` `[units, units]`; `of` are rows of it, in an order that says nothing.
pub fn two_groups(gram: &Array2<f64>, of: &[usize]) -> Option<[Vec<usize>; 2]> {
    let mut along = Vec::with_capacity(of.len());
    for fold in 0..FOLDS {
        let (unseen, seen) = dealt(of, fold);
        along.extend(Way::between(gram, two_means(gram, &seen)?)?.places(&unseen));
    }
    let groups = two_means(gram, of)?;
    Spread::of(along).is_two().then_some(groups)
}

/// Whether the units of two groups lie in two places.
///
/// # Shapes
///
/// As of [`two_groups`].
pub fn apart(gram: &Array2<f64>, one: &[usize], other: &[usize]) -> bool {
    let mut along = Vec::with_capacity(one.len() + other.len());
    for fold in 0..FOLDS {
        let [(a, of_a), (b, of_b)] = [dealt(one, fold), dealt(other, fold)];
        if of_a.is_empty() || of_b.is_empty() {
            return false;
        }
        let Some(way) = Way::between(gram, [of_a, of_b]) else {
            return false;
        };
        along.extend(way.places(&a));
        along.extend(way.places(&b));
    }
    Spread::of(along).is_two()
}

/// To which of two groups each of some units is nearer: of the first, and of the second.
pub fn assign(gram: &Array2<f64>, groups: &[Vec<usize>; 2], units: &[usize]) -> [Vec<usize>; 2] {
    let centres = groups.each_ref().map(|group| Centre::of(gram, group));
    let is_first = |unit: &&usize| centres[0].nearness(**unit) > centres[1].nearness(**unit);
    let (first, second) = units.iter().partition(is_first);
    [first, second]
}

/// The units of one fold, and the others.
fn dealt(of: &[usize], fold: usize) -> (Vec<usize>, Vec<usize>) {
    let (mut unseen, mut seen) = (Vec::new(), Vec::new());
    for (at, &unit) in of.iter().enumerate() {
        let part = if at % FOLDS == fold {
            &mut unseen
        } else {
            &mut seen
        };
        part.push(unit);
    }
    (unseen, seen)
}

/// Two groups of some units; none where one of them would have too few.
fn two_means(gram: &Array2<f64>, of: &[usize]) -> Option<[Vec<usize>; 2]> {
    let own = Array2::from_shape_fn((of.len(), of.len()), |(i, j)| gram[[of[i], of[j]]]);
    // The children of the root: the last node holds all, of the others one child is the largest, or its complement is.
    let nodes = ward::nodes(&own, of.len().checked_sub(1)?);
    let half = nodes.last()?;
    let mut groups = [half.iter().map(|&i| of[i]).collect(), Vec::new()];
    groups[1] = of
        .iter()
        .copied()
        .filter(|unit| !groups[0].contains(unit))
        .collect();
    for _ in 0..STEPS {
        if groups.iter().any(|group: &Vec<usize>| group.len() < FEWEST) {
            return None;
        }
        let next = assign(gram, &groups, of);
        if next == groups {
            break;
        }
        groups = next;
    }
    groups
        .iter()
        .all(|group| group.len() >= FEWEST)
        .then_some(groups)
}

/// The mean of some units.
struct Centre<'a> {
    gram: &'a Array2<f64>,
    of: &'a [usize],
    half: f64,
}

impl<'a> Centre<'a> {
    fn of(gram: &'a Array2<f64>, of: &'a [usize]) -> Self {
        let mut centre = Self {
            gram,
            of,
            half: 0.0,
        };
        let products = of.iter().map(|&unit| centre.product(unit));
        centre.half = 0.5 * products.sum::<f64>() / of.len().max(1) as f64;
        centre
    }

    /// The product of the mean with a unit.
    fn product(&self, unit: usize) -> f64 {
        let products = self.of.iter().map(|&own| self.gram[[own, unit]]);
        products.sum::<f64>() / self.of.len().max(1) as f64
    }

    /// Larger where a unit is nearer: ‖x − c‖² is ‖x‖² less twice this.
    fn nearness(&self, unit: usize) -> f64 {
        self.product(unit) - self.half
    }
}

/// The way from one group to another.
struct Way<'a> {
    gram: &'a Array2<f64>,
    groups: [Vec<usize>; 2],
    middle: f64,
    half: f64,
}

impl<'a> Way<'a> {
    /// None where the groups are no way apart.
    fn between(gram: &'a Array2<f64>, groups: [Vec<usize>; 2]) -> Option<Self> {
        let [one, other] = &groups;
        let across = mean(gram, one, other);
        let (end, begin) = (
            mean(gram, one, one) - across,
            across - mean(gram, other, other),
        );
        let half = 0.5 * (end - begin);
        (half > 0.0).then(|| Self {
            gram,
            middle: f64::midpoint(end, begin),
            half,
            groups,
        })
    }

    /// Where units lie that are in neither group: 1 at the first, −1 at the second.
    fn places(&self, units: &[usize]) -> Vec<f64> {
        let [one, other] = &self.groups;
        let along = |&unit: &usize| {
            let step = mean(self.gram, &[unit], one) - mean(self.gram, &[unit], other);
            (step - self.middle) / self.half
        };
        units.iter().map(along).collect()
    }
}

/// The mean product of units of two groups; of a unit with itself there is none, so that the noise of single
/// ones has no part in lengths.
fn mean(gram: &Array2<f64>, one: &[usize], other: &[usize]) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0_usize);
    for &i in one {
        for &j in other.iter().filter(|&&j| j != i) {
            sum += gram[[i, j]];
            pairs += 1;
        }
    }
    sum / pairs.max(1) as f64
}

/// Numbers on a line.
struct Spread {
    /// Ascending.
    values: Vec<f64>,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Self { values }
    }

    /// Whether they are two heaps: cut in two where it leaves least of their variance, they have less left than an even
    /// spread has, and than one normal heap has in one of a thousand.
    fn is_two(&self) -> bool {
        let n = self.values.len() as f64;
        // A normal heap has 1 − 2/π left.
        let normal = 1.0 - std::f64::consts::FRAC_2_PI - CHANCE / n.sqrt();
        self.left() < EVEN.min(normal)
    }

    /// The share of the variance that is left within the two parts of the best cut with a tenth on either side.
    ///
    /// Source: the least within-group sum of squares over all cuts of sorted values (Fisher 1958, "On grouping for
    /// maximum homogeneity").
    fn left(&self) -> f64 {
        let n = self.values.len();
        let least = n.div_ceil(10).max(1);
        let total: f64 = self.values.iter().sum();
        let centre = total / n.max(1) as f64;
        let squares: f64 = self
            .values
            .iter()
            .map(|v| (v - centre) * (v - centre))
            .sum();
        let (mut sum, mut most) = (0.0, 0.0_f64);
        for (at, value) in self.values.iter().enumerate() {
            sum += value - centre;
            let (below, above) = (at + 1, n - at - 1);
            if below >= least && above >= least {
                // Between-group sum of squares: sum² (1/below + 1/above).
                most = most.max(sum * sum * (1.0 / below as f64 + 1.0 / above as f64));
            }
        }
        if squares > 0.0 {
            1.0 - most / squares
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::direction::modes::drawn::Class;
    use crate::direction::svm;

    #[test]
    fn what_a_cut_leaves_is_fishers() {
        // {0, 1} and {9, 10}: 0.5 + 0.5 of 82 left.
        let spread = Spread::of(vec![9.0, 0.0, 10.0, 1.0]);
        assert!((spread.left() - 1.0 / 82.0).abs() < 1e-12);
        assert_eq!(Spread::of(vec![2.0; 5]).left(), 1.0);
        assert_eq!(Spread::of(Vec::new()).left(), 1.0);
        let even: Vec<f64> = (0..1000).map(f64::from).collect();
        assert!((Spread::of(even).left() - 0.25).abs() < 1e-5);
    }

    #[test]
    fn one_normal_heap_is_two_in_about_one_of_a_thousand() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut normal = || (0..12).map(|_| rng.r#gen::<f64>()).sum::<f64>() - 6.0;
        let mut two = |n: usize, apart: f64| {
            let heap = |normal: &mut dyn FnMut() -> f64| -> Vec<f64> {
                let at = |i: usize| if i.is_multiple_of(2) { 0.0 } else { apart };
                (0..n).map(|i| at(i) + normal()).collect()
            };
            let all = (0..2000).filter(|_| Spread::of(heap(&mut normal)).is_two());
            all.count()
        };
        for n in [15, 40, 150] {
            // 2 of 2000 are expected; more than 9 come in one of 10,000 tries.
            let found = two(n, 0.0);
            assert!(found <= 9, "{found} of 2000 with {n}");
        }
        assert!(two(40, 6.0) > 1900);
    }

    #[test]
    fn two_blobs_are_two_places_and_halves_of_one_are_not() {
        for seed in 0..8 {
            let class = Class::draw(&[(30, 1.0), (20, 1.0), (50, 0.0)], 500 + seed);
            let gram = svm::gram(class.x.view());
            // In an order that says nothing.
            let mixed: Vec<usize> = (0..50).map(|i| i * 17 % 50).collect();
            let [one, other] = two_groups(&gram, &mixed).unwrap();
            let of = |group: &[usize]| group.iter().filter(|&&i| i < 30).count();
            let (one, other) = (of(&one), of(&other));
            assert!(one.min(other) <= 1 && one.max(other) >= 29, "{one} {other}");
            let one: Vec<usize> = (0..50).map(|i| 50 + i * 17 % 50).collect();
            assert_eq!(two_groups(&gram, &one), None);

            let range = |from: usize, to: usize| (from..to).collect::<Vec<usize>>();
            assert!(apart(&gram, &range(0, 30), &range(30, 50)));
            let halves = two_means(&gram, &one).unwrap();
            assert!(!apart(&gram, &halves[0], &halves[1]));
        }
    }

    #[test]
    fn few_or_equal_units_are_one_place() {
        let equal = Array2::ones((30, 30));
        let all: Vec<usize> = (0..30).collect();
        assert_eq!(two_groups(&equal, &all), None);
        assert!(!apart(&equal, &all[..15], &all[15..]));
        assert_eq!(two_groups(&equal, &[]), None);
        assert_eq!(two_groups(&equal, &[3]), None);
        assert!(!apart(&equal, &[1], &[2]));
    }
}
