//! The search on drawn classes: blobs of unit vectors, some of which the classifier fails on.

use ndarray::{Array2, array};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::drawn::{Class, DIMS};
use super::separate::{Judge, auc};
use super::units::Units;
use super::{
    ClassRows, FailureMode, SearchOptions, candidates, kmeans, merge, nearest, parts, scan, search,
    ward,
};
use crate::direction::svm;

#[test]
fn two_equal_modes_are_both_found() {
    let class = Class::draw(
        &[(25, 0.8), (25, 0.8), (50, 0.05), (50, 0.05), (50, 0.05)],
        1,
    );
    let modes = class.search(0);
    let mut blobs: Vec<_> = modes.iter().map(|mode| class.of(mode).0).collect();
    blobs.sort_unstable();
    assert_eq!(blobs, [0, 1]);
    for mode in &modes {
        let (blob, purity) = class.of(mode);
        assert!(purity > 0.9, "{purity}");
        assert_eq!(mode.p, 0.001, "no dealing of 999 stands out as much");
        assert!(mode.z > 4.0, "{}", mode.z);
        assert!(mode.members.is_sorted());
        let wrong = mode.members.iter().filter(|&&i| !class.right[i]);
        assert!(wrong.eq(&mode.mistakes));
        let mistakes: Vec<usize> = (0..class.right.len())
            .filter(|&i| class.blob[i] == blob && !class.right[i])
            .collect();
        for &i in &mistakes {
            let at = nearest(&modes, class.x.row(i)).unwrap();
            assert_eq!(class.of(&modes[at]).0, blob);
        }
        let hardest = (0..class.right.len())
            .max_by(|&a, &b| {
                let distance = |i| mode.distance(class.x.row(i));
                distance(a).total_cmp(&distance(b))
            })
            .unwrap();
        assert_eq!(class.blob[hardest], blob);
    }
}

#[test]
fn a_large_mode_does_not_hide_a_small_one() {
    let class = Class::draw(
        &[
            (42, 0.8),
            (12, 0.8),
            (6, 0.8),
            (80, 0.04),
            (80, 0.04),
            (80, 0.04),
        ],
        2,
    );
    let modes = class.search(0);
    let blobs: Vec<_> = modes.iter().map(|mode| class.of(mode).0).collect();
    assert_eq!(blobs[..2], [0, 1], "in order of evidence");
}

#[test]
fn mistakes_at_random_make_no_mode() {
    let found = (0..40).filter(|&seed| {
        let class = Class::draw(&[(30, 0.15); 4], 100 + seed);
        !class.search(seed).is_empty()
    });
    // 5 % of 40 are 2; more than 6 happen in 0.3 % of draws.
    let found = found.count();
    assert!(found <= 6, "{found} of 40");
}

#[test]
fn near_duplicates_are_one_observation() {
    // 30 bursts of 5 images with one outcome each, at random.
    let burst = |seed| {
        let singles = Class::draw(&[(30, 0.3)], seed);
        let unit: Vec<usize> = (0..150).map(|i| i / 5).collect();
        Class {
            x: Array2::from_shape_fn((150, DIMS), |(i, j)| singles.x[[unit[i], j]]),
            blob: vec![0; 150],
            right: unit.iter().map(|&u| singles.right[u]).collect(),
            unit,
        }
    };
    let (mut as_units, mut as_images) = (0, 0);
    for seed in 0..8 {
        let mut class = burst(200 + seed);
        as_units += usize::from(!class.search(seed).is_empty());
        if seed < 3 {
            class.unit = (0..150).collect();
            as_images += usize::from(!class.search(seed).is_empty());
        }
    }
    assert!(as_units <= 2, "{as_units} of 8");
    assert!(as_images >= 2, "what units are for: {as_images} of 3");
}

#[test]
fn a_mode_has_all_images_of_its_units() {
    let mut class = Class::draw(&[(40, 0.9), (80, 0.05), (80, 0.05)], 3);
    class.unit = (0..200).map(|i| 7 * (i / 2)).collect();
    let modes = class.search(0);
    assert_eq!(modes.len(), 1);
    let mates = |i: usize| modes[0].members.contains(&(i ^ 1));
    assert!(modes[0].members.iter().all(|&i| mates(i)));
}

#[test]
fn threads_and_runs_change_no_byte() {
    let class = Class::draw(&[(25, 0.8), (25, 0.8), (80, 0.05)], 4);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| class.search(0))
    };
    let once = run(1);
    assert!(!once.is_empty());
    assert_eq!(once, run(4));
}

#[test]
fn classes_too_small_to_tell_have_no_mode() {
    assert_eq!(Class::draw(&[(0, 0.0), (1, 1.0)], 5).search(0), []);
    assert_eq!(Class::draw(&[(7, 1.0), (9, 0.0)], 5).search(0), []);
    // 4 mistakes, no mistakes, nothing but mistakes.
    assert_eq!(Class::draw(&[(4, 1.0), (60, 0.0)], 5).search(0), []);
    assert_eq!(Class::draw(&[(60, 0.0)], 5).search(0), []);
    assert_eq!(Class::draw(&[(60, 1.0)], 5).search(0), []);
    let empty = Array2::zeros((0, DIMS));
    let nothing = ClassRows {
        x: empty.view(),
        unit: &[],
        right: &[],
    };
    assert_eq!(search(nothing, &SearchOptions::default()), []);
}

#[test]
fn equal_images_do_no_harm() {
    let mut class = Class::draw(&[(20, 0.9), (60, 0.05)], 6);
    let first = class.x.row(0).to_owned();
    for mut row in class.x.outer_iter_mut() {
        row.assign(&first);
    }
    // Which of equal images make a cluster is arbitrary; what comes must be sound.
    for mode in class.search(0) {
        assert!(mode.w.iter().all(|w| w.is_finite()) && mode.b.is_finite());
    }
    // Units whose images cancel each other.
    let mut class = Class::draw(&[(20, 0.9), (60, 0.05)], 6);
    for pair in 0..40 {
        let opposite = -&class.x.row(2 * pair);
        class.x.row_mut(2 * pair + 1).assign(&opposite);
        class.unit[2 * pair + 1] = 2 * pair;
    }
    class.search(0);
}

#[test]
fn units_are_where_their_images_are() {
    let x = array![[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.0, -1.0]];
    let class = ClassRows {
        x: x.view(),
        unit: &[9, 4, 9, 4],
        right: &[true, false, true, true],
    };
    let units = Units::new(class, &svm::gram(x.view()));
    assert_eq!(units.rows, [[0, 2], [1, 3]]);
    assert_eq!(units.wrong, [0.0, 0.5]);
    let half = 0.5_f64.sqrt();
    // 0.6, −0.2 is 0.4^½ long.
    let want = array![[half, half], [0.6 / 0.4_f64.sqrt(), -0.2 / 0.4_f64.sqrt()]];
    assert!((&units.x - &want).iter().all(|apart| apart.abs() < 1e-12));
    let gram = svm::gram(units.x.view());
    assert!(
        (&units.gram - &gram)
            .iter()
            .all(|apart| apart.abs() < 1e-12)
    );
}

#[test]
fn the_tree_is_scipys() {
    let x = array![
        [0.0, 0.0],
        [0.0, 1.0],
        [4.0, 0.0],
        [4.5, 0.2],
        [9.0, 9.0],
        [9.0, 8.0],
        [8.4, 9.1],
        [2.0, 5.0]
    ];
    // scipy 1.17.1: z = scipy.cluster.hierarchy.linkage(x, "ward"), the leaves below each row of z.
    let want: [&[usize]; 7] = [
        &[2, 3],
        &[4, 6],
        &[0, 1],
        &[4, 5, 6],
        &[0, 1, 7],
        &[0, 1, 2, 3, 7],
        &[0, 1, 2, 3, 4, 5, 6, 7],
    ];
    assert_eq!(ward::nodes(&x.dot(&x.t()), 8), want);
    assert_eq!(ward::nodes(&x.dot(&x.t()), 3), want[..5]);
}

#[test]
fn a_tree_of_ties_is_a_tree() {
    let one = ward::nodes(&Array2::ones((1, 1)), 9);
    assert!(one.is_empty());
    let equal = ward::nodes(&Array2::ones((9, 9)), 9);
    assert_eq!((equal.len(), equal[7].len()), (8, 9));
    // A grid: every neighbour is as near.
    let grid = Array2::from_shape_fn((64, 2), |(i, j)| {
        (if j == 0 { i / 8 } else { i % 8 }) as f64
    });
    let nodes = ward::nodes(&grid.dot(&grid.t()), 64);
    assert_eq!((nodes.len(), nodes[62].len()), (63, 64));
    for (a, b) in nodes.iter().zip(&nodes[1..]) {
        assert!(
            b.iter().all(|i| a.contains(i))
                || b.iter().all(|i| !a.contains(i))
                || a.iter().all(|i| b.contains(i))
        );
    }
}

#[test]
fn k_means_finds_blobs() {
    let class = Class::draw(&[(20, 0.0), (30, 0.0), (40, 0.0)], 8);
    let rng = || ChaCha8Rng::seed_from_u64(1);
    let mut sizes: Vec<usize> = kmeans::clusters(class.x.view(), 3, &mut rng())
        .iter()
        .map(Vec::len)
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [20, 30, 40]);
    let each = kmeans::clusters(class.x.view(), 500, &mut rng());
    assert_eq!(each.len(), 90, "no more clusters than rows");
    let equal = kmeans::clusters(Array2::ones((9, 3)).view(), 4, &mut rng());
    assert_eq!(equal, [(0..9).collect::<Vec<usize>>()]);
    assert!(kmeans::clusters(Array2::ones((0, 3)).view(), 4, &mut rng()).is_empty());
}

#[test]
fn candidates_keep_to_their_sizes() {
    let class = Class::draw(&[(50, 0.0); 4], 9);
    let units = Units::new(class.rows(), &svm::gram(class.x.view()));
    let all = candidates::candidates(&units, &SearchOptions::default());
    assert!(all.iter().all(|units| (8..=68).contains(&units.len())));
    assert!(all.iter().all(|units| units.is_sorted()));
    assert!(all.windows(2).all(|two| two[0] != two[1]));
    assert!(all.windows(2).all(|two| two[0].len() >= two[1].len()));
    for blob in 0..4 {
        let share = |units: &Vec<usize>| {
            let of = units.iter().filter(|&i| i / 50 == blob).count();
            of as f64 / (units.len() + 50 - of) as f64
        };
        assert!(all.iter().any(|units| share(units) > 0.9), "blob {blob}");
    }
}

#[test]
fn z_is_the_hypergeometric_one() {
    // 12 units, 5 wrong; of the first 4, 3 wrong.
    let wrong = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    // scipy 1.17.1: h = scipy.stats.hypergeom(12, 5, 4); (3 - h.mean()) / h.std()
    assert!((scan::z(&wrong, &[0, 1, 2, 3]) - 1.585_649_934_344_183_7).abs() < 1e-12);
    assert_eq!(scan::z(&wrong, &(0..12).collect::<Vec<usize>>()), 0.0);
    assert_eq!(scan::z(&[1.0; 4], &[0, 1]), 0.0);
}

/// Scans all of 60 units of which `wrong` are.
fn scan_once(
    wrong: &[f64],
    candidates: &[Vec<usize>],
    permutations: usize,
    level: f64,
) -> Option<(scan::Scan, usize, f64)> {
    let options = SearchOptions {
        permutations,
        level,
        ..SearchOptions::default()
    };
    let (scan, at) = scan::scan(wrong, &[true; 60], candidates, 0, &options)?;
    let p = scan.p(at, &options);
    Some((scan, at, p))
}

#[test]
fn p_values_stop_early_and_need_no_full_block() {
    let mut wrong = vec![0.0; 60];
    wrong[..8].fill(1.0);
    let candidates = [(0..8).collect(), (8..30).collect(), (20..40).collect()];
    let (scan, at, p) = scan_once(&wrong, &candidates, 99, 0.05).unwrap();
    assert_eq!(scan.candidates[at], candidates[0]);
    assert_eq!(p, 0.01);
    assert_eq!(
        scan_once(&wrong, &candidates, 9, 0.05),
        None,
        "p cannot be below 0.1"
    );
    // 2 mistakes of 12 where 1.6 are expected: nearly half of the dealings are as good.
    let dull = [(6..18).collect()];
    assert_eq!(scan_once(&wrong, &dull, 999, 0.05), None);
    let (.., p) = scan_once(&wrong, &dull, 999, 1.0).unwrap();
    let draws = 10.0 / p;
    assert!((draws - draws.round()).abs() < 1e-9 && draws < 64.0, "{p}");
}

#[test]
fn units_taken_out_are_out() {
    let mut wrong = vec![0.0; 60];
    wrong[..20].fill(1.0);
    let mut left = [true; 60];
    left[..10].fill(false);
    let candidates: [Vec<usize>; 3] = [(0..20).collect(), (30..50).collect(), (5..15).collect()];
    let options = SearchOptions::default();
    let (scan, at) = scan::scan(&wrong, &left, &candidates, 1, &options).unwrap();
    assert_eq!(scan.candidates[at], (10..20).collect::<Vec<usize>>());
    assert_eq!(scan.candidates.len(), 2, "5 are below the size");
    left[10..13].fill(false);
    assert_eq!(scan::scan(&wrong, &left, &candidates, 1, &options), None);
}

#[test]
fn halves_of_a_mode_are_merged_and_others_are_not() {
    let class = Class::draw(&[(40, 0.9), (40, 0.9), (80, 0.05)], 10);
    let gram = svm::gram(class.x.view());
    let units = Units::new(class.rows(), &gram);
    let options = SearchOptions::default();
    let judge = Judge::new(class.rows(), &gram, &units, &options);
    let region = |from: usize, to: usize, p| judge.separate(&(from..to).collect::<Vec<_>>(), p);
    let regions = vec![
        region(0, 20, 0.01),
        region(40, 80, 0.002),
        region(20, 40, 0.001),
    ];
    let modes = merge::merge(&judge, regions, &options);
    let modes: Vec<FailureMode> = modes.iter().map(|mode| judge.mode(mode)).collect();
    assert_eq!(modes.len(), 2);
    assert_eq!(modes[0].members, (0..40).collect::<Vec<usize>>());
    assert_eq!(modes[0].p, 0.001, "the smaller of the two");
    assert_eq!(modes[1].members, (40..80).collect::<Vec<usize>>());

    let few: Vec<usize> = (0..80).filter(|&i| !class.right[i]).take(4).collect();
    let few = vec![judge.separate(&few, 0.01)];
    assert_eq!(merge::merge(&judge, few, &options), []);
}

#[test]
fn a_region_with_two_modes_is_two() {
    // 40 images of blob 0 and 30 of blob 1 fail; no candidate holds one without the other.
    let class = Class::draw(&[(40, 0.9), (30, 0.9), (80, 0.02), (80, 0.02)], 11);
    let gram = svm::gram(class.x.view());
    let units = Units::new(class.rows(), &gram);
    let options = SearchOptions::default();
    let judge = Judge::new(class.rows(), &gram, &units, &options);
    let candidates = [(0..70).collect::<Vec<usize>>(), (100..120).collect()];
    let (scan, at) = scan::scan(&units.wrong, &[true; 230], &candidates, 0, &options).unwrap();
    let p = scan.p(at, &options);
    let found = parts(&scan, scan.candidates[at].clone(), p, &judge, &options);
    let sizes: Vec<usize> = found.iter().map(|(units, _)| units.len()).collect();
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    for (units, p) in &found {
        let own = units.iter().filter(|&&i| i < 40).count();
        assert!(
            own <= 1 || own + 1 >= units.len(),
            "{own} of {}",
            units.len()
        );
        assert_eq!(*p, 0.001);
    }
    // One blob is one.
    let one = parts(&scan, (0..40).collect(), p, &judge, &options);
    assert_eq!(one, [((0..40).collect::<Vec<usize>>(), p)]);
}

#[test]
fn a_trait_that_right_images_have_as_well_makes_no_two_modes() {
    for seed in 0..3 {
        let class = Class::crossed(400 + seed);
        let modes = class.search(seed);
        assert_eq!(
            modes.len(),
            1,
            "{:?}",
            modes.iter().map(|m| class.of(m)).collect::<Vec<_>>()
        );
        let fails = |i: &&usize| class.blob[**i] < 2;
        assert!(modes[0].mistakes.iter().filter(fails).count() > 70);
    }
}

#[test]
fn auc_counts_pairs() {
    let auc = |high: &[f64], low: &[f64]| auc(high.to_vec(), low.to_vec());
    assert_eq!(auc(&[3.0, 2.0], &[1.0, 2.0]), 3.5 / 4.0);
    assert_eq!(auc(&[1.0], &[2.0, 3.0]), 0.0);
    assert_eq!(auc(&[], &[2.0]), 0.5);
}

#[test]
fn settings_out_of_range_are_named() {
    assert!(SearchOptions::default().check().is_ok());
    let bad = SearchOptions {
        max_share: 1.5,
        ..SearchOptions::default()
    };
    let message = bad.check().unwrap_err().to_string();
    assert_eq!(
        message,
        "max_share is 1.5: expected a number above 0, at most 1"
    );
}
