//! `[filter]`: which images are kept.

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::flag::{self, put, put_some};
use super::range::{finite, within};
use crate::filter::Policy;
use crate::filter::copy::CopyOptions;
use crate::filter::duplicate::DuplicateOptions;

/// What `hardlight init` writes of this section.
pub(super) const TEMPLATE: &str = r"[filter]
# Smallest alignment to keep an image; the calibrated threshold of its mode if absent.
# min_alignment = 0.0
# Smallest lead, in cosine, of the own class's reference caption over the others'.
class_margin = 0.0
# Images none of whose channels varies this much (levels of 255) are blank.
min_deviation = 2.0
# Reject what the model folder's safety checker objects to, where it has one.
safety = true
# Rejected images to keep per failure mode, for the preview.
keep_rejected = 12
# Write images at the data set's own size and encoding.
match_dataset = false

[filter.duplicate]
# Reject what is nearly an image of train, of val, of test (a leak), or one kept before.
train = true
val = true
test = true
kept = true
# Nearly an image: the cosine of their embeddings, before whitening, is at least this ...
similarity = 0.95
# ... and so is the correlation of their thumbnails, 16 x 16 gray pixels, upright or mirrored. -1 for
# either leaves it to the other alone.
thumbnail = 0.99

[filter.copy]
# Reject what is nearly the image that it started from, by the same two measures: it keeps the layout of its start.
reject = true
similarity = 0.95
thumbnail = 0.99
";

/// Which images are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Smallest alignment; the calibrated threshold if absent.
    pub min_alignment: Option<f64>,
    /// Smallest lead of the own class's reference caption, in cosine.
    pub class_margin: f64,
    /// Smallest deviation that is not blank, in levels of 255.
    pub min_deviation: f64,
    /// Whether the model folder's safety checker is asked, where it has one.
    pub safety: bool,
    /// Rejected images to keep per failure mode.
    pub keep_rejected: usize,
    /// Whether images are written at the data set's size and encoding.
    pub match_dataset: bool,
    /// Which images are too much like others.
    pub duplicate: DuplicateOptions,
    /// Which images are too much like the one they started from.
    pub copy: CopyOptions,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            min_alignment: None,
            class_margin: 0.0,
            min_deviation: 2.0,
            safety: true,
            keep_rejected: 12,
            match_dataset: false,
            duplicate: DuplicateOptions::default(),
            copy: CopyOptions::default(),
        }
    }
}

impl Filter {
    /// What an image must reach to be kept.
    pub fn policy(&self) -> Policy {
        Policy {
            min_alignment: self.min_alignment,
            class_margin: self.class_margin,
            min_deviation: self.min_deviation,
            duplicate: self.duplicate,
            copy: self.copy,
        }
    }

    /// These settings with what a policy says.
    pub(in crate::pipeline) fn under(self, policy: &Policy) -> Self {
        let Policy {
            min_alignment,
            class_margin,
            min_deviation,
            duplicate,
            copy,
        } = *policy;
        Self {
            min_alignment,
            class_margin,
            min_deviation,
            duplicate,
            copy,
            ..self
        }
    }

    /// Checks the ranges of this section.
    pub(in crate::pipeline) fn check(&self) -> Result<(), SettingsError> {
        if let Some(alignment) = self.min_alignment {
            finite("filter.min_alignment", alignment)?;
        }
        let expected = "a difference of cosines, from -2 to 2";
        within(
            "filter.class_margin",
            self.class_margin,
            -2.0..=2.0,
            expected,
        )?;
        let expected = "levels of brightness, from 0 to 255";
        within(
            "filter.min_deviation",
            self.min_deviation,
            0.0..=255.0,
            expected,
        )?;
        let DuplicateOptions {
            similarity,
            thumbnail,
            ..
        } = self.duplicate;
        for (key, value) in [
            ("filter.duplicate.similarity", similarity),
            ("filter.duplicate.thumbnail", thumbnail),
            ("filter.copy.similarity", self.copy.similarity),
            ("filter.copy.thumbnail", self.copy.thumbnail),
        ] {
            within(key, value, -1.0..=1.0, "a number from -1 to 1")?;
        }
        Ok(())
    }
}

/// Flags that override this section.
#[derive(Debug, clap::Args)]
pub struct FilterFlags {
    /// Smallest alignment to keep an image [default: calibrated per failure mode].
    #[arg(long, value_name = "X", value_parser = flag::finite, allow_negative_numbers = true)]
    min_alignment: Option<f64>,

    /// Smallest lead of the own class's caption over the others', in cosine [default: 0].
    #[arg(long, value_name = "X", value_parser = flag::finite, allow_negative_numbers = true)]
    class_margin: Option<f64>,

    /// Write images at the data set's own size and encoding, so that neither gives them away.
    #[arg(long)]
    match_dataset: bool,

    /// Rejected images to keep per failure mode, for the preview [default: 12].
    #[arg(long, value_name = "N")]
    keep_rejected: Option<usize>,
}

impl FilterFlags {
    /// Puts what was given in place of what is set.
    pub fn put(self, filter: &mut Filter) {
        put_some(&mut filter.min_alignment, self.min_alignment);
        put(&mut filter.class_margin, self.class_margin);
        filter.match_dataset |= self.match_dataset;
        put(&mut filter.keep_rejected, self.keep_rejected);
    }
}
