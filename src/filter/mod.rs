//! Which generated images are kept, and why the others are not.
//!
//! Tests run in a fixed order and the first that fails gives the reason: the model's safety checker,
//! [`blank`] (blank, constant or non-finite pixels), [`alignment`] (on the failure side of the direction, at or above the
//! calibrated threshold), [`class`] (still its own class, by zero-shot CLIP; the failing classifier
//! itself must not judge labels), [`duplicate`] (nearly an image of train, val or test, or one kept
//! before). All scores are kept whatever the verdict.
//!
//! May import: `io`, `dataset`, `embed`, `direction`.

pub mod alignment;
pub mod blank;
pub mod class;
pub mod duplicate;

use std::fmt::{self, Display};

use image::RgbImage;
use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use self::alignment::AlignmentTest;
use self::class::ClassTest;

/// Why an image was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A pixel or an embedding is not a finite number.
    NonFinite,
    /// The model's safety checker objects.
    Safety,
    /// The pixels hardly differ.
    Blank,
    /// Its alignment is below the threshold: an easy image.
    Alignment,
    /// Its nearest reference caption is another class's.
    Class,
    /// It is nearly an image of the training set.
    DuplicateTrain,
    /// It is nearly an image that directions are fitted on.
    DuplicateVal,
    /// It is nearly an image that everything is judged on.
    DuplicateTest,
    /// It is nearly an image that was kept before.
    DuplicateKept,
}

impl Reason {
    /// The word the ledger uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::NonFinite => "non-finite",
            Self::Safety => "safety",
            Self::Blank => "blank",
            Self::Alignment => "alignment",
            Self::Class => "class",
            Self::DuplicateTrain => "duplicate-train",
            Self::DuplicateVal => "duplicate-val",
            Self::DuplicateTest => "duplicate-test",
            Self::DuplicateKept => "duplicate-kept",
        }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the tests measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Alignment with the mode's direction; larger is harder.
    pub alignment: f64,
    /// Cosine with the own class's reference caption; none without captions.
    pub class_similarity: Option<f64>,
    /// That cosine less the largest with another class's reference.
    pub class_margin: Option<f64>,
}

/// What an image's maker knows about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker {
    /// Whether the sampler's pixels were finite before they were rounded.
    pub finite: bool,
    /// Whether the model's safety checker objects.
    pub flagged: bool,
}

/// The outcome of all tests for one image but that for duplicates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What was measured; none when the image could not be embedded.
    pub scores: Option<Scores>,
    /// Why it fails; none when it passes.
    pub reason: Option<Reason>,
}

/// The tests for the images of one failure mode, but for that for duplicates, which all modes share.
#[derive(Debug, Clone)]
pub struct Judge {
    /// The failure side of the direction.
    pub alignment: AlignmentTest,
    /// The class; none where embeddings are in no space with captions.
    pub class: Option<ClassTest>,
    /// Smallest standard deviation of a channel, in levels of 255, that is not blank.
    pub min_deviation: f64,
}

impl Judge {
    /// Judges an image by what its maker knows, its pixels and its embedding.
    ///
    /// # Shapes and units
    ///
    /// `embedding` is `[d]`, before normalisation.
    pub fn judge(&self, image: &RgbImage, maker: Maker, embedding: ArrayView1<'_, f32>) -> Verdict {
        let Maker { finite, flagged } = maker;
        let fail = |reason| Verdict {
            scores: None,
            reason: Some(reason),
        };
        if !finite || embedding.iter().any(|v| !v.is_finite()) {
            return fail(Reason::NonFinite);
        }
        let Some(alignment) = self.alignment.score(embedding) else {
            return fail(Reason::NonFinite);
        };
        let class = self
            .class
            .as_ref()
            .map(|test| (test, test.score(embedding)));
        let is_other = |(test, (_, margin)): (&ClassTest, (f64, f64))| !test.passes(margin);
        let scores = Some(Scores {
            alignment,
            class_similarity: class.map(|(_, (similarity, _))| similarity),
            class_margin: class.map(|(_, (_, margin))| margin),
        });
        let reason = if flagged {
            Some(Reason::Safety)
        } else if blank::is_blank(image, self.min_deviation) {
            Some(Reason::Blank)
        } else if !self.alignment.passes(alignment) {
            Some(Reason::Alignment)
        } else if class.is_some_and(is_other) {
            Some(Reason::Class)
        } else {
            None
        };
        Verdict { scores, reason }
    }
}
