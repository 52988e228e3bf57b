//! Why an image was not kept, with the numbers behind it.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::duplicate::Against;

/// Why an image was not kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// A pixel or the embedding is not a finite number.
    NonFinite,
    /// The model's safety checker objects.
    Safety,
    /// The pixels hardly differ.
    Blank {
        /// The largest standard deviation of a channel, in levels of 255.
        deviation: f64,
        /// What it had to reach.
        least: f64,
    },
    /// An easy image.
    Alignment {
        /// Its alignment.
        alignment: f64,
        /// What it had to reach.
        least: f64,
    },
    /// Its nearest reference caption is another class's, or not by enough its own.
    Class {
        /// The lead of the own class's reference, in cosine.
        margin: f64,
        /// What it had to reach.
        least: f64,
    },
    /// It is nearly another image.
    Duplicate {
        /// Where the other is.
        against: Against,
        /// Id of the other.
        of: String,
        /// Cosine of the two embeddings.
        similarity: f64,
        /// Correlation of the two thumbnails.
        correlation: f64,
    },
}

impl Reason {
    /// The word that tables use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NonFinite => "non-finite",
            Self::Safety => "safety",
            Self::Blank { .. } => "blank",
            Self::Alignment { .. } => "alignment",
            Self::Class { .. } => "class",
            Self::Duplicate { against, .. } => match against {
                Against::Train => "duplicate-train",
                Against::Val => "duplicate-val",
                Against::Test => "duplicate-test",
                Against::Kept => "duplicate-kept",
            },
        }
    }

    /// Id of the image that it nearly is, where that is the reason.
    pub fn duplicate_of(&self) -> Option<&str> {
        match self {
            Self::Duplicate { of, .. } => Some(of),
            _ => None,
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
