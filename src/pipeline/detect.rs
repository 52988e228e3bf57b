//! Embeddings, predictions, directions and the detection report.

use std::collections::BTreeMap;
use std::time::Instant;

use super::context::{Context, Job};
use super::doubts;
use super::embed::{Embedded, embed_in};
use super::error::Error;
use super::learn::{Learned, learn};
use super::models::Models;
use super::report;
use super::space::Space;
use crate::dataset::Split;
use crate::direction::doubt::{Warning, WarningKind, barred};
use crate::direction::{Direction, FitOptions, Fitted, Whitening, persist};
use crate::report::DetectionReport;

/// What detection found.
pub struct Detected {
    /// Whitening of the run's space.
    pub whitening: Whitening,
    /// Directions, and the classes without one.
    pub fitted: Fitted,
    /// Which split the report's figures are on.
    pub judged_on: Split,
    /// Why nothing is generated from these classes unless forced.
    pub barred: BTreeMap<usize, Vec<WarningKind>>,
    /// All of it as `report.json` has it, but for the captions; one entry a direction, in their order.
    pub report: DetectionReport,
}

impl Detected {
    /// Whether a direction may be generated from without being forced.
    pub fn is_usable(&self, direction: &Direction) -> bool {
        direction.is_finding() && !self.barred.contains_key(&direction.id.class)
    }
}

/// Learns directions on val and judges them on every split; writes `directions.*`, `report.json` and
/// `report/`.
///
/// # Errors
///
/// Of kind input where the data has too little to learn from.
pub fn detect(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    models: &Models,
) -> Result<Detected, Error> {
    let begun = Instant::now();
    let dataset = embedded.dataset();
    let mut options = job.settings.direction;
    options.seed ^= job.settings.seed;
    context.info("learning directions");
    let mut learned = learn(embedded.usable(), &embedded.parts, &options)?;
    let doubts = doubts::find(job.settings.generate.force, embedded, &learned);
    let compared = compare(context, job, embedded, models, &options)?;
    let passed = embedded.skips.warning();
    let passed = passed.map(|text| Warning::general(WarningKind::SkippedImages, text));
    let mut warnings = std::mem::take(&mut learned.warnings);
    warnings.extend(passed);
    warnings.extend(doubts.warnings.iter().cloned());
    for warning in &warnings {
        context.warn(&warning.text);
    }
    persist::write(
        job.layout.root(),
        &learned.whitening,
        learned.whitened_on,
        &learned.fitted,
        dataset,
    )?;
    let barred = barred(&warnings)
        .into_iter()
        .filter_map(|(name, kinds)| Some((dataset.class_index(&name)?, kinds)))
        .collect();
    let evidence = report::Evidence {
        learned: &learned,
        compared: &compared,
        doubts: &doubts,
        barred: &barred,
        warnings,
    };
    let report = report::write(job, embedded, evidence)?;
    let detected = Detected {
        whitening: learned.whitening,
        fitted: learned.fitted,
        judged_on: learned.judged_on,
        barred,
        report,
    };
    context.took("directions", begun);
    Ok(detected)
}

/// Learns and judges directions in the other spaces that are asked for, one after the other.
fn compare(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    models: &Models,
    options: &FitOptions,
) -> Result<Vec<(Space, Learned)>, Error> {
    let mut compared = Vec::new();
    for space in &embedded.data.compared {
        let parts = embed_in(context, job, embedded, models, space)?;
        context.info(format_args!("learning directions in {}", space.name()));
        let mut learned = learn(embedded.usable(), &parts, options)?;
        // Its numbers stay, its matrices go.
        learned.known.clear();
        compared.push((space.clone(), learned));
    }
    Ok(compared)
}
