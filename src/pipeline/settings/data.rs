//! `[data]`: images, labels, predictions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::range::{finite, within};
use super::{Resampling, ResizeTo, SettingsError, Sides};
use crate::dataset::{Layout, ScoreRule, Split};
use crate::run::skipped::{MaxBad, OnBadImage};

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
