use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Examples with outcomes, all of class 0; predictions are 0 where right and 1 where wrong.
#[derive(Clone)]
struct World {
    x: Array2<f64>,
    labels: Vec<usize>,
    predictions: Vec<usize>,
    units: Option<Vec<Option<u32>>>,
}

impl World {
    fn fit(&self, classes: usize, options: &FitOptions) -> Result<Fitted, DirectionError> {
        let ids = ExampleId::numbered(self.labels.len());
        let val = ValExamples {
            ids: &ids,
            x: self.x.view(),
            labels: &self.labels,
            predictions: &self.predictions,
            units: self.units.as_deref(),
        };
        // What is found beside mode 0 has tests of its own.
        let options = FitOptions {
            modes: false,
            ..*options
        };
        fit(val, classes, &options)
    }

    /// The direction of class 0.
    fn direction(&self, options: &FitOptions) -> Direction {
        self.fit(1, options).unwrap().directions.remove(0)
    }

    fn reordered(&self, order: &[usize]) -> Self {
        Self {
            x: self.x.select(Axis(0), order),
            labels: order.iter().map(|&i| self.labels[i]).collect(),
            predictions: order.iter().map(|&i| self.predictions[i]).collect(),
            units: self
                .units
                .as_ref()
                .map(|units| order.iter().map(|&i| units[i]).collect()),
        }
    }
}

fn unit_rows(x: &mut Array2<f64>) {
    for mut row in x.outer_iter_mut() {
        let norm: f64 = row.dot(&row);
        row /= norm.sqrt();
    }
}

/// `n` unit vectors; the first coordinate decides mistakes when `planted`, chance makes 30 % of them otherwise.
fn problem(n: usize, planted: bool) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut x = Array2::from_shape_fn((n, 12), |_| rng.gen_range(-1.0_f64..1.0));
    unit_rows(&mut x);
    let mut fails = |first: f64| {
        if planted {
            first > 0.15
        } else {
            rng.gen_bool(0.3)
        }
    };
    let predictions = x
        .column(0)
        .to_owned()
        .into_iter()
        .map(|x| usize::from(fails(x)));
    World {
        predictions: predictions.collect(),
        labels: vec![0; n],
        units: None,
        x,
    }
}

/// Bursts: `bursts` points in 16 dimensions, each `size` times with a little noise. An outcome is its burst's: wrong
/// with the first probability or, of bursts on the far side of the first coordinate, with the second.
fn bursts(bursts: usize, size: usize, [share, failing]: [f64; 2], seed: u64) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let d = 16;
    let mut x = Array2::zeros((bursts * size, d));
    let mut predictions = Vec::new();
    for burst in 0..bursts {
        let centre: Vec<f64> = (0..d).map(|_| rng.gen_range(-1.0..1.0)).collect();
        let share = if centre[0] > 0.3 { failing } else { share };
        let wrong = rng.gen_bool(share);
        for at in 0..size {
            for (dim, centre) in centre.iter().enumerate() {
                x[[burst * size + at, dim]] = centre + 0.1 * rng.gen_range(-1.0..1.0);
            }
            predictions.push(usize::from(wrong));
        }
    }
    unit_rows(&mut x);
    World {
        labels: vec![0; predictions.len()],
        predictions,
        units: None,
        x,
    }
}

/// Mistakes at random.
const NULL: [f64; 2] = [0.3, 0.3];

/// What a simulation can afford without optimisation.
fn quick() -> FitOptions {
    FitOptions {
        repeats: 1,
        permutations: 99,
        bootstrap: 0,
        ..FitOptions::default()
    }
}

#[test]
fn a_planted_failure_is_found_and_points_the_right_way() {
    let world = problem(160, true);
    let options = FitOptions {
        permutations: 39,
        bootstrap: 40,
        ..FitOptions::default()
    };
    let fitted = world.fit(2, &options).unwrap();
    let direction = &fitted.directions[0];
    assert!(direction.is_finding(), "p = {:?}", direction.p_value);
    assert_eq!(
        direction.p_value, direction.q_value,
        "class 1 is in no family"
    );
    assert!(direction.cv_score > 0.85, "{}", direction.cv_score);
    let (low, high) = direction.cv_interval.unwrap();
    assert!(
        low < direction.cv_score && direction.cv_score < high,
        "{low} {high}"
    );
    assert!(low > 0.7);
    assert!(direction.unit()[0] > 0.9, "{}", direction.unit());
    let (low, high) = direction.bootstrap_cosine.unwrap();
    assert!(
        low > 0.8 && high <= 1.0 + 1e-9 && low <= high,
        "{low} {high}"
    );
    // The mistakes lie on the hard side, in sample and out of fold, and are likelier there.
    let mean = |wrong: usize, of: &dyn Fn(usize) -> f64| {
        let own = (0..160).filter(|&i| world.predictions[i] == wrong);
        let of: Vec<f64> = own.map(of).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let harder = |i: usize| direction.alignment(world.x.row(i));
    assert!(mean(1, &harder) > mean(0, &harder));
    let apart = |i: usize| direction.out_of_fold[i];
    assert!(mean(1, &apart) > 0.0 && mean(0, &apart) < 0.0);
    let likely = |alignment| direction.failure_probability(alignment).unwrap();
    assert!(likely(0.5) > 0.8 && likely(-0.5) < 0.1);
    assert_eq!(fitted.skipped.len(), 1, "class 1 has no examples");
    let id = ModeId::new(0, 0);
    assert_eq!(fitted.get(id), Some(direction));
    assert_eq!(fitted.of_class(0).count(), 1);
    assert_eq!(
        (fitted.get(ModeId::new(0, 1)), fitted.of_class(1).count()),
        (None, 0)
    );
    let explains = direction.explains.iter();
    assert!(
        explains
            .clone()
            .all(|id| world.predictions[id.index()] == 1)
    );
    let on_its_side = |&i: &usize| world.predictions[i] == 1 && direction.out_of_fold[i] > 0.0;
    assert_eq!(
        direction.explains.len(),
        (0..160).filter(on_its_side).count()
    );
    assert!(10 * direction.explains.len() > 8 * direction.wrong);
}

#[test]
fn alignments_are_distances() {
    let direction = problem(120, true).direction(&quick());
    let x = Array2::from_shape_fn((1, 12), |(_, d)| 0.1 * d as f64);
    let shifted = &x - &(&direction.w / direction.norm() * 0.25);
    let (here, there) = (
        direction.alignment(x.row(0)),
        direction.alignment(shifted.row(0)),
    );
    assert!((there - here - 0.25).abs() < 1e-12, "{here} {there}");
    let plane = direction.alignment(x.row(0)) + direction.decision(x.row(0)) / direction.norm();
    assert!(plane.abs() < 1e-12);
}

#[test]
fn mistakes_at_random_are_no_finding() {
    let direction = problem(120, false).direction(&quick());
    assert_eq!(
        direction.standing(),
        Standing::Chance,
        "p = {:?}",
        direction.p_value
    );
    assert!(direction.permutations < 99, "the drawing ended early");
}

#[test]
fn too_few_of_a_kind_are_skipped_or_not_tested() {
    let mut world = problem(40, true);
    let wrong = |world: &mut World, wrong: usize| {
        world.predictions.fill(0);
        world.predictions[..wrong].fill(1);
    };
    wrong(&mut world, 1);
    let fitted = world.fit(1, &quick()).unwrap();
    assert!(fitted.directions.is_empty());
    assert_eq!((fitted.skipped[0].right, fitted.skipped[0].wrong), (39, 1));
    for few in [4, 36] {
        wrong(&mut world, few);
        let direction = world.direction(&quick());
        assert_eq!(direction.standing(), Standing::TooFewExamples);
        assert_eq!((direction.p_value, direction.q_value), (None, None));
        assert_eq!(direction.permutations, 0);
    }
    wrong(&mut world, 5);
    assert!(world.direction(&quick()).q_value.is_some());
}

#[test]
fn mistakes_of_one_unit_are_one_mistake() {
    // Eight mistakes, which the user says are of one patient.
    let mut world = problem(60, true);
    let mut keys = vec![None; 60];
    world.predictions.fill(0);
    world.predictions[10..18].fill(1);
    keys[10..18].fill(Some(3));
    world.units = Some(keys);
    let fitted = world.fit(1, &quick()).unwrap();
    let reason = &fitted.skipped[0].reason;
    assert!(reason.contains("in 1 and 52 groups"), "{reason}");
    // Two patients: there is but one other arrangement of their outcomes, which is none.
    if let Some(units) = &mut world.units {
        units[14..18].fill(Some(4));
    }
    let direction = world.direction(&quick());
    assert_eq!(
        direction.standing(),
        Standing::TooFewPermutations,
        "{:?}",
        direction.p_value
    );
    world.units = Some(vec![None; 3]);
    let error = world.fit(1, &quick()).unwrap_err();
    assert!(matches!(
        error,
        DirectionError::Units {
            examples: 60,
            units: 3
        }
    ));
}

#[test]
fn threads_do_not_change_a_byte() {
    let world = problem(60, true);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| world.fit(1, &quick()).unwrap())
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn the_order_of_the_table_changes_nothing() {
    let mut world = bursts(40, 2, [0.1, 0.9], 8);
    world.units = Some((0..80).map(|i| (i < 6).then_some(1)).collect());
    let options = FitOptions {
        permutations: 29,
        bootstrap: 10,
        ..FitOptions::default()
    };
    let here = world.direction(&options);
    let mut order: Vec<usize> = (0..80).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
    let mut sorted: Vec<usize> = (0..80).collect();
    sorted.sort_by_key(|&i| world.predictions[i]);
    for order in [order, sorted] {
        let mut there = world.reordered(&order).direction(&options);
        let back: Vec<f64> = {
            let mut back = vec![0.0; 80];
            for (&to, &value) in order.iter().zip(&there.out_of_fold) {
                back[to] = value;
            }
            back
        };
        there.out_of_fold = back;
        there.explains.clone_from(&here.explains);
        assert_eq!(there, here);
    }
    // The reference's folds follow the table.
    let options = FitOptions {
        folds: Folds::TableOrder,
        ..quick()
    };
    let scores = [
        world.clone(),
        world.reordered(&[(40..80).collect::<Vec<_>>(), (0..40).collect()].concat()),
    ]
    .map(|world| world.direction(&options).cv_score);
    assert_ne!(scores[0], scores[1]);
}

/// The share of worlds whose class is a finding.
fn found(worlds: usize, options: &FitOptions, world: impl Fn(u64) -> World + Sync) -> f64 {
    let findings = (0..worlds as u64).into_par_iter().filter(|&seed| {
        let fitted = world(seed).fit(1, options).unwrap();
        fitted.directions.iter().any(Direction::is_finding)
    });
    findings.count() as f64 / worlds as f64
}

#[test]
fn bursts_that_share_an_outcome_are_findings_at_the_level_only() {
    let null = found(40, &quick(), |seed| bursts(24, 4, NULL, seed));
    assert!(null <= 0.12, "{null} of null worlds are findings");
    // As single images they would be: that is what units are for.
    let apart = found(12, &quick(), |seed| {
        let mut world = bursts(24, 4, NULL, seed);
        // Directions orthogonal to the bursts', so long that no two images are near.
        let n = world.labels.len();
        let mut wide = Array2::zeros((n, 16 + n));
        for i in 0..n {
            wide.slice_mut(ndarray::s![i, ..16]).assign(&world.x.row(i));
            wide[[i, 16 + i]] = 0.6;
        }
        unit_rows(&mut wide);
        world.x = wide;
        world
    });
    assert!(
        apart > 0.4,
        "{apart} of null worlds with bursts taken for images"
    );
}

#[test]
fn bursts_with_a_failure_are_found() {
    let power = found(10, &quick(), |seed| bursts(80, 4, [0.05, 0.95], seed));
    assert!(power >= 0.8, "{power}");
}

#[test]
fn units_of_all_sizes_keep_the_level() {
    // Patients with 1 to 9 images, no two of them near; a patient's images fail together.
    let null = found(40, &quick(), |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(1000 + seed);
        let mut world = bursts(30, 1, NULL, seed);
        let mut rows = Vec::new();
        let mut keys = Vec::new();
        for patient in 0..30 {
            for _ in 0..rng.gen_range(1..10) {
                rows.push(patient);
                keys.push(Some(patient as u32));
            }
        }
        world = world.reordered(&rows);
        world
            .x
            .mapv_inplace(|x| x + 0.25 * rng.gen_range(-1.0..1.0));
        unit_rows(&mut world.x);
        world.units = Some(keys);
        world
    });
    assert!(null <= 0.12, "{null} of null worlds are findings");
}

#[test]
fn few_failing_classes_of_many_are_found() {
    // Two of 12 classes fail; 99 permutations and 12 classes would leave q at 0.06.
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (classes, each) = (12, 60);
    let mut x = Array2::from_shape_fn((classes * each, 10), |_| rng.gen_range(-1.0..1.0));
    unit_rows(&mut x);
    let labels: Vec<usize> = (0..classes * each).map(|i| i / each).collect();
    let predictions = labels.iter().enumerate().map(|(i, &label)| {
        let wrong = if label < 2 {
            x[[i, 0]] > 0.15
        } else {
            i % 3 == 0
        };
        if wrong { (label + 1) % classes } else { label }
    });
    let world = World {
        predictions: predictions.collect(),
        labels,
        units: None,
        x,
    };
    let fitted = world.fit(classes, &quick()).unwrap();
    let findings: Vec<usize> = fitted
        .directions
        .iter()
        .filter(|d| d.is_finding())
        .map(|d| d.id.class)
        .collect();
    assert_eq!(findings, [0, 1]);
    assert_eq!(fitted.directions[0].permutations, 240);
    let draws: usize = fitted.directions.iter().map(|d| d.permutations).sum();
    assert!(draws < 12 * 199, "{draws} permutations");
}

#[test]
fn quantiles_are_numpys() {
    assert_eq!(quantile(&mut [3.0, 1.0, 2.0, 10.0], 0.5), 2.5);
    assert_eq!(quantile(&mut [3.0, 1.0], 0.25), 1.5);
    assert_eq!(quantile(&mut [4.0], 1.0), 4.0);
    assert!(quantile(&mut [], 0.5).is_nan());
}
