//! The detection report on disk: `report.json` and the tables of `report/`.

use std::collections::BTreeSet;

use super::context::Job;
use super::data::Data;
use super::detect::{Barred, acting};
use super::doubts::Doubts;
use super::embed::Embedded;
use super::error::Error;
use super::learn::Learned;
use super::space::Space;
use crate::dataset::{Dataset, Split};
use crate::direction::ModeId;
use crate::direction::doubt::Warning;
use crate::direction::doubt::labels::{NEIGHBOURS, VOTES};
use crate::io;
use crate::report::detection::{DetectionReport, ModeReport, SkippedClass, SpaceReport};
use crate::report::doubts::{Duplicate, Duplicates, LabelError, LabelErrors, Reference};
use crate::report::overview::Overview;
use crate::report::{JsonFile as _, csv, version};

/// What the report is made from.
pub(super) struct Evidence<'a> {
    /// What the run's own space came to.
    pub(super) learned: &'a Learned,
    /// The same in the spaces that it is compared with.
    pub(super) compared: &'a [(Space, Learned)],
    pub(super) doubts: &'a Doubts,
    /// Why failure modes are barred.
    pub(super) barred: &'a Barred,
    /// Everything that makes the result less than it looks.
    pub(super) warnings: Vec<Warning>,
}

/// Writes `report.json`, still without captions, and `report/*.csv`.
pub(super) fn write(
    job: &Job<'_>,
    embedded: &Embedded,
    evidence: Evidence<'_>,
) -> Result<DetectionReport, Error> {
    let duplicates = duplicates(embedded.dataset(), evidence.doubts);
    let report = build(job, embedded, evidence, &duplicates)?;
    let folder = job.layout.report_dir();
    io::create_dir_all(&folder)?;
    for (name, bytes) in csv::tables(&report, &duplicates)? {
        io::write_atomic(&folder.join(name), &bytes)?;
    }
    report.write(&job.layout.report())?;
    Ok(report)
}

fn build(
    job: &Job<'_>,
    embedded: &Embedded,
    evidence: Evidence<'_>,
    duplicates: &[Duplicate],
) -> Result<DetectionReport, Error> {
    let Evidence {
        learned,
        compared,
        doubts,
        barred,
        warnings,
    } = evidence;
    let (data, dataset) = (&embedded.data, embedded.dataset());
    Ok(DetectionReport {
        schema: DetectionReport::SCHEMA,
        version: version(),
        space: data.space.name(),
        whitened_on: learned.whitened_on,
        fitted_on: Split::Val,
        judged_on: learned.judged_on,
        root: crate::manifest::root_text(job.layout.root(), dataset.root())?,
        exif: job.settings.data.exif,
        score_threshold: data.threshold.clone(),
        skipped_images: embedded.skips.found().len(),
        overview: overview(job, dataset, learned, barred),
        classes: modes(dataset, learned, barred),
        skipped: SkippedClass::all(&learned.fitted, dataset.classes()),
        splits: learned.splits.clone(),
        spaces: spaces(data, learned, compared),
        label_errors: label_errors(dataset, doubts),
        duplicates: Duplicates::of(duplicates),
        warnings,
        captions: None,
    })
}

/// How many modes there are, how large, and which to fix first.
fn overview(job: &Job<'_>, dataset: &Dataset, learned: &Learned, barred: &Barred) -> Overview {
    let fitted = &learned.fitted;
    let acting: BTreeSet<ModeId> = acting(fitted, barred, job.settings.generate.force)
        .iter()
        .map(|direction| direction.id)
        .collect();
    Overview::of(&fitted.directions, dataset.classes(), |id| {
        acting.contains(&id)
    })
}

fn modes(dataset: &Dataset, learned: &Learned, barred: &Barred) -> Vec<ModeReport> {
    let directions = learned.fitted.directions.iter();
    let judged = learned.reports.iter().zip(&learned.named);
    directions
        .zip(judged)
        .map(|(direction, (judged, named))| {
            let barred = barred.get(&direction.id).cloned().unwrap_or_default();
            let heads = [named.mistakes.clone(), named.right.clone()];
            let entry = ModeReport::of(direction, dataset.classes(), barred, judged.clone(), heads);
            ModeReport {
                val_alignments: learned.val_alignments(direction),
                ..entry
            }
        })
        .collect()
}

/// Directions of every space side by side, the run's own first; empty where none is compared.
fn spaces(data: &Data, own: &Learned, compared: &[(Space, Learned)]) -> Vec<SpaceReport> {
    if compared.is_empty() {
        return Vec::new();
    }
    let others = compared.iter().map(|(space, learned)| (space, learned));
    [(&data.space, own)]
        .into_iter()
        .chain(others)
        .map(|(space, learned)| SpaceReport {
            space: space.name(),
            whitened_on: learned.whitened_on,
            judged_on: learned.judged_on,
            classes: learned.modes(data.dataset.classes()),
            splits: learned.splits.clone(),
        })
        .collect()
}

/// The likely label errors and how they were looked for.
fn label_errors(dataset: &Dataset, doubts: &Doubts) -> LabelErrors {
    let check = &doubts.labels;
    let among = check.references.iter();
    let among = among.map(|&(split, (examples, used))| Reference {
        split,
        examples,
        used,
    });
    let suspects = check.suspects.iter().map(|suspect| {
        let mistake = suspect.error.mistake;
        let e = dataset.example(mistake.example);
        LabelError {
            id: e.id.clone(),
            path: e.path.clone(),
            split: suspect.split,
            label: dataset.classes()[mistake.label].clone(),
            likely: dataset.classes()[mistake.prediction].clone(),
            confidence: mistake.confidence,
            votes: suspect.error.votes.clone(),
            alignment: suspect.alignment,
        }
    });
    LabelErrors {
        neighbours: NEIGHBOURS,
        votes_needed: VOTES,
        among: among.collect(),
        unchecked_mistakes: check.unchecked,
        examples: suspects.collect(),
    }
}

fn duplicates(dataset: &Dataset, doubts: &Doubts) -> Vec<Duplicate> {
    let pairs = doubts.duplicates.iter();
    pairs
        .map(|pair| {
            let [later, earlier] = [pair.later, pair.earlier].map(|id| dataset.example(id));
            Duplicate {
                id: later.id.clone(),
                split: later.split,
                label: dataset.classes()[later.label].clone(),
                also: earlier.id.clone(),
                also_split: earlier.split,
                also_label: dataset.classes()[earlier.label].clone(),
                same: pair.same,
            }
        })
        .collect()
}
