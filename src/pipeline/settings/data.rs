//! `[data]`: images, labels, predictions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::flag::{put, put_some};
use super::range::{finite, within};
use super::{Resampling, ResizeTo, SettingsError, Sides};
use crate::dataset::{Layout, ScoreRule, Split};
use crate::run::skipped::{MaxBad, OnBadImage};

/// What `hardlight init` writes of this section; `{layouts}` are the names of all layouts.
const TEMPLATE: &str = r#"[data]
# ImageFolder (SPLIT/CLASS/image), or a table (.csv, .json, .jsonl, .parquet) with path,label,split and
# optional id,prediction,confidence,probabilities,group.
# root = "data"
# Or a data set as it is published: {layouts};
# with the attribute, finding, key or column that is the label, and another for groups.
# dataset = "celeba"
# label = "Blond_Hair"
# group = "Male"
# table = "data/table.csv"
# Class names in the classifier's order, where the data does not tell it; also those that the data lacks. A published
# data set's may be renamed: as many other names, in its own order.
# classes = ["cat", "dog"]
# Whether a row of a table is refused whose path lies in a folder of another split or class than its columns say.
check_paths = true
# The analysed classifier's predictions: a table with id (or path) and prediction (or probabilities, logits, or, of
# two classes, the score of the second), or an array [n, classes] or [n] in the data's order (.npy) ...
# predictions = "predictions.csv"
# ... or the classifier itself, run on the images: a TorchScript (.pt, which runs the code in it), or a
# hardlight-cnn folder.
# classifier = "model.pt"
# What the TorchScript takes: side, or [height, width], px; 224 if absent ...
# classifier_input = 224
# ... after images were resized: the shorter side to so many px and the middle cut out; "squash"; or
# "none". 256 for an input of 224; with another it must be said.
# classifier_resize = 256
# bilinear or bicubic, as Pillow does it.
classifier_filter = "bilinear"
# Red, green, blue, of pixels from 0 to 1.
classifier_mean = [0.485, 0.456, 0.406]
classifier_std = [0.229, 0.224, 0.225]
# Images that it is given at once.
classifier_batch = 32
# Of many logits, the one that is the score of class 1, counted from 0; absent: one logit a class.
# classifier_output = 3
# From a score to one of two classes: "f1", the threshold of highest F1 on val, or a number. If absent,
# "f1" for chestxray14 and 0.5 for a TorchScript with one logit (through a sigmoid).
# score_threshold = "f1"
# A split of more real images, labelled, in no use yet. Its hardest are added to training first, up to
# generate.quota per failure mode; only what is still missing then is generated.
# pool = "pool"
# Obey the EXIF orientation of photographs; must equal what your own loader does.
exif = true
# An image that is missing, truncated or corrupt: "fail" ends the run, "skip" passes it over ...
on_bad_image = "fail"
# ... up to so many, or such a share of all images.
max_bad = "1%"
"#;

/// What `hardlight init` writes of this section.
pub(super) fn template() -> String {
    TEMPLATE.replace("{layouts}", &Layout::names())
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
    /// Whether columns of a table are held against the folders in its paths.
    pub check_paths: bool,
    /// A table of predictions.
    pub predictions: Option<PathBuf>,
    /// The threshold of scores; none for the data's own.
    pub score_threshold: Option<ScoreRule>,
    /// A TorchScript file, or a `hardlight-cnn` folder.
    pub classifier: Option<PathBuf>,
    /// The split whose hard images are added to training before any are generated.
    pub pool: Option<Split>,
    /// Height and width of what a TorchScript takes, px; 224 each if absent.
    pub classifier_input: Option<Sides>,
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
            check_paths: true,
            predictions: None,
            score_threshold: None,
            classifier: None,
            pool: None,
            classifier_input: None,
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

impl Data {
    /// Checks the ranges of this section.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.check_classifier()?;
        if let Some(ScoreRule::At(threshold)) = self.score_threshold {
            finite("data.score_threshold", threshold)?;
        }
        if let MaxBad::Percent(share) = self.max_bad {
            within(
                "data.max_bad",
                share,
                0.0..=100.0,
                "a share from 0% to 100%",
            )?;
        }
        let taken = match self.pool {
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

/// What `--dataset` takes.
fn dataset_help() -> String {
    format!("The layout of --data as published: {}", Layout::described())
}

/// What `--label` takes.
fn label_help() -> String {
    format!("The {} that is the label", Layout::choices())
}

/// Flags that override this section.
#[derive(Debug, clap::Args)]
pub struct DataFlags {
    /// Folder of images: SPLIT/CLASS/image, or the folder that paths of --table start from, or that of --dataset.
    #[arg(long, visible_alias = "root", value_name = "DIR")]
    data: Option<PathBuf>,

    #[arg(long, value_name = "NAME", help = dataset_help())]
    dataset: Option<Layout>,

    #[arg(long, visible_alias = "finding", value_name = "NAME", help = label_help())]
    label: Option<String>,

    /// Attribute, finding, key or column that gives the groups; used for measuring only.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,

    /// Table of images, .csv, .jsonl or .parquet, with path,label,split and optional prediction,confidence,group,id.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,

    /// The classifier's predictions, .csv, .jsonl or .parquet, with id (or path), prediction and optional confidence.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,

    /// The classifier itself, instead of predictions: a `TorchScript` file, whose code is run (see `data.classifier_*` in
    /// the settings for its preprocessing), or a `hardlight-cnn` folder.
    #[arg(long, value_name = "FILE|DIR")]
    classifier: Option<PathBuf>,

    /// Split with more labelled real images: its hardest are added first, and only the rest of --quota is generated.
    #[arg(long, value_name = "SPLIT")]
    pool: Option<Split>,

    /// Threshold that turns scores of two classes into predictions: a number, or f1 for the best F1 on val.
    #[arg(long, value_name = "f1|NUMBER", allow_negative_numbers = true)]
    score_threshold: Option<ScoreRule>,

    /// Stop at a missing or damaged image, or skip it [default: fail].
    #[arg(long, value_name = "fail|skip")]
    on_bad_image: Option<OnBadImage>,

    /// How many images may be skipped: a count, or a share of all [default: 1%].
    #[arg(long, value_name = "N|N%")]
    max_bad: Option<MaxBad>,
}

impl DataFlags {
    /// Puts what was given in place of what is set.
    pub fn put(self, data: &mut Data) {
        put_some(&mut data.root, self.data);
        put_some(&mut data.dataset, self.dataset);
        put_some(&mut data.label, self.label);
        put_some(&mut data.group, self.group);
        put_some(&mut data.table, self.table);
        put_some(&mut data.predictions, self.predictions);
        put_some(&mut data.classifier, self.classifier);
        put_some(&mut data.pool, self.pool);
        put_some(&mut data.score_threshold, self.score_threshold);
        put(&mut data.on_bad_image, self.on_bad_image);
        put(&mut data.max_bad, self.max_bad);
    }
}
