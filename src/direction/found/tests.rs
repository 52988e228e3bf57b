//! The fit on drawn classes: what is found beside mode 0, and what is not.

use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::dataset::ExampleId;
use crate::direction::modes::drawn::Class;
use crate::direction::{Direction, FitOptions, Fitted, ModeId, ValExamples, acted_on, fit};

/// What a test can afford without optimisation.
fn quick() -> FitOptions {
    FitOptions {
        repeats: 1,
        permutations: 39,
        bootstrap: 0,
        ..FitOptions::default()
    }
}

/// Fits a class in an order of its images.
fn fit_in_order(class: &Class, order: &[usize], options: &FitOptions) -> Fitted {
    let x: Array2<f64> = class.x.select(ndarray::Axis(0), order);
    let predictions: Vec<usize> = order
        .iter()
        .map(|&i| usize::from(!class.right[i]))
        .collect();
    let ids = ExampleId::numbered(order.len());
    let named: Vec<ExampleId> = order.iter().map(|&i| ids[i]).collect();
    let val = ValExamples {
        ids: &named,
        x: x.view(),
        labels: &vec![0; order.len()],
        predictions: &predictions,
        units: None,
    };
    fit(val, 1, options).unwrap()
}

fn fit_class(class: &Class, options: &FitOptions) -> Fitted {
    let order: Vec<usize> = (0..class.right.len()).collect();
    fit_in_order(class, &order, options)
}

fn ids(fitted: &Fitted) -> Vec<u32> {
    fitted.directions.iter().map(|d| d.id.mode).collect()
}

/// Two blobs of different sizes that fail, three that do not.
fn two_modes() -> Class {
    Class::draw(
        &[(24, 0.9), (40, 0.9), (45, 0.04), (45, 0.04), (45, 0.04)],
        21,
    )
}

#[test]
fn two_planted_modes_are_found_beside_mode_0() {
    let class = two_modes();
    let fitted = fit_class(&class, &quick());
    assert_eq!(ids(&fitted), [0, 1, 2]);
    assert!(fitted.directions.iter().all(Direction::is_finding));
    let mistakes = class.right.iter().filter(|right| !**right).count();
    assert_eq!(fitted.directions[0].wrong, mistakes);
    // Mode 1 has the most mistakes.
    for (mode, blob) in [(1, 1), (2, 0)] {
        let direction = &fitted.directions[mode];
        let of_blob = |id: &ExampleId| class.blob[id.index()] == blob;
        assert!(direction.explains.iter().all(|id| !class.right[id.index()]));
        let own = direction.explains.iter().filter(|id| of_blob(id)).count();
        let all = (0..class.right.len()).filter(|&i| class.blob[i] == blob && !class.right[i]);
        assert!(10 * own >= 9 * all.count(), "finds its mistakes: {own}");
        assert!(direction.explains.len() - own <= 2, "and few others");
        assert_eq!(
            direction.p_value,
            Some(1.0 / 200.0),
            "no dealing of 199 was as good"
        );
        assert_eq!((direction.permutations, direction.at_floor), (199, true));
        assert_eq!(direction.out_of_fold.len(), class.right.len());
        assert!(direction.cv_score > 0.85, "{}", direction.cv_score);
        assert!(direction.admits.share < 0.1, "{:?}", direction.admits);
        let likely = |alignment| direction.failure_probability(alignment).unwrap();
        let hardest = direction
            .out_of_fold
            .iter()
            .copied()
            .fold(f64::MIN, f64::max);
        assert!(likely(hardest) > 0.7 && likely(-hardest) < 0.3);
        // The class's images belong to the mode of their largest alignment.
        for id in direction.explains.iter().filter(|id| of_blob(id)) {
            let x = class.x.row(id.index());
            let [one, other] = [1, 2].map(|at| fitted.directions[at].alignment(x));
            assert_eq!(one > other, mode == 1);
        }
    }
    let [one, other] = [1, 2].map(|at| &fitted.directions[at].explains);
    assert!(
        one.iter().all(|id| !other.contains(id)),
        "no mistake is in two"
    );
    let acted: Vec<ModeId> = acted_on(&fitted.directions, Direction::is_finding)
        .iter()
        .map(|d| d.id)
        .collect();
    assert_eq!(acted, [ModeId::new(0, 1), ModeId::new(0, 2)]);
}

#[test]
fn the_order_of_the_table_changes_no_mode() {
    let class = two_modes();
    let here = fit_class(&class, &quick());
    let mut order: Vec<usize> = (0..class.right.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(3));
    let there = fit_in_order(&class, &order, &quick());
    assert_eq!(ids(&there), [0, 1, 2]);
    for (here, there) in here.directions.iter().zip(there.directions) {
        let mut out_of_fold = vec![0.0; order.len()];
        for (&to, &value) in order.iter().zip(&there.out_of_fold) {
            out_of_fold[to] = value;
        }
        let mut explains = there.explains.clone();
        explains.sort_by_key(|id| id.index());
        let there = Direction {
            explains,
            out_of_fold,
            ..there
        };
        assert_eq!(here, &there);
    }
}

#[test]
fn mode_0_is_the_same_with_and_without_a_search() {
    let class = two_modes();
    // As many permutations for two tests as for one.
    let options = FitOptions {
        permutations: 59,
        ..quick()
    };
    let without = FitOptions {
        modes: false,
        ..options
    };
    let without = fit_class(&class, &without);
    assert_eq!(ids(&without), [0]);
    let with = fit_class(&class, &options);
    let corrected = Direction {
        q_value: with.directions[0].q_value,
        ..without.directions[0].clone()
    };
    assert_eq!(with.directions[0], corrected);
}

#[test]
fn a_single_mode_is_mode_0() {
    let class = Class::draw(&[(40, 0.9), (60, 0.04), (60, 0.04), (40, 0.04)], 22);
    let fitted = fit_class(&class, &quick());
    assert_eq!(ids(&fitted), [0]);
    let direction = &fitted.directions[0];
    assert!(direction.is_finding());
    let again = direction.explains.len() as f64 / direction.wrong as f64;
    assert!(again > 0.8, "{again}");
    // The scan that found nothing more is a test as well.
    assert_eq!(direction.q_value, direction.p_value.map(|p| 2.0 * p));
}

#[test]
fn a_failing_trait_of_half_the_class_is_mode_0() {
    let fitted = fit_class(&Class::crossed(26), &quick());
    assert_eq!(ids(&fitted), [0]);
    assert!(fitted.directions[0].is_finding());
}

#[test]
fn a_gathering_among_scattered_mistakes_stands_beside_mode_0() {
    let class = Class::draw(
        &[(30, 0.95), (70, 0.25), (70, 0.25), (70, 0.25), (70, 0.25)],
        23,
    );
    let fitted = fit_class(&class, &quick());
    assert_eq!(ids(&fitted), [0, 1]);
    let found = &fitted.directions[1];
    let own = found
        .explains
        .iter()
        .filter(|id| class.blob[id.index()] == 0);
    assert!(own.count() > 20);
}

#[test]
fn mistakes_at_random_make_no_mode() {
    let found = (0..12).filter(|&seed| {
        let class = Class::draw(&[(30, 0.2); 4], 300 + seed);
        let options = FitOptions {
            permutations: 19,
            seed,
            ..quick()
        };
        let fitted = fit_class(&class, &options);
        fitted.directions[1..].iter().any(Direction::is_finding)
    });
    // Of 12 classes 3 or more have one in 2 % of draws, if one in twenty has.
    assert!(found.count() <= 2);
}

#[test]
fn a_class_too_small_for_regions_is_tested_as_before() {
    let class = Class::draw(&[(10, 0.9), (12, 0.0)], 24);
    let fitted = fit_class(&class, &quick());
    assert_eq!(ids(&fitted), [0]);
    let direction = &fitted.directions[0];
    assert_eq!(direction.q_value, direction.p_value, "there was no scan");
}
