//! Embeddings, predictions, directions and the detection report.

use std::collections::BTreeMap;
use std::time::Instant;

use super::context::{Context, Job};
use super::data::Data;
use super::doubts::{self, Doubts};
use super::embed::{Embedded, embed_in};
use super::error::Error;
use super::models::Models;
use super::report;
use super::space::Space;
use super::study::{Learned, Named, Studied, study};
use crate::dataset::Split;
use crate::direction::doubt::{Kind, Warning, barred};
use crate::direction::report::{ClassReport, SplitReport};
use crate::direction::{Direction, FitOptions, Fitted, Whitening, persist};

/// What detection found.
pub struct Detected {
    /// Whitening of the run's space.
    pub whitening: Whitening,
    /// Directions, and the classes without one.
    pub fitted: Fitted,
    /// One a direction, on test (on val, out of fold, where there is no test).
    pub reports: Vec<ClassReport>,
    /// One a direction: the images at the head of its ranking.
    pub named: Vec<Named>,
    /// Every split with predictions.
    pub splits: Vec<SplitReport>,
    /// Which split whitening was learned on.
    pub whitened_on: Split,
    /// Which split the reports are on.
    pub judged_on: Split,
    /// What makes the result less than it looks.
    pub warnings: Vec<Warning>,
    /// Why nothing is generated from these classes unless forced.
    pub barred: BTreeMap<usize, Vec<Kind>>,
    /// Duplicates and likely label errors.
    pub doubts: Doubts,
    /// The same in other spaces.
    pub compared: Vec<(Space, Studied)>,
}

impl Detected {
    /// Whether a direction may be generated from without being forced.
    pub fn is_usable(&self, direction: &Direction) -> bool {
        direction.is_finding() && !self.barred.contains_key(&direction.id.class)
    }

    /// What the run's own space came to.
    pub fn learned(&self) -> Learned<'_> {
        Learned {
            fitted: &self.fitted,
            splits: &self.splits,
            reports: &self.reports,
            whitened_on: self.whitened_on,
            judged_on: self.judged_on,
        }
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
    let Embedded { data, parts } = embedded;
    let dataset = &data.dataset;
    let mut options = job.settings.direction;
    options.seed ^= job.settings.seed;
    context.info("learning directions");
    let studied = study(dataset, parts, &options)?;
    let doubts = doubts::find(job.settings.generate.force, embedded, &studied);
    let compared = compare(context, job, data, models, &options)?;
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
    let passed = data.skips.warning();
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
        dataset,
    )?;
    let barred = barred(&warnings)
        .into_iter()
        .filter_map(|(name, kinds)| Some((dataset.class_index(&name)?, kinds)))
        .collect();
    let detected = Detected {
        whitening,
        fitted,
        reports,
        named,
        splits,
        whitened_on,
        judged_on,
        warnings,
        barred,
        doubts,
        compared,
    };
    report::write(job, data, &detected, None)?;
    context.took("directions", begun);
    Ok(detected)
}

/// Learns and judges directions in the other spaces that are asked for, one after the other.
fn compare(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: &Data,
    models: &Models,
    options: &FitOptions,
) -> Result<Vec<(Space, Studied)>, Error> {
    let mut compared = Vec::new();
    for space in &data.compared {
        let parts = embed_in(context, job, data, models, space)?;
        context.info(format_args!("learning directions in {}", space.name()));
        let mut studied = study(&data.dataset, &parts, options)?;
        // Its numbers stay, its matrices go.
        studied.known.clear();
        compared.push((space.clone(), studied));
    }
    Ok(compared)
}
