//! Images that are in more than one split: what was seen in training is no test of it.
//!
//! Two examples are duplicates if their files are equal, byte by byte, or if their embeddings are, number by
//! number (the same pixels in another file). Near-duplicates are not looked for here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::ExampleId;

/// A class is barred where duplicates are more than this share of its examples, or of its mistakes, in val
/// or test. CIFAR-10, which is in use everywhere, has near-duplicates of train in 3.25 % of test (Barz and
/// Denzler 2020); a few do not move a direction.
pub const TOO_MANY: f64 = 0.1;

/// Fewer duplicates than this bar no class, however small it is.
pub const AT_LEAST: usize = 2;

/// Why two examples are the same.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "EqualIn")]
pub enum Same {
    /// Their files.
    File,
    /// Their embeddings.
    Embedding,
}

impl Same {
    /// The word that files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Embedding => "embedding",
        }
    }
}

/// An example of a later split that is in an earlier one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The later split's example: val or test.
    pub later: ExampleId,
    /// The first example of an earlier split that equals it.
    pub earlier: ExampleId,
    /// In what.
    pub same: Same,
}

/// What identifies an example: hashes of its file and of its embedding, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity {
    /// Of the file's bytes.
    pub file: Option<[u8; 32]>,
    /// Of the embedding.
    pub embedding: Option<[u8; 32]>,
}

/// What two equal examples share.
type Key = (Same, [u8; 32]);

/// An example by its split's place and its name.
type Later = (usize, ExampleId);

/// The hash of an embedding: equal for equal numbers, −0 counting as 0.
pub fn of_row<'a>(row: impl IntoIterator<Item = &'a f32>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for value in row {
        hasher.update(&(value + 0.0).to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Finds the examples of later splits that are in earlier ones.
///
/// `splits` are in their order, each its examples in table order. An example gets one pair at most: with
/// the first example of the first split that equals it, by file before embedding. Only later splits are
/// kept in memory, so the first may be large.
pub fn find(splits: &[&[ExampleId]], identity: &dyn Fn(ExampleId) -> Identity) -> Vec<Pair> {
    let mut wanted: BTreeMap<Key, Vec<Later>> = BTreeMap::new();
    let keys = |example: ExampleId| {
        let Identity { file, embedding } = identity(example);
        let file = file.map(|hash| (Same::File, hash));
        let embedding = embedding.map(|hash| (Same::Embedding, hash));
        [file, embedding].into_iter().flatten()
    };
    for (at, split) in splits.iter().enumerate().skip(1) {
        for &example in *split {
            for key in keys(example) {
                wanted.entry(key).or_default().push((at, example));
            }
        }
    }
    // The best match of every later example: split, kind, example.
    let mut best: BTreeMap<Later, (usize, Same, ExampleId)> = BTreeMap::new();
    let last = splits.len().saturating_sub(1);
    for (at, split) in splits.iter().enumerate().take(last) {
        for &example in *split {
            for key in keys(example) {
                for &later in wanted.get(&key).into_iter().flatten() {
                    if later.0 > at {
                        let found = (at, key.0, example);
                        let known = best.entry(later).or_insert(found);
                        *known = (*known).min(found);
                    }
                }
            }
        }
    }
    best.into_iter()
        .map(|((_, later), (_, same, earlier))| Pair {
            later,
            earlier,
            same,
        })
        .collect()
}

/// Whether so many duplicates bar a class: `of` examples, `mistakes` of them wrong.
pub fn bars(duplicates: usize, of: usize, wrong: usize, mistakes: usize) -> bool {
    let many = |part: usize, all: usize| part >= AT_LEAST && part as f64 > TOO_MANY * all as f64;
    many(duplicates, of) || many(wrong, mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equal_example_of_the_earliest_split_is_named() {
        let id = |file: u8, embedding: u8| Identity {
            file: (file > 0).then_some([file; 32]),
            embedding: Some([embedding; 32]),
        };
        // Train 0..4, val 4..7, test 7..10.
        let all = [
            id(1, 1),
            id(2, 2),
            id(3, 1),
            id(4, 4),
            id(5, 2), // val: the pixels of 1 in another file
            id(3, 9), // val: the file of 2
            id(6, 6),
            id(6, 6), // test: the file of 6, in val
            id(2, 2), // test: of 1 and of 4; train comes first
            id(7, 7),
        ];
        let ids = ExampleId::numbered(all.len());
        let pairs = find(&[&ids[..4], &ids[4..7], &ids[7..]], &|id| all[id.index()]);
        let pair = |later: usize, earlier: usize, same| Pair {
            later: ids[later],
            earlier: ids[earlier],
            same,
        };
        assert_eq!(
            pairs,
            [
                pair(4, 1, Same::Embedding),
                pair(5, 2, Same::File),
                pair(7, 6, Same::File),
                pair(8, 1, Same::File),
            ]
        );
        assert!(find(&[], &|_| Identity::default()).is_empty());
    }

    #[test]
    fn two_examples_and_a_tenth_bar_a_class() {
        assert!(!bars(1, 5, 1, 1), "one is an accident");
        assert!(!bars(10, 100, 1, 10) && bars(11, 100, 1, 10));
        assert!(bars(2, 100, 2, 19) && !bars(2, 100, 2, 20));
    }

    #[test]
    fn rows_are_equal_by_their_numbers() {
        assert_eq!(of_row(&[0.0_f32, 1.5]), of_row(&[-0.0_f32, 1.5]));
        assert_ne!(of_row(&[0.0_f32, 1.5]), of_row(&[1.5_f32, 0.0]));
    }
}
