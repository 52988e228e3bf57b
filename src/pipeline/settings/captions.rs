//! `[captions]`: which captions are scored.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::flag::{put, put_some};
use super::range::{at_least_one, refuse};

/// What `hardlight init` writes of this section.
pub(super) const TEMPLATE: &str = r#"[captions]
# A grammar (.toml file, or one of: world, cifar10, cifar100, imagenet, celeba, chestxray, general) or
# a text file with a caption a line.
grammar = "general"
# Top failure captions per failure mode to generate from.
per_class = 5
# Captions whose embeddings relative to the reference have at least this cosine are near-equal: the
# hardest stands for all. Above 1 none are.
near_equal = 0.99
# WordNet's dict folder (index.noun, data.noun), for grammars that take nouns from it.
# wordnet = "/usr/share/wordnet"
"#;

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

/// Flags that override this section.
#[derive(Debug, clap::Args)]
pub struct CaptionsFlags {
    /// Grammar of captions (world, cifar10, cifar100, imagenet, celeba, chestxray, general, or a .toml), or a text file
    /// with one caption per line [default: general].
    #[arg(long, value_name = "NAME|FILE")]
    grammar: Option<String>,

    /// WordNet's dict folder, for grammars that take nouns from it.
    #[arg(long, value_name = "DIR")]
    wordnet: Option<PathBuf>,

    /// Number of captions to generate from, per failure mode [default: 5].
    #[arg(long, value_name = "N")]
    captions_per_class: Option<usize>,
}

impl CaptionsFlags {
    /// Puts what was given in place of what is set.
    pub fn put(self, captions: &mut Captions) {
        put(&mut captions.grammar, self.grammar);
        put_some(&mut captions.wordnet, self.wordnet);
        put(&mut captions.per_class, self.captions_per_class);
    }
}
