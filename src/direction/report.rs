//! The detection report: how well alignment finds mistakes, against least confidence and chance.
//!
//! ```text
//! split { x, labels, predictions, confidence?, minority? } ─┬─ a class: by alignment ───▶ Figures
//! directions ───────────────────────────────────────────────┴─ all: by alignment ───▶ Figures
//! ```
//!
//! Alignments on the split that directions were learned on come from cross-fitting: each example is
//! scored by the folds' model that did not see it ([`Direction::out_of_fold`]). The penalty `C` was chosen
//! on the same folds, so those figures are still a little kinder than those of a fresh split.
//!
//! - [`figures`](mod@figures): the numbers of a ranking; [`sentence`](mod@sentence): the same in words;
//!   [`histogram`]: the alignments themselves, counted.

pub mod figures;
pub mod histogram;
mod resample;
pub mod sentence;

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::figures::{AtK, Figures, KS, Ranked, hardest};
pub use self::histogram::Histogram;
pub use self::sentence::{Count, no_finding, sentence, wilson};

use super::{Direction, Fitted, ModeId, Standing};
use crate::dataset::Split;

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
    /// The unit of every example ([`super::units::by_class`]), where units are known.
    pub units: Option<&'a [u32]>,
}

/// A class on one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassReport {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0.
    pub class_index: usize,
    /// Failure mode within the class, from 0.
    pub mode: u32,
    /// Its ranking by alignment.
    #[serde(flatten)]
    pub figures: Figures,
    /// One sentence for people.
    pub sentence: String,
}

impl ClassReport {
    /// The failure mode's key.
    pub fn id(&self) -> ModeId {
        ModeId::new(self.class_index, self.mode)
    }

    /// All examples of the class.
    fn all(&self) -> Count {
        Count {
            wrong: self.figures.mistakes,
            of: self.figures.examples,
        }
    }

    /// The sentence of a finding, with the failing examples named by `phrase`.
    pub fn say(&self, phrase: Option<&str>) -> String {
        let failing = Count {
            wrong: self.figures.confusion[0],
            of: self.figures.flagged(),
        };
        sentence(&self.id().named(&self.class), phrase, failing, self.all())
    }
}

/// A split, judged class by class and as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SplitReport {
    /// Which split it is.
    pub split: Split,
    /// Whether every example was scored by a model of a fold it is not in.
    pub out_of_fold: bool,
    /// Examples with predictions.
    pub examples: usize,
    /// Share of them that the classifier gets right, 0 to 1.
    pub model_accuracy: f64,
    /// Mean CV score of the directions, 0 to 1; none without directions.
    pub cv_score: Option<f64>,
    /// Examples of classes without a direction: they are in no ranking.
    pub unranked: usize,
    /// All ranked examples by alignment, which compares across classes.
    pub overall: Option<Figures>,
    /// One a direction whose class has examples here.
    pub classes: Vec<ClassReport>,
}

impl SplitReport {
    /// A failure mode, if its class has examples here.
    pub fn mode(&self, id: ModeId) -> Option<&ClassReport> {
        self.classes.iter().find(|report| report.id() == id)
    }
}

/// Where alignments come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scoring<'a> {
    /// The directions, on examples they were not learned on.
    Direct,
    /// The folds' models, on the very examples that [`super::fit`] was given, in its order.
    OutOfFold,
    /// The directions, by mode: the alignments of the class's examples in the order of the split.
    /// For a split too large to be whitened as a whole; its `x` is not looked at.
    Given(&'a BTreeMap<ModeId, Vec<f64>>),
}

/// The examples of one direction's class with their scores.
struct Scored {
    rows: Vec<usize>,
    alignment: Vec<f64>,
}

impl Scored {
    fn new(split: SplitView<'_>, direction: &Direction, scoring: Scoring<'_>) -> Self {
        let rows: Vec<usize> = (0..split.labels.len())
            .filter(|&i| split.labels[i] == direction.id.class)
            .collect();
        if scoring == Scoring::OutOfFold {
            return Self {
                rows,
                alignment: direction.out_of_fold.clone(),
            };
        }
        let alignment: Vec<f64> = match scoring {
            Scoring::Given(all) => {
                let own = all.get(&direction.id);
                own.cloned().unwrap_or_default()
            }
            _ => rows
                .iter()
                .map(|&i| direction.alignment(split.x.row(i)))
                .collect(),
        };
        Self { rows, alignment }
    }
}

/// The alignments of a direction's class on a split, each with its place there, in the order of the split.
///
/// With [`Scoring::OutOfFold`] the split is the one that [`super::fit`] was given, and `x` is not looked at.
pub fn alignments(
    split: SplitView<'_>,
    direction: &Direction,
    scoring: Scoring<'_>,
) -> Vec<(usize, f64)> {
    let scored = Scored::new(split, direction, scoring);
    scored.rows.into_iter().zip(scored.alignment).collect()
}

/// The numbers of `rows` ranked by `score`, both `[m]`.
fn rank(split: SplitView<'_>, rows: &[usize], score: &[f64]) -> Option<Figures> {
    let wrong: Vec<bool> = rows
        .iter()
        .map(|&i| split.predictions[i] != split.labels[i])
        .collect();
    let confidence: Option<Vec<f32>> = split
        .confidence
        .map(|all| rows.iter().map(|&i| all[i]).collect());
    let minority: Option<Vec<bool>> = split
        .minority
        .map(|all| rows.iter().map(|&i| all[i]).collect());
    let units: Option<Vec<u32>> = split
        .units
        .map(|all| rows.iter().map(|&i| all[i]).collect());
    figures::figures(Ranked {
        score,
        wrong: &wrong,
        confidence: confidence.as_deref(),
        minority: minority.as_deref(),
        units: units.as_deref(),
    })
}

fn named(direction: &Direction, class: &str, figures: Figures) -> ClassReport {
    let mut report = ClassReport {
        class: class.to_owned(),
        class_index: direction.id.class,
        mode: direction.id.mode,
        figures,
        sentence: String::new(),
    };
    report.sentence = match direction.standing() {
        Standing::Finding => report.say(None),
        standing => no_finding(&direction.id.named(class), standing, report.all()),
    };
    report
}

/// Reports one class; `None` if the split has no example of it.
pub fn class_report(
    split: SplitView<'_>,
    direction: &Direction,
    class: &str,
) -> Option<ClassReport> {
    let scored = Scored::new(split, direction, Scoring::Direct);
    let figures = rank(split, &scored.rows, &scored.alignment)?;
    Some(named(direction, class, figures))
}

/// Reports a split: every class that has a direction and examples, and all of them together.
///
/// Rankings are by alignment, within a class and across classes; out of fold it is that of the fold's model.
///
/// # Shapes
///
/// The slices of `split` are `[n]`. With [`Scoring::OutOfFold`] they are those that [`super::fit`] was
/// given; with that and [`Scoring::Given`] `x` is not looked at.
pub fn split_report(
    of: Split,
    split: SplitView<'_>,
    fitted: &Fitted,
    classes: &[String],
    scoring: Scoring<'_>,
) -> SplitReport {
    let n = split.labels.len();
    let right = (0..n).filter(|&i| split.predictions[i] == split.labels[i]);
    let model_accuracy = right.count() as f64 / n.max(1) as f64;
    let mut reports = Vec::new();
    let mut all: Vec<(usize, f64)> = Vec::new();
    let mut ranked: Vec<bool> = vec![false; n];
    for direction in &fitted.directions {
        let scored = Scored::new(split, direction, scoring);
        let class = classes
            .get(direction.id.class)
            .map_or("", |class| class.as_str());
        if let Some(figures) = rank(split, &scored.rows, &scored.alignment) {
            reports.push(named(direction, class, figures));
        }
        for (&i, &alignment) in scored.rows.iter().zip(&scored.alignment) {
            ranked[i] = true;
            all.push((i, alignment));
        }
    }
    // The order of the table decides between equals, not that of the classes; of several modes counts
    // the most aligned.
    all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    all.dedup_by_key(|&mut (i, _)| i);
    let (rows, alignments): (Vec<usize>, Vec<f64>) = all.into_iter().unzip();
    let count = fitted.directions.len();
    let scores = fitted.directions.iter().map(|d| d.cv_score);
    SplitReport {
        split: of,
        out_of_fold: scoring == Scoring::OutOfFold,
        examples: n,
        model_accuracy,
        cv_score: (count > 0).then(|| scores.sum::<f64>() / count as f64),
        unranked: ranked.iter().filter(|&&r| !r).count(),
        overall: rank(split, &rows, &alignments),
        classes: reports,
    }
}

#[cfg(test)]
mod tests;
