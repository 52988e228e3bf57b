//! What makes a class's direction less than it looks, each doubt with its numbers.
//!
//! ```text
//! val, train, test ─┬─ mix: val is as skewed as train ──┐
//!                   ├─ duplicates: an image seen before ─┼─▶ Warning { kind, class, text, numbers, bars }
//!                   └─ labels: the label itself is wrong ┘
//! ```
//!
//! A warning that bars its class says that nothing should be made from its direction unless the user
//! insists. Thresholds are constants here, each with its reason.

pub mod duplicates;
pub mod labels;
pub mod mix;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::report::Figures;
use super::{Direction, Standing};
use crate::dataset::Split;

/// What a warning is about, as `report.json` names it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// There is no train split to learn the whitening on.
    NoTrain,
    /// There is no test split to judge on.
    NoTest,
    /// Images that cannot be used were passed over.
    SkippedImages,
    /// Dimensions that do not vary were left out.
    ConstantDimensions,
    /// A class has too few examples of one kind for a direction.
    NoDirection,
    /// A class has too few mistakes, or too few right examples, to call anything a finding.
    TooFewMistakes,
    /// A direction is no better than with right and wrong dealt anew.
    Chance,
    /// No other arrangement of right and wrong was as good, and there are too few of them for a finding among
    /// so many classes.
    TooFewPermutations,
    /// A finding that the judged split does not bear out.
    NotBorneOut,
    /// Val's groups are mixed like a skewed train's.
    SkewedGroups,
    /// A class is as rare in val as in a strongly skewed train.
    SkewedClass,
    /// Images are in more than one split.
    Duplicates,
    /// Mistakes look like those of whoever labelled.
    LabelErrors,
}

impl WarningKind {
    /// The word that files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoTrain => "no_train",
            Self::NoTest => "no_test",
            Self::SkippedImages => "skipped_images",
            Self::ConstantDimensions => "constant_dimensions",
            Self::NoDirection => "no_direction",
            Self::TooFewMistakes => "too_few_mistakes",
            Self::Chance => "chance",
            Self::TooFewPermutations => "too_few_permutations",
            Self::NotBorneOut => "not_borne_out",
            Self::SkewedGroups => "skewed_groups",
            Self::SkewedClass => "skewed_class",
            Self::Duplicates => "duplicates",
            Self::LabelErrors => "label_errors",
        }
    }
}

/// A plain word of warning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// The class, where it is about one.
    pub class: Option<String>,
    /// The failure mode within the class, where it is about one of several.
    pub mode: Option<u32>,
    /// Whether nothing should be generated from the class because of it.
    pub bars: bool,
    /// For people.
    pub text: String,
    /// The figures behind it.
    pub numbers: Map<String, Value>,
}

impl Warning {
    /// A warning about no class in particular.
    pub fn general(kind: WarningKind, text: String) -> Self {
        Self {
            kind,
            class: None,
            mode: None,
            bars: false,
            text,
            numbers: Map::new(),
        }
    }

    /// One that bars a class.
    pub fn barring(kind: WarningKind, class: &str, text: String) -> Self {
        Self {
            kind,
            class: Some(class.to_owned()),
            mode: None,
            bars: true,
            text,
            numbers: Map::new(),
        }
    }

    /// One about a class that does not bar it.
    pub fn about(kind: WarningKind, class: &str, text: String) -> Self {
        Self {
            bars: false,
            ..Self::barring(kind, class, text)
        }
    }

    /// The same about one failure mode of the class alone.
    #[must_use]
    pub fn of_mode(self, mode: u32) -> Self {
        Self {
            mode: Some(mode),
            ..self
        }
    }

    /// The same with a figure.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.numbers.insert(name.to_owned(), value.into());
        self
    }
}

/// Why nothing is made from a failure mode of the class of this name: warnings about the mode, and about the
/// class as a whole.
pub fn barred(warnings: &[Warning], class: &str, mode: u32) -> Vec<WarningKind> {
    let mut kinds = Vec::new();
    let bars = |warning: &&Warning| {
        warning.bars
            && warning.class.as_deref() == Some(class)
            && warning.mode.is_none_or(|own| own == mode)
    };
    for warning in warnings.iter().filter(bars) {
        if !kinds.contains(&warning.kind) {
            kinds.push(warning.kind);
        }
    }
    kinds
}

/// The doubt about a direction that is no finding: too few examples, no better than chance, or too few
/// permutations to tell.
///
/// `of` is how many directions were tested at once, `then` what follows, as the end of the sentence.
pub fn weak(direction: &Direction, class: &str, of: usize, then: &str) -> Option<Warning> {
    let Direction {
        cv_score,
        wrong,
        right,
        permutations,
        ..
    } = *direction;
    let score = match direction.cv_interval {
        Some((low, high)) => format!("CV score {cv_score:.3}, 95 % interval {low:.2} to {high:.2}"),
        None => format!("CV score {cv_score:.3}"),
    };
    let share = |p: Option<f64>| p.map_or_else(|| "unknown".to_owned(), |p| format!("{p:.3}"));
    let (p, q) = (share(direction.p_value), share(direction.q_value));
    let (kind, text) = match direction.standing() {
        Standing::Finding => return None,
        Standing::TooFewExamples => {
            let what = if wrong <= right {
                format!("{wrong} mistakes")
            } else {
                format!("{right} right images")
            };
            let text = format!(
                "class {class}: {what} in val are too few to tell a failure mode from chance ({score}, not \
                 tested): {then}"
            );
            (WarningKind::TooFewMistakes, text)
        }
        Standing::Chance => {
            let text = format!(
                "class {class}: the direction is no better than chance ({score}, p {p}, q {q} after \
                 correction for {of} classes, {wrong} mistakes of {} val images): {then}",
                wrong + right
            );
            (WarningKind::Chance, text)
        }
        Standing::TooFewPermutations => {
            let text = format!(
                "class {class}: too few permutations to tell a failure mode from chance ({score}; none of \
                 {permutations} was as good, but q is {q} for {of} classes, {wrong} mistakes of {} val images): {then}",
                wrong + right
            );
            (WarningKind::TooFewPermutations, text)
        }
    };
    let warning = Warning::barring(kind, class, text)
        .with("cv_score", cv_score)
        .with("p_value", direction.p_value)
        .with("q_value", direction.q_value)
        .with("permutations", permutations)
        .with("right", right)
        .with("wrong", wrong);
    Some(warning)
}

/// The doubt about a finding whose alignment does not rank mistakes above right examples on the split that it
/// is judged on.
///
/// The figures are of that split, which the direction was not learned on. Mode 0 is to find all mistakes, so
/// its AUC counts; the others only find their own, so it is the share of mistakes among the hardest.
pub fn not_borne_out(
    direction: &Direction,
    class: &str,
    split: Split,
    figures: &Figures,
) -> Option<Warning> {
    let of_all = direction.id.mode == 0;
    let low = |interval: Option<(f64, f64)>| interval.map(|(low, _)| low);
    let shown = if of_all {
        low(figures.auc_interval).is_some_and(|low| low > 0.5)
    } else {
        low(figures.hardest.lift_interval).is_some_and(|low| low > 1.0)
    };
    if !direction.is_finding() || shown {
        return None;
    }
    let Figures {
        examples, mistakes, ..
    } = *figures;
    let text = format!(
        "class {}: {split} does not bear out the failure mode that val shows: {}, with {mistakes} mistakes among \
         {examples} images",
        direction.id.named(class),
        if of_all {
            pairs(figures)
        } else {
            head(figures)
        }
    );
    let warning = Warning::about(WarningKind::NotBorneOut, class, text)
        .with("split", split.name())
        .with("auc", figures.auc)
        .with("mistakes", mistakes)
        .with("examples", examples);
    Some(if of_all {
        warning
    } else {
        warning.of_mode(direction.id.mode)
    })
}

/// How often a mistake is the more aligned of a pair.
fn pairs(figures: &Figures) -> String {
    match (figures.auc, figures.auc_interval) {
        (Some(auc), Some((low, high))) => format!(
            "a mistake is the more aligned in {:.0} % of pairs with a right image, 95 % interval {:.0} to {:.0} %, \
             where chance is 50 %",
            100.0 * auc,
            100.0 * low,
            100.0 * high
        ),
        _ => "there is nothing to compare".to_owned(),
    }
}

/// How many of the hardest are mistakes.
fn head(figures: &Figures) -> String {
    let head = &figures.hardest;
    let times = match head.lift_interval {
        Some((low, high)) => format!(", 95 % interval of the ratio {low:.1} to {high:.1}"),
        None => String::new(),
    };
    format!(
        "{:.0} % of the {} hardest are mistakes, against {:.0} % of all{times}",
        100.0 * head.direction,
        head.k,
        100.0 * figures.error()
    )
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::direction::report::Ranked;
    use crate::direction::{ModeId, report};

    #[test]
    fn a_finding_that_the_judged_split_does_not_show_is_warned_of() {
        let n = 60;
        let figures = |score: &dyn Fn(usize) -> f64| {
            let score: Vec<f64> = (0..n).map(score).collect();
            let wrong: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
            let ranked = Ranked {
                score: &score,
                wrong: &wrong,
                confidence: None,
                minority: None,
                units: None,
            };
            report::figures::figures(ranked).unwrap()
        };
        let good = figures(&|i| if i % 3 == 0 { 1.0 } else { 0.0 });
        let bad = figures(&|i| (i * 7 % 10) as f64);
        let finding = Direction::made_up(ModeId::new(0, 0), array![1.0]);
        let doubt = |direction, figures| not_borne_out(direction, "cat", Split::Test, figures);
        assert_eq!(doubt(&finding, &good), None);
        let warning = doubt(&finding, &bad).unwrap();
        assert!(!warning.bars && warning.class.as_deref() == Some("cat"));
        assert!(
            warning.text.starts_with(
                "class cat: test does not bear out the failure mode that val shows: a mistake is"
            ),
            "{}",
            warning.text
        );
        let chance = Direction {
            q_value: Some(0.5),
            ..finding.clone()
        };
        assert_eq!(doubt(&chance, &bad), None);
    }

    #[test]
    fn what_cannot_be_told_is_not_called_chance() {
        let direction = |change: fn(&mut Direction)| {
            let mut direction = Direction::made_up(ModeId::new(0, 0), array![1.0]);
            change(&mut direction);
            weak(&direction, "cat", 40, "so it is")
        };
        assert_eq!(direction(|_| ()), None);
        let floor = direction(|d| (d.q_value, d.at_floor) = (Some(0.2), true)).unwrap();
        assert_eq!(floor.kind, WarningKind::TooFewPermutations);
        assert!(
            floor.text.contains("too few permutations to tell"),
            "{}",
            floor.text
        );
        assert!(!floor.text.contains("better than chance"), "{}", floor.text);
        let chance = direction(|d| d.q_value = Some(0.2)).unwrap();
        assert_eq!(
            chance.text,
            "class cat: the direction is no better than chance (CV score 0.900, 95 % interval 0.80 to 0.95, p \
             0.010, q 0.200 after correction for 40 classes, 5 mistakes of 10 val images): so it is"
        );
        let few = direction(|d| {
            d.too_few = true;
            (d.p_value, d.q_value, d.right) = (None, None, 3);
        });
        let few = few.unwrap();
        assert!(
            few.text
                .starts_with("class cat: 3 right images in val are too few"),
            "{}",
            few.text
        );
        assert_eq!(few.numbers["q_value"], Value::Null);
    }
}
