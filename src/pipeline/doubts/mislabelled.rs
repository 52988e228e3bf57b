//! Mistakes that are likely those of whoever labelled.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Axis;

use crate::dataset::{Dataset, ExampleId, Split, Usable};
use crate::direction::doubt::labels::{
    self, LabelError, Mistake, NEIGHBOURS, Reference, Share, VOTES,
};
use crate::direction::doubt::{Warning, WarningKind};
use crate::direction::report::alignments;
use crate::direction::{Direction, Fitted, ModeId};
use crate::pipeline::embed::Parts;
use crate::pipeline::learn::{Known, Learned};

/// Likely label errors and how they were looked for.
pub(in crate::pipeline) struct LabelCheck {
    pub(in crate::pipeline) suspects: Vec<Suspect>,
    /// The splits among which neighbours were looked for: all examples, and those used.
    pub(in crate::pipeline) references: Vec<(Split, (usize, usize))>,
    /// Mistakes that nothing could be said of.
    pub(in crate::pipeline) unchecked: usize,
}

/// A likely label error.
pub(in crate::pipeline) struct Suspect {
    pub(in crate::pipeline) split: Split,
    pub(in crate::pipeline) error: LabelError,
    /// Its alignment, out of fold on val; none if its class has no direction.
    pub(in crate::pipeline) alignment: Option<f64>,
}

/// Likely label errors among the mistakes of val and test.
pub(super) fn find(data: Usable<'_>, parts: &Parts, learned: &Learned) -> LabelCheck {
    let label = |&id: &ExampleId| data.example(id).label;
    let references: Vec<(Split, Reference)> = [Split::Train, Split::Val]
        .into_iter()
        .filter_map(|split| {
            let part = parts.get(&split)?;
            let labels: Vec<usize> = part.ids.iter().map(label).collect();
            let reference = Reference::new(&learned.whitening, part.view(), &labels, &part.ids);
            Some((split, reference))
        })
        .collect();
    let sizes = references.iter().map(|(split, r)| (*split, r.sizes()));
    let sizes = sizes.collect();
    let references: Vec<Reference> = references.into_iter().map(|(_, r)| r).collect();
    let sure = thresholds(data);
    let mut suspects = Vec::new();
    let mut unchecked = 0;
    for (&split, known) in &learned.known {
        let wrong: Vec<usize> = (0..known.ids.len())
            .filter(|&at| known.predictions[at] != known.labels[at])
            .collect();
        let mistakes: Vec<Mistake> = wrong
            .iter()
            .map(|&at| Mistake {
                example: known.ids[at],
                label: known.labels[at],
                prediction: known.predictions[at],
                confidence: data.example(known.ids[at]).confidence,
            })
            .collect();
        let x = known.x.select(Axis(0), &wrong);
        let found = labels::find(&references, x.view(), &mistakes, &sure);
        unchecked += found.unchecked;
        let scores = scores(known, &learned.fitted);
        suspects.extend(found.errors.into_iter().map(|error| Suspect {
            split,
            alignment: scores.get(&error.mistake.example).copied(),
            error,
        }));
    }
    LabelCheck {
        suspects,
        references: sizes,
        unchecked,
    }
}

/// How sure the classifier is of each class, on val; nothing where it does not say.
fn thresholds(data: Usable<'_>) -> Vec<f64> {
    let examples = || data.of_split(Split::Val).map(|(_, e)| e);
    if !examples().any(|e| e.confidence.is_some()) {
        return Vec::new();
    }
    let known = examples().filter_map(|e| {
        let probabilities = e.probabilities.as_deref();
        Some((e.label, e.prediction?, e.confidence?, probabilities))
    });
    labels::thresholds(data.classes().len(), known)
}

/// Alignments by example, with mode 0 of its class.
fn scores(known: &Known, fitted: &Fitted) -> BTreeMap<ExampleId, f64> {
    let whole = fitted.directions.iter().filter(|d| d.id.mode == 0);
    whole
        .flat_map(|direction| alignments(known.view(), direction, known.scoring))
        .map(|(at, alignment)| (known.ids[at], alignment))
        .collect()
}

/// The doubts about directions that show wrong labels more than a failure mode: of mode 0 among all mistakes of
/// its class, of the others among those that they explain.
///
/// In the classifier's `own` feature space they bar nothing: a confident mistake lies among the predicted class
/// there by construction, whatever its label.
pub(super) fn warnings(
    dataset: &Dataset,
    learned: &Learned,
    labels: &LabelCheck,
    own: bool,
    then: &str,
) -> Vec<Warning> {
    let Some(val) = learned.known.get(&Split::Val) else {
        return Vec::new();
    };
    let suspects = labels.suspects.iter();
    let suspects: BTreeSet<ExampleId> = suspects.map(|s| s.error.mistake.example).collect();
    let fitted = &learned.fitted;
    let all = fitted.directions.iter();
    all.filter_map(|direction| {
        let ModeId { class, mode } = direction.id;
        let warning = doubt(
            val,
            direction,
            &suspects,
            &dataset.classes()[class],
            (own, then),
        )?;
        let several = fitted.of_class(class).nth(1).is_some();
        Some(if several {
            warning.of_mode(mode)
        } else {
            warning
        })
    })
    .collect()
}

fn doubt(
    val: &Known,
    direction: &Direction,
    suspects: &BTreeSet<ExampleId>,
    class: &str,
    (own, then): (bool, &str),
) -> Option<Warning> {
    let mut wrong: Vec<(usize, f64)> = alignments(val.view(), direction, val.scoring)
        .into_iter()
        .filter(|&(at, _)| val.predictions[at] != val.labels[at])
        .filter(|&(at, _)| direction.id.mode == 0 || direction.explains.contains(&val.ids[at]))
        .collect();
    wrong.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let ranked: Vec<bool> = wrong
        .iter()
        .map(|&(at, _)| suspects.contains(&val.ids[at]))
        .collect();
    let share = Share::of(&ranked);
    share
        .dominates()
        .then(|| said(share, (class, direction.id), own, then))
}

/// The doubt about a class most of whose mistakes are likely label errors.
fn said(share: Share, (class, mode): (&str, ModeId), own: bool, then: &str) -> Warning {
    let Share {
        errors,
        mistakes,
        head_errors,
        head,
    } = share;
    let counted = format!(
        "class {}: {errors} of its {mistakes} mistakes in val ({head_errors} of the {head} most aligned) are \
         likely label errors (of {NEIGHBOURS} nearest neighbours at least {VOTES} are of the predicted class)",
        mode.named(class)
    );
    let warning = if own {
        let text = format!(
            "{counted}, which in the classifier's own feature space says little: what it is sure of lies there \
             among the class that it predicts"
        );
        Warning::about(WarningKind::LabelErrors, class, text)
    } else {
        let text = format!(
            "{counted}, so the direction shows wrong labels and not a failure mode: {then}"
        );
        Warning::barring(WarningKind::LabelErrors, class, text)
    };
    warning
        .with("label_errors", errors)
        .with("mistakes", mistakes)
        .with("most_aligned_label_errors", head_errors)
        .with("most_aligned", head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_label_errors_bar_a_class_but_not_in_the_classifiers_own_space() {
        let share = Share::of(&[true, true, true, false]);
        assert!(share.dominates());
        let [elsewhere, own] = [false, true].map(|own| {
            let share = Share::of(&[true, true, true, false]);
            said(
                share,
                ("cat", ModeId::new(0, 0)),
                own,
                "nothing is generated",
            )
        });
        assert!(elsewhere.bars && elsewhere.text.ends_with(": nothing is generated"));
        assert!(!own.bars, "{}", own.text);
        assert!(
            own.text
                .contains("the classifier's own feature space says little")
        );
        for warning in [elsewhere, own] {
            assert_eq!(warning.kind, WarningKind::LabelErrors);
            assert_eq!(warning.numbers["label_errors"], 3);
            assert_eq!(warning.numbers["mistakes"], 4);
        }
    }
}
