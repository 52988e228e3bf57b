//! Directions in one space: learned on val, judged on every split with predictions.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};

use super::embed::{Parts, SplitEmbeddings, with_predictions};
use super::error::Error;
use super::minorities::minorities;
use crate::dataset::{Dataset, ExampleId, Split, Usable};
use crate::direction::doubt::{Warning, WarningKind};
use crate::direction::report::{
    ClassReport, Histogram, Scoring, SplitReport, SplitView, alignments, split_report,
};
use crate::direction::{
    self, Direction, FitOptions, Fitted, ModeId, ValExamples, Whitening, units,
};
use crate::report::Mode;
use crate::report::detection::{RankedExample, SpaceMode};

/// Hard test images that the report names, per failure mode: what previews show.
const NAMED: usize = 24;

/// Examples of the pool that are whitened at once.
const BLOCK: usize = 8192;

/// What one space came to.
pub(super) struct Learned {
    pub(super) whitening: Whitening,
    /// Which split whitening was learned on.
    pub(super) whitened_on: Split,
    pub(super) fitted: Fitted,
    /// Val out of fold, test, pool: as far as there are predictions.
    pub(super) splits: Vec<SplitReport>,
    /// Which split the closing table is about.
    pub(super) judged_on: Split,
    /// One a direction, on that split.
    pub(super) reports: Vec<ClassReport>,
    /// One a direction: the images at the head of its ranking on that split.
    pub(super) named: Vec<Named>,
    /// The examples with predictions, of val and of test.
    pub(super) known: BTreeMap<Split, Known>,
    /// What makes all of it less than it looks.
    pub(super) warnings: Vec<Warning>,
}

impl Learned {
    /// The failure modes with their figures, as reports have them.
    pub(super) fn modes(&self, classes: &[String]) -> Vec<SpaceMode> {
        let all = self.fitted.directions.iter().zip(&self.reports);
        all.map(|(direction, judged)| SpaceMode {
            mode: Mode::of(direction, classes),
            judged: judged.clone(),
        })
        .collect()
    }

    /// How a direction's alignments of its class's val examples are spread, out of fold.
    pub(super) fn val_alignments(&self, direction: &Direction) -> Option<Histogram> {
        let val = self.known.get(&Split::Val)?;
        let ranked = alignments(val.view(), direction, val.scoring).into_iter();
        let examples: Vec<(f64, bool)> = ranked
            .map(|(at, alignment)| (alignment, val.predictions[at] != val.labels[at]))
            .collect();
        Histogram::of(&examples)
    }
}

/// The heads of a class's ranking.
pub(super) struct Named {
    pub(super) mistakes: Vec<RankedExample>,
    pub(super) right: Vec<RankedExample>,
}

/// A split's examples with predictions.
pub(super) struct Known {
    pub(super) ids: Vec<ExampleId>,
    /// Whitened, normalised, `[n, d]`.
    pub(super) x: Array2<f64>,
    pub(super) labels: Vec<usize>,
    pub(super) predictions: Vec<usize>,
    confidence: Option<Vec<f32>>,
    minority: Option<Vec<bool>>,
    /// Units over all classes; none where they were not looked for.
    units: Option<Vec<u32>>,
    /// What the user says belongs together.
    keys: Option<Vec<Option<u32>>>,
    pub(super) scoring: Scoring<'static>,
}

impl Known {
    fn new(
        dataset: &Dataset,
        whitening: &Whitening,
        part: &SplitEmbeddings,
        minority: Option<&[bool]>,
        scoring: Scoring<'static>,
    ) -> Result<Self, Error> {
        let known = with_predictions(dataset, part);
        let x = whitening.apply(known.view())?;
        let ids = known.ids;
        let examples = || ids.iter().map(|&id| dataset.example(id));
        let labels: Vec<usize> = examples().map(|e| e.label).collect();
        let keys = unit_keys(dataset, &ids);
        Ok(Self {
            units: Some(units::by_class(x.view(), &labels, keys.as_deref())),
            keys,
            x,
            labels,
            predictions: examples()
                .map(|e| e.prediction.unwrap_or(e.label))
                .collect(),
            confidence: examples().map(|e| e.confidence).collect(),
            minority: minority.map(|flags| ids.iter().map(|id| flags[id.index()]).collect()),
            ids,
            scoring,
        })
    }

    pub(super) fn view(&self) -> SplitView<'_> {
        SplitView {
            x: self.x.view(),
            labels: &self.labels,
            predictions: &self.predictions,
            confidence: self.confidence.as_deref(),
            minority: self.minority.as_deref(),
            units: self.units.as_deref(),
        }
    }
}

/// What the user says belongs together, as numbers; none where nothing is said.
pub(super) fn unit_keys(dataset: &Dataset, ids: &[ExampleId]) -> Option<Vec<Option<u32>>> {
    let texts = ids.iter().map(|&id| dataset.example(id).unit.as_deref());
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let keys: Vec<Option<u32>> = texts
        .map(|text| {
            let next = known.len() as u32;
            Some(*known.entry(text?).or_insert(next))
        })
        .collect();
    (!known.is_empty()).then_some(keys)
}

/// Learns directions from the embeddings of one space, and judges them.
pub(super) fn learn(
    data: Usable<'_>,
    parts: &Parts,
    options: &FitOptions,
) -> Result<Learned, Error> {
    let dataset = data.dataset();
    let mut warnings = Vec::new();
    let val = parts.get(&Split::Val).ok_or_else(|| {
        Error::input("the data has no val split: directions are learned there".to_owned())
    })?;
    let (whitening, whitened_on) = whiten(parts.get(&Split::Train), val, &mut warnings)?;
    let flags = minorities(data);
    let known_of = |part, scoring| Known::new(dataset, &whitening, part, flags.as_deref(), scoring);
    let val = known_of(val, Scoring::OutOfFold)?;
    let examples = ValExamples {
        ids: &val.ids,
        x: val.x.view(),
        labels: &val.labels,
        predictions: &val.predictions,
        units: val.keys.as_deref(),
    };
    let fitted = direction::fit(examples, dataset.classes().len(), options)?;
    let mut known = BTreeMap::from([(Split::Val, val)]);
    if let Some(part) = parts.get(&Split::Test) {
        let test = known_of(part, Scoring::Direct)?;
        if !test.ids.is_empty() {
            known.insert(Split::Test, test);
        }
    }
    let judged_on = if known.contains_key(&Split::Test) {
        Split::Test
    } else {
        let text = "there is no test split with predictions: the report is on val, where directions \
                    were learned, each example judged by the fold that did not see it";
        warnings.push(Warning::general(WarningKind::NoTest, text.to_owned()));
        Split::Val
    };
    let mut splits: Vec<SplitReport> = known
        .iter()
        .map(|(split, of)| split_report(*split, of.view(), &fitted, dataset.classes(), of.scoring))
        .collect();
    if let Some(part) = parts.get(&Split::Pool) {
        splits.extend(pool(dataset, &whitening, &fitted, part, flags.as_deref())?);
    }
    let (reports, named) = heads(dataset, &fitted, &known[&judged_on], judged_on, &splits)?;
    Ok(Learned {
        whitening,
        whitened_on,
        fitted,
        splits,
        judged_on,
        reports,
        named,
        known,
        warnings,
    })
}

/// Learns whitening on train, or on val if there is no train; gives the split too.
fn whiten(
    train: Option<&SplitEmbeddings>,
    val: &SplitEmbeddings,
    warnings: &mut Vec<Warning>,
) -> Result<(Whitening, Split), Error> {
    let (reference, whitened_on) = match train {
        Some(train) if train.view().nrows() >= 2 => (train, Split::Train),
        _ => {
            let text = "there is no train split: whitening was learned on val";
            warnings.push(Warning::general(WarningKind::NoTrain, text.to_owned()));
            (val, Split::Val)
        }
    };
    let whitening = Whitening::fit(reference.view())?;
    let (dropped, dims) = (whitening.dropped().len(), whitening.mean().len());
    if dropped > 0 {
        let text = format!("{dropped} of {dims} dimensions do not vary and are left out");
        let warning = Warning::general(WarningKind::ConstantDimensions, text);
        warnings.push(warning.with("dropped", dropped).with("dimensions", dims));
    }
    Ok((whitening, whitened_on))
}

/// The report on the pool's examples with predictions, if there are any. A pool may be large, so it is
/// whitened block by block.
fn pool(
    dataset: &Dataset,
    whitening: &Whitening,
    fitted: &Fitted,
    part: &SplitEmbeddings,
    minority: Option<&[bool]>,
) -> Result<Option<SplitReport>, Error> {
    let example = |at: usize| dataset.example(part.ids[at]);
    let kept: Vec<usize> = (0..part.ids.len())
        .filter(|&at| example(at).prediction.is_some())
        .collect();
    if kept.is_empty() {
        return Ok(None);
    }
    let mut scores: BTreeMap<ModeId, Vec<f64>> = BTreeMap::new();
    for block in kept.chunks(BLOCK) {
        let x = whitening.apply(part.view().select(Axis(0), block).view())?;
        for (&at, x) in block.iter().zip(x.outer_iter()) {
            for d in fitted.of_class(example(at).label) {
                scores.entry(d.id).or_default().push(d.alignment(x));
            }
        }
    }
    let known = Known {
        ids: kept.iter().map(|&at| part.ids[at]).collect(),
        x: Array2::zeros((0, 0)),
        labels: kept.iter().map(|&at| example(at).label).collect(),
        predictions: kept
            .iter()
            .map(|&at| example(at).prediction.unwrap_or(example(at).label))
            .collect(),
        confidence: kept.iter().map(|&at| example(at).confidence).collect(),
        minority: minority.map(|flags| {
            let flag = |&at: &usize| flags[part.ids[at].index()];
            kept.iter().map(flag).collect()
        }),
        units: None,
        keys: None,
        scoring: Scoring::Direct,
    };
    let scoring = Scoring::Given(&scores);
    Ok(Some(split_report(
        Split::Pool,
        known.view(),
        fitted,
        dataset.classes(),
        scoring,
    )))
}

/// Every direction's report on the split that it is judged on, with the images at the head of its ranking.
fn heads(
    dataset: &Dataset,
    fitted: &Fitted,
    judged: &Known,
    judged_on: Split,
    splits: &[SplitReport],
) -> Result<(Vec<ClassReport>, Vec<Named>), Error> {
    let split = splits.iter().find(|split| split.split == judged_on);
    let mut reports = Vec::new();
    let mut named = Vec::new();
    for direction in &fitted.directions {
        let class = &dataset.classes()[direction.id.class];
        let report = split
            .and_then(|split| split.mode(direction.id))
            .ok_or_else(|| {
                let text = format!("class {class} has no examples to judge its direction on");
                Error::input(text)
            })?;
        reports.push(report.clone());
        let mut ranked = alignments(judged.view(), direction, judged.scoring);
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let most = |wrong: bool| {
            let of = ranked
                .iter()
                .filter(|&&(at, _)| (judged.predictions[at] != judged.labels[at]) == wrong);
            of.take(NAMED)
                .map(|&(at, alignment)| {
                    let e = dataset.example(judged.ids[at]);
                    RankedExample {
                        id: e.id.clone(),
                        path: e.path.clone(),
                        member: e.member.clone(),
                        alignment,
                        failure_probability: direction.failure_probability(alignment),
                        prediction: e.prediction.map(|p| dataset.classes()[p].clone()),
                        confidence: e.confidence,
                        group: e.group.clone(),
                    }
                })
                .collect()
        };
        named.push(Named {
            mistakes: most(true),
            right: most(false),
        });
    }
    Ok((reports, named))
}
