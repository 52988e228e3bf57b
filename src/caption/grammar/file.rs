//! The shape of a grammar file; every text knows where it stands.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use toml::Spanned;

pub(super) type Text = Spanned<String>;
pub(super) type Slots = BTreeMap<Text, Spanned<Vec<String>>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) reference: Text,
    pub(super) templates: Spanned<Vec<Text>>,
    #[serde(default)]
    pub(super) slots: Slots,
    #[serde(default)]
    pub(super) exclude: Vec<(Text, Text)>,
    /// A table of further classes beside the file.
    pub(super) class_table: Option<Text>,
    #[serde(default)]
    pub(super) groups: BTreeMap<Text, Group>,
    #[serde(default)]
    pub(super) classes: BTreeMap<Text, Class>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) reference: Option<Text>,
    pub(super) templates: Option<Spanned<Vec<Text>>>,
    #[serde(default)]
    pub(super) slots: Slots,
    #[serde(default)]
    pub(super) contradicts: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub(super) group: Option<Text>,
    #[serde(default)]
    pub(super) names: Vec<Text>,
    pub(super) nouns: Option<Nouns>,
    #[serde(default = "yes")]
    pub(super) article: bool,
    #[serde(default)]
    pub(super) slots: Slots,
    #[serde(default)]
    pub(super) contradicts: Vec<Text>,
}

fn yes() -> bool {
    true
}

/// `["cat", "kitten"]`, or `{ synset = "cat.n.01" }`.
#[derive(Debug)]
pub(super) enum Nouns {
    Texts(Vec<Text>),
    Below(Below),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Below {
    pub(super) synset: Text,
    /// Levels below the synset.
    #[serde(default = "usize_max")]
    pub(super) depth: usize,
    /// Nouns at most.
    #[serde(default = "most")]
    pub(super) most: usize,
}

fn usize_max() -> usize {
    usize::MAX
}

fn most() -> usize {
    100
}

impl<'de> Deserialize<'de> for Nouns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Nouns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of nouns, or { synset = \"dog.n.01\" }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Nouns, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Nouns::Texts)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Nouns, A::Error> {
                Below::deserialize(MapAccessDeserializer::new(map)).map(Nouns::Below)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
