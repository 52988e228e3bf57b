//! What a run leaves behind besides the manifest: previews, `summary.json`, the closing table.

use std::collections::BTreeMap;
use std::time::Instant;

use super::context::{Context, Job};
use super::decide::Decided;
use super::detect::Detected;
use super::error::Error;
use super::order::Finished;
use super::pool::Pooled;
use crate::preview::{SheetOptions, collect};
use crate::report::detection::ModeReport;
use crate::report::summary::{ModeSummary, PoolCounts, Summary, TopCaption};
use crate::report::{JsonFile as _, version};
use crate::run::decide::Outcome;
use crate::run::pool::{Picked, PoolRecord};

/// Draws the contact sheets.
///
/// # Errors
///
/// Of kind disk; of kind input for a run folder that is damaged.
pub fn previews(context: &mut Context<'_>, job: &Job<'_>) -> Result<(), Error> {
    let begun = Instant::now();
    collect::run(
        &job.layout,
        collect::Amounts::default(),
        &SheetOptions::default(),
    )?;
    context.took("previews", begun);
    Ok(())
}

/// Whether all came out; false if nothing was found or kept, or a quota is unmet where images are
/// `wanted`.
pub fn complete(
    detected: &Detected,
    pooled: Option<&Pooled>,
    decided: Option<&Decided>,
    wanted: bool,
) -> bool {
    let unmet = unmet(pooled.map(|pooled| &pooled.record), decided);
    let unmet = unmet && (wanted || pooled.is_none());
    !(detected.fitted.directions.is_empty() || unmet)
}

/// Whether images lack of what was asked for, or nothing was asked for.
pub(super) fn unmet(pool: Option<&PoolRecord>, decided: Option<&Decided>) -> bool {
    match (pool, decided) {
        (None, None) => false,
        (None, Some(decided)) => {
            let outcomes = &decided.decisions.outcomes;
            outcomes.is_empty() || outcomes.iter().any(|outcome| !outcome.met)
        }
        (Some(record), decided) => {
            let met = |picked: &Picked| {
                let outcome = decided.and_then(|all| all.of_mode(picked.mode_id()));
                picked.picks.len() >= record.quota || outcome.is_some_and(|outcome| outcome.met)
            };
            record.modes.is_empty() || !record.modes.iter().all(met)
        }
    }
}

/// `summary.json`, without what only the demo knows.
pub fn summary(done: &Finished) -> Summary {
    let report = &done.detected.report;
    let classes = report.classes.iter().enumerate();
    let seconds = done.seconds.iter();
    Summary {
        schema: Summary::SCHEMA,
        version: version(),
        overview: report.overview.clone(),
        classes: classes.map(|(at, entry)| mode(done, at, entry)).collect(),
        score_threshold: report.score_threshold.clone(),
        skipped: report.skipped_images,
        warnings: report.warnings.iter().map(|w| w.text.clone()).collect(),
        seconds: seconds
            .map(|(&stage, &s)| (stage.to_owned(), round(s)))
            .collect(),
        judge: None,
        retraining: None,
    }
}

/// What the run came to for the failure mode at a place of the report.
fn mode(done: &Finished, at: usize, entry: &ModeReport) -> ModeSummary {
    let id = entry.mode.id();
    let outcome = done.decided.as_ref();
    let outcome = outcome.and_then(|decided| decided.of_mode(id));
    let pooled = done.pooled.as_ref();
    let picked = pooled.and_then(|pooled| pooled.record.of(id));
    let captions = done.captioned.as_ref();
    let captions = captions.and_then(|captioned| captioned.report.modes.get(at));
    let top_captions = captions.iter().flat_map(|mode| &mode.hard);
    let figures = &entry.judged.figures;
    let mut summary = ModeSummary {
        mode: entry.mode.clone(),
        barred: entry.barred.clone(),
        c: entry.c,
        threshold: entry.threshold,
        admits: entry.admits,
        top_captions: top_captions
            .map(|caption| TopCaption {
                caption: caption.caption.clone(),
                score: caption.alignment,
                verdict: caption.verdict,
            })
            .collect(),
        attempted: 0,
        kept: 0,
        quota_met: None,
        pool: None,
        rejected: BTreeMap::new(),
        hardest: figures.hardest.k,
        minority_share_hardest: figures.hardest.minority,
        minority_share_base: figures.minority_base,
        sentence: captions
            .and_then(|mode| mode.sentence.clone())
            .or_else(|| Some(entry.judged.sentence.clone())),
    };
    count(&mut summary, picked, outcome, done.quota);
    summary
}

/// Enters what a mode's images came to.
pub(super) fn count(
    entry: &mut ModeSummary,
    picked: Option<&Picked>,
    outcome: Option<&Outcome>,
    quota: usize,
) {
    let enough = |picked: &Picked| picked.picks.len() >= quota;
    entry.attempted = outcome.map_or(0, |outcome| outcome.decided.len());
    entry.kept = outcome.map_or(0, |outcome| outcome.kept().count());
    entry.quota_met = outcome.map(|outcome| outcome.met).or(picked.map(enough));
    entry.rejected = outcome.map(Outcome::rejected).unwrap_or_default();
    entry.pool = picked.map(|picked| PoolCounts {
        of_class: picked.of_class,
        kept: picked.picks.len(),
        rejected: picked.rejected.clone(),
        left: picked.left,
    });
}

fn round(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}
