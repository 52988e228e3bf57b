//! Embeddings, predictions, directions and the detection report.

use std::collections::BTreeMap;
use std::time::Instant;

use super::context::{Context, Job};
use super::doubts::{self, Doubts};
use super::embed::{Part, embed, embed_in};
use super::error::Error;
use super::inputs::{Inputs, Space};
use super::predict::predict;
use super::report;
use super::skipped;
use super::study::{Learned, Named, Studied, study};
use crate::dataset::Split;
use crate::direction::doubt::{Kind, Warning, barred};
use crate::direction::report::{ClassReport, SplitReport};
use crate::direction::{Direction, FitOptions, Fitted, Whitening, persist};

/// What detection found.
pub(crate) struct Detected {
    pub(crate) whitening: Whitening,
    pub(crate) fitted: Fitted,
    /// One a direction, on test (on val, out of fold, where there is no test).
    pub(crate) reports: Vec<ClassReport>,
    /// One a direction: the images at the head of its ranking.
    pub(crate) named: Vec<Named>,
    /// Every split with predictions.
    pub(crate) splits: Vec<SplitReport>,
    /// Which split whitening was learned on.
    pub(crate) whitened_on: Split,
    /// Which split the reports are on.
    pub(crate) judged_on: Split,
    /// Embeddings by split, before whitening.
    pub(crate) parts: BTreeMap<Split, Part>,
    /// What makes the result less than it looks.
    pub(crate) warnings: Vec<Warning>,
    /// Why nothing is generated from these classes unless forced.
    pub(crate) barred: BTreeMap<usize, Vec<Kind>>,
    /// Duplicates and likely label errors.
    pub(crate) doubts: Doubts,
    /// The same in other spaces.
    pub(crate) compared: Vec<(Space, Studied)>,
}

impl Detected {
    /// Whether a direction may be generated from without being forced.
    pub(crate) fn is_usable(&self, direction: &Direction) -> bool {
        direction.is_finding() && !self.barred.contains_key(&direction.id.class)
    }

    /// What the run's own space came to.
    pub(crate) fn learned(&self) -> Learned<'_> {
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
pub(crate) fn detect(
    context: &mut Context<'_>,
    job: &Job<'_>,
    inputs: &mut Inputs,
) -> Result<Detected, Error> {
    let begun = Instant::now();
    predict(context, job, inputs)?;
    let parts = embed(context, job, inputs)?;
    context.took("embed", begun);
    let begun = Instant::now();
    skipped::write(job, inputs)?;
    if let Some(threshold) = &inputs.threshold {
        context.info(threshold);
    }
    let mut options = job.settings.direction;
    options.seed ^= job.settings.seed;
    context.info("learning directions");
    let studied = study(&inputs.dataset, &parts, &options)?;
    let doubts = doubts::find(job.settings.generate.force, inputs, &parts, &studied);
    let compared = compare(context, job, inputs, &options)?;
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
        context.warn(&warning.text);
    }
    persist::write(
        job.layout.root(),
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
    report::write(job, inputs, &detected, None)?;
    context.took("directions", begun);
    Ok(detected)
}

/// Learns and judges directions in the other spaces that are asked for, one after the other.
fn compare(
    context: &mut Context<'_>,
    job: &Job<'_>,
    inputs: &Inputs,
    options: &FitOptions,
) -> Result<Vec<(Space, Studied)>, Error> {
    let mut compared = Vec::new();
    for space in &inputs.compared {
        let parts = embed_in(context, job, inputs, space)?;
        context.info(format_args!("learning directions in {}", space.name()));
        let mut studied = study(&inputs.dataset, &parts, options)?;
        // Its numbers stay, its matrices go.
        studied.known.clear();
        compared.push((space.clone(), studied));
    }
    Ok(compared)
}
