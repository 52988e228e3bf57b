//! The table of examples every later stage works on: images, labels, splits, predictions.
//!
//! ```text
//! ImageFolder ─────────┐                                          join_predictions(table)
//! published layouts ───┤                                          apply_threshold(rule)
//! CSV, JSONL, Parquet ─┴─▶ Dataset { root, classes, examples } ──▶ with_outputs(classifier) ──▶ Dataset
//!                                        └─ Unusable { id: reason } ─▶ Usable: what a stage works on
//! ```
//!
//! Labels and predictions are indices into [`Dataset::classes`]. What a reader returns has been
//! checked: see [`Dataset::new`].
//!
//! A data set never changes. An example is named by its [`ExampleId`], which stays what it is through
//! every stage, so a list with an entry an example, or a map by id, never has to follow the data set.
//! Two things are learned later, and neither is patched into it:
//!
//! - *Predictions* take the data set by value and give a new one of the same examples. They stay in the
//!   examples, because whoever reads a prediction reads the label, the split or the group beside it:
//!   one id finds all of them, and no second table can be out of step.
//! - *Images that cannot be used* are found when they are read. They become a mask with reasons,
//!   [`Unusable`]; [`Usable`] is the data set seen through it.
//!
//! Not here: image bytes and matrices ([`crate::io`]).

mod agreement;
mod arrays;
mod celeba;
mod checks;
mod chestxray14;
mod cifar;
mod classes;
mod contradiction;
mod error;
mod example;
pub mod folder;
mod hf;
mod imagenet;
mod keys;
mod labels;
mod layout;
mod members;
mod missing;
mod outputs;
mod parquet;
mod paths;
pub mod predictions;
mod published;
mod records;
mod remarks;
pub mod score;
mod slug;
mod split;
pub mod table;
mod unusable;
mod webdataset;

pub use agreement::compare_splits;
pub use contradiction::Contradiction;
pub use error::DatasetError;
pub use example::{Example, ExampleId, ModelOutput};
pub use folder::{Passed, images_below, read_folder};
pub use layout::{Layout, LayoutOptions, UnknownLayout, read_layout};
pub use members::Members;
pub use predictions::{Joined, join_predictions, join_predictions_on};
pub use remarks::Remarks;
pub use score::{Best, ChosenBy, ScoreRule, Threshold, apply_threshold};
pub use slug::slug;
pub use split::{Split, UnknownSplit};
pub use table::{TableOptions, read_table};
pub use unusable::{Unusable, Usable};

use std::path::{Path, PathBuf};

use crate::io::source::ImageSource;

/// Classes and examples of one data set.
///
/// [`Dataset::new`] and the readers hold the invariants; afterwards it does not change.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    root: PathBuf,
    classes: Vec<String>,
    /// An [`ExampleId`] is a place in here.
    examples: Vec<Example>,
}

impl Dataset {
    /// Makes a data set after checking it.
    ///
    /// - Class names hold no control characters, and differ by more than case.
    /// - Ids are not empty, hold no control characters, and stay unique in composed form.
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

    /// The folder that example paths start from.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Class names; labels and predictions index them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The examples in table order (folders: bytewise path order).
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// How many examples there are.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The names of all examples, in table order.
    pub fn ids(&self) -> impl Iterator<Item = ExampleId> + use<> {
        (0..self.examples.len()).map(ExampleId)
    }

    /// The examples with their names, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (ExampleId, &Example)> {
        self.ids().zip(&self.examples)
    }

    /// The example of a name that this data set gave.
    ///
    /// # Panics
    ///
    /// May panic on a name that another data set gave.
    pub fn example(&self, id: ExampleId) -> &Example {
        &self.examples[id.0]
    }

    /// The same examples with what a model says of some of them, in place of what was known of a model.
    ///
    /// # Errors
    ///
    /// The [`DatasetError`] of the first output that does not fit the classes; see [`Dataset::new`].
    pub fn with_outputs(
        mut self,
        outputs: impl IntoIterator<Item = (ExampleId, ModelOutput)>,
    ) -> Result<Self, DatasetError> {
        for (id, output) in outputs {
            let example = &mut self.examples[id.0];
            example.put(output);
            checks::outputs(example, &self.classes, || format!("example {}", id.0 + 1))?;
        }
        Ok(self)
    }

    /// The same examples with nothing known of a model.
    #[must_use]
    pub fn without_outputs(mut self) -> Self {
        for example in &mut self.examples {
            example.put(ModelOutput::default());
        }
        self
    }

    /// The data set without the examples that cannot be used.
    pub fn usable<'a>(&'a self, unusable: &'a Unusable) -> Usable<'a> {
        Usable::new(self, unusable)
    }

    /// The index of a class, `None` for an unknown name.
    pub fn class_index(&self, name: &str) -> Option<usize> {
        self.classes.iter().position(|class| class == name)
    }

    /// The examples of a split with their names, in table order.
    pub fn of_split(&self, split: Split) -> impl Iterator<Item = (ExampleId, &Example)> {
        self.iter()
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

    fn dataset() -> Dataset {
        let examples = [Split::Train, Split::Val, Split::Val]
            .into_iter()
            .enumerate()
            .map(|(i, split)| Example::new(format!("{i}.png"), i % 2, split));
        let classes = ["cat", "dog"].map(str::to_owned).to_vec();
        Dataset::new(PathBuf::new(), classes, examples.collect()).unwrap()
    }

    #[test]
    fn ids_name_the_same_examples_whatever_a_model_says() {
        let data = dataset();
        let ids: Vec<ExampleId> = data.ids().collect();
        let said = ModelOutput {
            prediction: Some(0),
            confidence: Some(0.75),
            ..ModelOutput::default()
        };
        let with = data.clone().with_outputs([(ids[1], said)]).unwrap();
        assert_eq!(with.example(ids[1]).prediction, Some(0));
        for (id, example) in with.iter() {
            assert_eq!(example.id, data.example(id).id);
        }
        assert_eq!(with.without_outputs(), data);
    }

    #[test]
    fn outputs_that_do_not_fit_are_refused() {
        let data = dataset();
        let said = ModelOutput {
            prediction: Some(2),
            ..ModelOutput::default()
        };
        let id = data.ids().nth(2).unwrap();
        let error = data.with_outputs([(id, said)]).unwrap_err();
        let DatasetError::ClassOutOfRange { place, index, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!((place.as_str(), index), ("example 3", 2));
    }
}
