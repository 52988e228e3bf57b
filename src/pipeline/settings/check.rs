//! From settings as they were written to settings that make sense.

use std::ops::Deref;

use serde::Serialize;

use super::range::refuse;
use super::{Settings, SettingsError};
use crate::direction::DirectionError;

/// Settings whose every value is in range; only [`Settings::check`] makes them, and nothing changes
/// them afterwards.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct CheckedSettings(Settings);

impl Deref for CheckedSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.0
    }
}

impl CheckedSettings {
    /// The settings, to be changed and checked again.
    pub fn into_inner(self) -> Settings {
        self.0
    }
}

impl Settings {
    /// Checks every range.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Range`] with the first key that is out of range, [`SettingsError::Pool`].
    pub fn check(self) -> Result<CheckedSettings, SettingsError> {
        self.data.check()?;
        match self.direction.check() {
            Err(DirectionError::Setting {
                name,
                value,
                expected,
            }) => refuse(&format!("direction.{name}"), value, expected)?,
            // Only settings are checked here, not data.
            Err(DirectionError::Lengths { .. } | DirectionError::Units { .. }) | Ok(()) => {}
        }
        self.captions.check()?;
        self.generate.check()?;
        self.filter.check()?;
        Ok(CheckedSettings(self))
    }
}
