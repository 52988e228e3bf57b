//! The table of examples every later stage works on: images, labels, splits, predictions.
//!
//! ```text
//! ImageFolder ─────────┐
//! published layouts ───┤
//! CSV, JSONL, Parquet ─┴─▶ Dataset { root, classes, examples } ◀── join_predictions(table)
//! ```
//!
//! Labels and predictions are indices into [`Dataset::classes`]. What a reader returns has been
//! checked: see [`Dataset::new`]. Whether the image files exist and decode is found when they are
//! read.
//!
//! Not here: image bytes and matrices ([`crate::io`]).

mod celeba;
mod checks;
mod chestxray14;
mod cifar;
mod error;
pub mod folder;
mod hf;
mod imagenet;
mod layout;
mod members;
mod outputs;
mod parquet;
pub mod predictions;
mod records;
pub mod score;
pub mod table;
mod webdataset;

pub use error::DatasetError;
pub use folder::{Passed, images_below, read_folder};
pub use layout::{Layout, LayoutOptions, UnknownLayout, read_layout};
pub use members::Members;
pub use predictions::{Joined, join_predictions, join_predictions_on};
pub use score::{Best, ScoreRule, Threshold, apply_threshold};
pub use table::{TableOptions, read_table};

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::io::source::{ImageSource, Member};
use crate::io::{Classified, ErrorKind};

/// What part of the data an example belongs to.
///
/// Written in lower case; `training`, `validation`, `valid`, `dev` and `testing` are read too, in
/// any case of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Split {
    /// What the classifier was trained on.
    Train,
    /// Held out from its training: directions are fitted here, and only here.
    Val,
    /// Everything is judged here, nothing is fitted.
    Test,
    /// More real images, which may be added to training.
    Pool,
}

impl Split {
    /// Every split, in the order of work.
    pub const ALL: [Self; 4] = [Self::Train, Self::Val, Self::Test, Self::Pool];

    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
            Self::Pool => "pool",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Split> for &'static str {
    fn from(split: Split) -> Self {
        split.name()
    }
}

/// A name that is no split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no split: use train, val, test or pool")]
pub struct UnknownSplit {
    /// The name.
    pub name: String,
}

impl Classified for UnknownSplit {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(name: &str) -> Result<Self, UnknownSplit> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Ok(Self::Train),
            "val" | "validation" | "valid" | "dev" => Ok(Self::Val),
            "test" | "testing" => Ok(Self::Test),
            "pool" => Ok(Self::Pool),
            _ => Err(UnknownSplit {
                name: name.to_owned(),
            }),
        }
    }
}

impl TryFrom<String> for Split {
    type Error = UnknownSplit;

    fn try_from(name: String) -> Result<Self, UnknownSplit> {
        name.parse()
    }
}

/// One image and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Unique name; the path unless the table has ids.
    pub id: String,
    /// Path below [`Dataset::root`], with `/`.
    pub path: String,
    /// The class it belongs to.
    pub label: usize,
    /// The split it belongs to.
    pub split: Split,
    /// The class the analysed model says.
    pub prediction: Option<usize>,
    /// The model's probability for its prediction, from 0 to 1.
    pub confidence: Option<f32>,
    /// The model's probability for every class, in class order.
    pub probabilities: Option<Vec<f32>>,
    /// How much the model takes it for class 1 of two, on the model's own scale; a prediction follows
    /// from it by a threshold, see [`score`].
    #[serde(default)]
    pub score: Option<f32>,
    /// A tag such as a subpopulation: for measuring only, never for fitting.
    pub group: Option<String>,
    /// What part of the file at `path` the image is; none for the whole.
    #[serde(default)]
    pub member: Option<Member>,
}

impl Example {
    /// An example that is named by its path, with nothing known of the model.
    pub fn new(path: String, label: usize, split: Split) -> Self {
        Self {
            id: path.clone(),
            path,
            label,
            split,
            prediction: None,
            confidence: None,
            probabilities: None,
            score: None,
            group: None,
            member: None,
        }
    }
}

/// Classes and examples of one data set.
///
/// Build one with [`Dataset::new`], which holds the invariants; the fields are public for reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// The folder that example paths start from.
    pub root: PathBuf,
    /// Class names; labels and predictions index them.
    pub classes: Vec<String>,
    /// The examples in table order (folders: bytewise path order).
    pub examples: Vec<Example>,
}

impl Dataset {
    /// Makes a data set after checking it.
    ///
    /// - Class names can name a folder on any system, and differ by more than case.
    /// - Ids are not empty, hold no control characters, and stay unique after Unicode
    ///   normalisation and case folding.
    /// - Paths are relative, with `/`, and stay below the root.
    /// - Labels and predictions are classes; confidence and probabilities lie in 0 to 1, and there
    ///   are as many probabilities as classes, adding up to 1.
    ///
    /// # Errors
    ///
    /// The [`DatasetError`] of the first check that fails; places read "example N", from 1.
    pub fn new(
        root: PathBuf,
        classes: Vec<String>,
        examples: Vec<Example>,
    ) -> Result<Self, DatasetError> {
        let dataset = Self {
            root,
            classes,
            examples,
        };
        checks::check(&dataset, |index| format!("example {}", index + 1))?;
        Ok(dataset)
    }

    /// The index of a class, `None` for an unknown name.
    pub fn class_index(&self, name: &str) -> Option<usize> {
        self.classes.iter().position(|class| class == name)
    }

    /// The examples of a split with their indices, in table order.
    pub fn of_split(&self, split: Split) -> impl Iterator<Item = (usize, &Example)> {
        self.examples
            .iter()
            .enumerate()
            .filter(move |(_, example)| example.split == split)
    }

    /// How many examples of a split have neither a prediction nor a score.
    pub fn without_prediction(&self, split: Split) -> usize {
        self.of_split(split)
            .filter(|(_, example)| example.prediction.is_none() && example.score.is_none())
            .count()
    }

    /// The image of an example.
    pub fn image(&self, example: &Example) -> ImageSource {
        ImageSource::new(self.image_path(example), example.member.clone())
    }

    /// The file that the image of an example is, or is in.
    pub fn image_path(&self, example: &Example) -> PathBuf {
        self.root.join(&example.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_names_and_aliases() {
        for (name, split) in [
            ("train", Split::Train),
            ("Validation", Split::Val),
            ("valid", Split::Val),
            ("dev", Split::Val),
            ("TEST", Split::Test),
            ("pool", Split::Pool),
        ] {
            assert_eq!(name.parse(), Ok(split));
        }
        let error = "trian".parse::<Split>().unwrap_err();
        assert_eq!(error.name, "trian");
        assert_eq!(serde_json::to_string(&Split::Val).unwrap(), "\"val\"");
        assert_eq!(
            serde_json::from_str::<Split>("\"dev\"").unwrap(),
            Split::Val
        );
        assert_eq!(format!("{:>6}", Split::Pool), "  pool");
    }
}
