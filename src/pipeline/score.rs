//! Images that were not in a run, by what the run learned: alignment, probability of failure, failure mode.

use std::path::{Path, PathBuf};

use ::image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;

use super::context::Context;
use super::error::Error;
use super::reporter::Stage;
use super::saved;
use crate::dataset;
use crate::direction::{Direction, acted_on, persist};
use crate::embed::ImageEncoder;
use crate::io::image::{self, Exif};
use crate::io::{IoError, JsonFile as _};
use crate::run::RunRecord;
use crate::run::folder::FolderError;

/// Images that are read and embedded at once.
const CHUNK: usize = 32;

/// An image under a class: what the run expects of the classifier there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// The image, as it was given.
    pub path: String,
    /// Name of the class that it is taken to be of.
    pub class: String,
    /// The failure mode of the class that it is deepest in; none where the class has no direction.
    pub mode: Option<u32>,
    /// Alignment with the mode's direction, a signed distance: larger is harder.
    pub alignment: Option<f64>,
    /// Probability that the classifier gets it wrong, 0 to 1, among images of the class such as val's; none
    /// where it is not known.
    pub failure_probability: Option<f64>,
    /// Alignment from which an image counts as part of the failure.
    pub threshold: Option<f64>,
    /// Whether it reaches that.
    pub in_failure: Option<bool>,
    /// Whether the mode is a finding; of another it is better to believe nothing.
    pub finding: bool,
}

impl Scored {
    fn new(path: &Path, class: &str, best: Option<(&Direction, f64)>) -> Self {
        let of = |number: fn(&Direction, f64) -> f64| best.map(|(d, a)| number(d, a));
        Self {
            path: path.display().to_string(),
            class: class.to_owned(),
            mode: best.map(|(direction, _)| direction.id.mode),
            alignment: of(|_, alignment| alignment),
            failure_probability: best
                .and_then(|(direction, alignment)| direction.failure_probability(alignment)),
            threshold: of(|direction, _| direction.threshold),
            in_failure: best.map(|(direction, alignment)| alignment >= direction.threshold),
            finding: best.is_some_and(|(direction, _)| direction.is_finding()),
        }
    }

    /// A table with a header and a row each.
    ///
    /// # Errors
    ///
    /// None that is known: all fields are text and numbers.
    pub fn csv(scored: &[Self]) -> Result<String, Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in scored {
            writer.serialize(row).map_err(Error::other)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|e| Error::other(e.into_error()))?;
        String::from_utf8(bytes).map_err(Error::other)
    }
}

/// What a run learned, as far as images are scored by it.
struct Learned {
    found: persist::Saved,
    exif: Exif,
}

impl Learned {
    fn open(run: &Path, encoder: &dyn ImageEncoder) -> Result<Self, Error> {
        let (layout, report, found) = saved::detected(run)?;
        let record = RunRecord::read(&layout.run_json()).map_err(FolderError::from)?;
        let clip = record.identity.pointer("/embedding/clip");
        let clip = clip.and_then(|clip| clip.as_str());
        if report.space == "clip" && clip.is_some_and(|clip| clip != encoder.fingerprint()) {
            return Err(Error::input(format!(
                "{} was made with another CLIP: give the run's own with --clip",
                run.display()
            )));
        }
        let (d, own) = (encoder.dim(), found.whitening.mean().len());
        if d != own {
            return Err(Error::input(format!(
                "the encoder makes {d} dimensions and the directions of {} have {own}: they were learned in another space",
                run.display()
            )));
        }
        let exif = saved::exif(&report);
        Ok(Self { found, exif })
    }

    /// The mode that an embedding is deepest in, of those that stand for what fails; where none does, of all.
    fn best(&self, class: usize, x: ndarray::ArrayView1<'_, f64>) -> Option<(&Direction, f64)> {
        let mut modes = acted_on(&self.found.directions, Direction::is_finding);
        modes.retain(|direction| direction.id.class == class);
        if modes.is_empty() {
            modes = self.found.of_class(class).collect();
        }
        modes
            .into_iter()
            .map(|direction| (direction, direction.alignment(x)))
            .reduce(|a, b| if b.1 > a.1 { b } else { a })
    }

    /// The classes that an image is scored for: the one that is said, the one that its folder is named after, or all.
    fn classes_of(&self, path: &Path, said: Option<usize>) -> Vec<usize> {
        let folder = path.parent().and_then(Path::file_name);
        let folder = folder.and_then(|name| name.to_str());
        let named = || {
            self.found
                .classes
                .iter()
                .position(|c| Some(c.as_str()) == folder)
        };
        match said.or_else(named) {
            Some(class) => vec![class],
            None => (0..self.found.classes.len()).collect(),
        }
    }
}

/// Scores images by the directions of a run that detection has been through.
///
/// `images` are files, or folders with files below them. An image is scored for the class that is given, else for the one that its
/// folder is named after, else for every class: what is hard for one class is not for another.
///
/// # Errors
///
/// Of kind input for a folder without directions or of another version, another encoder than the run's, a class
/// that it does not have, and images that cannot be read; of kind stopped.
pub fn score(
    context: &mut Context<'_>,
    run: &Path,
    images: &[PathBuf],
    class: Option<&str>,
    encoder: &dyn ImageEncoder,
) -> Result<Vec<Scored>, Error> {
    let learned = Learned::open(run, encoder)?;
    let classes = &learned.found.classes;
    let said = match class {
        None => None,
        Some(name) => Some(classes.iter().position(|c| c == name).ok_or_else(|| {
            Error::usage(format!(
                "the run has no class {name:?}: its classes are {classes:?}"
            ))
        })?),
    };
    let paths = below(images)?;
    let mut stage = Stage::begin(context.reporter, "score", paths.len(), "images");
    let mut scored = Vec::new();
    for (chunk, done) in paths.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        if (context.stop)() {
            return Err(Error::stopped());
        }
        let read = |path: &PathBuf| -> Result<RgbImage, IoError> {
            Ok(image::read(path, learned.exif)?.into_rgb())
        };
        let pictures: Result<Vec<RgbImage>, IoError> = chunk.par_iter().map(read).collect();
        let embeddings = encoder.encode_images(&pictures?)?;
        let x = learned.found.whitening.apply(embeddings.view());
        let x = x.map_err(|error| {
            let place = format!(
                "among the {} images from {}",
                chunk.len(),
                chunk[0].display()
            );
            Error::from(error).context(place)
        })?;
        for (path, x) in chunk.iter().zip(x.outer_iter()) {
            for class in learned.classes_of(path, said) {
                scored.push(Scored::new(path, &classes[class], learned.best(class, x)));
            }
        }
        stage.set(done + chunk.len(), "");
    }
    stage.end();
    Ok(scored)
}

/// The images that were named, and those below folders that were, in bytewise order of their paths.
fn below(images: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for named in images {
        if named.is_dir() {
            let found = dataset::images_below(named, &mut Vec::new())?;
            if found.is_empty() {
                let text = format!("there is no image below {}", named.display());
                return Err(Error::input(text));
            }
            paths.extend(found.iter().map(|path| named.join(path)));
        } else {
            paths.push(named.clone());
        }
    }
    if paths.is_empty() {
        return Err(Error::usage(
            "there is nothing to score: name images or folders",
        ));
    }
    Ok(paths)
}
