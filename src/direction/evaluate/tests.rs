//! Intervals by the paper's table and by their coverage, p-values by scipy's, slices on made-up examples.

use ndarray::{Array1, Array2, array};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::direction::ModeId;
use crate::direction::report::wilson;

/// A direction of one dimension: alignment is the coordinate.
fn direction(threshold: f64) -> Direction {
    Direction {
        threshold,
        ..Direction::made_up(ModeId::new(0, 0), array![-1.0])
    }
}

#[test]
fn p_values_are_those_of_the_binomial() {
    // scipy.stats.binomtest(k, n, 0.5).pvalue
    for (mended, new, want) in [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 0.0625),
        (0, 6, 0.03125),
        (2, 8, 0.109_375),
        (7, 7, 1.0),
        (1, 9, 0.021_484_375),
    ] {
        let got = mcnemar(mended, new);
        assert!((got - want).abs() < 1e-12, "{mended} {new}: {got}");
        assert_eq!(got, mcnemar(new, mended));
    }
    let many = mcnemar(3000, 3300);
    assert!(many > 1e-4 && many < 2e-4, "{many}");
}

/// Table III of Newcombe 1998, method 10, which was computed with z = 1.96.
#[test]
fn intervals_are_the_papers() {
    for (table, low, high) in [
        ([36, 12, 2, 0], 0.0569, 0.3404),
        ([20, 12, 2, 16], 0.0562, 0.3292),
        ([18, 12, 2, 18], 0.0562, 0.3290),
        ([36, 14, 0, 0], 0.1528, 0.4167),
        ([35, 14, 0, 1], 0.1461, 0.4175),
        ([18, 14, 0, 18], 0.1441, 0.3963),
        ([2, 97, 1, 0], 0.8721, 0.9854),
    ] {
        let got = paired_interval(table);
        assert!(
            (got.0 - low).abs() < 6e-5 && (got.1 - high).abs() < 6e-5,
            "{table:?}: {got:?}"
        );
    }
}

#[test]
fn intervals_change_sign_with_the_models() {
    let (low, high) = paired_interval([3, 2, 9, 26]);
    let (mirrored_low, mirrored_high) = paired_interval([3, 9, 2, 26]);
    assert!((low + mirrored_high).abs() < 1e-12 && (high + mirrored_low).abs() < 1e-12);
    assert!(low < -7.0 / 40.0 && -7.0 / 40.0 < high);
}

/// Where no example is wrong in either the interval is the two Wilson intervals squared and added.
#[test]
fn without_any_mistake_the_interval_is_symmetric_and_not_empty() {
    let (low, high) = paired_interval([0, 0, 0, 20]);
    assert_eq!(low, -high);
    let (_, wilson_high) = wilson(0, 20);
    assert!((high - wilson_high).abs() < 1e-12, "{high}");
}

/// Probability of a table of `n` examples under cell probabilities, by logarithms.
fn likelihood(table: [usize; 4], cells: [f64; 4]) -> f64 {
    let ln_factorial = |n: usize| (1..=n).map(|k| (k as f64).ln()).sum::<f64>();
    let n: usize = table.iter().sum();
    let mut log = ln_factorial(n);
    for (&count, &cell) in table.iter().zip(&cells) {
        log += count as f64 * cell.ln() - ln_factorial(count);
    }
    log.exp()
}

/// The exact coverage: every table of 25 examples, by its probability.
#[test]
fn intervals_hold_the_true_change_as_often_as_they_say() {
    const N: usize = 25;
    for cells in [
        [0.30, 0.02, 0.18, 0.50],
        [0.10, 0.10, 0.10, 0.70],
        [0.25, 0.05, 0.35, 0.35],
        [0.02, 0.01, 0.05, 0.92],
    ] {
        let truth = cells[1] - cells[2];
        let (mut all, mut covered) = (0.0, 0.0);
        for e in 0..=N {
            for f in 0..=N - e {
                for g in 0..=N - e - f {
                    let table = [e, f, g, N - e - f - g];
                    let likelihood = likelihood(table, cells);
                    let (low, high) = paired_interval(table);
                    all += likelihood;
                    if low <= truth && truth <= high {
                        covered += likelihood;
                    }
                }
            }
        }
        assert!((all - 1.0_f64).abs() < 1e-9, "{all}");
        // On the safe side for rare changes, never far below the level.
        assert!(covered > 0.935, "{cells:?}: {covered}");
    }
}

/// 40 examples of class 0 by falling alignment, the first 20 above the threshold; 40 of class 1.
struct Made {
    x: Array2<f64>,
    labels: Vec<usize>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    groups: Vec<Option<String>>,
}

impl Made {
    /// `wrong` says of an example, by number and whether it is the new model, if it is a mistake.
    fn new(wrong: impl Fn(usize, bool) -> bool) -> Self {
        let labels: Vec<usize> = (0..80).map(|i| usize::from(i >= 40)).collect();
        let said = |new| -> Vec<usize> {
            let mut said = labels.clone();
            for (i, label) in said.iter_mut().enumerate() {
                *label ^= usize::from(wrong(i, new));
            }
            said
        };
        let group = |i: usize| Some(if i.is_multiple_of(2) { "even" } else { "odd" }.to_owned());
        Self {
            x: Array1::from_iter((0..80).map(|i| f64::from(19 - i) + 0.5))
                .into_shape_with_order((80, 1))
                .unwrap(),
            before: vec![said(false)],
            after: vec![said(true)],
            groups: (0..80).map(group).collect(),
            labels,
        }
    }

    fn models(&self) -> TwoModels<'_> {
        TwoModels {
            x: self.x.view(),
            labels: &self.labels,
            before: &self.before,
            after: &self.after,
            groups: &self.groups,
        }
    }
}

fn compared(made: &Made, directions: &[Direction]) -> Compared {
    let classes = ["cat", "dog"].map(str::to_owned);
    compare(made.models(), directions, &classes)
}

/// With this direction alone.
fn changed(made: &Made, direction: &Direction) -> ModeChange {
    let directions = std::slice::from_ref(direction);
    compared(made, directions).classes.swap_remove(0)
}

#[test]
fn a_failure_that_shrank_without_cost_is_told() {
    let made = Made::new(|i, new| i < 16 && !(new && i < 12));
    let change = changed(&made, &direction(0.0));
    assert_eq!(change.verdict, Verdict::Shrank);
    let failure = change.slice(SliceKind::Failure).unwrap();
    assert_eq!(
        (failure.examples, failure.wrong_before, failure.wrong_after),
        (20, 16.0, 4.0)
    );
    assert_eq!((failure.mended, failure.new), (12.0, 0.0));
    assert_eq!(failure.change, Some(-0.6));
    assert_eq!(change.slice(SliceKind::Rest).unwrap().examples, 20);
    assert_eq!(change.slice(SliceKind::Elsewhere).unwrap().examples, 40);
    assert_eq!(
        change.slice(SliceKind::Elsewhere).unwrap().verdict(),
        Verdict::Undecided
    );
    let deciles: Vec<_> = change
        .slices
        .iter()
        .filter(|s| s.part == SliceKind::Decile)
        .map(|s| (s.wrong_before, s.wrong_after))
        .collect();
    let expected = [(4.0, 0.0), (4.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 0.0)];
    assert_eq!(deciles[..5], expected);
    assert_eq!(deciles.len(), 10);
    let groups: Vec<_> = change
        .slices
        .iter()
        .filter(|s| s.part == SliceKind::Group)
        .map(|s| (s.name.as_deref().unwrap(), s.examples, s.mended))
        .collect();
    assert_eq!(groups, [("even", 20, 6.0), ("odd", 20, 6.0)]);
    assert!(
        change
            .sentence
            .starts_with("cat: between these two models the failure shrank: of its 20 test examples 80 % were wrong before and 20 % are now"),
        "{}",
        change.sentence
    );
    assert!(
        change.sentence.contains("no cost elsewhere can be told"),
        "{}",
        change.sentence
    );
}

#[test]
fn a_cost_in_another_class_is_told() {
    let made = Made::new(|i, new| (i < 16 && !(new && i < 12)) || (new && (40..60).contains(&i)));
    let change = changed(&made, &direction(0.0));
    assert_eq!(change.verdict, Verdict::Shrank);
    let sentence = &change.sentence;
    assert!(
        sentence.contains(
            "; it cost: errors changed by +0.0 points on the 20 others of its class (-16.1 to +16.1) \
             and by +50.0 points on the 40 of other classes outside their failures (+"
        ),
        "{sentence}"
    );
    let all = &compared(&made, &[direction(0.0)]).overall[0];
    assert_eq!((all.examples, all.mended, all.new), (80, 12.0, 20.0));
}

#[test]
fn a_cost_is_not_hidden_by_what_another_mode_gained() {
    // Half of the other class is a failure that is mended; the rest of it pays.
    let made = Made::new(|i, new| {
        let mended = i < 16 || (40..60).contains(&i);
        (mended && !new) || (new && i >= 66)
    });
    let of = made.models();
    let modes = [
        direction(0.0),
        Direction {
            id: ModeId::new(1, 0),
            // Of examples 40 to 59.
            threshold: -40.0,
            ..direction(0.0)
        },
    ];
    let failures = in_failures(of, &modes);
    assert_eq!(failures.iter().filter(|&&is| is).count(), 40);
    let [change, other] = <[ModeChange; 2]>::try_from(compared(&made, &modes).classes).unwrap();
    let elsewhere = change.slice(SliceKind::Elsewhere).unwrap();
    assert_eq!(
        (elsewhere.examples, elsewhere.new, elsewhere.mended),
        (20, 14.0, 0.0)
    );
    assert!(
        change.sentence.contains("; it cost: "),
        "{}",
        change.sentence
    );
    let elsewhere = other.slice(SliceKind::Elsewhere).unwrap();
    assert_eq!((elsewhere.examples, elsewhere.new), (20, 0.0));
    // Its own class paid.
    assert!(
        other
            .sentence
            .contains("; it cost: errors changed by +70.0 points on the 20 others"),
        "{}",
        other.sentence
    );
}

#[test]
fn equal_models_decide_nothing() {
    let made = Made::new(|i, _| i < 16);
    let change = changed(&made, &direction(0.0));
    assert_eq!(change.verdict, Verdict::Undecided);
    assert_eq!(change.slices[0].change, Some(0.0));
}

#[test]
fn an_example_at_the_threshold_belongs_to_the_failure() {
    let made = Made::new(|_, _| false);
    let of = |threshold| changed(&made, &direction(threshold)).slices[0].examples;
    assert_eq!((of(19.5), of(19.6)), (1, 0));
    let empty = changed(&made, &direction(99.0));
    assert_eq!(empty.verdict, Verdict::Empty);
    assert_eq!(empty.slices[0].interval, None);
    assert!(empty.sentence.contains("nothing can be said"));
}

#[test]
fn a_class_without_direction_is_reported_whole() {
    let made = Made::new(|i, new| !new && i >= 60);
    let change = &compared(&made, &[]).classes[1];
    assert_eq!(change.verdict, Verdict::Shrank);
    assert!(
        change.sentence.contains("dog has no failure direction"),
        "{}",
        change.sentence
    );
}

/// Models that are wrong on an example with the chance `share` of it, which a training moves for all examples
/// by up to `moved`.
fn trained(made: &Made, share: &dyn Fn(usize) -> f64, moved: f64, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let by = moved * rng.gen_range(-1.0..1.0);
    let wrong = |i: usize, rng: &mut ChaCha8Rng| rng.gen_bool((share(i) + by).clamp(0.0, 1.0));
    let labels = made.labels.iter().enumerate();
    labels
        .map(|(i, label)| label ^ usize::from(wrong(i, &mut rng)))
        .collect()
}

/// What `evaluate` would say often of single retrainings that differ in nothing but their seed.
#[test]
fn another_seed_alone_neither_costs_nor_shrinks() {
    let (mut told, mut alone) = (0, 0);
    for world in 0..200 {
        let mut made = Made::new(|_, _| false);
        let share = |i: usize| if i < 20 { 0.5 } else { 0.15 };
        let model = |k: u64| trained(&made, &share, 0.15, 100 * world + k);
        let models: Vec<Vec<usize>> = (0..6).map(model).collect();
        let (before, after) = models.split_at(3);
        (made.before, made.after) = (before.to_vec(), after.to_vec());
        let says = |made: &Made| {
            let change = changed(made, &direction(0.0));
            change.verdict != Verdict::Undecided || change.sentence.contains("it cost")
        };
        told += usize::from(says(&made));
        (made.before, made.after) = (before[..1].to_vec(), after[..1].to_vec());
        alone += usize::from(says(&made));
    }
    assert!(told <= 16, "{told} of 200 with three models a side");
    assert!(alone > 20, "{alone} of 200 with one");
}

#[test]
fn what_every_training_changes_is_told_of_all_of_them() {
    let mut made = Made::new(|_, _| false);
    let share = |failing: f64| move |i: usize| if i < 20 { failing } else { 0.1 };
    let side = |failing: f64, from: u64| -> Vec<Vec<usize>> {
        let seeds = from..from + 4;
        seeds
            .map(|seed| trained(&made, &share(failing), 0.05, seed))
            .collect()
    };
    (made.before, made.after) = (side(0.9, 0), side(0.2, 10));
    let change = changed(&made, &direction(0.0));
    assert_eq!(change.verdict, Verdict::Shrank, "{}", change.sentence);
    assert!(
        change
            .sentence
            .starts_with("cat: the failure shrank: of its 20 test examples"),
        "{}",
        change.sentence
    );
    assert!(
        change
            .sentence
            .ends_with(" (4 models before, 4 models after)"),
        "{}",
        change.sentence
    );
    let failure = change.slice(SliceKind::Failure).unwrap();
    let (low, high) = failure.interval.unwrap();
    let truth = failure.change.unwrap();
    assert!(low < truth && truth < high && high < 0.0, "{failure:?}");
    assert!(
        failure
            .between_models
            .is_some_and(|sd| sd > 0.0 && sd < 0.2)
    );
    // One old model and several new ones: how models differ is known from those.
    made.before.truncate(1);
    let fewer = changed(&made, &direction(0.0));
    let wider = fewer.slice(SliceKind::Failure).unwrap().interval.unwrap();
    assert!(wider.1 - wider.0 > high - low, "{wider:?}");
}

#[test]
fn p_values_are_corrected_for_the_slices_of_a_kind() {
    let made = Made::new(|i, new| i < 16 && !(new && i < 12));
    let change = changed(&made, &direction(0.0));
    let failure = change.slice(SliceKind::Failure).unwrap();
    assert_eq!(
        (failure.slices_of_kind, failure.p_corrected),
        (1, failure.p_value)
    );
    let deciles = || change.slices.iter().filter(|s| s.part == SliceKind::Decile);
    // Three tenths with four mended mistakes each, p 0.125: ten looked at.
    let first = deciles().next().unwrap();
    assert_eq!((first.p_value, first.p_corrected), (0.125, 1.0));
    assert!(deciles().all(|s| s.slices_of_kind == 10 && s.verdict() == Verdict::Undecided));
}
