//! Embeddings, predictions, directions and the detection report.

use std::collections::BTreeMap;

use image::RgbImage;
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::inputs::{Inputs, Space};
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::{Dataset, Split};
use crate::direction::report::{ClassReport, SplitView, class_report};
use crate::direction::{self, Direction, Fitted, Whitening, persist};
use crate::io;
use crate::run::cache::{self, Place};
use crate::run::features::fitted;

/// Hard test images that the report names, per failure mode: what previews show.
const NAMED: usize = 24;

/// What detection found.
pub(in crate::cli) struct Detected {
    pub(in crate::cli) whitening: Whitening,
    pub(in crate::cli) fitted: Fitted,
    /// One a direction, on test (on val where there is no test).
    pub(in crate::cli) reports: Vec<ClassReport>,
    /// What makes the result less than it looks.
    pub(in crate::cli) warnings: Vec<String>,
}

struct Part {
    rows: Vec<usize>,
    matrix: Array2<f32>,
}

/// Embeds, learns directions on val, judges them on test, writes `directions.*` and `report.json`.
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
    let mut warnings = Vec::new();
    let val = parts.get(&Split::Val).ok_or_else(|| {
        InputError("the data has no val split: directions are learned there".to_owned())
    })?;
    let (reference, whitened_on) = match parts.get(&Split::Train) {
        Some(train) if train.matrix.nrows() >= 2 => (train, "train"),
        _ => {
            warnings.push("there is no train split: whitening was learned on val".to_owned());
            (val, "val")
        }
    };
    let whitening = Whitening::fit(reference.matrix.view())?;
    if !whitening.dropped().is_empty() {
        warnings.push(format!(
            "{} of {} dimensions do not vary and are left out",
            whitening.dropped().len(),
            whitening.mean().len()
        ));
    }
    let dataset = &inputs.dataset;
    let known = with_predictions(dataset, val);
    let x = whitening.apply(known.matrix.view())?;
    let (labels, predictions) = truth(dataset, &known.rows);
    let mut options = context.settings.direction;
    options.seed ^= context.settings.seed;
    context.ui.info("learning directions");
    let fitted = direction::fit(
        x.view(),
        &labels,
        &predictions,
        dataset.classes.len(),
        &options,
    )?;
    let (split, judged) = match parts
        .get(&Split::Test)
        .map(|test| with_predictions(dataset, test))
    {
        Some(test) if !test.rows.is_empty() => (Split::Test, test),
        _ => {
            warnings.push(
                "there is no test split with predictions: the report is on val, where directions \
                 were learned, and flatters them"
                    .to_owned(),
            );
            (Split::Val, known)
        }
    };
    let (reports, named) = report(dataset, &whitening, &fitted, &judged)?;
    warnings.extend(doubts(dataset, &fitted, context.settings.generate.force));
    for warning in &warnings {
        context.ui.warn(warning);
    }
    persist::write(
        context.layout.root(),
        &whitening,
        whitened_on,
        &fitted,
        &dataset.classes,
    )?;
    let detected = Detected {
        whitening,
        fitted,
        reports,
        warnings,
    };
    write_report(context, inputs, &detected, named, (whitened_on, split))?;
    context
        .seconds
        .insert("directions", context.ui.seconds() - begun);
    Ok(Some(detected))
}

/// What makes a class's direction less than a finding.
fn doubts(dataset: &Dataset, fitted: &Fitted, force: bool) -> Vec<String> {
    let then = if force {
        "used all the same, as --force says"
    } else {
        "nothing is generated from it unless forced"
    };
    let skipped = fitted.skipped.iter().map(|skipped| {
        let class = &dataset.classes[skipped.class];
        format!("class {class} has no direction: {}", skipped.reason)
    });
    let weak = fitted
        .directions
        .iter()
        .filter(|d| !d.is_finding())
        .map(|direction| {
            format!(
                "class {}: the direction is no better than chance (CV score {:.3}, p {:.3} after \
             correction for {} classes, {} mistakes): {then}",
                dataset.classes[direction.class],
                direction.cv_score,
                direction.q_value,
                fitted.directions.len(),
                direction.wrong
            )
        });
    skipped.chain(weak).collect()
}

/// `report.json`.
fn write_report(
    context: &Context<'_>,
    inputs: &Inputs,
    detected: &Detected,
    named: Named,
    (whitened_on, split): (&str, Split),
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
        .zip(named)
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
        "whitened_on": whitened_on, "fitted_on": "val", "judged_on": split.name(),
        "root": root, "exif": context.settings.data.exif, "classes": classes, "warnings": detected.warnings,
    });
    io::write_atomic(&context.layout.report(), format!("{json:#}\n").as_bytes())?;
    Ok(())
}

/// Fills in the predictions of the user's classifier; false if asked to stop.
fn predict(context: &mut Context<'_>, inputs: &mut Inputs) -> anyhow::Result<bool> {
    let Some(classifier) = &inputs.classifier else {
        return Ok(true);
    };
    let cnn = classifier.cnn();
    let dataset = &mut inputs.dataset;
    let classes: Vec<usize> = cnn
        .config()
        .classes
        .iter()
        .map(|name| {
            dataset.class_index(name).ok_or_else(|| {
                InputError(format!(
                    "the classifier knows class {name:?}, the data does not: its classes are {:?}",
                    dataset.classes
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    let rows: Vec<usize> = (0..dataset.examples.len())
        .filter(|&i| {
            let e = &dataset.examples[i];
            e.prediction.is_none() && matches!(e.split, Split::Val | Split::Test)
        })
        .collect();
    let mut stage = context.ui.stage("classify", rows.len(), "images");
    for (chunk, start) in rows.chunks(256).zip((0..).step_by(256)) {
        if context.stop.asked() {
            return Ok(false);
        }
        let images: Vec<RgbImage> = chunk
            .par_iter()
            .map(|&i| dataset.image(&dataset.examples[i]).rgb(inputs.exif))
            .collect::<Result<_, _>>()?;
        let predicted = cnn.predict(&fitted(&images, cnn.config().image_size))?;
        for ((&i, class), p) in chunk
            .iter()
            .zip(predicted.classes())
            .zip(predicted.probabilities.outer_iter())
        {
            let example = &mut dataset.examples[i];
            example.prediction = Some(classes[class]);
            example.confidence = Some(p[class].clamp(0.0, 1.0));
        }
        stage.set(start + chunk.len(), "");
    }
    stage.end(context.ui);
    Ok(true)
}

/// Embeddings by split; none if asked to stop.
fn embed(
    context: &mut Context<'_>,
    inputs: &mut Inputs,
) -> anyhow::Result<Option<BTreeMap<Split, Part>>> {
    if let Some(matrix) = &inputs.own {
        return Ok(Some(by_split(matrix, &inputs.dataset)));
    }
    let mut parts = BTreeMap::new();
    let mut shas = Vec::new();
    if let Some(encoder) = inputs.encoder() {
        let dataset = &inputs.dataset;
        for split in [Split::Train, Split::Val, Split::Test] {
            let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
            if rows.is_empty() {
                continue;
            }
            let images: Vec<_> = rows
                .iter()
                .map(|&i| {
                    (
                        dataset.examples[i].id.clone(),
                        dataset.image(&dataset.examples[i]),
                    )
                })
                .collect();
            let place = Place::new(&context.layout.embeddings_dir(), split.name());
            let mut stage = context
                .ui
                .stage(&format!("embed {split}"), rows.len(), "images");
            let embedded = cache::embed(
                &place,
                &images,
                inputs.exif,
                encoder,
                &|| context.stop.asked(),
                &mut |done| stage.set(done, ""),
            )?;
            let Some(embedded) = embedded else {
                return Ok(None);
            };
            context.ui.note(format_args!(
                "{} of {} were new",
                embedded.fresh,
                rows.len()
            ));
            stage.end(context.ui);
            shas.extend(rows.iter().copied().zip(embedded.sha256));
            parts.insert(
                split,
                Part {
                    rows,
                    matrix: embedded.embeddings.matrix,
                },
            );
        }
    }
    for (row, sha) in shas {
        inputs.sha256[row] = Some(sha);
    }
    Ok(Some(parts))
}

/// A matrix with a row an example, by split.
fn by_split(matrix: &Array2<f32>, dataset: &Dataset) -> BTreeMap<Split, Part> {
    let mut parts = BTreeMap::new();
    for split in Split::ALL {
        let rows: Vec<usize> = dataset.of_split(split).map(|(i, _)| i).collect();
        if !rows.is_empty() {
            let matrix = matrix.select(Axis(0), &rows);
            parts.insert(split, Part { rows, matrix });
        }
    }
    parts
}

fn with_predictions(dataset: &Dataset, part: &Part) -> Part {
    let kept: Vec<usize> = (0..part.rows.len())
        .filter(|&at| dataset.examples[part.rows[at]].prediction.is_some())
        .collect();
    Part {
        rows: kept.iter().map(|&at| part.rows[at]).collect(),
        matrix: part.matrix.select(Axis(0), &kept),
    }
}

fn truth(dataset: &Dataset, rows: &[usize]) -> (Vec<usize>, Vec<usize>) {
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
struct MostAligned {
    mistakes: Vec<Value>,
    right: Vec<Value>,
}

type Named = Vec<MostAligned>;

fn report(
    dataset: &Dataset,
    whitening: &Whitening,
    fitted: &Fitted,
    judged: &Part,
) -> anyhow::Result<(Vec<ClassReport>, Named)> {
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
        named.push(MostAligned {
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
