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
use crate::direction::{Direction, FitOptions, Fitted, ModeId, Whitening, acted_on, persist};
use crate::report::DetectionReport;

/// What detection found.
pub struct Detected {
    /// Whitening of the run's space.
    pub whitening: Whitening,
    /// Directions, and the classes without one.
    pub fitted: Fitted,
    /// Which split the report's figures are on.
    pub judged_on: Split,
    /// Why nothing is generated from these failure modes unless forced.
    pub barred: Barred,
    /// All of it as `report.json` has it, but for the captions; one entry a direction, in their order.
    pub report: DetectionReport,
}

/// Why failure modes are barred; those that are not are not in it.
pub type Barred = BTreeMap<ModeId, Vec<WarningKind>>;

impl Detected {
    /// The failure modes that images are made for, by class and mode: of those that stand for what fails the
    /// ones that nothing bars, or all of them if forced to.
    pub fn acted_on(&self, force: bool) -> Vec<&Direction> {
        acting(&self.fitted, &self.barred, force)
    }
}

/// [`Detected::acted_on`].
pub(super) fn acting<'a>(fitted: &'a Fitted, barred: &Barred, force: bool) -> Vec<&'a Direction> {
    let mut modes = acted_on(&fitted.directions, |direction| {
        force || direction.is_finding()
    });
    modes.retain(|direction| force || !barred.contains_key(&direction.id));
    modes
}

/// Warnings of a kind that are told one by one: a thousand classes would hide the others.
const TOLD: usize = 8;

/// Tells the first warnings of every kind, and how many more there are; the log has all.
fn tell(context: &mut Context<'_>, warnings: &[Warning]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for warning in warnings {
        let count = counts.entry(warning.kind.name()).or_default();
        *count += 1;
        if *count <= TOLD {
            context.warn(&warning.text);
        } else {
            context.note(format_args!("warning: {}", warning.text));
        }
    }
    for (kind, count) in counts.into_iter().filter(|(_, count)| *count > TOLD) {
        context.warn(format_args!(
            "… and {} more of this kind ({kind}): report/warnings.csv has them all",
            count - TOLD
        ));
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
    tell(context, &warnings);
    persist::write(
        job.layout.root(),
        &learned.whitening,
        learned.whitened_on,
        &learned.fitted,
        dataset,
    )?;
    let ids = learned
        .fitted
        .directions
        .iter()
        .map(|direction| direction.id);
    let kinds = |id: ModeId| barred(&warnings, &dataset.classes()[id.class], id.mode);
    let barred: Barred = ids
        .map(|id| (id, kinds(id)))
        .filter(|(_, kinds)| !kinds.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::reporter::Recorder;

    #[test]
    fn a_thousand_warnings_of_a_kind_hide_no_other() {
        let of = |kind, text: String| Warning::general(kind, text);
        let many = (0..1000).map(|i| of(WarningKind::Chance, format!("class {i}")));
        let last = of(WarningKind::NoTest, "no test".to_owned());
        let warnings: Vec<Warning> = many.chain([last]).collect();
        let mut heard = Recorder::default();
        tell(&mut Context::new(&mut heard), &warnings);
        let told = heard.warnings();
        assert_eq!(told.len(), TOLD + 2, "{told:?}");
        assert_eq!((&*told[0], &*told[TOLD]), ("class 0", "no test"));
        assert!(told[TOLD + 1].contains("992 more") && told[TOLD + 1].contains("chance"));
        assert_eq!(heard.notes().len(), 992);
    }
}
