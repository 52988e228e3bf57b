//! The detection report: every direction judged on test, and `report.json`.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde_json::{Value, json};

use super::detect::Detected;
use super::embed::Part;
use super::inputs::{Inputs, Space};
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::{Dataset, Split};
use crate::direction::report::{ClassReport, SplitView, class_report};
use crate::direction::{Direction, Fitted, Whitening};
use crate::io;

/// Hard test images that the report names, per failure mode: what previews show.
const NAMED: usize = 24;

/// `report.json`; written again when there are captions.
pub(super) fn write(
    context: &Context<'_>,
    inputs: &Inputs,
    detected: &Detected,
    captions: Option<&Value>,
) -> anyhow::Result<()> {
    let dataset = &inputs.dataset;
    let space = match &inputs.space {
        Space::Clip => "clip".to_owned(),
        Space::Classifier => "classifier".to_owned(),
        Space::Matrix(path) => path.display().to_string(),
    };
    let root = crate::manifest::root_text(context.layout.root(), &dataset.root)?;
    let classes: Vec<Value> = detected
        .fitted
        .directions
        .iter()
        .zip(&detected.reports)
        .zip(&detected.named)
        .map(|((d, report), named)| {
            json!({
                "class": dataset.classes[d.class], "mode": d.mode, "cv_score": d.cv_score,
                "p_value": d.p_value, "q_value": d.q_value, "finding": d.is_finding(), "c": d.c,
                "threshold": d.threshold, "right": d.right, "wrong": d.wrong,
                "judged": report, "most_aligned_mistakes": named.mistakes,
                "most_aligned_right": named.right,
            })
        })
        .collect();
    let json = json!({
        "schema": 1, "version": env!("CARGO_PKG_VERSION"), "space": space,
        "whitened_on": detected.whitened_on.name(), "fitted_on": "val", "judged_on": detected.judged_on.name(),
        "root": root, "exif": context.settings.data.exif, "classes": classes, "warnings": detected.warnings,
        "captions": captions,
    });
    io::write_atomic(&context.layout.report(), format!("{json:#}\n").as_bytes())?;
    Ok(())
}

pub(super) fn truth(dataset: &Dataset, rows: &[usize]) -> (Vec<usize>, Vec<usize>) {
    rows.iter()
        .map(|&i| {
            let e = &dataset.examples[i];
            (e.label, e.prediction.unwrap_or(e.label))
        })
        .unzip()
}

/// Whether an example's group is rare within its class in train; none without groups.
pub(in crate::cli) fn minorities(dataset: &Dataset) -> Option<Vec<bool>> {
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

/// The heads of a class's ranking.
pub(in crate::cli) struct Named {
    mistakes: Vec<Value>,
    right: Vec<Value>,
}

/// Judges every direction on a split.
pub(super) fn judge(
    dataset: &Dataset,
    whitening: &Whitening,
    fitted: &Fitted,
    judged: &Part,
) -> anyhow::Result<(Vec<ClassReport>, Vec<Named>)> {
    let x = whitening.apply(judged.matrix.view())?;
    let (labels, predictions) = truth(dataset, &judged.rows);
    let examples = || judged.rows.iter().map(|&i| &dataset.examples[i]);
    let confidence: Option<Vec<f32>> = examples().map(|e| e.confidence).collect();
    let minority = minorities(dataset)
        .map(|flags| judged.rows.iter().map(|&i| flags[i]).collect::<Vec<bool>>());
    let mut reports = Vec::new();
    let mut named = Vec::new();
    for direction in &fitted.directions {
        let class = &dataset.classes[direction.class];
        let view = SplitView {
            x: x.view(),
            labels: &labels,
            predictions: &predictions,
            confidence: confidence.as_deref(),
            minority: minority.as_deref(),
        };
        let report = class_report(view, direction, class).ok_or_else(|| {
            InputError(format!(
                "class {class} has no examples to judge its direction on"
            ))
        })?;
        reports.push(report);
        named.push(Named {
            mistakes: most_aligned(dataset, direction, judged, &x, true),
            right: most_aligned(dataset, direction, judged, &x, false),
        });
    }
    Ok((reports, named))
}

/// The most aligned mistakes of a class, or the most aligned of those that are right, hardest first.
fn most_aligned(
    dataset: &Dataset,
    direction: &Direction,
    judged: &Part,
    x: &Array2<f64>,
    wrong: bool,
) -> Vec<Value> {
    let mut hard: Vec<(f64, usize)> = judged
        .rows
        .iter()
        .enumerate()
        .filter(|&(_, &i)| {
            let e = &dataset.examples[i];
            e.label == direction.class && (e.prediction != Some(e.label)) == wrong
        })
        .map(|(at, &i)| (direction.alignment(x.row(at)), i))
        .collect();
    hard.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    hard.iter()
        .take(NAMED)
        .map(|&(alignment, i)| {
            let e = &dataset.examples[i];
            json!({
                "id": e.id, "path": e.path, "member": e.member, "alignment": alignment,
                "prediction": e.prediction.map(|p| dataset.classes[p].as_str()),
                "confidence": e.confidence, "group": e.group,
            })
        })
        .collect()
}
