//! What is measured of a generated image, and which filters it must pass to be kept.
//!
//! ```text
//! image, embedding ──Meter──▶ Measures ──▶ finite? safety? blank? alignment? class? duplicate? copy? ──▶ Reason, or none
//!                             (ledger)     (under a Policy, as often as you like)
//! ```
//!
//! Measuring ([`Meter`]) needs the image and the run's directions, and depends on nothing else. Deciding
//! ([`Filter`]) needs numbers alone, so another threshold asks for no new image.
//!
//! One file a filter; here stands what each of them adds: its measure in [`Measures`], what it asks for in
//! [`Policy`], its [`Reason`], and one line in [`filters`]: the first that an image fails gives the reason.
//! The failing classifier itself must not judge labels: that is zero-shot CLIP's ([`class`]).
//!
//! May import: `io`, `dataset`, `embed`, `direction`.

pub mod alignment;
pub mod blank;
pub mod class;
pub mod copy;
pub mod duplicate;
pub mod finite;
mod meter;
pub mod safety;

use std::fmt::{self, Debug, Display};

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::copy::{CopyOptions, StartLikeness};
use self::duplicate::{Against, Descriptor, DuplicateOptions, KeptImages, Twin};
pub use self::meter::{Meter, Subject};

/// What was measured of one image; it depends on the image and on the run's directions and data alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Whether pixels, before rounding, and embedding are finite numbers.
    pub finite: bool,
    /// Whether the model's safety checker objects.
    pub flagged: bool,
    /// The largest standard deviation of a channel, in levels of 255.
    pub deviation: f64,
    /// Alignment with the mode's direction; larger is harder.
    pub alignment: Option<f64>,
    /// Cosine with the own class's reference caption; none without captions.
    pub class_similarity: Option<f64>,
    /// That cosine less the largest with another class's reference.
    pub class_margin: Option<f64>,
    /// Cosine with the nearest training image, which may be the one that it started from.
    pub nearest_train_similarity: Option<f64>,
    /// The most similar image of train, of val and of test, where one is a candidate for a duplicate.
    pub twins: Vec<Twin>,
    /// How like it is to the image that it started from, which is none of the twins; none if it started from noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartLikeness>,
    /// What later images are compared with; none where the image could not be embedded.
    pub descriptor: Option<Descriptor>,
}

impl Measures {
    /// What the pixels tell; the rest is not known.
    fn of_pixels(image: &RgbImage) -> Self {
        Self {
            finite: true,
            flagged: false,
            deviation: blank::deviation(image),
            alignment: None,
            class_similarity: None,
            class_margin: None,
            nearest_train_similarity: None,
            twins: Vec::new(),
            start: None,
            descriptor: None,
        }
    }

    /// The first number that has no JSON form, by its field's name.
    pub fn non_finite(&self) -> Option<(&'static str, f64)> {
        let twins = self.twins.iter().map(|t| (t.similarity, t.correlation));
        let start = self.start.iter().map(|s| (s.similarity, s.correlation));
        [
            ("deviation", Some(self.deviation)),
            ("alignment", self.alignment),
            ("class_similarity", self.class_similarity),
            ("class_margin", self.class_margin),
            ("nearest_train_similarity", self.nearest_train_similarity),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
        .chain(twins.chain(start).flat_map(|(similarity, correlation)| {
            [("similarity", similarity), ("correlation", correlation)]
        }))
        .find(|(_, value)| !value.is_finite())
    }
}

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
    /// It is nearly the image that it started from.
    CopyOfStart {
        /// Id of that image.
        of: String,
        /// Cosine of the two embeddings.
        similarity: f64,
        /// Correlation of the two thumbnails.
        correlation: f64,
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
            Self::CopyOfStart { .. } => "copy-of-start",
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
            Self::Duplicate { of, .. } | Self::CopyOfStart { of, .. } => Some(of),
            _ => None,
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an image must reach to be kept. Another policy is not another run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Smallest alignment; the mode's calibrated threshold if absent.
    pub min_alignment: Option<f64>,
    /// Smallest lead of the own class's reference caption, in cosine.
    pub class_margin: f64,
    /// Smallest deviation that is not blank, in levels of 255.
    pub min_deviation: f64,
    /// Which images are too much like others.
    pub duplicate: DuplicateOptions,
    /// Which images are too much like the one they started from.
    #[serde(default)]
    pub copy: CopyOptions,
}

/// A reason not to keep an image.
pub trait Filter: Debug + Send + Sync {
    /// Whether it asks for what control images are there to differ in: they pass it.
    fn aims(&self) -> bool {
        false
    }

    /// Why an image is not kept, from what was measured of it and from those kept before; none if it
    /// passes.
    fn reject(&self, measures: &Measures, kept: &KeptImages) -> Option<Reason>;
}

/// The filters of a failure mode with this calibrated threshold, in the order in which they are asked.
pub fn filters(policy: &Policy, threshold: f64) -> Vec<Box<dyn Filter>> {
    vec![
        Box::new(finite::Finite),
        Box::new(safety::Safety),
        Box::new(blank::Blank::new(policy)),
        Box::new(alignment::Alignment::new(policy, threshold)),
        Box::new(class::Class::new(policy)),
        Box::new(duplicate::Duplicate::new(policy)),
        Box::new(copy::CopyOfStart::new(policy)),
    ]
}

/// The first reason not to keep an image; none if it passes. A control passes what it is not aimed at.
pub fn first_reason(
    filters: &[Box<dyn Filter>],
    measures: &Measures,
    kept: &KeptImages,
    control: bool,
) -> Option<Reason> {
    let asked = filters.iter().filter(|filter| !(control && filter.aims()));
    asked
        .into_iter()
        .find_map(|filter| filter.reject(measures, kept))
}

#[cfg(test)]
pub(crate) mod tests;
