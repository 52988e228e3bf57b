//! Embeddings, predictions, directions and the detection report.

use std::collections::BTreeMap;

use super::embed::{Part, embed, with_predictions};
use super::inputs::Inputs;
use super::predict::predict;
use super::report::{self, Named, truth};
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::{Dataset, Split};
use crate::direction::report::ClassReport;
use crate::direction::{self, Fitted, Whitening, persist};

/// What detection found.
pub(in crate::cli) struct Detected {
    pub(in crate::cli) whitening: Whitening,
    pub(in crate::cli) fitted: Fitted,
    /// One a direction, on test (on val where there is no test).
    pub(in crate::cli) reports: Vec<ClassReport>,
    /// One a direction: the images at the head of its ranking.
    pub(in crate::cli) named: Vec<Named>,
    /// Which split whitening was learned on.
    pub(in crate::cli) whitened_on: Split,
    /// Which split the reports are on.
    pub(in crate::cli) judged_on: Split,
    /// Embeddings by split, before whitening.
    pub(in crate::cli) parts: BTreeMap<Split, Part>,
    /// What makes the result less than it looks.
    pub(in crate::cli) warnings: Vec<String>,
}

/// Embeds, learns directions on val, judges them on test, writes `directions.*` and `report.json`.
pub(in crate::cli) fn detect(
    context: &mut Context<'_>,
    inputs: &mut Inputs,
) -> anyhow::Result<Option<Detected>> {
    let begun = context.ui.seconds();
    if !predict(context, inputs)? {
        return Ok(None);
    }
    let Some(parts) = embed(context, inputs)? else {
        return Ok(None);
    };
    context
        .seconds
        .insert("embed", context.ui.seconds() - begun);
    let begun = context.ui.seconds();
    let mut warnings = Vec::new();
    let val = parts.get(&Split::Val).ok_or_else(|| {
        InputError("the data has no val split: directions are learned there".to_owned())
    })?;
    let (reference, whitened_on) = match parts.get(&Split::Train) {
        Some(train) if train.matrix.nrows() >= 2 => (train, Split::Train),
        _ => {
            warnings.push("there is no train split: whitening was learned on val".to_owned());
            (val, Split::Val)
        }
    };
    let whitening = Whitening::fit(reference.matrix.view())?;
    if !whitening.dropped().is_empty() {
        warnings.push(format!(
            "{} of {} dimensions do not vary and are left out",
            whitening.dropped().len(),
            whitening.mean().len()
        ));
    }
    let dataset = &inputs.dataset;
    let known = with_predictions(dataset, val);
    let x = whitening.apply(known.matrix.view())?;
    let (labels, predictions) = truth(dataset, &known.rows);
    let mut options = context.settings.direction;
    options.seed ^= context.settings.seed;
    context.ui.info("learning directions");
    let fitted = direction::fit(
        x.view(),
        &labels,
        &predictions,
        dataset.classes.len(),
        &options,
    )?;
    let (judged_on, judged) = match parts
        .get(&Split::Test)
        .map(|test| with_predictions(dataset, test))
    {
        Some(test) if !test.rows.is_empty() => (Split::Test, test),
        _ => {
            warnings.push(
                "there is no test split with predictions: the report is on val, where directions \
                 were learned, and flatters them"
                    .to_owned(),
            );
            (Split::Val, known)
        }
    };
    let (reports, named) = report::judge(dataset, &whitening, &fitted, &judged)?;
    warnings.extend(doubts(dataset, &fitted, context.settings.generate.force));
    for warning in &warnings {
        context.ui.warn(warning);
    }
    persist::write(
        context.layout.root(),
        &whitening,
        whitened_on.name(),
        &fitted,
        &dataset.classes,
    )?;
    let detected = Detected {
        whitening,
        fitted,
        reports,
        named,
        whitened_on,
        judged_on,
        parts,
        warnings,
    };
    report::write(context, inputs, &detected)?;
    context
        .seconds
        .insert("directions", context.ui.seconds() - begun);
    Ok(Some(detected))
}

/// What makes a class's direction less than a finding.
fn doubts(dataset: &Dataset, fitted: &Fitted, force: bool) -> Vec<String> {
    let then = if force {
        "used all the same, as --force says"
    } else {
        "nothing is generated from it unless forced"
    };
    let skipped = fitted.skipped.iter().map(|skipped| {
        let class = &dataset.classes[skipped.class];
        format!("class {class} has no direction: {}", skipped.reason)
    });
    let weak = fitted
        .directions
        .iter()
        .filter(|d| !d.is_finding())
        .map(|direction| {
            format!(
                "class {}: the direction is no better than chance (CV score {:.3}, p {:.3} after \
             correction for {} classes, {} mistakes): {then}",
                dataset.classes[direction.class],
                direction.cv_score,
                direction.q_value,
                fitted.directions.len(),
                direction.wrong
            )
        });
    skipped.chain(weak).collect()
}
