//! What a run is told: one TOML file, every key with a default.
//!
//! ```text
//! file + --set ──read──▶ Settings ──flags──▶ Settings ──check──▶ CheckedSettings ─▶ stages
//! ```
//!
//! One file a section; [`Settings::check`] asks each section for its ranges. Every number must be finite:
//! TOML has `nan` and `inf`, which no setting means.

mod captions;
mod check;
mod data;
mod embed;
mod error;
mod filter;
mod generate;
mod input;
mod range;
mod read;

use serde::{Deserialize, Serialize};

use crate::direction::FitOptions;

pub use captions::Captions;
pub use check::CheckedSettings;
pub use data::Data;
pub use embed::Embed;
pub use error::SettingsError;
pub use filter::Filter;
pub use generate::Generate;
pub use input::{Otherwise, Resampling, ResizeTo, Sides};

/// The commented settings file that `hardlight init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");

/// All settings of a run, as they were written: [`Settings::check`] makes what stages take of them.
///
/// # Examples
///
/// ```
/// use hardlight::pipeline::settings::Settings;
///
/// let mut settings = Settings::default();
/// settings.generate.guidance = 5.0;
/// assert_eq!(settings.clone().check()?.generate.guidance, 5.0);
///
/// settings.filter.class_margin = f64::NAN;
/// let error = settings.check().unwrap_err();
/// assert!(error.to_string().starts_with("filter.class_margin is NaN"));
/// # Ok::<(), hardlight::pipeline::settings::SettingsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seed of everything that is random.
    pub seed: u64,
    /// Images, labels, predictions.
    pub data: Data,
    /// The space of directions.
    pub embed: Embed,
    /// How directions are learned.
    pub direction: FitOptions,
    /// Which captions are scored.
    pub captions: Captions,
    /// How images are made.
    pub generate: Generate,
    /// Which images are kept.
    pub filter: Filter,
}

#[cfg(test)]
mod tests;
