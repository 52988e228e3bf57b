//! Candidate captions, scored against every direction and held against real images;
//! `captions.parquet`, `report/captions.csv` and the captions of `report.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ndarray::{Array2, ArrayView2, Axis};

use super::candidates::{Candidates, Texts};
use super::context::{Context, Job};
use super::data::Data;
use super::detect::Detected;
use super::embed::{Embedded, SplitEmbeddings, with_predictions};
use super::error::Error;
use super::learn::unit_keys;
use super::reporter::Stage;
use super::settings::{Captions, CheckedSettings};
use super::space::Space;
use crate::caption::check::{Images, Real};
use crate::caption::score::{self, CaptionScore};
use crate::caption::table::ModeTable;
use crate::caption::{self, CaptionKind, CaptionVerdict, References, table};
use crate::dataset::{Dataset, ExampleId, Split};
use crate::direction::{Direction, Whitening, units};
use crate::embed::TextEncoder;
use crate::io;
use crate::report::captions::{Caption, NEAREST};
use crate::report::{self, CaptionsReport, DetectionReport, JsonFile as _};

/// What captions came to.
pub struct Captioned {
    /// One a direction, in their order.
    pub modes: Vec<ModeCaptions>,
    /// Embeddings of every class's reference caption, `[classes, d]`, before normalisation.
    pub references: Array2<f32>,
    /// The captions of `report.json`.
    pub report: CaptionsReport,
}

/// The captions of one direction.
pub struct ModeCaptions {
    /// The class's reference caption, which the others are compared with.
    pub reference: String,
    /// Hardest first, the dropped ones last.
    pub scores: Vec<CaptionScore>,
    /// The class's images, which captions are held against.
    pub real: Real,
}

impl ModeCaptions {
    /// Captions of a kind, the hardest first.
    pub fn of(&self, kind: CaptionKind) -> Vec<String> {
        score::of_kind(&self.scores, kind)
    }

    /// The hard captions that real images confirm, the hardest first.
    pub fn confirmed(&self) -> Vec<String> {
        let confirmed = self.scores.iter().filter(|score| is_confirmed(score));
        confirmed.map(|score| score.caption.clone()).collect()
    }

    /// One sentence on the class, by the hardest caption that is confirmed, on the judged split.
    pub fn sentence(&self, class: &str) -> Option<String> {
        let score = self.scores.iter().find(|score| is_confirmed(score))?;
        let nearest = score.checked.as_ref()?.judged;
        let all = self.real.judged.all();
        let (low, high) = nearest.interval;
        Some(format!(
            "{class}, nearest to {:?}: {:.0} % of {} wrong, against {:.0} % of all {} (95 % interval \
             {:.0} to {:.0} %)",
            score.caption,
            100.0 * (1.0 - nearest.accuracy),
            nearest.images,
            100.0 * (1.0 - all.accuracy),
            all.images,
            100.0 * (1.0 - high),
            100.0 * (1.0 - low),
        ))
    }
}

/// Whether it is a hard caption that real images confirm.
fn is_confirmed(score: &CaptionScore) -> bool {
    let verdict = score.checked.as_ref().map(|checked| checked.verdict);
    score.kind == CaptionKind::Hard && verdict == Some(CaptionVerdict::Confirmed)
}

/// Reads the grammar early, so that a faulty one is refused before any work.
#[cfg(feature = "torch")]
pub(super) fn check(settings: &Captions) -> Result<(), Error> {
    Candidates::open(settings).map(|_| ())
}

/// Embeddings of every class's reference caption, `[classes, d]`, before normalisation; none where the
/// directions' space has no captions in it.
///
/// # Errors
///
/// Those of the grammar and of the encoder.
pub fn references(
    settings: &CheckedSettings,
    data: &Data,
    texts: Option<&dyn TextEncoder>,
) -> Result<Option<Array2<f32>>, Error> {
    let (Some(texts), Space::Clip) = (texts, &data.space) else {
        return Ok(None);
    };
    let candidates = Candidates::open(&settings.captions)?;
    let classes = data.dataset.classes().iter();
    let references: Vec<String> = classes
        .map(|class| candidates.grammar().reference(class))
        .collect();
    Ok(Some(texts.encode_texts(&references)?))
}

/// Scores captions against every direction and holds them against real images; none where images and
/// captions share no space. Writes `captions.parquet`, `report/captions.csv` and `report.json` again.
///
/// # Errors
///
/// Of kind usage for a grammar that there is not, of kind input for one that is not sound.
pub fn caption(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    detected: &Detected,
    texts: Option<&dyn TextEncoder>,
) -> Result<Option<Captioned>, Error> {
    let data = &embedded.data;
    let Some(encoder) = texts else {
        context.info("no CLIP: the run ends after the directions (--clip DIR goes on)");
        return Ok(None);
    };
    if data.space != Space::Clip {
        context.warn(
            "directions are not in CLIP's space, so captions cannot be scored against them: leave \
             out --space to use CLIP's",
        );
        return Ok(None);
    }
    let begun = Instant::now();
    let candidates = Candidates::open(&job.settings.captions)?;
    for doubt in candidates.grammar().doubts() {
        context.warn(doubt);
    }
    let scorer = Scorer::new(job, data, detected, &candidates, encoder)?;
    let mut reals = reals(embedded, detected)?;
    let mut texts = Texts::new(encoder);
    let mut modes: Vec<ModeCaptions> = Vec::new();
    let directions = &detected.fitted.directions;
    let mut stage = Stage::begin(context.reporter, "captions", directions.len(), "directions");
    // The modes of a class share its captions.
    for of_class in directions.chunk_by(|a, b| a.id.class == b.id.class) {
        let class = of_class[0].id.class;
        let captions = scorer.candidates(class)?;
        let embeddings = texts.encode(&captions)?;
        let OfClass { ids, real } = reals.remove(&class).unwrap_or_else(OfClass::nothing);
        for direction in of_class {
            let mut real = real.clone();
            let aside = of_other_modes(direction, of_class, &ids);
            real.val = real.val.with_aside(aside);
            let scores = scorer.score(direction, &captions, embeddings.view(), &real)?;
            modes.push(ModeCaptions {
                reference: scorer.names[class].clone(),
                scores,
                real,
            });
            stage.set(modes.len(), "");
        }
    }
    stage.end();
    texts.warn(context);
    let report = section(job, data, detected, &modes);
    write(job, embedded, detected, &modes, &report)?;
    let captioned = Captioned {
        modes,
        references: scorer.references.raw().to_owned(),
        report,
    };
    context.took("captions", begun);
    Ok(Some(captioned))
}

/// What captions of every class are scored with.
struct Scorer<'a> {
    settings: &'a Captions,
    seed: u64,
    classes: &'a [String],
    candidates: &'a Candidates,
    whitening: &'a Whitening,
    /// Every class's reference caption.
    names: Vec<String>,
    references: References,
}

impl<'a> Scorer<'a> {
    fn new(
        job: &'a Job<'_>,
        data: &'a Data,
        detected: &'a Detected,
        candidates: &'a Candidates,
        encoder: &dyn TextEncoder,
    ) -> Result<Self, Error> {
        let classes = data.dataset.classes();
        let name = |class: &String| candidates.grammar().reference(class);
        let names: Vec<String> = classes.iter().map(name).collect();
        Ok(Self {
            settings: &job.settings.captions,
            seed: job.settings.seed,
            classes,
            candidates,
            whitening: &detected.whitening,
            references: References::new(encoder.encode_texts(&names)?),
            names,
        })
    }

    /// The captions that are scored for a class.
    fn candidates(&self, class: usize) -> Result<Vec<String>, Error> {
        self.candidates.of(&self.classes[class], &self.names[class])
    }

    /// The captions of a direction's class, hardest first, with `embeddings` `[captions, d]`; the hard, the
    /// easy and the neutral ones held against the class's images.
    fn score(
        &self,
        direction: &Direction,
        captions: &[String],
        embeddings: ArrayView2<'_, f32>,
        real: &Real,
    ) -> Result<Vec<CaptionScore>, Error> {
        let class = direction.id.class;
        let grammar = self.candidates.grammar();
        let space = caption::Space {
            whitening: self.whitening,
            references: &self.references,
            classes: self.classes,
            contradictions: &grammar.contradictions(&self.classes[class]),
            ends: self.settings.per_class,
            near_equal: self.settings.near_equal as f32,
            val: Some(&real.val),
            seed: self.seed,
        };
        let reference = &self.names[class];
        let mut scores = caption::score(direction, captions, reference, embeddings, space)?;
        for score in &mut scores {
            if score.kind != CaptionKind::Other && score.dropped.is_none() {
                score.checked = Some(real.check(embeddings.row(score.row), score.p_value));
            }
        }
        Ok(scores)
    }
}

/// The images that captions of a class are held against.
struct OfClass {
    /// The names of those of val, in their order.
    ids: Vec<ExampleId>,
    real: Real,
}

/// Which val images `ids` of a class are mistakes that another mode explains than `own`, and it does not; of mode
/// 0, which stands for all of them, none.
fn of_other_modes(own: &Direction, of_class: &[Direction], ids: &[ExampleId]) -> Vec<bool> {
    let found = |mode: &&Direction| mode.id.mode > 0 && own.id.mode > 0;
    let others: BTreeSet<ExampleId> = of_class
        .iter()
        .filter(found)
        .flat_map(|mode| mode.explains.iter().copied())
        .collect();
    let is_aside = |id: &ExampleId| others.contains(id) && !own.explains.contains(id);
    ids.iter().map(is_aside).collect()
}

/// The images of every class with a direction; near-duplicates of val, and what the user says belongs together,
/// are one unit.
fn reals(embedded: &Embedded, detected: &Detected) -> Result<BTreeMap<usize, OfClass>, Error> {
    let Embedded { data, parts, .. } = embedded;
    let dataset = &data.dataset;
    let part = |split| {
        let part = parts.get(&split);
        part.map(|part| with_predictions(dataset, part))
    };
    let mut reals = BTreeMap::new();
    let (Some(val), Some(judged)) = (part(Split::Val), part(detected.judged_on)) else {
        return Ok(reals);
    };
    for class in detected.fitted.directions.iter().map(|d| d.id.class) {
        if reals.contains_key(&class) {
            continue;
        }
        let (embeddings, right) = of_class(dataset, &val, class);
        let x = detected.whitening.apply(embeddings.view())?;
        let own = val.ids.iter().copied();
        let ids: Vec<ExampleId> = own
            .filter(|&id| dataset.example(id).label == class)
            .collect();
        let keys = unit_keys(dataset, &ids);
        let units = units::by_class(x.view(), &vec![0; x.nrows()], keys.as_deref());
        let val = Images::new(embeddings.view(), right).with_units(&units);
        let (embeddings, right) = of_class(dataset, &judged, class);
        let judged = Images::new(embeddings.view(), right);
        let real = Real { val, judged };
        reals.insert(class, OfClass { ids, real });
    }
    Ok(reals)
}

/// The embeddings of a class's examples, and whether the classifier gets each right.
fn of_class(dataset: &Dataset, part: &SplitEmbeddings, class: usize) -> (Array2<f32>, Vec<bool>) {
    let example = |at: usize| dataset.example(part.ids[at]);
    let rows: Vec<usize> = (0..part.ids.len())
        .filter(|&at| example(at).label == class)
        .collect();
    let right = rows
        .iter()
        .map(|&at| example(at).prediction == Some(class))
        .collect();
    (part.view().select(Axis(0), &rows), right)
}

impl OfClass {
    /// No images at all.
    fn nothing() -> Self {
        let none = || Images::new(Array2::zeros((0, 0)).view(), Vec::new());
        let (val, judged) = (none(), none());
        Self {
            ids: Vec::new(),
            real: Real { val, judged },
        }
    }
}

fn write(
    job: &Job<'_>,
    embedded: &Embedded,
    detected: &Detected,
    modes: &[ModeCaptions],
    captions: &CaptionsReport,
) -> Result<(), Error> {
    let classes = embedded.dataset().classes();
    let all: Vec<CaptionScore> = modes
        .iter()
        .flat_map(|m| m.scores.iter().cloned())
        .collect();
    table::write(&job.layout.captions(), &all, classes)?;
    let tables: Vec<ModeTable<'_>> = modes
        .iter()
        .map(|mode| ModeTable {
            scores: &mode.scores,
            real: &mode.real,
        })
        .collect();
    let path = job.layout.captions_csv();
    if let Some(folder) = path.parent() {
        io::create_dir_all(folder)?;
    }
    table::write_csv(&path, &tables, classes, detected.judged_on.name())?;
    let report = DetectionReport {
        captions: Some(captions.clone()),
        ..detected.report.clone()
    };
    Ok(report.write(&job.layout.report())?)
}

/// The captions of `report.json`.
fn section(
    job: &Job<'_>,
    data: &Data,
    detected: &Detected,
    modes: &[ModeCaptions],
) -> CaptionsReport {
    let modes = detected.fitted.directions.iter().zip(modes);
    let modes = modes.map(|(direction, mode)| {
        let class = &data.dataset.classes()[direction.id.class];
        let of = |kind| -> Vec<Caption> {
            let scores = mode.scores.iter().filter(|s| s.kind == kind);
            scores.map(Caption::from).collect()
        };
        let mut easy = of(CaptionKind::Easy);
        easy.reverse();
        report::captions::ModeCaptions {
            class: class.clone(),
            class_index: direction.id.class,
            mode: direction.id.mode,
            candidates: mode.scores.len(),
            dropped: mode.scores.iter().filter(|s| s.dropped.is_some()).count(),
            val: mode.real.val.all(),
            judged: mode.real.judged.all(),
            hard: of(CaptionKind::Hard),
            neutral: of(CaptionKind::Neutral),
            easy,
            // What a finding is called, nothing else is.
            sentence: direction
                .is_finding()
                .then(|| mode.sentence(&direction.id.named(class)))
                .flatten(),
        }
    });
    CaptionsReport {
        grammar: job.settings.captions.grammar.clone(),
        nearest: NEAREST.to_owned(),
        verdict_on: Split::Val,
        judged_on: detected.judged_on,
        modes: modes.collect(),
    }
}
