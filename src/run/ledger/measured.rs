//! What was measured of one attempt.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::direction::ModeId;
use crate::filter::Measures;
use crate::generate::{Arm, AttemptId, MadeOn, Recipe};

/// One attempt: how its image was made, and what was measured of it. It depends on no other attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Hash of the recipe; names its files.
    pub id: AttemptId,
    /// Name of the class.
    pub class: String,
    /// The failure mode whose direction it was measured by.
    pub mode: ModeId,
    /// Which captions it comes from.
    pub arm: Arm,
    /// How often this caption was attempted before.
    pub index: u64,
    /// How the image was made.
    pub recipe: Recipe,
    /// On what.
    pub made_on: MadeOn,
    /// SHA-256 of the image's file, in hexadecimal.
    pub sha256: String,
    /// What was measured.
    pub measures: Measures,
}

impl Measured {
    /// The first number that has no JSON form, by its field's name.
    pub fn non_finite(&self) -> Option<(&'static str, f64)> {
        self.measures
            .non_finite()
            .or_else(|| self.recipe.non_finite())
    }

    /// The name of the image's file.
    pub fn file_name(&self) -> PathBuf {
        let extension = self.recipe.output.format.extension();
        PathBuf::from(format!("{}.{extension}", self.id))
    }
}
