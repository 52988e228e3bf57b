//! The detection report on disk: `report.json` and the tables of `report/`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::context::Job;
use super::data::Data;
use super::detect::Detected;
use super::error::Error;
use super::study::Learned;
use crate::dataset::{Dataset, Split};
use crate::direction::doubt::labels::{NEIGHBOURS, VOTES};
use crate::direction::report::csv::{self, Cell};
use crate::io;

/// Duplicates that `report.json` lists; the table has all.
const LISTED: usize = 100;

/// Writes `report.json` and `report/*.csv`; what captions came to is a section of the former.
pub(super) fn write(
    job: &Job<'_>,
    data: &Data,
    detected: &Detected,
    captions: Option<&Value>,
) -> Result<(), Error> {
    let dataset = &data.dataset;
    let folder = job.layout.report_dir();
    io::create_dir_all(&folder)?;
    for (name, bytes) in tables(data, detected)? {
        io::write_atomic(&folder.join(name), &bytes)?;
    }
    let root = crate::manifest::root_text(job.layout.root(), &dataset.root)?;
    let classes: Vec<Value> = detected
        .fitted
        .directions
        .iter()
        .zip(&detected.reports)
        .zip(&detected.named)
        .map(|((d, report), named)| {
            json!({
                "class": dataset.classes[d.id.class], "mode": d.id.mode, "cv_score": d.cv_score,
                "p_value": d.p_value, "q_value": d.q_value, "finding": d.is_finding(),
                "barred": detected.barred.get(&d.id.class).map_or(&[][..], Vec::as_slice), "c": d.c,
                "threshold": d.threshold, "right": d.right, "wrong": d.wrong,
                "judged": report, "most_aligned_mistakes": named.mistakes,
                "most_aligned_right": named.right,
            })
        })
        .collect();
    let skipped: Vec<Value> = detected
        .fitted
        .skipped
        .iter()
        .map(|s| {
            let class = &dataset.classes[s.class];
            json!({"class": class, "right": s.right, "wrong": s.wrong, "reason": s.reason})
        })
        .collect();
    let mut json = json!({
        "schema": 1, "version": env!("CARGO_PKG_VERSION"), "space": data.space.name(),
        "whitened_on": detected.whitened_on.name(), "fitted_on": Split::Val.name(),
        "judged_on": detected.judged_on.name(), "root": root, "exif": job.settings.data.exif,
        "score_threshold": data.threshold,
        "skipped_images": data.skips.found().len(), "classes": classes, "skipped": skipped, "splits": detected.splits,
        "spaces": spaces(data, detected), "label_errors": label_errors(dataset, detected),
        "duplicates": duplicates(dataset, detected), "warnings": detected.warnings,
    });
    if let Some(captions) = captions {
        json["captions"] = captions.clone();
    }
    io::write_atomic(&job.layout.report(), format!("{json:#}\n").as_bytes())?;
    Ok(())
}

/// Directions of every space side by side; empty where none is compared.
fn spaces(data: &Data, detected: &Detected) -> Vec<Value> {
    let dataset = &data.dataset;
    if detected.compared.is_empty() {
        return Vec::new();
    }
    let shown = |name: String, of: &Learned<'_>| {
        let classes: Vec<Value> = of
            .fitted
            .directions
            .iter()
            .zip(of.reports)
            .map(|(d, report)| {
                json!({
                    "class": dataset.classes[d.id.class], "mode": d.id.mode, "cv_score": d.cv_score,
                    "p_value": d.p_value, "q_value": d.q_value, "finding": d.is_finding(),
                    "judged": report,
                })
            })
            .collect();
        json!({
            "space": name, "whitened_on": of.whitened_on.name(),
            "judged_on": of.judged_on.name(), "classes": classes, "splits": of.splits,
        })
    };
    let own = shown(data.space.name(), &detected.learned());
    let others = detected.compared.iter();
    [own]
        .into_iter()
        .chain(others.map(|(space, studied)| shown(space.name(), &studied.learned())))
        .collect()
}

/// The likely label errors and how they were looked for.
fn label_errors(dataset: &Dataset, detected: &Detected) -> Value {
    let check = &detected.doubts.labels;
    let among: Vec<Value> = check
        .references
        .iter()
        .map(|(split, (all, used))| json!({"split": split.name(), "examples": all, "used": used}))
        .collect();
    let examples: Vec<Value> = check
        .suspects
        .iter()
        .map(|suspect| {
            let mistake = suspect.error.mistake;
            let e = dataset.example(mistake.example);
            json!({
                "id": e.id, "path": e.path, "split": suspect.split.name(),
                "label": dataset.classes[mistake.label],
                "likely": dataset.classes[mistake.prediction],
                "confidence": mistake.confidence, "votes": suspect.error.votes,
                "alignment": suspect.alignment,
            })
        })
        .collect();
    json!({
        "neighbours": NEIGHBOURS, "votes_needed": VOTES, "among": among,
        "unchecked_mistakes": check.unchecked, "examples": examples,
    })
}

fn duplicates(dataset: &Dataset, detected: &Detected) -> Value {
    let pairs = &detected.doubts.duplicates;
    let first: Vec<Value> = pairs
        .iter()
        .take(LISTED)
        .map(|pair| {
            let [later, earlier] = [pair.later, pair.earlier].map(|id| dataset.example(id));
            json!({
                "id": later.id, "split": later.split.name(), "also": earlier.id,
                "also_split": earlier.split.name(), "same": pair.same.name(),
            })
        })
        .collect();
    json!({"count": pairs.len(), "first": first})
}

/// The files of `report/` by name.
fn tables(
    data: &Data,
    detected: &Detected,
) -> Result<Vec<(&'static str, Vec<u8>)>, csv::TableError> {
    let dataset = &data.dataset;
    let names: Vec<String> = detected.compared.iter().map(|(s, _)| s.name()).collect();
    let own = data.space.name();
    let mut views = vec![detected.learned().table(&own, &dataset.classes)];
    views.extend(
        names
            .iter()
            .zip(&detected.compared)
            .map(|(name, (_, studied))| studied.learned().table(name, &dataset.classes)),
    );
    Ok(vec![
        ("classes.csv", csv::classes(&views)?),
        ("heads.csv", csv::heads(&views)?),
        ("deciles.csv", csv::deciles(&views)?),
        ("label_errors.csv", label_table(dataset, detected)?),
        ("duplicates.csv", duplicate_table(dataset, detected)?),
        ("warnings.csv", warning_table(detected)?),
    ])
}

fn label_table(dataset: &Dataset, detected: &Detected) -> Result<Vec<u8>, csv::TableError> {
    let check = &detected.doubts.labels;
    let rows: Vec<Vec<Cell>> = check
        .suspects
        .iter()
        .map(|suspect| {
            let mistake = suspect.error.mistake;
            let e = dataset.example(mistake.example);
            let votes: Vec<String> = suspect.error.votes.iter().map(usize::to_string).collect();
            vec![
                e.id.as_str().into(),
                e.path.as_str().into(),
                suspect.split.name().into(),
                dataset.classes[mistake.label].as_str().into(),
                dataset.classes[mistake.prediction].as_str().into(),
                mistake.confidence.map(f64::from).into(),
                votes.join(" ").as_str().into(),
                suspect.alignment.into(),
            ]
        })
        .collect();
    let names = [
        "id",
        "path",
        "split",
        "label",
        "likely",
        "confidence",
        "votes",
        "alignment",
    ];
    csv::encode(&names, &rows)
}

fn duplicate_table(dataset: &Dataset, detected: &Detected) -> Result<Vec<u8>, csv::TableError> {
    let rows: Vec<Vec<Cell>> = detected
        .doubts
        .duplicates
        .iter()
        .map(|pair| {
            let [later, earlier] = [pair.later, pair.earlier].map(|id| dataset.example(id));
            let class = |label: usize| Cell::from(dataset.classes[label].as_str());
            vec![
                later.id.as_str().into(),
                later.split.name().into(),
                class(later.label),
                earlier.id.as_str().into(),
                earlier.split.name().into(),
                class(earlier.label),
                pair.same.name().into(),
            ]
        })
        .collect();
    let names = [
        "id",
        "split",
        "label",
        "also",
        "also_split",
        "also_label",
        "same",
    ];
    csv::encode(&names, &rows)
}

fn warning_table(detected: &Detected) -> Result<Vec<u8>, csv::TableError> {
    let rows: Vec<Vec<Cell>> = detected
        .warnings
        .iter()
        .map(|warning| {
            vec![
                warning.kind.name().into(),
                warning.class.as_deref().into(),
                warning.bars.into(),
                warning.text.as_str().into(),
            ]
        })
        .collect();
    csv::encode(&["kind", "class", "bars", "text"], &rows)
}

/// Whether an example's group is rare within its class in train; none without groups.
pub(super) fn minorities(dataset: &Dataset) -> Option<Vec<bool>> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (_, e) in dataset.of_split(Split::Train) {
        *counts.entry((e.label, e.group.as_deref()?)).or_default() += 1;
    }
    let rare = |label: usize, group: &str| {
        let of_class: Vec<usize> = counts
            .iter()
            .filter(|((l, _), _)| *l == label)
            .map(|(_, &n)| n)
            .collect();
        let total: usize = of_class.iter().sum();
        let own = counts.get(&(label, group)).copied().unwrap_or(0);
        // Rarer than half an even share.
        2 * own * of_class.len().max(2) < total
    };
    let flags: Option<Vec<bool>> = dataset
        .examples
        .iter()
        .map(|e| Some(rare(e.label, e.group.as_deref()?)))
        .collect();
    flags.filter(|flags| flags.iter().any(|&f| f))
}
