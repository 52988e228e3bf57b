//! What a run is told: one TOML file, every key with a default.
//!
//! ```text
//! file + --set ──read──▶ Settings ──flags──▶ Settings ──check──▶ CheckedSettings ─▶ stages
//! ```
//!
//! One file a section, with all that there is to its keys: field, default, range, lines of the template and, for
//! those that have one, the flag. [`Settings::check`] asks each section for its ranges. Every number must be
//! finite: TOML has `nan` and `inf`, which no setting means.

mod captions;
mod check;
mod data;
mod embed;
mod error;
mod filter;
pub(crate) mod flag;
mod generate;
mod input;
mod range;
mod read;
mod strategies;

use serde::{Deserialize, Serialize};

use crate::direction::FitOptions;

pub use captions::{Captions, CaptionsFlags};
pub use check::CheckedSettings;
pub use data::{Data, DataFlags};
pub use embed::{Embed, EmbedFlags};
pub use error::SettingsError;
pub use filter::{Filter, FilterFlags};
pub use generate::{Generate, GenerateFlags, SamplerFlags};
pub use input::{Otherwise, Resampling, ResizeTo, Sides};
pub use strategies::{StartsFrom, Strategies};

/// How the settings file begins that `hardlight init` writes.
const HEAD: &str = r"# Settings of a hardlight run. Flags override them; `--set section.key=value` overrides any key.
# Paths are relative to the folder the command is started in. Values shown are the defaults.

# Seed of everything that is random: images, permutations, resamples.
seed = 0
";

/// What `hardlight init` writes of `[direction]`, whose keys are those of [`FitOptions`].
const DIRECTION: &str = r#"[direction]
# Cross-validation folds of units (near-duplicates are one unit), shuffled by the seed; "table-order" for
# the reference's: 2, in the order of the table, once.
folds = 2
# How often units are dealt to folds; the CV score is the mean.
repeats = 5
# Permutations behind a p-value: at most so many, or 20 a test if that is more (two a class); 0 for none.
permutations = 199
# Resamples behind the direction's interval.
bootstrap = 100
# Fewer mistakes, or fewer right images, in val than this are never a finding.
min_mistakes = 5
# Whether to look for several failure modes in a class, beside the one direction of all its mistakes.
modes = true
# Quantile of the mistakes' out-of-fold alignment that a kept image must reach.
quantile = 0.5
# Seed of folds, permutations and resamples.
seed = 0
"#;

/// The commented settings file that `hardlight init` writes.
pub fn template() -> String {
    let sections = [
        HEAD,
        &data::template(),
        embed::TEMPLATE,
        DIRECTION,
        captions::TEMPLATE,
        generate::TEMPLATE,
        filter::TEMPLATE,
    ];
    sections.join("\n")
}

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
