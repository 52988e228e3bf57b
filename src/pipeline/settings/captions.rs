//! `[captions]`: which captions are scored.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::range::{at_least_one, refuse};

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

impl Captions {
    /// Checks the ranges of this section.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        at_least_one("captions.per_class", self.per_class)?;
        let cosine = self.near_equal;
        if cosine > 0.0 && cosine.is_finite() {
            Ok(())
        } else {
            let expected = "a positive number; above 1 no captions are near-equal";
            refuse("captions.near_equal", cosine, expected)
        }
    }
}
