//! What a run leaves behind: manifest, previews, `summary.json`, the closing table.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::captions::{self, Captioned};
use super::detect::Detected;
use super::generate::Generated;
use super::inputs::Inputs;
use crate::caption::Kind;
use crate::cli::exit::ExitStatus;
use crate::cli::session::{Context, Done};
use crate::cli::ui::Ui;
use crate::dataset::Split;
use crate::embed::ImageEncoder as _;
use crate::generate::Arm;
use crate::io::{self, IoError};
use crate::manifest::{self, Row};
use crate::preview::{SheetOptions, collect};
use crate::run::folder::Layout;
use crate::run::png::DigitalSource;

/// Version of `summary.json`.
const SCHEMA: u32 = 1;

/// The `K` of the minority's share in `summary.json`.
const TOP: usize = 50;

/// Writes the manifest: the training images as they are, then the kept ones in plan order.
pub(in crate::cli) fn manifest(
    context: &mut Context<'_>,
    inputs: &Inputs,
    generated: &Generated,
) -> anyhow::Result<()> {
    let dataset = &inputs.dataset;
    let root = manifest::root_text(context.layout.root(), &dataset.root)?;
    let mut rows: Vec<Row> = dataset
        .of_split(Split::Train)
        .map(|(i, example)| Row {
            sha256: inputs.sha256[i].clone(),
            ..Row::real(example, &dataset.classes[example.label], &root)
        })
        .collect();
    let originals = rows.len();
    let clip = inputs
        .clip
        .as_ref()
        .map(|clip| clip.fingerprint().to_owned());
    for (_, outcome) in generated.of(Arm::Hard) {
        let source = DigitalSource::TrainedAlgorithmicMedia;
        rows.extend(
            outcome
                .kept()
                .filter_map(|entry| Row::synthetic(entry, source))
                .map(|row| Row {
                    model: Some(inputs.pipeline_name.clone()),
                    model_fingerprint: Some(generated.fingerprint.clone()),
                    clip_fingerprint: clip.clone(),
                    ..row
                }),
        );
    }
    let folder = context.layout.manifest_dir();
    io::create_dir_all(&folder)?;
    manifest::write_all(&folder, &rows)?;
    context.ui.info(format_args!(
        "manifest: {originals} original and {} synthetic images",
        rows.len() - originals
    ));
    Ok(())
}

/// Draws the contact sheets.
pub(in crate::cli) fn previews(context: &mut Context<'_>) -> anyhow::Result<()> {
    let begun = context.ui.seconds();
    collect::run(
        &context.layout,
        collect::Amounts::default(),
        &SheetOptions::default(),
    )?;
    context
        .seconds
        .insert("previews", context.ui.seconds() - begun);
    Ok(())
}

/// Done, or incomplete: nothing found, nothing kept, or a quota unmet.
pub(in crate::cli) fn status(detected: &Detected, generated: Option<&Generated>) -> ExitStatus {
    let nothing_found = detected.fitted.directions.is_empty();
    let unmet = generated.is_some_and(|generated| {
        generated.plans.is_empty() || generated.outcomes.iter().any(|outcome| !outcome.met)
    });
    if nothing_found || unmet {
        ExitStatus::Incomplete
    } else {
        ExitStatus::Success
    }
}

/// `summary.json`, without what only the demo knows.
pub(in crate::cli) fn summary(done: &Done) -> Value {
    let Done {
        inputs,
        detected,
        captioned,
        generated,
        seconds,
        ..
    } = done;
    let mut classes = Vec::new();
    for (at, direction) in detected.fitted.directions.iter().enumerate() {
        let report = detected.reports.get(at);
        let plan = generated.as_ref().and_then(|generated| {
            let mut hard = generated.of(Arm::Hard);
            hard.find(|(plan, _)| (plan.class, plan.mode) == (direction.class, direction.mode))
        });
        let rejected: BTreeMap<String, usize> = plan
            .map(|(_, outcome)| outcome.rejected())
            .unwrap_or_default();
        classes.push(json!({
            "class": inputs.dataset.classes[direction.class],
            "mode": direction.mode,
            "cv_score": direction.cv_score,
            "p_value": direction.p_value,
            "finding": direction.is_finding(),
            "c": direction.c,
            "threshold": direction.threshold,
            "top_captions": top_captions(captioned.as_ref(), at),
            "attempted": plan.map_or(0, |(_, outcome)| outcome.entries.len()),
            "kept": plan.map_or(0, |(_, outcome)| outcome.kept().count()),
            "quota_met": plan.map(|(_, outcome)| outcome.met),
            "rejected": rejected,
            "minority_share_top50": report.and_then(|r| {
                r.at.iter().find(|head| head.k == TOP).and_then(|head| head.minority)
            }),
            "minority_share_base": report.and_then(|r| r.minority_base),
            "sentence": captioned
                .as_ref()
                .and_then(|captioned| captioned.modes.get(at))
                .and_then(|mode| mode.sentence(&inputs.dataset.classes[direction.class]))
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
        "warnings": detected.warnings,
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
pub(in crate::cli) fn write_summary(path: &Path, summary: &Value) -> Result<(), IoError> {
    io::write_atomic(path, format!("{summary:#}\n").as_bytes())
}

/// The closing table: a line a failure mode.
pub(in crate::cli) fn table(ui: &mut Ui, done: &Done) {
    let Done {
        inputs,
        detected,
        captioned,
        generated,
        ..
    } = done;
    ui.say(format_args!(
        "{:<16} {:>5} {:>7} {:>6} {:>12} {:>10} {:>5} {:>9}",
        "class", "wrong", "cv", "p", "hardest 50", "of class", "kept", "attempts"
    ));
    for (at, direction) in detected.fitted.directions.iter().enumerate() {
        let report = detected.reports.get(at);
        let head = report.and_then(|r| r.at.iter().find(|head| head.k == TOP));
        let plan = generated.as_ref().and_then(|generated| {
            let mut hard = generated.of(Arm::Hard);
            hard.find(|(plan, _)| (plan.class, plan.mode) == (direction.class, direction.mode))
        });
        let percent = |share: Option<f64>| {
            share.map_or_else(|| "-".to_owned(), |s| format!("{:.0} % wrong", 100.0 * s))
        };
        let count = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        ui.say(format_args!(
            "{:<16} {:>5} {:>7.3} {:>6.3} {:>12} {:>10} {:>5} {:>9}",
            inputs.dataset.classes[direction.class],
            direction.wrong,
            direction.cv_score,
            direction.p_value,
            percent(head.map(|head| head.direction)),
            percent(report.map(|r| 1.0 - r.model_accuracy)),
            count(plan.map(|(_, outcome)| outcome.kept().count())),
            count(plan.map(|(_, outcome)| outcome.entries.len())),
        ));
    }
    if let Some(captioned) = captioned {
        captions::say(ui, inputs, detected, captioned);
    }
    for report in &detected.reports {
        ui.say(format_args!("\n{}", report.sentence));
        ui.say("  K     direction  least confident  random");
        for head in &report.at {
            let least = head
                .least_confidence
                .map_or_else(|| "-".to_owned(), |s| format!("{s:.2}"));
            ui.say(format_args!(
                "  {:<5} {:>9.2} {least:>16} {:>7.2}",
                head.k, head.direction, head.random
            ));
        }
    }
}

/// Where everything is.
pub(in crate::cli) fn paths(ui: &mut Ui, layout: &Layout, done: &Done) {
    ui.say("");
    for direction in &done.detected.fitted.directions {
        let class = &done.inputs.dataset.classes[direction.class];
        ui.say(format_args!(
            "preview   {}",
            layout.preview(class, direction.mode).display()
        ));
    }
    if done.generated.is_some() {
        let manifest = layout.manifest_dir();
        ui.say(format_args!(
            "manifest  {}",
            manifest.join("train.parquet").display()
        ));
    }
    ui.say(format_args!("report    {}", layout.report().display()));
    ui.say(format_args!("summary   {}", layout.summary().display()));
}
