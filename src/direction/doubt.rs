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

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Direction;

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
    /// A class has too few mistakes to call anything a finding.
    TooFewMistakes,
    /// A direction is no better than with right and wrong dealt anew.
    Chance,
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
            bars: true,
            text,
            numbers: Map::new(),
        }
    }

    /// The same with a figure.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.numbers.insert(name.to_owned(), value.into());
        self
    }
}

/// Why each barred class is barred, by its name.
pub fn barred(warnings: &[Warning]) -> BTreeMap<String, Vec<WarningKind>> {
    let mut barred: BTreeMap<String, Vec<WarningKind>> = BTreeMap::new();
    for warning in warnings.iter().filter(|warning| warning.bars) {
        if let Some(class) = &warning.class {
            let kinds = barred.entry(class.clone()).or_default();
            if !kinds.contains(&warning.kind) {
                kinds.push(warning.kind);
            }
        }
    }
    barred
}

/// The doubt about a direction that is no finding: too few mistakes, or no better than chance.
///
/// `of` is how many directions were tested at once, `then` what follows, as the end of the sentence.
pub fn weak(direction: &Direction, class: &str, of: usize, then: &str) -> Option<Warning> {
    if direction.is_finding() {
        return None;
    }
    let Direction {
        cv_score,
        p_value,
        q_value,
        wrong,
        ..
    } = *direction;
    let (kind, text) = if direction.too_few {
        let text = format!(
            "class {class}: {wrong} mistakes in val are too few to tell a failure mode from chance \
             (CV score {cv_score:.3}): {then}"
        );
        (WarningKind::TooFewMistakes, text)
    } else {
        let text = format!(
            "class {class}: the direction is no better than chance (CV score {cv_score:.3}, p \
             {q_value:.3} after correction for {of} classes, {wrong} mistakes): {then}"
        );
        (WarningKind::Chance, text)
    };
    let warning = Warning::barring(kind, class, text)
        .with("cv_score", cv_score)
        .with("p_value", p_value)
        .with("q_value", q_value)
        .with("wrong", wrong);
    Some(warning)
}
