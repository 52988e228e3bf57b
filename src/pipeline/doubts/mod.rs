//! What makes directions less than they look: the data behind every doubt, and its words.

mod mislabelled;
mod mix;
mod repeated;

use std::collections::BTreeMap;

use self::mislabelled::LabelCheck;
use super::embed::Part;
use super::inputs::Inputs;
use super::study::Studied;
use crate::dataset::{Dataset, Split};
use crate::direction::Fitted;
use crate::direction::doubt::duplicates::Pair;
use crate::direction::doubt::{Kind, Warning, weak};

/// What was found besides the directions.
pub(crate) struct Doubts {
    pub(super) warnings: Vec<Warning>,
    pub(crate) duplicates: Vec<Pair>,
    pub(crate) labels: LabelCheck,
}

/// Looks for all of it.
pub(super) fn find(
    force: bool,
    inputs: &Inputs,
    parts: &BTreeMap<Split, Part>,
    studied: &Studied,
) -> Doubts {
    let then = if force {
        "used all the same, as --force says"
    } else {
        "nothing is generated from it unless forced"
    };
    let dataset = &inputs.dataset;
    let fitted = &studied.fitted;
    let mut warnings = unlearnable(dataset, fitted, then);
    warnings.extend(mix::groups(dataset, then));
    warnings.extend(mix::classes(dataset, then));
    let duplicates = repeated::find(inputs, parts);
    warnings.extend(repeated::warnings(dataset, &duplicates, then));
    let labels = mislabelled::find(dataset, parts, studied);
    warnings.extend(mislabelled::warnings(dataset, studied, &labels, then));
    Doubts {
        warnings,
        duplicates,
        labels,
    }
}

/// Classes without a direction, and directions that are no finding.
fn unlearnable(dataset: &Dataset, fitted: &Fitted, then: &str) -> Vec<Warning> {
    let skipped = fitted.skipped.iter().map(|skipped| {
        let class = &dataset.classes[skipped.class];
        let text = format!("class {class} has no direction: {}", skipped.reason);
        Warning::barring(Kind::NoDirection, class, text)
            .with("right", skipped.right)
            .with("wrong", skipped.wrong)
    });
    let weak = fitted.directions.iter().filter_map(|direction| {
        let class = &dataset.classes[direction.id.class];
        weak(direction, class, fitted.directions.len(), then)
    });
    skipped.chain(weak).collect()
}
