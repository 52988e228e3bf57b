//! What cannot be used of a data set, and the data set without it.

use std::collections::BTreeMap;

use super::{Dataset, Example, ExampleId, Split};

/// A mask over a data set: the examples that take no part in anything, each with its reason.
///
/// It holds what is masked alone, so it is small however large the data set is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unusable {
    reasons: BTreeMap<ExampleId, String>,
}

impl Unusable {
    /// Masks an example; the first reason stays.
    pub fn add(&mut self, id: ExampleId, reason: impl Into<String>) {
        self.reasons.entry(id).or_insert_with(|| reason.into());
    }

    /// Whether an example can be used.
    pub fn is_usable(&self, id: ExampleId) -> bool {
        !self.reasons.contains_key(&id)
    }

    /// Why an example cannot be used; none if it can.
    pub fn reason(&self, id: ExampleId) -> Option<&str> {
        self.reasons.get(&id).map(String::as_str)
    }

    /// What is masked and why, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (ExampleId, &str)> {
        let all = self.reasons.iter();
        all.map(|(&id, reason)| (id, reason.as_str()))
    }

    /// How many examples are masked.
    pub fn len(&self) -> usize {
        self.reasons.len()
    }

    /// Whether all can be used.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// A data set seen through a mask: iteration skips what cannot be used, ids stay those of the data set.
#[derive(Debug, Clone, Copy)]
pub struct Usable<'a> {
    dataset: &'a Dataset,
    unusable: &'a Unusable,
}

impl<'a> Usable<'a> {
    pub(super) fn new(dataset: &'a Dataset, unusable: &'a Unusable) -> Self {
        Self { dataset, unusable }
    }

    /// The data set with all its examples.
    pub fn dataset(self) -> &'a Dataset {
        self.dataset
    }

    /// Class names; labels and predictions index them.
    pub fn classes(self) -> &'a [String] {
        self.dataset.classes()
    }

    /// An example by its name, whether it can be used or not.
    pub fn example(self, id: ExampleId) -> &'a Example {
        self.dataset.example(id)
    }

    /// The usable examples with their names, in table order.
    pub fn iter(self) -> impl Iterator<Item = (ExampleId, &'a Example)> {
        let all = self.dataset.iter();
        all.filter(move |(id, _)| self.unusable.is_usable(*id))
    }

    /// Their names.
    pub fn ids(self) -> impl Iterator<Item = ExampleId> {
        self.iter().map(|(id, _)| id)
    }

    /// The usable examples of a split with their names, in table order.
    pub fn of_split(self, split: Split) -> impl Iterator<Item = (ExampleId, &'a Example)> {
        self.iter()
            .filter(move |(_, example)| example.split == split)
    }

    /// How many examples can be used.
    pub fn len(self) -> usize {
        self.dataset.len() - self.unusable.len()
    }

    /// Whether none can be used.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_is_masked_is_skipped_and_ids_stay() {
        let splits = [Split::Train, Split::Val, Split::Val, Split::Test];
        let examples = splits
            .into_iter()
            .enumerate()
            .map(|(i, split)| Example::new(format!("{i}.png"), 0, split))
            .collect();
        let data = Dataset::new(PathBuf::new(), vec!["cat".to_owned()], examples).unwrap();
        let ids: Vec<ExampleId> = data.ids().collect();
        let mut unusable = Unusable::default();
        unusable.add(ids[1], "the file is empty");
        unusable.add(ids[1], "it is a folder");
        assert_eq!(unusable.reason(ids[1]), Some("the file is empty"));
        assert_eq!((unusable.len(), unusable.is_usable(ids[2])), (1, true));
        let usable = data.usable(&unusable);
        assert_eq!(usable.ids().collect::<Vec<_>>(), [ids[0], ids[2], ids[3]]);
        let val: Vec<&str> = usable
            .of_split(Split::Val)
            .map(|(_, example)| example.id.as_str())
            .collect();
        assert_eq!((val, usable.len()), (vec!["2.png"], 3));
    }
}
