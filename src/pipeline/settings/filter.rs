//! `[filter]`: which images are kept.

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::range::{finite, within};
use crate::filter::duplicate::DuplicateOptions;

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
        }
    }
}

impl Filter {
    /// Checks the ranges of this section.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
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
        ] {
            within(key, value, -1.0..=1.0, "a number from -1 to 1")?;
        }
        Ok(())
    }
}
