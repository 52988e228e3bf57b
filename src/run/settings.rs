//! What a run is told: one TOML file, every key with a default.

mod input;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::skipped::{MaxBad, OnBadImage};
use crate::dataset::{Layout, ScoreRule, Split};
use crate::direction::{DirectionError, FitOptions};
use crate::filter::duplicate::DuplicateOptions;
use crate::io::{self, Classified, ErrorKind, IoError};

pub use input::{Otherwise, Resampling, ResizeTo, Sides};

/// The commented settings file that `hardlight init` writes.
pub const TEMPLATE: &str = include_str!("settings.toml");

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] IoError),

    /// The file is not TOML, or has a key or a value that is not known.
    #[error("settings in {origin} were refused; `hardlight init` writes a commented file")]
    Parse {
        /// The file, or the option.
        origin: String,
        /// What the TOML reader said, with line and column.
        #[source]
        source: Box<toml::de::Error>,
    },

    /// A `--set` is not `section.key=value`.
    #[error("--set {text}: expected section.key=value, as in --set generate.steps=12")]
    Assignment {
        /// What was given.
        text: String,
    },

    /// A value is out of range.
    #[error("{key} is {value}: expected {expected}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },

    /// A split that images must not be taken from.
    #[error(
        "data.pool is {split}, but {reason}: put the images to choose from in a split of their own, pool"
    )]
    Pool {
        /// The split.
        split: Split,
        /// What it is there for.
        reason: &'static str,
    },

    /// A setting of the directions is out of range.
    #[error(transparent)]
    Direction(#[from] DirectionError),
}

impl Classified for SettingsError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

/// All settings of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seed of everything that is random.
    pub seed: u64,
    /// Images, labels, predictions.
    pub data: Data,
    /// The space of directions.
    pub embed: Embed,
    /// How directions are learned.
    pub direction: FitOptions,
    /// Which captions are scored.
    pub captions: Captions,
    /// How images are made.
    pub generate: Generate,
    /// Which images are kept.
    pub filter: Filter,
}

/// Images, labels, predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// An ImageFolder, or the folder that a table's paths start from.
    pub root: Option<PathBuf>,
    /// The published layout that the root has; none for an ImageFolder or a table.
    pub dataset: Option<Layout>,
    /// What of a published data set is the label.
    pub label: Option<String>,
    /// What of a published data set makes the groups.
    pub group: Option<String>,
    /// A table of examples.
    pub table: Option<PathBuf>,
    /// Class names in the classifier's order.
    pub classes: Option<Vec<String>>,
    /// A table of predictions.
    pub predictions: Option<PathBuf>,
    /// The threshold of scores; none for the data's own.
    pub score_threshold: Option<ScoreRule>,
    /// A TorchScript file, or a `hardlight-cnn` folder.
    pub classifier: Option<PathBuf>,
    /// The split whose hard images are added to training before any are generated.
    pub pool: Option<Split>,
    /// Height and width of what a TorchScript takes, px.
    pub classifier_input: Sides,
    /// How images get that size.
    pub classifier_resize: Option<ResizeTo>,
    /// How they are resampled.
    pub classifier_filter: Resampling,
    /// Mean of the channels, from 0 to 1.
    pub classifier_mean: [f64; 3],
    /// Standard deviation of the channels, from 0 to 1.
    pub classifier_std: [f64; 3],
    /// Images that it is given at once.
    pub classifier_batch: usize,
    /// Which of its logits is the score of class 1, from 0; none for a logit a class.
    pub classifier_output: Option<usize>,
    /// Whether EXIF orientation is obeyed.
    pub exif: bool,
    /// What an image that cannot be used does.
    pub on_bad_image: OnBadImage,
    /// How many may be passed over.
    pub max_bad: MaxBad,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            root: None,
            dataset: None,
            label: None,
            group: None,
            table: None,
            classes: None,
            predictions: None,
            score_threshold: None,
            classifier: None,
            pool: None,
            classifier_input: Sides::Square(224),
            classifier_resize: None,
            classifier_filter: Resampling::Bilinear,
            classifier_mean: [0.485, 0.456, 0.406],
            classifier_std: [0.229, 0.224, 0.225],
            classifier_batch: 32,
            classifier_output: None,
            exif: true,
            on_bad_image: OnBadImage::default(),
            max_bad: MaxBad::default(),
        }
    }
}

/// The space of directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Embed {
    /// A Transformers `CLIPModel` folder.
    pub clip: Option<PathBuf>,
    /// Embeddings that `clip` made before, a row an example.
    pub embeddings: Option<PathBuf>,
    /// `auto`, `clip`, `classifier`, or a matrix file.
    pub space: String,
    /// Other spaces to compare detection in, by the same words.
    pub compare: Vec<String>,
}

impl Default for Embed {
    fn default() -> Self {
        Self {
            clip: None,
            embeddings: None,
            space: "auto".to_owned(),
            compare: Vec::new(),
        }
    }
}

/// Which captions are scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Captions {
    /// A grammar by name or file, or a text file.
    pub grammar: String,
    /// Top failure captions to generate from.
    pub per_class: usize,
    /// Captions of a class whose embeddings relative to the reference have at least this cosine are
    /// near-equal.
    pub near_equal: f64,
    /// WordNet's `dict` folder, for grammars that take nouns from it.
    pub wordnet: Option<PathBuf>,
}

impl Default for Captions {
    fn default() -> Self {
        Self {
            grammar: "general".to_owned(),
            per_class: 5,
            near_equal: 0.99,
            wordnet: None,
        }
    }
}

/// How images are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    /// A Diffusers pipeline folder.
    pub model: Option<PathBuf>,
    /// Images to keep per failure mode.
    pub quota: usize,
    /// Attempts per failure mode; 0 means ten times the quota.
    pub budget: u64,
    /// Which weight files are taken, such as `fp16`.
    pub variant: Option<String>,
    /// Adapters, `FILE[:SCALE]` each.
    pub lora: Vec<String>,
    /// Denoising steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance: f64,
    /// Scheduler by name.
    pub scheduler: Option<String>,
    /// DDIM's η.
    pub eta: f64,
    /// What images should not show.
    pub negative_prompt: String,
    /// Width, px.
    pub width: Option<u32>,
    /// Height, px.
    pub height: Option<u32>,
    /// Images sampled at once.
    pub batch: usize,
    /// Control images per class and kind of caption.
    pub controls: usize,
    /// `auto`, `cpu`, `cuda`, `cuda:N`.
    pub device: String,
    /// `auto`, `fp32`, `fp16`, `bf16`.
    pub dtype: String,
    /// Whether directions no better than chance are used.
    pub force: bool,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            model: None,
            quota: 50,
            budget: 0,
            variant: None,
            lora: Vec::new(),
            steps: 25,
            guidance: 7.5,
            scheduler: None,
            eta: 0.0,
            negative_prompt: String::new(),
            width: None,
            height: None,
            batch: 8,
            controls: 0,
            device: "auto".to_owned(),
            dtype: "auto".to_owned(),
            force: false,
        }
    }
}

impl Generate {
    /// Attempts at most for so many images of a failure mode.
    pub fn attempts(&self, quota: usize) -> u64 {
        if self.budget == 0 {
            10 * quota as u64
        } else {
            self.budget
        }
    }
}

/// Which images are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Smallest alignment; the calibrated threshold if absent.
    pub min_alignment: Option<f64>,
    /// Smallest lead of the own class's reference caption, in cosine.
    pub class_margin: f64,
    /// Smallest deviation that is not blank, in levels of 255.
    pub min_deviation: f64,
    /// Whether the model folder's safety checker is asked, where it has one.
    pub safety: bool,
    /// Rejected images to keep per failure mode.
    pub keep_rejected: usize,
    /// Whether images are written at the data set's size and encoding.
    pub match_dataset: bool,
    /// Which images are too much like others.
    pub duplicate: DuplicateOptions,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            min_alignment: None,
            class_margin: 0.0,
            min_deviation: 2.0,
            safety: true,
            keep_rejected: 12,
            match_dataset: false,
            duplicate: DuplicateOptions::default(),
        }
    }
}

impl Settings {
    /// Reads a settings file (none means the defaults) and applies `section.key=value` texts.
    ///
    /// A value is read as TOML and, where that fails, as plain text.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], naming the file with line and column, or the option.
    pub fn read(file: Option<&Path>, assignments: &[String]) -> Result<Self, SettingsError> {
        let (origin, text) = match file {
            Some(path) => (path.display().to_string(), io::read_to_string(path)?),
            None => ("the defaults".to_owned(), String::new()),
        };
        let refused = |origin: &str, source| SettingsError::Parse {
            origin: origin.to_owned(),
            source: Box::new(source),
        };
        // Once with positions, for messages that name line and column.
        toml::from_str::<Self>(&text).map_err(|source| refused(&origin, source))?;
        let mut table: toml::Table = toml::from_str(&text).map_err(|e| refused(&origin, e))?;
        for assignment in assignments {
            assign(&mut table, assignment)?;
        }
        let settings: Self = table
            .try_into()
            .map_err(|source| refused("--set options", source))?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks ranges; called by [`Settings::read`] and again after flags were applied.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Range`], [`SettingsError::Pool`], [`SettingsError::Direction`].
    pub fn check(&self) -> Result<(), SettingsError> {
        self.direction.check()?;
        self.data.check_classifier()?;
        let range = |key, value: String, expected| {
            Err(SettingsError::Range {
                key,
                value,
                expected,
            })
        };
        let Generate {
            quota,
            steps,
            batch,
            guidance,
            eta,
            width,
            height,
            ..
        } = &self.generate;
        for (key, value) in [
            ("generate.quota", *quota),
            ("generate.steps", *steps),
            ("generate.batch", *batch),
            ("captions.per_class", self.captions.per_class),
        ] {
            if value == 0 {
                return range(key, value.to_string(), "at least 1");
            }
        }
        if *steps > 1000 {
            return range("generate.steps", steps.to_string(), "at most 1000");
        }
        if !guidance.is_finite() {
            return range("generate.guidance", guidance.to_string(), "a finite number");
        }
        if !(0.0..=1.0).contains(eta) {
            return range("generate.eta", eta.to_string(), "a number from 0 to 1");
        }
        for (key, side) in [("generate.width", width), ("generate.height", height)] {
            if let Some(side) = side.filter(|side| *side == 0 || side % 8 != 0) {
                return range(key, side.to_string(), "a multiple of 8");
            }
        }
        let near_equal = self.captions.near_equal;
        if !(near_equal > 0.0 && near_equal.is_finite()) {
            let expected = "a positive number; above 1 no captions are near-equal";
            return range("captions.near_equal", near_equal.to_string(), expected);
        }
        if self.filter.min_alignment.is_some_and(|a| !a.is_finite()) {
            return range(
                "filter.min_alignment",
                "not finite".to_owned(),
                "a finite number",
            );
        }
        let duplicate = &self.filter.duplicate;
        for (key, value) in [
            ("filter.duplicate.similarity", duplicate.similarity),
            ("filter.duplicate.thumbnail", duplicate.thumbnail),
        ] {
            if !(-1.0..=1.0).contains(&value) {
                return range(key, value.to_string(), "a number from -1 to 1");
            }
        }
        let taken = match self.data.pool {
            None | Some(Split::Pool) => None,
            Some(Split::Train) => {
                Some((Split::Train, "its images are in the training set already"))
            }
            Some(Split::Val) => Some((
                Split::Val,
                "directions are fitted there, and what they were fitted on must not be trained on",
            )),
            Some(Split::Test) => Some((
                Split::Test,
                "everything is judged there, and what is trained on can judge nothing",
            )),
        };
        match taken {
            Some((split, reason)) => Err(SettingsError::Pool { split, reason }),
            None => Ok(()),
        }
    }
}

fn assign(table: &mut toml::Table, text: &str) -> Result<(), SettingsError> {
    let bad = || SettingsError::Assignment {
        text: text.to_owned(),
    };
    let (key, value) = text.split_once('=').ok_or_else(bad)?;
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut t| t.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts
        .pop()
        .filter(|part| !part.is_empty())
        .ok_or_else(bad)?;
    let mut place = table;
    for part in parts {
        place = place
            .entry(part)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(bad)?;
    }
    place.insert(last.to_owned(), parsed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_the_defaults() {
        assert_eq!(
            toml::from_str::<Settings>(TEMPLATE).unwrap(),
            Settings::default()
        );
        // Commented keys are real keys: uncommented, the file still reads.
        let all: String = TEMPLATE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") && !rest.contains(": ") => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let settings: Settings = toml::from_str(&all).unwrap();
        assert!(settings.generate.model.is_some() && settings.filter.min_alignment.is_some());
    }

    #[test]
    fn assignments_override_with_types() {
        let set = |text: &str| Settings::read(None, &[text.to_owned()]);
        assert_eq!(set("generate.steps=12").unwrap().generate.steps, 12);
        assert_eq!(set("seed=7").unwrap().seed, 7);
        assert_eq!(set("embed.space=a/b.npy").unwrap().embed.space, "a/b.npy");
        assert!(matches!(
            set("generate.steps"),
            Err(SettingsError::Assignment { .. })
        ));
        assert!(matches!(
            set("generate.stepz=1"),
            Err(SettingsError::Parse { .. })
        ));
        assert!(matches!(
            set("generate.width=100"),
            Err(SettingsError::Range {
                key: "generate.width",
                ..
            })
        ));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "seed = 1\n[generate]\nstps = 3\n").unwrap();
        let error = Settings::read(Some(file.path()), &[]).unwrap_err();
        let SettingsError::Parse { source, .. } = error else {
            panic!("{error:?}")
        };
        let text = source.to_string();
        assert!(text.contains("line 3") && text.contains("stps"), "{text}");
    }
}
