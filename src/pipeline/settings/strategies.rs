//! `generate.strategies`: what pictures start from, in shares; and where images to start from come from.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::range::{refuse, within};
use crate::dataset::Split;

/// Shares of the attempts, by what they start from; only their ratio counts. One that is left out is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategies {
    /// Noise, led by a caption.
    #[serde(default)]
    pub caption: f64,
    /// A real image with noise, led by a caption.
    #[serde(default)]
    pub image: f64,
}

impl Default for Strategies {
    fn default() -> Self {
        Self {
            caption: 1.0,
            image: 0.0,
        }
    }
}

impl Strategies {
    /// The share of the attempts that start from an image, from 0 to 1.
    pub fn image(&self) -> f64 {
        let all = self.caption + self.image;
        if all > 0.0 { self.image / all } else { 0.0 }
    }

    /// Checks the ranges.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let expected = "a share, from 0 to 1000000";
        for (key, share) in [
            ("generate.strategies.caption", self.caption),
            ("generate.strategies.image", self.image),
        ] {
            within(key, share, 0.0..=1e6, expected)?;
        }
        if self.caption + self.image > 0.0 {
            return Ok(());
        }
        refuse("generate.strategies", "0 in all", "a share above 0")
    }
}

impl FromStr for Strategies {
    type Err = String;

    /// `image`, or `caption=0.5,image=0.5`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut strategies = Self {
            caption: 0.0,
            image: 0.0,
        };
        for part in text.split(',') {
            let (name, share) = match part.split_once('=') {
                None => (part, 1.0),
                Some((name, share)) => {
                    let share = super::flag::finite(share.trim());
                    (name, share.map_err(|error| format!("{part}: {error}"))?)
                }
            };
            match name.trim() {
                "caption" => strategies.caption = share,
                "image" => strategies.image = share,
                other => {
                    return Err(format!(
                        "unknown strategy {other:?}: known are caption and image"
                    ));
                }
            }
        }
        Ok(strategies)
    }
}

/// Where images to start from come from; never test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum StartsFrom {
    /// The training set.
    #[default]
    Train,
    /// More real images.
    Pool,
    /// What directions are fitted on.
    Val,
}

impl StartsFrom {
    /// The split.
    pub fn split(self) -> Split {
        match self {
            Self::Train => Split::Train,
            Self::Pool => Split::Pool,
            Self::Val => Split::Val,
        }
    }
}

impl Display for StartsFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.split().name())
    }
}

/// Reads `LEAST,MOST`, or one number for both.
pub(super) fn strength(text: &str) -> Result<[f64; 2], String> {
    let number = |text: &str| super::flag::finite(text.trim());
    match text.split_once(',') {
        None => number(text).map(|both| [both; 2]),
        Some((least, most)) => Ok([number(least)?, number(most)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_only_their_ratio_counts() {
        let share = |text: &str| text.parse::<Strategies>().map(|read| read.image());
        assert_eq!(share("image"), Ok(1.0));
        assert_eq!(share("caption"), Ok(0.0));
        assert_eq!(share("caption=3,image=1"), Ok(0.25));
        assert_eq!(share("caption=0.5, image=0.5"), Ok(0.5));
        for bad in ["text", "image=nan", "image=much", ""] {
            assert!(share(bad).is_err(), "{bad}");
        }
        let table: Strategies = toml::from_str("image = 0.3").unwrap();
        assert_eq!(table.image(), 1.0, "what is left out is 0");
        assert_eq!(strength("0.4,0.7"), Ok([0.4, 0.7]));
        assert_eq!(strength("0.5"), Ok([0.5, 0.5]));
    }
}
