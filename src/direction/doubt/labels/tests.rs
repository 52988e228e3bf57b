use std::collections::BTreeSet;

use ndarray::{Array2, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const CLASSES: usize = 3;
const DIMS: usize = 16;

/// Clusters of three classes, one example in ten with another class's label: embeddings, labels as given
/// and which of them were changed. `hidden` pulls half of class 0 towards class 1, as a shared trait does.
fn made_up(n: usize, seed: u64, hidden: bool) -> (Array2<f32>, Vec<usize>, BTreeSet<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut x = Array2::from_shape_fn((n, DIMS), |_| rng.gen_range(-1.0_f32..1.0));
    let mut labels = Vec::new();
    let mut flipped = BTreeSet::new();
    for i in 0..n {
        let class = i % CLASSES;
        x.slice_mut(s![i, 4 * class..4 * class + 4])
            .mapv_inplace(|v| v + 2.0);
        if hidden && class == 0 && i % 2 == 0 {
            x.slice_mut(s![i, 4..8]).mapv_inplace(|v| v + 1.6);
        }
        let label = if rng.gen_bool(0.1) {
            flipped.insert(i);
            (class + 1) % CLASSES
        } else {
            class
        };
        labels.push(label);
    }
    (x, labels, flipped)
}

/// A classifier that knows the true class, but for every twelfth example and, of the hidden half of class 0,
/// two in three.
fn predict(n: usize, hidden: bool) -> Vec<usize> {
    (0..n)
        .map(|i| {
            let class = i % CLASSES;
            let fails = hidden && class == 0 && i % 2 == 0 && i % 9 != 0;
            if fails || i % 12 == 5 {
                (class + 1) % CLASSES
            } else {
                class
            }
        })
        .collect()
}

/// Precision and recall of what is found among the mistakes of val.
fn score(n: usize, hidden: bool) -> (f64, f64) {
    let (train, train_labels, _) = made_up(n, 1, hidden);
    let (val, labels, flipped) = made_up(n, 2, hidden);
    let whitening = Whitening::fit(train.view()).unwrap();
    let ids = ExampleId::numbered(2 * n);
    let references = [
        Reference::new(&whitening, train.view(), &train_labels, &ids[n..]),
        Reference::new(&whitening, val.view(), &labels, &ids[..n]),
    ];
    let predictions = predict(n, hidden);
    let wrong: Vec<usize> = (0..n).filter(|&i| predictions[i] != labels[i]).collect();
    let mistakes: Vec<Mistake> = wrong
        .iter()
        .map(|&i| Mistake {
            example: ids[i],
            label: labels[i],
            prediction: predictions[i],
            confidence: None,
        })
        .collect();
    let x = whitening.apply(val.view()).unwrap().select(Axis(0), &wrong);
    let found = find(&references, x.view(), &mistakes, &[]);
    assert_eq!(found.unchecked, 0);
    let named = found.errors.iter().map(|e| e.mistake.example.index());
    let named: BTreeSet<usize> = named.collect();
    let hits = named.intersection(&flipped).count() as f64;
    let mistaken = wrong.iter().filter(|i| flipped.contains(i)).count() as f64;
    (hits / named.len() as f64, hits / mistaken)
}

#[test]
fn flipped_labels_are_found_and_hard_examples_are_not() {
    let (precision, recall) = score(600, false);
    assert!(precision > 0.95 && recall > 0.8, "{precision} {recall}");
}

#[test]
fn a_failure_mode_between_two_classes_is_no_label_error() {
    // Half of class 0 lies between classes 0 and 1 and is mostly predicted 1.
    let (precision, recall) = score(900, true);
    assert!(precision > 0.85 && recall > 0.6, "{precision} {recall}");
}

#[test]
fn neighbours_are_those_of_a_full_sort_and_never_oneself() {
    // More examples than a block holds, with equal rows, which keep the table's order.
    let n = BLOCK.1 + 500;
    let mut x = Array2::from_shape_fn((n, 3), |(i, d)| ((i * 7 + d * d * 13) % 101) as f32);
    let same = x.row(0).to_owned();
    x.slice_mut(s![4000..4200, ..]).assign(&same);
    let labels: Vec<usize> = (0..n).collect();
    let whitening = Whitening::fit(x.view()).unwrap();
    let ids = ExampleId::numbered(n);
    let reference = Reference::new(&whitening, x.view(), &labels, &ids);
    let own = [0, 4100, n - 1];
    let queries = reference.x.select(Axis(0), &own);
    let near = reference.neighbours(queries.view(), &own.map(|i| ids[i]));
    for (row, &own) in own.iter().enumerate() {
        let cosine = |i: usize| reference.x.row(i).dot(&queries.row(row));
        let mut all: Vec<usize> = (0..n).filter(|&i| i != own).collect();
        all.sort_by(|&a, &b| cosine(b).total_cmp(&cosine(a)).then(a.cmp(&b)));
        // A dot product and a matrix product may round differently: what counts is how near they are.
        for (got, want) in near[row].iter().zip(&all) {
            assert!((cosine(*got) - cosine(*want)).abs() < 1e-6, "{got} {want}");
        }
        assert!(near[row].len() == NEIGHBOURS && !near[row].contains(&own));
    }
}

#[test]
fn the_classifiers_doubt_and_a_class_without_company_are_respected() {
    let (x, mut labels, _) = made_up(90, 3, false);
    for (i, label) in labels.iter_mut().enumerate() {
        *label = i % CLASSES;
    }
    // Example 0 carries a wrong label, and example 1 that of a class with 10 examples.
    labels[0] = 2;
    for i in (1..30).step_by(3) {
        labels[i] = 3;
    }
    let whitening = Whitening::fit(x.view()).unwrap();
    let ids = ExampleId::numbered(90);
    let reference = [Reference::new(&whitening, x.view(), &labels, &ids)];
    let mistake = |example: usize, label, prediction, confidence| Mistake {
        example: ids[example],
        label,
        prediction,
        confidence,
    };
    let z = whitening.apply(x.view()).unwrap();
    let found = |mistake: Mistake| {
        let row = z.select(Axis(0), &[mistake.example.index()]);
        find(&reference, row.view(), &[mistake], &[0.75, 1.0, 1.0])
    };
    for (confidence, errors) in [(None, 1), (Some(0.75), 1), (Some(0.74), 0)] {
        assert_eq!(found(mistake(0, 2, 0, confidence)).errors.len(), errors);
    }
    let lonely = found(mistake(1, 3, 1, None));
    assert_eq!((lonely.errors.len(), lonely.unchecked), (0, 1));
}

#[test]
fn thresholds_are_the_mean_confidence_in_the_given_label() {
    let all = [0.1, 0.6, 0.3];
    let got = thresholds(
        3,
        [
            (0, 0, 0.9, None),
            // 0.2 is left for two other classes.
            (0, 1, 0.8, None),
            (2, 1, 0.6, Some(&all[..])),
        ],
    );
    for (got, want) in got.iter().zip([0.5, 1.0, 0.3]) {
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
}

#[test]
fn most_of_the_mistakes_or_of_the_hardest_make_it_the_labels() {
    let share = |errors: &[usize], n: usize| {
        let ranked: Vec<bool> = (0..n).map(|i| errors.contains(&i)).collect();
        Share::of(&ranked)
    };
    assert!(!share(&[0, 1], 4).dominates(), "half is not most");
    assert!(share(&[0, 1, 3], 4).dominates());
    let hardest: Vec<usize> = (0..13).collect();
    assert!(share(&hardest, 100).dominates(), "13 of the 25 hardest");
    assert!(!share(&hardest[1..], 100).dominates());
    assert!(!share(&[], 0).dominates());
}

#[test]
fn thinning_is_even_and_keeps_what_fits() {
    assert_eq!(thin(4, 4), [0, 1, 2, 3]);
    assert_eq!(thin(10, 4), [0, 2, 5, 7]);
}
