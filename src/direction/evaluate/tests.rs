//! Intervals by the paper's table and by their coverage, p-values by scipy's, slices on made-up examples.

use ndarray::{Array1, Array2, array};

use super::*;
use crate::direction::ModeId;

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
    before: Vec<usize>,
    after: Vec<usize>,
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
            before: said(false),
            after: said(true),
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

/// With this direction alone.
fn changed(made: &Made, direction: &Direction) -> ModeChange {
    let of = made.models();
    let failures = in_failures(of, std::slice::from_ref(direction));
    mode_change(of, direction, "cat", &failures)
}

#[test]
fn a_failure_that_shrank_without_cost_is_told() {
    let made = Made::new(|i, new| i < 16 && !(new && i < 12));
    let change = changed(&made, &direction(0.0));
    assert_eq!(change.verdict, Verdict::Shrank);
    let failure = change.slice(SliceKind::Failure).unwrap();
    assert_eq!(
        (failure.examples, failure.wrong_before, failure.wrong_after),
        (20, 16, 4)
    );
    assert_eq!((failure.mended, failure.new), (12, 0));
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
    assert_eq!(deciles[..5], [(4, 0), (4, 0), (4, 0), (4, 4), (0, 0)]);
    assert_eq!(deciles.len(), 10);
    let groups: Vec<_> = change
        .slices
        .iter()
        .filter(|s| s.part == SliceKind::Group)
        .map(|s| (s.name.as_deref().unwrap(), s.examples, s.mended))
        .collect();
    assert_eq!(groups, [("even", 20, 6), ("odd", 20, 6)]);
    assert!(
        change
            .sentence
            .starts_with("cat: the failure shrank: of its 20 test examples 80 % were wrong before and 20 % are now"),
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
    let all = &overall(made.models())[0];
    assert_eq!((all.examples, all.mended, all.new), (80, 12, 20));
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
    let change = mode_change(of, &modes[0], "cat", &failures);
    let elsewhere = change.slice(SliceKind::Elsewhere).unwrap();
    assert_eq!(
        (elsewhere.examples, elsewhere.new, elsewhere.mended),
        (20, 14, 0)
    );
    assert!(
        change.sentence.contains("; it cost: "),
        "{}",
        change.sentence
    );
    let other = mode_change(of, &modes[1], "dog", &failures);
    let elsewhere = other.slice(SliceKind::Elsewhere).unwrap();
    assert_eq!((elsewhere.examples, elsewhere.new), (20, 0));
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
    let change = class_change(made.models(), 1, "dog");
    assert_eq!(change.verdict, Verdict::Shrank);
    assert!(
        change.sentence.contains("dog has no failure direction"),
        "{}",
        change.sentence
    );
}
