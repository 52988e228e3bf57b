//! The detection report: how well alignment finds mistakes, against least confidence and chance.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{Direction, select::balanced_accuracy};

/// The `K` of precision at `K`.
pub const KS: [usize; 4] = [10, 25, 50, 100];

/// What is known of a split's examples.
#[derive(Debug, Clone, Copy)]
pub struct SplitView<'a> {
    /// Whitened, normalised embeddings, `[n, d]`.
    pub x: ArrayView2<'a, f64>,
    /// Class index of every example.
    pub labels: &'a [usize],
    /// Predicted class index of every example.
    pub predictions: &'a [usize],
    /// The classifier's probability of its prediction, where known.
    pub confidence: Option<&'a [f32]>,
    /// Whether an example's group is the minority of its class in train, where groups are known.
    pub minority: Option<&'a [bool]>,
}

/// How often the first `k` of a ranking are mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtK {
    /// Length of the ranking's head; at most the class's examples.
    pub k: usize,
    /// Share of mistakes among the most aligned.
    pub direction: f64,
    /// The same among the least confident, where confidences are known.
    pub least_confidence: Option<f64>,
    /// The same for a random ranking: the class's error rate.
    pub random: f64,
    /// `direction / random`.
    pub lift: Option<f64>,
    /// Share of the minority among the most aligned, where groups are known.
    pub minority: Option<f64>,
}

/// A class on one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// The class.
    pub class: String,
    /// The failure mode.
    pub mode: u32,
    /// Examples of the class.
    pub examples: usize,
    /// Share that the classifier gets right.
    pub model_accuracy: f64,
    /// How often the sign of the decision value tells right from wrong.
    pub svm_accuracy: f64,
    /// The same, the mean over right and wrong.
    pub svm_balanced_accuracy: f64,
    /// Mistakes flagged, mistakes missed, right ones flagged, right ones passed.
    pub confusion: [usize; 4],
    /// The classifier's accuracy from the most aligned tenth to the least.
    pub decile_accuracy: Vec<f64>,
    /// Heads of the ranking.
    pub at: Vec<AtK>,
    /// Share of the minority in the class, where groups are known.
    pub minority_base: Option<f64>,
    /// One sentence for people.
    pub sentence: String,
}

/// Reports one class; `None` if the split has no example of it.
pub fn class_report(
    split: SplitView<'_>,
    direction: &Direction,
    class: &str,
) -> Option<ClassReport> {
    let rows: Vec<usize> = (0..split.labels.len())
        .filter(|&i| split.labels[i] == direction.class)
        .collect();
    let n = rows.len();
    if n == 0 {
        return None;
    }
    let wrong = |i: usize| split.predictions[i] != split.labels[i];
    let alignments: Vec<f64> = rows
        .iter()
        .map(|&i| direction.alignment(split.x.row(i)))
        .collect();
    let flagged = |at: usize| alignments[at] > 0.0;
    let mistakes = rows.iter().filter(|&&i| wrong(i)).count();
    let mut confusion = [0; 4];
    for (at, &i) in rows.iter().enumerate() {
        let cell = match (wrong(i), flagged(at)) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        confusion[cell] += 1;
    }
    let by_alignment = ranking(&alignments.iter().map(|a| -a).collect::<Vec<_>>());
    let by_confidence = split
        .confidence
        .map(|all| ranking(&rows.iter().map(|&i| f64::from(all[i])).collect::<Vec<_>>()));
    let share = |head: &[usize], of: &dyn Fn(usize) -> bool| {
        head.iter().filter(|&&at| of(rows[at])).count() as f64 / head.len().max(1) as f64
    };
    let error = mistakes as f64 / n as f64;
    let at = KS
        .iter()
        .filter(|&&k| k <= n)
        .map(|&k| {
            let found = share(&by_alignment[..k], &wrong);
            AtK {
                k,
                direction: found,
                least_confidence: by_confidence
                    .as_ref()
                    .map(|order| share(&order[..k], &wrong)),
                random: error,
                lift: (error > 0.0).then(|| found / error),
                minority: split.minority.map(|m| share(&by_alignment[..k], &|i| m[i])),
            }
        })
        .collect();
    let tenths = if n < 10 { 1 } else { 10 };
    let decile_accuracy = (0..tenths)
        .map(|t| 1.0 - share(&by_alignment[t * n / tenths..(t + 1) * n / tenths], &wrong))
        .collect();
    let svm_balanced_accuracy = balanced_accuracy(
        rows.iter()
            .enumerate()
            .map(|(at, &i)| (!wrong(i), !flagged(at))),
    );
    let flagged_count = confusion[0] + confusion[2];
    let sentence = sentence(class, confusion[0], flagged_count, mistakes, n);
    Some(ClassReport {
        class: class.to_owned(),
        mode: direction.mode,
        examples: n,
        model_accuracy: 1.0 - error,
        svm_accuracy: (confusion[0] + confusion[3]) as f64 / n as f64,
        svm_balanced_accuracy,
        confusion,
        decile_accuracy,
        at,
        minority_base: split
            .minority
            .map(|m| rows.iter().filter(|&&i| m[i]).count() as f64 / n as f64),
        sentence,
    })
}

/// Positions from the smallest key to the largest; equal keys keep their order.
fn ranking(keys: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    order
}

fn sentence(class: &str, hits: usize, flagged: usize, mistakes: usize, n: usize) -> String {
    if flagged == 0 {
        return format!("{class}: no example lies on the failure side of its direction");
    }
    let (low, high) = wilson(hits, flagged);
    format!(
        "{class} on the failure side of its direction: {:.0} % of {flagged} wrong, against {:.0} % \
         of all {n} (95 % interval {:.0} to {:.0} %)",
        100.0 * hits as f64 / flagged as f64,
        100.0 * mistakes as f64 / n as f64,
        100.0 * low,
        100.0 * high
    )
}

/// The 95 % score interval of a share (Wilson 1927).
pub fn wilson(hits: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (n as f64, 1.959_964);
    let p = hits as f64 / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;

    fn direction() -> Direction {
        Direction {
            class: 0,
            mode: 0,
            w: array![-1.0],
            b: 0.0,
            c: 1.0,
            cv_score: 0.9,
            p_value: 0.01,
            q_value: 0.01,
            threshold: 0.0,
            right: 5,
            wrong: 5,
            too_few: false,
            bootstrap_cosine: None,
            out_of_fold: Vec::new(),
        }
    }

    #[test]
    fn heads_count_mistakes_and_groups_of_the_own_class_only() {
        // Alignment is x itself; of class 0 the ten hardest are wrong, the next ten right.
        let x: Array2<f64> =
            Array1::from_shape_fn(30, |i| 1.0 - i as f64 / 15.0).insert_axis(ndarray::Axis(1));
        let labels: Vec<usize> = (0..30).map(|i| usize::from(i >= 20)).collect();
        let predictions: Vec<usize> = (0..30).map(|i| usize::from(i < 10)).collect();
        let minority: Vec<bool> = (0..30).map(|i| i < 5).collect();
        let confidence: Vec<f32> = (0..30).map(|i| i as f32).rev().collect();
        let report = class_report(
            SplitView {
                x: x.view(),
                labels: &labels,
                predictions: &predictions,
                confidence: Some(&confidence),
                minority: Some(&minority),
            },
            &direction(),
            "cat",
        )
        .unwrap();
        assert_eq!(report.examples, 20);
        assert_eq!(report.at.len(), 1, "25, 50 and 100 exceed the class");
        let head = report.at[0];
        assert_eq!(
            (head.k, head.direction, head.random, head.lift),
            (10, 1.0, 0.5, Some(2.0))
        );
        assert_eq!(
            (head.least_confidence, head.minority),
            (Some(0.0), Some(0.5))
        );
        assert_eq!(report.confusion, [10, 0, 5, 5]);
        assert_eq!(report.decile_accuracy[0], 0.0);
        assert_eq!(report.minority_base, Some(0.25));
        assert!(
            report.sentence.starts_with("cat on the failure side"),
            "{}",
            report.sentence
        );
    }

    #[test]
    fn intervals_are_wilsons() {
        // statsmodels 0.14 proportion_confint(41, 210, method="wilson")
        let (low, high) = wilson(41, 210);
        assert!(
            (low - 0.147_32).abs() < 2e-4 && (high - 0.254_07).abs() < 2e-4,
            "{low} {high}"
        );
    }
}
