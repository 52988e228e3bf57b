//! A run folder for commands that work on what it found: its data, embeddings and directions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use serde_json::{Value, json};

use super::context::Context;
use super::data;
use super::embed::{Parts, Pictures, SplitEmbeddings, by_split};
use super::error::Error;
use super::precomputed::{Precomputed, matrix_file};
use super::settings::{CheckedSettings, Settings};
use super::space::Space;
use crate::dataset::{Dataset, ExampleId, Split, Unusable, Usable};
use crate::direction::{Direction, ModeId, acted_on, persist};
use crate::io::image::Exif;
use crate::io::{self, ErrorKind};
use crate::report::{DetectionReport, JsonFile as _};
use crate::run::cache::CacheFiles;
use crate::run::folder::{Layout, read_settings};
use crate::run::skipped;

/// What a run found, read back.
pub struct Saved {
    /// Where its files are.
    pub layout: Layout,
    /// The data as it is now, without predictions.
    pub dataset: Dataset,
    /// Whitening and directions.
    pub found: persist::Saved,
    /// Whether the run used directions that are no better than chance too.
    pub(crate) force: bool,
    /// The failure modes that warnings bar.
    barred: BTreeSet<ModeId>,
    /// What the run reports.
    report: DetectionReport,
    /// Embeddings that were made before the run.
    own: Option<PathBuf>,
    /// The examples that the run passed over.
    unusable: Unusable,
    /// How images are turned.
    exif: Exif,
}

/// The layout of a folder that holds a run.
///
/// # Errors
///
/// Of kind input for another folder.
pub fn layout(run: &Path) -> Result<Layout, Error> {
    let layout = Layout::new(run);
    if layout.run_json().is_file() {
        return Ok(layout);
    }
    let text = format!("{} is no run folder: it holds no run.json", run.display());
    Err(Error::input(text))
}

/// What detection wrote into a run folder: its layout, its report, whitening and directions.
///
/// # Errors
///
/// Of kind input for a folder that holds no run, or no directions yet, or those of another version.
pub(super) fn detected(run: &Path) -> Result<(Layout, DetectionReport, persist::Saved), Error> {
    let layout = layout(run)?;
    if !layout.directions().is_file() || !layout.report().is_file() {
        let text = format!(
            "{} holds no directions: let `hardlight detect` or `run` finish there first",
            run.display()
        );
        return Err(Error::input(text));
    }
    let report = DetectionReport::read(&layout.report())?;
    let found = persist::read(layout.root())?;
    Ok((layout, report, found))
}

/// How images were turned when a report was made.
pub(super) fn exif(report: &DetectionReport) -> Exif {
    if report.exif {
        Exif::Apply
    } else {
        Exif::Ignore
    }
}

impl Saved {
    /// Opens a run folder that detection has been through.
    ///
    /// The data set is read again, without predictions: images from where the report says they lie,
    /// a table from where the settings say.
    ///
    /// # Errors
    ///
    /// Of kind input for a folder without directions, and for data that changed since.
    pub fn open(context: &mut Context<'_>, run: &Path) -> Result<Self, Error> {
        let (layout, report, found) = detected(run)?;
        let settings = settings(&layout, &report)?;
        let dataset = data::read_data(context, &settings)?.without_outputs();
        if found.classes != dataset.classes() {
            let text = format!(
                "the data's classes are {:?} and were {:?} when {} was made: run it again",
                dataset.classes(),
                found.classes,
                run.display()
            );
            return Err(Error::input(text));
        }
        let passed_over = skipped::read(&layout.skipped())?.unwrap_or_default();
        let unusable = skipped::unusable(&dataset, &passed_over);
        let barred = report
            .classes
            .iter()
            .filter(|entry| !entry.barred.is_empty());
        let barred = barred.map(|entry| entry.mode.id()).collect();
        Ok(Self {
            layout,
            dataset,
            unusable,
            found,
            force: settings.generate.force,
            barred,
            own: matrix_file(&Space::of(&settings), &settings)?.map(Path::to_path_buf),
            exif: exif(&report),
            report,
        })
    }

    /// Whether these are the predictions of the test examples that the run analysed, as far as its report
    /// tells: mistakes of every class, and what was said of the images at the head of its rankings.
    ///
    /// # Shapes
    ///
    /// `ids` and `predictions` `[n]`. True where the run did not know predictions of test.
    pub(super) fn analysed(&self, ids: &[ExampleId], predictions: &[usize]) -> bool {
        let mut splits = self.report.splits.iter();
        let Some(test) = splits.find(|split| split.split == Split::Test) else {
            return true;
        };
        let said: BTreeMap<&str, (usize, usize)> = ids
            .iter()
            .zip(predictions)
            .map(|(&id, &prediction)| {
                let example = self.dataset.example(id);
                (example.id.as_str(), (example.label, prediction))
            })
            .collect();
        let mistakes = |class: usize| {
            let wrong = said
                .values()
                .filter(|(label, said)| label == &class && said != label);
            wrong.count()
        };
        let mut classes = test.classes.iter();
        let heads = self.report.classes.iter();
        let mut ranked = heads.flat_map(|mode| {
            mode.most_aligned_mistakes
                .iter()
                .chain(&mode.most_aligned_right)
        });
        let name = |class: usize| self.dataset.classes().get(class);
        let on_test = self.report.judged_on == Split::Test;
        classes.all(|class| class.figures.mistakes == mistakes(class.class_index))
            && (!on_test
                || ranked.all(|example| {
                    let said = said.get(example.id.as_str());
                    said.is_none_or(|&(_, said)| name(said) == example.prediction.as_ref())
                }))
    }

    /// The data set without the examples that the run passed over.
    pub fn usable_data(&self) -> Usable<'_> {
        self.dataset.usable(&self.unusable)
    }

    /// The usable examples of a split, and their embeddings, whitened and normalised.
    ///
    /// Embeddings are the run's own; images are not read again.
    ///
    /// # Errors
    ///
    /// Of kind input for data that changed since.
    pub fn embedded(&self, split: Split) -> Result<(Vec<ExampleId>, Array2<f64>), Error> {
        let of_split = self.usable_data().of_split(split);
        let ids: Vec<ExampleId> = of_split.map(|(id, _)| id).collect();
        let matrix = if let Some(path) = &self.own {
            Precomputed::open(path, &self.dataset)?
                .rows(&ids)
                .view()
                .to_owned()
        } else {
            self.of_run(split, &ids)?
        };
        Ok((ids, self.found.whitening.apply(matrix.view())?))
    }

    /// The run's embeddings of every split, before whitening; images are not read again.
    ///
    /// # Errors
    ///
    /// Of kind input for data that changed since.
    pub(super) fn parts(&self) -> Result<Parts, Error> {
        if let Some(path) = &self.own {
            let own = Precomputed::open(path, &self.dataset)?;
            return Ok(by_split(&own, self.usable_data()));
        }
        let mut parts = Parts::new();
        for split in Split::ALL {
            let of_split = self.usable_data().of_split(split);
            let ids: Vec<ExampleId> = of_split.map(|(id, _)| id).collect();
            if !ids.is_empty() {
                let matrix = self.of_run(split, &ids)?;
                parts.insert(split, SplitEmbeddings::held(ids, matrix));
            }
        }
        Ok(parts)
    }

    /// Whether embeddings were made before the run, and lie elsewhere.
    pub(super) fn is_embedded_before(&self) -> bool {
        self.own.is_some()
    }

    /// The data's images with these embeddings.
    pub(super) fn pictures<'a>(&'a self, parts: &'a Parts) -> Pictures<'a> {
        Pictures {
            dataset: &self.dataset,
            parts,
            exif: self.exif,
            embedded_before: self.own.is_some(),
        }
    }

    fn of_run(&self, split: Split, wanted: &[ExampleId]) -> Result<Array2<f32>, Error> {
        let path = CacheFiles::new(&self.layout.embeddings_dir(), split.name()).matrix;
        let (matrix, ids) = io::matrix::read_keyed(&path)?;
        let ids = ids.unwrap_or_default();
        let at: BTreeMap<&str, usize> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| (id.as_str(), at))
            .collect();
        let places: Option<Vec<usize>> = wanted
            .iter()
            .map(|&id| at.get(self.dataset.example(id).id.as_str()).copied())
            .collect();
        match places {
            Some(places) if ids.len() == wanted.len() => Ok(matrix.select(Axis(0), &places)),
            _ => {
                let text = format!(
                    "{} has {} examples, the data's {split} split has {}, and they are not the same: \
                     the data changed since the run, so run it again",
                    path.display(),
                    ids.len(),
                    wanted.len()
                );
                Err(Error::input(text))
            }
        }
    }

    /// The failure modes that are acted on: of those that stand for what fails the ones that nothing bars, or
    /// all of them where the run was forced.
    pub fn usable(&self) -> impl Iterator<Item = &Direction> {
        let modes = acted_on(&self.found.directions, |direction| {
            self.force || direction.is_finding()
        });
        let free = |direction: &&Direction| self.force || !self.barred.contains(&direction.id);
        modes.into_iter().filter(free)
    }
}

/// The settings that a run was last given, with the paths as they were.
///
/// # Errors
///
/// Of kind input for a damaged `run.json`.
#[cfg(feature = "torch")]
pub(crate) fn given(layout: &Layout) -> Result<Settings, Error> {
    serde_json::from_value(read_settings(layout)?)
        .map_err(|source| Error::input(format!("{}: {source}", layout.run_json().display())))
}

/// The settings of a run, as far as they say what it read.
fn settings(layout: &Layout, report: &DetectionReport) -> Result<CheckedSettings, Error> {
    let damaged = |source: serde_json::Error| {
        let path = layout.run_json();
        Error::input(format!("{}: {source}", path.display()))
    };
    let mut written = read_settings(layout)?;
    if let Some(data) = written.get_mut("data").and_then(Value::as_object_mut) {
        data.remove("fingerprint");
    }
    let force = written["generate"]["force"].as_bool().unwrap_or_default();
    let mut settings: Settings = serde_json::from_value(json!({
        "data": written["data"],
        "embed": written["embed"],
        "generate": {"force": force},
    }))
    .map_err(damaged)?;
    // The report's root starts from the run folder, so both may have been moved together.
    settings.data.root = Some(layout.root().join(&report.root));
    if let Some(table) = settings.data.table.as_ref().filter(|table| !table.exists()) {
        let text = format!(
            "the run's table {} is not there: start this command where the run was started",
            table.display()
        );
        return Err(Error::input(text));
    }
    settings.check().map_err(|error| {
        let path = layout.run_json();
        Error::of_kind(ErrorKind::Input, error).context(path.display().to_string())
    })
}
