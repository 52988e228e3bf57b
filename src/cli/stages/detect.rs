//! Embeddings, predictions, directions and the detection report.

use std::collections::BTreeMap;

use super::doubts::{self, Doubts};
use super::embed::{Part, embed, embed_in};
use super::inputs::{Inputs, Space};
use super::predict::predict;
use super::report;
use super::skipped;
use super::study::{Learned, Named, Studied, study};
use crate::cli::session::Context;
use crate::dataset::Split;
use crate::direction::doubt::{Kind, Warning, barred};
use crate::direction::report::{ClassReport, SplitReport};
use crate::direction::{Direction, FitOptions, Fitted, Whitening, persist};

/// What detection found.
pub(in crate::cli) struct Detected {
    pub(in crate::cli) whitening: Whitening,
    pub(in crate::cli) fitted: Fitted,
    /// One a direction, on test (on val, out of fold, where there is no test).
    pub(in crate::cli) reports: Vec<ClassReport>,
    /// One a direction: the images at the head of its ranking.
    pub(in crate::cli) named: Vec<Named>,
    /// Every split with predictions.
    pub(in crate::cli) splits: Vec<SplitReport>,
    /// Which split whitening was learned on.
    pub(in crate::cli) whitened_on: Split,
    /// Which split the reports are on.
    pub(in crate::cli) judged_on: Split,
    /// Embeddings by split, before whitening.
    pub(in crate::cli) parts: BTreeMap<Split, Part>,
    /// What makes the result less than it looks.
    pub(in crate::cli) warnings: Vec<Warning>,
    /// Why nothing is generated from these classes unless forced.
    pub(in crate::cli) barred: BTreeMap<usize, Vec<Kind>>,
    /// Duplicates and likely label errors.
    pub(in crate::cli) doubts: Doubts,
    /// The same in other spaces.
    pub(in crate::cli) compared: Vec<(Space, Studied)>,
}

impl Detected {
    /// Whether a direction may be generated from without being forced.
    pub(in crate::cli) fn is_usable(&self, direction: &Direction) -> bool {
        direction.is_finding() && !self.barred.contains_key(&direction.id.class)
    }

    /// What the run's own space came to.
    pub(super) fn learned(&self) -> Learned<'_> {
        Learned {
            fitted: &self.fitted,
            splits: &self.splits,
            reports: &self.reports,
            whitened_on: self.whitened_on,
            judged_on: self.judged_on,
        }
    }
}

/// Embeds, learns directions on val, judges them on every split, writes `directions.*` and the report.
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
    skipped::write(context, inputs)?;
    if let Some(threshold) = &inputs.threshold {
        context.ui.info(threshold);
    }
    let mut options = context.settings.direction;
    options.seed ^= context.settings.seed;
    context.ui.info("learning directions");
    let studied = study(&inputs.dataset, &parts, &options)?;
    let doubts = doubts::find(context.settings.generate.force, inputs, &parts, &studied);
    let Some(compared) = compare(context, inputs, &options)? else {
        return Ok(None);
    };
    let Studied {
        whitening,
        whitened_on,
        fitted,
        splits,
        judged_on,
        reports,
        named,
        mut warnings,
        ..
    } = studied;
    let passed = inputs.skips.warning();
    warnings.extend(passed.map(|text| Warning::general(Kind::SkippedImages, text)));
    warnings.extend(doubts.warnings.iter().cloned());
    for warning in &warnings {
        context.ui.warn(&warning.text);
    }
    persist::write(
        context.layout.root(),
        &whitening,
        whitened_on.name(),
        &fitted,
        &inputs.dataset,
    )?;
    let barred = barred(&warnings)
        .into_iter()
        .filter_map(|(name, kinds)| Some((inputs.dataset.class_index(&name)?, kinds)))
        .collect();
    let detected = Detected {
        whitening,
        fitted,
        reports,
        named,
        splits,
        whitened_on,
        judged_on,
        parts,
        warnings,
        barred,
        doubts,
        compared,
    };
    report::write(context, inputs, &detected, None)?;
    context
        .seconds
        .insert("directions", context.ui.seconds() - begun);
    Ok(Some(detected))
}

/// Learns and judges directions in the other spaces that are asked for, one after the other; none if asked
/// to stop.
fn compare(
    context: &mut Context<'_>,
    inputs: &Inputs,
    options: &FitOptions,
) -> anyhow::Result<Option<Vec<(Space, Studied)>>> {
    let mut compared = Vec::new();
    for space in &inputs.compared {
        let Some(parts) = embed_in(context, inputs, space)? else {
            return Ok(None);
        };
        context
            .ui
            .info(format_args!("learning directions in {}", space.name()));
        let mut studied = study(&inputs.dataset, &parts, options)?;
        // Its numbers stay, its matrices go.
        studied.known.clear();
        compared.push((space.clone(), studied));
    }
    Ok(Some(compared))
}
