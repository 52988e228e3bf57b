//! The detection report on disk: `report.json` and the tables of `report/`.

use std::collections::BTreeMap;

use super::context::Job;
use super::data::Data;
use super::doubts::Doubts;
use super::embed::Embedded;
use super::error::Error;
use super::space::Space;
use super::study::Studied;
use crate::dataset::{Dataset, Split, Usable};
use crate::direction::doubt::labels::{NEIGHBOURS, VOTES};
use crate::direction::doubt::{Warning, WarningKind};
use crate::io;
use crate::report::detection::{DetectionReport, ModeReport, SkippedClass, SpaceReport};
use crate::report::doubts::{Duplicate, Duplicates, LabelError, LabelErrors, Reference};
use crate::report::{JsonFile as _, Mode, csv, version};

/// What the report is made from.
pub(super) struct Evidence<'a> {
    /// What the run's own space came to.
    pub(super) studied: &'a Studied,
    /// The same in the spaces that it is compared with.
    pub(super) compared: &'a [(Space, Studied)],
    pub(super) doubts: &'a Doubts,
    /// Why classes are barred.
    pub(super) barred: &'a BTreeMap<usize, Vec<WarningKind>>,
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
        studied,
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
        whitened_on: studied.whitened_on,
        fitted_on: Split::Val,
        judged_on: studied.judged_on,
        root: crate::manifest::root_text(job.layout.root(), dataset.root())?,
        exif: job.settings.data.exif,
        score_threshold: data.threshold.clone(),
        skipped_images: embedded.skips.found().len(),
        classes: modes(dataset, studied, barred),
        skipped: SkippedClass::all(&studied.fitted, dataset.classes()),
        splits: studied.splits.clone(),
        spaces: spaces(data, studied, compared),
        label_errors: label_errors(dataset, doubts),
        duplicates: Duplicates::of(duplicates),
        warnings,
        captions: None,
    })
}

fn modes(
    dataset: &Dataset,
    studied: &Studied,
    barred: &BTreeMap<usize, Vec<WarningKind>>,
) -> Vec<ModeReport> {
    let directions = studied.fitted.directions.iter();
    let judged = studied.reports.iter().zip(&studied.named);
    directions
        .zip(judged)
        .map(|(direction, (judged, named))| ModeReport {
            mode: Mode::of(direction, dataset.classes()),
            barred: barred.get(&direction.id.class).cloned().unwrap_or_default(),
            c: direction.c,
            threshold: direction.threshold,
            right: direction.right,
            wrong: direction.wrong,
            judged: judged.clone(),
            most_aligned_mistakes: named.mistakes.clone(),
            most_aligned_right: named.right.clone(),
        })
        .collect()
}

/// Directions of every space side by side, the run's own first; empty where none is compared.
fn spaces(data: &Data, own: &Studied, compared: &[(Space, Studied)]) -> Vec<SpaceReport> {
    if compared.is_empty() {
        return Vec::new();
    }
    let others = compared.iter().map(|(space, studied)| (space, studied));
    [(&data.space, own)]
        .into_iter()
        .chain(others)
        .map(|(space, studied)| SpaceReport {
            space: space.name(),
            whitened_on: studied.whitened_on,
            judged_on: studied.judged_on,
            classes: studied.modes(data.dataset.classes()),
            splits: studied.splits.clone(),
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

/// Whether an example's group is rare within its class in train, by [`crate::dataset::ExampleId`]; none
/// without groups.
pub(super) fn minorities(data: Usable<'_>) -> Option<Vec<bool>> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (_, e) in data.of_split(Split::Train) {
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
    let mut flags = vec![false; data.dataset().len()];
    for (id, e) in data.iter() {
        flags[id.index()] = rare(e.label, e.group.as_deref()?);
    }
    flags.contains(&true).then_some(flags)
}
