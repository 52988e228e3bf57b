//! What makes directions less than they look: the data behind every doubt, and its words.

mod mislabelled;
mod mix;
mod repeated;

use self::mislabelled::LabelCheck;
use super::embed::Embedded;
use super::learn::Learned;
use super::space::Space;
use crate::dataset::{Dataset, Split};
use crate::direction::doubt::duplicates::Pair;
use crate::direction::doubt::{Warning, WarningKind, not_borne_out, weak};
use crate::direction::{Direction, Fitted};

/// What was found besides the directions.
pub(super) struct Doubts {
    pub(super) warnings: Vec<Warning>,
    pub(super) duplicates: Vec<Pair>,
    pub(super) labels: LabelCheck,
}

/// Looks for all of it.
pub(super) fn find(force: bool, embedded: &Embedded, learned: &Learned) -> Doubts {
    let then = if force {
        "used all the same, as --force says"
    } else {
        "nothing is generated from it unless forced"
    };
    let (dataset, data) = (embedded.dataset(), embedded.usable());
    let fitted = &learned.fitted;
    let mut warnings = unlearnable(dataset, fitted, then);
    warnings.extend(unconfirmed(dataset, learned));
    warnings.extend(mix::groups(data, then));
    warnings.extend(mix::classes(data, then));
    let duplicates = repeated::find(embedded);
    warnings.extend(repeated::warnings(data, &duplicates, then));
    let labels = mislabelled::find(data, &embedded.parts, learned);
    let own = embedded.data.space == Space::Classifier;
    warnings.extend(mislabelled::warnings(dataset, learned, &labels, own, then));
    Doubts {
        warnings,
        duplicates,
        labels,
    }
}

/// Findings that a split which they were not learned on does not bear out.
fn unconfirmed(dataset: &Dataset, learned: &Learned) -> Vec<Warning> {
    if learned.judged_on == Split::Val {
        return Vec::new();
    }
    let judged = learned.fitted.directions.iter().zip(&learned.reports);
    judged
        .filter_map(|(direction, report)| {
            let class = &dataset.classes()[direction.id.class];
            not_borne_out(direction, class, learned.judged_on, &report.figures)
        })
        .collect()
}

/// Classes without a direction, and classes in which nothing is a finding.
fn unlearnable(dataset: &Dataset, fitted: &Fitted, then: &str) -> Vec<Warning> {
    let skipped = fitted.skipped.iter().map(|skipped| {
        let class = &dataset.classes()[skipped.class];
        let text = format!("class {class} has no direction: {}", skipped.reason);
        Warning::barring(WarningKind::NoDirection, class, text)
            .with("right", skipped.right)
            .with("wrong", skipped.wrong)
    });
    let whole = || fitted.directions.iter().filter(|d| d.id.mode == 0);
    let tested = whole().filter(|d| d.q_value.is_some()).count();
    // Where a mode within the class is a finding, its mode 0 need not be one.
    let stands = |class: usize| fitted.of_class(class).any(Direction::is_finding);
    let weak = whole()
        .filter(|direction| !stands(direction.id.class))
        .filter_map(|direction| {
            let class = &dataset.classes()[direction.id.class];
            weak(direction, class, tested, then)
        });
    skipped.chain(weak).collect()
}
