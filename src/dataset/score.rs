//! Predictions of a two-class task from scores: one threshold for val and test, given or chosen on val.
//!
//! A score says how much the model takes an image for class 1; `score ≥ threshold` predicts it. The
//! threshold by F1 is the score of val whose F1 of class 1,
//!
//! ```text
//! F1(t) = 2·TP(t) / (P + TP(t) + FP(t))
//! ```
//!
//! is highest, the smallest of equals: what `argmax` over scikit-learn's `precision_recall_curve`
//! finds. Counts are compared exactly. (The reference tries 0.01, 0.02, … 0.99 alone, and so needs
//! probabilities: `sweep_f1_scores` in `failure_directions/src/svm_utils.py` at d484125.)

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dataset, DatasetError, Split};
use crate::io::{Classified, ErrorKind};

/// How the threshold of scores is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"f1\" or a number")]
pub enum ScoreRule {
    /// This number.
    At(f64),
    /// A rule by name.
    By(Best),
}

/// What a threshold makes highest on val.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Best {
    /// F1 of class 1.
    F1,
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no threshold: use f1 or a number")]
pub struct UnknownRule {
    /// The text.
    pub text: String,
}

impl Classified for UnknownRule {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

impl FromStr for ScoreRule {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        let number = text.parse().ok().filter(|n: &f64| n.is_finite());
        match (text, number) {
            ("f1", _) => Ok(Self::By(Best::F1)),
            (_, Some(number)) => Ok(Self::At(number)),
            (_, None) => Err(UnknownRule {
                text: text.to_owned(),
            }),
        }
    }
}

/// Where a threshold comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChosenBy {
    /// It makes F1 of class 1 highest on val.
    F1,
    /// The user gave it.
    Given,
}

impl ChosenBy {
    /// The word that files and messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::F1 => "f1",
            Self::Given => "given",
        }
    }
}

/// A threshold, and what came of it on val.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// Where it comes from.
    pub by: ChosenBy,
    /// The smallest score that predicts class 1.
    pub threshold: f64,
    /// The name of class 1.
    pub class: String,
    /// Scored examples of val that are of class 1.
    pub positives: usize,
    /// Those that are predicted to be.
    pub predicted: usize,
    /// Those that are both.
    pub right: usize,
    /// Share of the predicted that are right; none without predicted.
    pub precision: Option<f64>,
    /// Share of the positives that are predicted; none without positives.
    pub recall: Option<f64>,
    /// F1 of class 1; none without positives and predicted.
    pub f1: Option<f64>,
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            by,
            threshold,
            class,
            ..
        } = self;
        let percent = |share: Option<f64>| {
            share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
        };
        write!(
            f,
            "score threshold {threshold} ({}): on val {} predicted {class:?} of {}, precision {}, \
             recall {}, F1 {}",
            by.name(),
            self.predicted,
            self.positives,
            percent(self.precision),
            percent(self.recall),
            percent(self.f1)
        )
    }
}

/// Gives every scored example its prediction: the data set is taken and one of the same examples given back.
///
/// Confidence is 0.5 at the threshold and 1 at the end of the scale, where all scores lie in 0 to 1;
/// else there is none.
///
/// # Errors
///
/// [`DatasetError::ScoresOfClasses`] for another number of classes than two,
/// [`DatasetError::NoScores`] without a score, [`DatasetError::NoPositives`] if F1 has nothing on val
/// to be measured on.
pub fn apply_threshold(
    mut dataset: Dataset,
    rule: ScoreRule,
) -> Result<(Dataset, Threshold), DatasetError> {
    let [_, positive] = dataset.classes.as_slice() else {
        return Err(DatasetError::ScoresOfClasses {
            classes: dataset.classes.len(),
        });
    };
    let positive = positive.clone();
    let all: Vec<f32> = dataset.examples.iter().filter_map(|e| e.score).collect();
    if all.is_empty() {
        return Err(DatasetError::NoScores);
    }
    let val: Vec<(f32, bool)> = dataset
        .of_split(Split::Val)
        .filter_map(|(_, e)| Some((e.score?, e.label == 1)))
        .collect();
    let positives = val.iter().filter(|(_, is)| *is).count();
    let (by, threshold) = match rule {
        ScoreRule::At(given) => (ChosenBy::Given, given),
        ScoreRule::By(Best::F1) if positives == 0 => {
            return Err(DatasetError::NoPositives {
                class: positive,
                scored: val.len(),
            });
        }
        ScoreRule::By(Best::F1) => (ChosenBy::F1, highest_f1(&val, positives)),
    };
    let over = |score: f32| f64::from(score) >= threshold;
    let predicted = val.iter().filter(|(score, _)| over(*score)).count();
    let right = val.iter().filter(|(score, is)| *is && over(*score)).count();
    let known = all.iter().all(|score| (0.0..=1.0).contains(score));
    for example in &mut dataset.examples {
        if let Some(score) = example.score {
            example.prediction = Some(usize::from(over(score)));
            example.confidence = known.then(|| confidence(f64::from(score), threshold) as f32);
        }
    }
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let threshold = Threshold {
        by,
        threshold,
        class: positive,
        positives,
        predicted,
        right,
        precision: share(right, predicted),
        recall: share(right, positives),
        f1: share(2 * right, positives + predicted),
    };
    Ok((dataset, threshold))
}

/// The smallest score whose F1 as a threshold is highest.
fn highest_f1(scores: &[(f32, bool)], positives: usize) -> f64 {
    let mut falling = scores.to_vec();
    falling.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Twice the true over positives and predicted, as a fraction.
    let mut best = (0_u128, 1_u128, f64::INFINITY);
    let (mut right, mut predicted) = (0_u128, 0_u128);
    for (at, &(score, is)) in falling.iter().enumerate() {
        right += u128::from(is);
        predicted += 1;
        // Equal scores are predicted together.
        if falling.get(at + 1).is_some_and(|next| next.0 == score) {
            continue;
        }
        let below = positives as u128 + predicted;
        if right * best.1 >= best.0 * below {
            best = (right, below, f64::from(score));
        }
    }
    best.2
}

/// How sure a prediction is, from 0.5 at the threshold to 1 at the end of its side of 0 to 1.
fn confidence(score: f64, threshold: f64) -> f64 {
    let away = if score >= threshold {
        let room = 1.0 - threshold;
        if room > 0.0 {
            (score - threshold) / room
        } else {
            1.0
        }
    } else {
        (threshold - score) / threshold
    };
    (0.5 + 0.5 * away).clamp(0.5, 1.0)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::Value;

    use super::super::Example;
    use super::*;

    fn dataset(val: &[(f32, usize)], test: &[f32]) -> Dataset {
        let scored = |i: usize, score: f32, label: usize, split: Split| Example {
            score: Some(score),
            ..Example::new(format!("{split}/{i}.png"), label, split)
        };
        let val = val.iter().enumerate();
        let test = test.iter().enumerate();
        let examples = val
            .map(|(i, &(score, label))| scored(i, score, label, Split::Val))
            .chain(test.map(|(i, &score)| scored(i, score, 0, Split::Test)))
            .collect();
        let classes = ["no mass", "mass"].map(str::to_owned).to_vec();
        Dataset::new(PathBuf::new(), classes, examples).unwrap()
    }

    #[test]
    fn the_threshold_of_val_predicts_test() {
        let data = dataset(&[(0.1, 0), (0.3, 0), (0.4, 1), (0.2, 1)], &[0.39, 0.4, 0.9]);
        let (data, found) = apply_threshold(data, ScoreRule::By(Best::F1)).unwrap();
        // At 0.4: 2·1/(2 + 1) = 0.67; at 0.2: 2·2/(2 + 3) = 0.8.
        assert_eq!((found.threshold * 1e6).round(), 2e5);
        assert_eq!((found.positives, found.predicted, found.right), (2, 3, 2));
        assert_eq!(found.f1, Some(0.8));
        let predictions: Vec<_> = data
            .examples
            .iter()
            .map(|e| e.prediction.unwrap())
            .collect();
        assert_eq!(predictions, [0, 1, 1, 1, 1, 1, 1]);
        let (data, given) = apply_threshold(data, ScoreRule::At(0.4_f32.into())).unwrap();
        assert_eq!((given.by, given.predicted), (ChosenBy::Given, 1));
        let predictions: Vec<_> = data
            .examples
            .iter()
            .map(|e| e.prediction.unwrap())
            .collect();
        assert_eq!(predictions, [0, 0, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn confidence_is_least_at_the_threshold_and_absent_off_the_scale() {
        let data = dataset(&[(0.2, 1), (0.1, 0), (0.0, 0), (1.0, 1)], &[0.6]);
        let (data, _) = apply_threshold(data, ScoreRule::At(0.2_f32.into())).unwrap();
        let sure: Vec<f32> = data
            .examples
            .iter()
            .map(|e| e.confidence.unwrap())
            .collect();
        for (sure, expected) in sure.iter().zip([0.5, 0.75, 1.0, 1.0, 0.75]) {
            assert!((sure - expected).abs() < 1e-6, "{sure} {expected}");
        }
        assert_eq!(confidence(1.0, 1.0), 1.0);
        let logits = dataset(&[(-3.0, 0), (2.0, 1)], &[]);
        let (logits, _) = apply_threshold(logits, ScoreRule::At(0.0)).unwrap();
        assert_eq!(logits.examples[1].prediction, Some(1));
        assert_eq!(logits.examples[1].confidence, None);
    }

    #[test]
    fn as_scikit_learn_finds_it() {
        let text = include_str!("../../tests/golden/f1.json");
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        assert!(cases.len() >= 20);
        for case in cases {
            let list = |key: &str| case[key].as_array().unwrap().clone();
            let scores = list("scores");
            let val: Vec<(f32, usize)> = scores
                .iter()
                .zip(list("labels"))
                .map(|(s, l)| (s.as_f64().unwrap() as f32, l.as_u64().unwrap() as usize))
                .collect();
            let data = dataset(&val, &[]);
            let (_, found) = apply_threshold(data, ScoreRule::By(Best::F1)).unwrap();
            assert_eq!(Some(found.threshold), case["threshold"].as_f64(), "{case}");
            let f1 = case["f1"].as_f64().unwrap();
            assert!((found.f1.unwrap() - f1).abs() < 1e-12, "{case}");
        }
    }

    #[test]
    fn what_cannot_be_thresholded_is_said() {
        let f1 = ScoreRule::By(Best::F1);
        let mut none = dataset(&[(0.1, 0), (0.2, 0)], &[]);
        let error = apply_threshold(none.clone(), f1).unwrap_err();
        let DatasetError::NoPositives { class, scored: 2 } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(class, "mass");
        for example in &mut none.examples {
            example.score = None;
        }
        let error = apply_threshold(none.clone(), f1).unwrap_err();
        assert!(matches!(error, DatasetError::NoScores), "{error:?}");
        none.classes.push("third".to_owned());
        let error = apply_threshold(none.clone(), f1).unwrap_err();
        assert!(
            matches!(error, DatasetError::ScoresOfClasses { classes: 3 }),
            "{error:?}"
        );
    }

    #[test]
    fn rules_are_read() {
        assert_eq!("f1".parse(), Ok(ScoreRule::By(Best::F1)));
        assert_eq!("0.25".parse(), Ok(ScoreRule::At(0.25)));
        for text in ["F2", "nan", ""] {
            assert!(text.parse::<ScoreRule>().is_err(), "{text}");
        }
    }
}
