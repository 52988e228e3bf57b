//! The ranges that settings are held to.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::SettingsError;

/// The error of a value out of range.
pub(super) fn refuse(
    key: &str,
    value: impl Display,
    expected: &'static str,
) -> Result<(), SettingsError> {
    Err(SettingsError::Range {
        key: key.to_owned(),
        value: value.to_string(),
        expected,
    })
}

/// A number for people, never with hundreds of digits.
fn shown(value: f64) -> String {
    if value.abs() < 1e9 {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// Any number but NaN and the infinities.
pub(super) fn finite(key: &str, value: f64) -> Result<(), SettingsError> {
    if value.is_finite() {
        Ok(())
    } else {
        refuse(key, shown(value), "a finite number")
    }
}

/// A number of a closed range; NaN is in none.
pub(super) fn within(
    key: &str,
    value: f64,
    range: RangeInclusive<f64>,
    expected: &'static str,
) -> Result<(), SettingsError> {
    if range.contains(&value) {
        Ok(())
    } else {
        refuse(key, shown(value), expected)
    }
}

/// A count that must not be zero.
pub(super) fn at_least_one(key: &str, value: usize) -> Result<(), SettingsError> {
    if value == 0 {
        refuse(key, value, "at least 1")
    } else {
        Ok(())
    }
}
