use ndarray::{Array1, Array2, array};

use super::*;
use crate::dataset::ExampleId;
use crate::direction::{FitOptions, ModeId, ValExamples, fit};

fn direction(class: usize, w: f64) -> Direction {
    Direction::made_up(ModeId::new(class, 0), array![w])
}

fn fitted(directions: Vec<Direction>) -> Fitted {
    Fitted {
        directions,
        skipped: Vec::new(),
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "every figure of one ranking")]
fn heads_count_mistakes_and_groups_of_the_own_class_only() {
    // Alignment is x itself; of class 0 the ten hardest are wrong, the next ten right.
    let x: Array2<f64> =
        Array1::from_shape_fn(30, |i| 1.0 - i as f64 / 15.0).insert_axis(ndarray::Axis(1));
    let labels: Vec<usize> = (0..30).map(|i| usize::from(i >= 20)).collect();
    let predictions: Vec<usize> = (0..30).map(|i| usize::from(i < 10)).collect();
    let minority: Vec<bool> = (0..30).map(|i| i < 5).collect();
    let confidence: Vec<f32> = (0..30).map(|i| i as f32).rev().collect();
    let view = SplitView {
        x: x.view(),
        labels: &labels,
        predictions: &predictions,
        confidence: Some(&confidence),
        minority: Some(&minority),
        units: None,
    };
    let report = class_report(view, &direction(0, -1.0), "cat").unwrap();
    let figures = &report.figures;
    assert_eq!((figures.examples, figures.mistakes), (20, 10));
    assert_eq!(
        (figures.at.len(), &figures.left_out[..]),
        (1, &[25, 50, 100][..])
    );
    let head = figures.at[0];
    assert_eq!(
        (head.k, head.direction, head.random, head.lift),
        (10, 1.0, 0.5, Some(2.0))
    );
    assert_eq!(
        (head.least_confidence, head.least_confidence_lift),
        (Some(0.0), Some(0.0))
    );
    assert_eq!(
        (head.minority, head.least_confidence_minority),
        (Some(0.5), Some(0.0))
    );
    // All ten are wrong: Wilson's lower end is n/(n + z²).
    assert!((head.interval.0 - 10.0 / (10.0 + 1.959_964_f64.powi(2))).abs() < 1e-9);
    let (low, high) = head.lift_interval.unwrap();
    // A head that is all wrong is one over the error rate, whatever that is.
    assert!(
        1.0 < low && low < 2.0 && (2.0..3.0).contains(&high),
        "{low} {high}"
    );
    assert_eq!((figures.hardest.k, figures.hardest.direction), (4, 1.0));
    assert_eq!(figures.auc, Some(1.0));
    assert_eq!(figures.decile_examples, [2; 10]);
    assert!(
        (figures.decile_interval[0].1 - 0.657_6).abs() < 1e-3,
        "{:?}",
        figures.decile_interval[0]
    );
    let minority = figures.at_minority.unwrap();
    assert_eq!((minority.k, minority.minority), (5, Some(1.0)));
    assert_eq!(figures.confusion, [10, 0, 5, 5]);
    assert_eq!(
        (figures.svm_accuracy, figures.svm_balanced_accuracy),
        (0.75, 0.75)
    );
    assert_eq!(figures.decile_accuracy[0], 0.0);
    assert_eq!(figures.minority_base, Some(0.25));
    assert_eq!(
        report.sentence,
        "cat on the failure side of its direction: 67 % of 15 wrong, against 50 % of all 20 (95 % \
         interval 42 to 85 %)"
    );
    assert!(
        report
            .say(Some("cats on grass"))
            .starts_with("cats on grass: 67 % of 15 wrong, against 50 % for cat (")
    );

    let chance = Direction {
        q_value: Some(0.3),
        ..direction(0, -1.0)
    };
    let found = class_report(view, &chance, "cat").unwrap();
    assert_eq!(&found.figures, figures);
    assert_eq!(
        found.sentence,
        "cat: no failure mode was found (its direction: no better than chance); of all 20 50 % are wrong (95 % \
         interval 30 to 70 %)"
    );

    // Class 1 has no direction: its ten examples are in no ranking.
    let classes = ["cat".to_owned(), "dog".to_owned()];
    let fitted = fitted(vec![direction(0, -1.0)]);
    let split = split_report(Split::Test, view, &fitted, &classes, Scoring::Direct);
    assert_eq!((split.examples, split.unranked), (30, 10));
    assert!((split.model_accuracy - 10.0 / 30.0).abs() < 1e-12);
    assert_eq!(split.overall.as_ref(), Some(figures));
    assert_eq!(split.mode(ModeId::new(0, 0)), Some(&report));
}

#[test]
fn ties_keep_the_order_of_the_table() {
    let score = [0.0, -0.0, 0.0, 1.0];
    let of = |wrong: &[bool]| {
        let ten: Vec<bool> = wrong.iter().copied().chain([false; 8]).collect();
        let score: Vec<f64> = score.into_iter().chain([-1.0; 8]).collect();
        figures::figures(Ranked {
            score: &score,
            wrong: &ten,
            confidence: Some(&[0.5; 12]),
            minority: None,
            units: None,
        })
        .unwrap()
    };
    // Order: 3, 0, 1, 2, 4, 5, …; tenths are of 1 or 2 examples, the second holds example 0 alone.
    assert_eq!(of(&[true, false, false, false]).decile_accuracy[1], 0.0);
    assert_eq!(of(&[false, true, false, false]).decile_accuracy[1], 1.0);
    assert_eq!(
        of(&[true, false, false, false]).at[0].least_confidence,
        Some(0.1)
    );
}

#[test]
fn the_length_of_the_weights_changes_no_ranking() {
    // Class 1's weights are ten times as long: its decision values are larger, its alignments are not.
    let x = Array2::from_shape_fn((40, 1), |(i, _)| if i % 2 == 0 { 0.9 } else { 0.2 });
    let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
    let predictions = vec![1; 40];
    let view = SplitView {
        x: x.view(),
        labels: &labels,
        predictions: &predictions,
        confidence: None,
        minority: None,
        units: None,
    };
    let fitted = fitted(vec![direction(0, -1.0), direction(1, -10.0)]);
    let classes = ["cat".to_owned(), "dog".to_owned()];
    let overall = split_report(Split::Test, view, &fitted, &classes, Scoring::Direct)
        .overall
        .unwrap();
    // All of class 0 are wrong; by decision value class 1 would come first.
    assert_eq!(overall.head(10).unwrap().direction, 1.0);
    assert_eq!(overall.head(25).unwrap().direction, 20.0 / 25.0);
}

/// Numbers between −1 and 1 that look like chance.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// The report against a count that sorts pairs and knows nothing of ours.
#[test]
#[allow(clippy::too_many_lines, reason = "a count for every figure")]
fn figures_are_those_of_an_independent_count() {
    let mut next = noise(3);
    let n = 237;
    let score: Vec<f64> = (0..n).map(|_| next()).collect();
    let wrong: Vec<bool> = score.iter().map(|s| s + next() > 0.5).collect();
    let confidence: Vec<f32> = (0..n).map(|_| (next() as f32).abs()).collect();
    let minority: Vec<bool> = (0..n).map(|_| next() > 0.6).collect();
    let got = figures::figures(Ranked {
        score: &score,
        wrong: &wrong,
        confidence: Some(&confidence),
        minority: Some(&minority),
        units: None,
    })
    .unwrap();

    let mut hardest: Vec<(f64, bool, bool)> = Vec::new();
    let mut unsure: Vec<(f32, bool, bool)> = Vec::new();
    for i in 0..n {
        hardest.push((score[i], wrong[i], minority[i]));
        unsure.push((confidence[i], wrong[i], minority[i]));
    }
    hardest.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap());
    unsure.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
    let rate = |bits: Vec<bool>| {
        bits.iter().map(|&b| f64::from(u8::from(b))).sum::<f64>() / bits.len() as f64
    };
    let base = rate(wrong.clone());
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    let of_minority = minority.iter().filter(|m| **m).count();
    assert_eq!(
        got.at.iter().map(|h| h.k).collect::<Vec<_>>(),
        [10, 25, 50, 100]
    );
    for head in got.at.iter().chain(&got.at_minority) {
        let precision = rate(hardest[..head.k].iter().map(|e| e.1).collect());
        near(head.direction, precision);
        near(head.lift.unwrap(), precision / base);
        near(
            head.minority.unwrap(),
            rate(hardest[..head.k].iter().map(|e| e.2).collect()),
        );
        near(
            head.least_confidence.unwrap(),
            rate(unsure[..head.k].iter().map(|e| e.1).collect()),
        );
        near(
            head.least_confidence_minority.unwrap(),
            rate(unsure[..head.k].iter().map(|e| e.2).collect()),
        );
        near(head.random, base);
    }
    assert_eq!(got.at_minority.unwrap().k, of_minority);
    let mut at = 0;
    for (tenth, accuracy) in got.decile_accuracy.iter().enumerate() {
        let end = (tenth + 1) * n / 10;
        near(
            *accuracy,
            1.0 - rate(hardest[at..end].iter().map(|e| e.1).collect()),
        );
        at = end;
    }
    assert_eq!(at, n);
    let cells = |w: bool, f: bool| {
        (0..n)
            .filter(|&i| wrong[i] == w && (score[i] > 0.0) == f)
            .count()
    };
    let [a, b, c, d] = [
        cells(true, true),
        cells(true, false),
        cells(false, true),
        cells(false, false),
    ];
    assert_eq!(got.confusion, [a, b, c, d]);
    near(got.svm_accuracy, (a + d) as f64 / n as f64);
    let (sensitivity, specificity) = (a as f64 / (a + b) as f64, d as f64 / (c + d) as f64);
    near(
        got.svm_balanced_accuracy,
        f64::midpoint(sensitivity, specificity),
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "one fit, asked of every figure")]
fn val_is_scored_by_the_fold_that_did_not_see_it() {
    let mut next = noise(9);
    let (n, dims) = (60, 8);
    let mut x = Array2::from_shape_fn((n, dims), |_| next());
    for mut row in x.outer_iter_mut() {
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    let labels = vec![0; n];
    let predictions: Vec<usize> = (0..n)
        .map(|i| usize::from(x[[i, 0]] + 0.4 * next() > 0.2))
        .collect();
    let options = FitOptions {
        permutations: 0,
        bootstrap: 0,
        ..FitOptions::default()
    };
    let val = ValExamples {
        ids: &ExampleId::numbered(labels.len()),
        x: x.view(),
        labels: &labels,
        predictions: &predictions,
        units: None,
    };
    let fitted = fit(val, 1, &options).unwrap();
    let direction = &fitted.directions[0];
    let view = SplitView {
        x: x.view(),
        labels: &labels,
        predictions: &predictions,
        confidence: None,
        minority: None,
        units: None,
    };
    let classes = ["cat".to_owned()];
    let split = split_report(Split::Val, view, &fitted, &classes, Scoring::OutOfFold);
    assert!(split.out_of_fold);
    let flagged = direction.out_of_fold.iter().filter(|&&a| a > 0.0).count();
    assert_eq!(split.classes[0].figures.flagged(), flagged);
    let fresh = split_report(Split::Val, view, &fitted, &classes, Scoring::Direct);
    assert!(
        fresh.classes[0].figures.svm_accuracy > split.classes[0].figures.svm_accuracy,
        "in-sample figures flatter"
    );
}

#[test]
fn the_hardest_are_a_fifth_and_at_most_fifty() {
    for (n, k) in [(1, 1), (9, 1), (49, 9), (100, 20), (250, 50), (10_000, 50)] {
        assert_eq!(hardest(n), k, "of {n}");
    }
}

#[test]
fn intervals_are_wilsons() {
    // statsmodels 0.14 proportion_confint(41, 210, method="wilson")
    let (low, high) = wilson(41, 210);
    assert!(
        (low - 0.147_32).abs() < 2e-4 && (high - 0.254_07).abs() < 2e-4,
        "{low} {high}"
    );
    // The ends solve (p − p̂)² = z² p (1 − p)/n, which is where the interval comes from.
    let (hits, n, z) = (41.0, 210.0, 1.959_964);
    for p in [low, high] {
        let miss = (p - hits / n) * (p - hits / n) - z * z * p * (1.0 - p) / n;
        assert!(miss.abs() < 1e-12, "{miss}");
    }
}
