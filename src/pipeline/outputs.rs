//! What a run leaves behind besides the manifest: previews, `summary.json`, the closing table.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::captions::Captioned;
use super::context::{Context, Job};
use super::detect::Detected;
use super::error::Error;
use super::generate::Generated;
use super::order::Finished;
use super::pool::Pooled;
use crate::caption::Kind;
use crate::io::{self, IoError};
use crate::preview::{SheetOptions, collect};
use crate::run::pool::Picked;

/// Version of `summary.json`.
const SCHEMA: u32 = 1;

/// The `K` of the minority's share in `summary.json`.
pub const TOP: usize = 50;

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
    generated: Option<&Generated>,
    wanted: bool,
) -> bool {
    let unmet = match (pooled.map(|pooled| &pooled.record), generated) {
        (None, None) => false,
        (None, Some(generated)) => {
            generated.plans.is_empty() || generated.outcomes.iter().any(|outcome| !outcome.met)
        }
        (Some(record), generated) => {
            let met = |picked: &Picked| {
                let plan = generated.and_then(|all| all.of_mode(&picked.class, picked.mode));
                picked.picks.len() >= record.quota || plan.is_some_and(|(_, outcome)| outcome.met)
            };
            wanted && (record.modes.is_empty() || !record.modes.iter().all(met))
        }
    };
    !(detected.fitted.directions.is_empty() || unmet)
}

/// `summary.json`, without what only the demo knows.
pub fn summary(done: &Finished) -> Value {
    let Finished {
        embedded,
        detected,
        captioned,
        pooled,
        generated,
        seconds,
        ..
    } = done;
    let data = &embedded.data;
    let mut classes = Vec::new();
    for (at, direction) in detected.fitted.directions.iter().enumerate() {
        let report = detected.reports.get(at);
        let class = &data.dataset.classes[direction.id.class];
        let plan = generated.as_ref();
        let plan = plan.and_then(|generated| generated.of_mode(class, direction.id.mode));
        let picked = pooled
            .as_ref()
            .and_then(|pooled| pooled.of(class, direction));
        let enough = |picked: &Picked| picked.picks.len() >= done.quota;
        let rejected: BTreeMap<String, usize> = plan
            .map(|(_, outcome)| outcome.rejected())
            .unwrap_or_default();
        classes.push(json!({
            "class": class,
            "mode": direction.id.mode,
            "cv_score": direction.cv_score,
            "p_value": direction.p_value,
            "finding": direction.is_finding(),
            "barred": detected.barred.get(&direction.id.class).map_or(&[][..], Vec::as_slice),
            "c": direction.c,
            "threshold": direction.threshold,
            "top_captions": top_captions(captioned.as_ref(), at),
            "attempted": plan.map_or(0, |(_, outcome)| outcome.entries.len()),
            "kept": plan.map_or(0, |(_, outcome)| outcome.kept().count()),
            "quota_met": plan.map(|(_, outcome)| outcome.met).or(picked.map(enough)),
            "pool": picked.map(|picked| json!({
                "of_class": picked.of_class, "kept": picked.picks.len(),
                "rejected": picked.rejected, "left": picked.left,
            })),
            "rejected": rejected,
            "minority_share_top50": report.and_then(|r| r.figures.head(TOP)?.minority),
            "minority_share_base": report.and_then(|r| r.figures.minority_base),
            "sentence": captioned
                .as_ref()
                .and_then(|captioned| captioned.modes.get(at))
                .and_then(|mode| mode.sentence(&data.dataset.classes[direction.id.class]))
                .or_else(|| report.map(|r| r.sentence.clone())),
        }));
    }
    let seconds: Map<String, Value> = seconds
        .iter()
        .map(|(&stage, &s)| (stage.to_owned(), json!(round(s))))
        .collect();
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "classes": classes,
        "score_threshold": data.threshold,
        "skipped": data.skips.found().len(),
        "warnings": detected.warnings.iter().map(|w| w.text.as_str()).collect::<Vec<_>>(),
        "seconds": seconds,
    })
}

fn round(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}

fn top_captions(captioned: Option<&Captioned>, at: usize) -> Vec<Value> {
    captioned
        .and_then(|captioned| captioned.modes.get(at))
        .map(|mode| {
            let hard = mode.scores.iter().filter(|s| s.kind == Kind::Hard);
            hard.map(|s| {
                let verdict = s.checked.map(|checked| checked.verdict.name());
                json!({"caption": s.caption, "score": s.alignment, "verdict": verdict})
            })
            .collect()
        })
        .unwrap_or_default()
}

/// Writes `summary.json`.
///
/// # Errors
///
/// [`IoError`].
pub fn write_summary(path: &Path, summary: &Value) -> Result<(), IoError> {
    io::write_atomic(path, format!("{summary:#}\n").as_bytes())
}
