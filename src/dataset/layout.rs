//! Data sets in the layout that their makers publish; each has a file of its own beside this one.
//!
//! | name | label | group |
//! | --- | --- | --- |
//! | `celeba` | an attribute | another attribute |
//! | `chestxray14` | a finding | another finding, `Patient Gender` or `View Position` |
//! | `imagenet` | its own | none |
//! | `cifar10` | its own | none |
//! | `cifar100` | `fine` unless `coarse` is asked for | `coarse` |
//! | `hf` | column `label`, or the one that is chosen | a column |
//! | `webdataset` | `cls`, or a key of `json` | a key of `json` |

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::labels::{Arranged, arranged};
use super::score::{Best, ScoreRule};
use super::{Dataset, DatasetError, Remarks, celeba, chestxray14, cifar, hf, imagenet, webdataset};
use crate::io::{Classified, ErrorKind};

/// A layout by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// CelebA: faces with 40 attributes.
    CelebA,
    /// ChestX-ray14: radiographs with 14 findings.
    ChestXray14,
    /// ImageNet (ILSVRC 2012), classification.
    ImageNet,
    /// CIFAR-10 in binary batches.
    Cifar10,
    /// CIFAR-100 in binary files.
    Cifar100,
    /// WebDataset: tar shards.
    WebDataset,
    /// Hugging Face Parquet: images in the rows of tables.
    Hf,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 7] = [
        Self::CelebA,
        Self::ChestXray14,
        Self::ImageNet,
        Self::Cifar10,
        Self::Cifar100,
        Self::WebDataset,
        Self::Hf,
    ];

    /// Its name in settings and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::CelebA => "celeba",
            Self::ChestXray14 => "chestxray14",
            Self::ImageNet => "imagenet",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::WebDataset => "webdataset",
            Self::Hf => "hf",
        }
    }

    /// What a name that says little is the name of.
    fn remark(self) -> Option<&'static str> {
        match self {
            Self::Hf => Some("Parquet with images in its rows"),
            _ => None,
        }
    }

    /// How its scores become predictions unless the user says otherwise, where its makers' reference says so.
    pub fn score_rule(self) -> Option<ScoreRule> {
        match self {
            Self::ChestXray14 => Some(ScoreRule::By(Best::F1)),
            _ => None,
        }
    }

    /// What there is many of to choose the label from, in words.
    fn choice(self) -> Option<&'static str> {
        match self {
            Self::CelebA => Some("attribute"),
            Self::ChestXray14 => Some("finding"),
            Self::WebDataset => Some("key"),
            Self::Hf => Some("column"),
            Self::ImageNet | Self::Cifar10 | Self::Cifar100 => None,
        }
    }

    /// What labels are chosen from in a sentence, each with its layout.
    pub fn choices() -> String {
        let choices = Self::ALL.iter().filter_map(|layout| {
            let choice = layout.choice()?;
            Some(format!("{choice} ({layout})"))
        });
        listed(&choices.collect::<Vec<_>>(), " or ")
    }

    /// Every name, separated by commas.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Every name in a sentence, some with what they are the names of.
    pub fn described() -> String {
        let described = |layout: Self| match layout.remark() {
            Some(remark) => format!("{layout} for {remark}"),
            None => layout.name().to_owned(),
        };
        listed(&Self::ALL.map(described), ", or ")
    }
}

/// Texts of a sentence, the last after `or`.
fn listed(texts: &[String], or: &str) -> String {
    match texts {
        [others @ .., last] if !others.is_empty() => format!("{}{or}{last}", others.join(", ")),
        _ => texts.concat(),
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no known data set: use one of {}", Layout::names())]
pub struct UnknownLayout {
    /// The name.
    pub name: String,
}

impl Classified for UnknownLayout {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, UnknownLayout> {
        let mut all = Self::ALL.into_iter();
        all.find(|layout| layout.name() == name)
            .ok_or_else(|| UnknownLayout {
                name: name.to_owned(),
            })
    }
}

/// What is chosen of a data set that holds more than one task.
#[derive(Debug, Clone, Default)]
pub struct LayoutOptions {
    /// The attribute or finding to analyse.
    pub label: Option<String>,
    /// What groups are made of.
    pub group: Option<String>,
    /// Names of the classes in the classifier's order: the data set's own, or others in place of all of them in
    /// their order.
    pub classes: Option<Vec<String>>,
    /// Whether names of files say nothing against a column of splits.
    pub free_paths: bool,
}

/// Reads a published data set; entries that are not used, and what was told from the data, are added to `remarks`.
///
/// # Errors
///
/// Choices that the data set does not have, files that are missing or disagree, and the checks of
/// [`Dataset::new`]; all name the file, and the line where there is one.
pub fn read_layout(
    layout: Layout,
    root: &Path,
    options: &LayoutOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    match layout {
        Layout::CelebA => celeba::read(root, options, remarks),
        Layout::ChestXray14 => chestxray14::read(root, options, remarks),
        Layout::ImageNet => imagenet::read(root, options, remarks),
        Layout::Cifar10 | Layout::Cifar100 => cifar::read(root, layout, options, remarks),
        Layout::WebDataset => webdataset::read(root, options, remarks),
        Layout::Hf => hf::read(root, options, remarks),
    }
}

impl LayoutOptions {
    /// The label that must be chosen, as an index into what there is.
    pub(super) fn label(&self, layout: Layout, known: &[String]) -> Result<usize, DatasetError> {
        let name = self
            .label
            .as_ref()
            .ok_or_else(|| DatasetError::NeedsLabel {
                layout,
                known: known.to_vec(),
            })?;
        choice(layout, "label", name, known)
    }

    /// The group that may be chosen, as an index into what there is.
    pub(super) fn group(
        &self,
        layout: Layout,
        known: &[String],
    ) -> Result<Option<usize>, DatasetError> {
        let name = self.group.as_ref();
        name.map(|name| choice(layout, "group", name, known))
            .transpose()
    }

    /// Refuses a label and a group.
    pub(super) fn no_choice(&self, layout: Layout) -> Result<(), DatasetError> {
        for (option, value) in [("label", &self.label), ("group", &self.group)] {
            if let Some(value) = value {
                return Err(DatasetError::NoChoice {
                    layout,
                    option,
                    value: value.clone(),
                });
            }
        }
        Ok(())
    }

    /// The classes: those that were given, else the data set's own, and where each of its own stands.
    pub(super) fn classes(
        &self,
        layout: Layout,
        own: Vec<String>,
        remarks: &mut Remarks,
    ) -> Result<Arranged, DatasetError> {
        arranged(layout, own, self.classes.as_deref(), remarks)
    }
}

fn choice(
    layout: Layout,
    option: &'static str,
    name: &str,
    known: &[String],
) -> Result<usize, DatasetError> {
    let found = known.iter().position(|known| known == name);
    found.ok_or_else(|| DatasetError::UnknownChoice {
        layout,
        option,
        name: name.to_owned(),
        known: known.to_vec(),
    })
}
