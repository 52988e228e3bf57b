//! Train, val, test, pool.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::io::{Classified, ErrorKind};

/// What part of the data an example belongs to.
///
/// Written in lower case; `training`, `validation`, `valid`, `dev` and `testing` are read too, in
/// any case of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Split {
    /// What the classifier was trained on.
    Train,
    /// Held out from its training: directions are fitted here, and only here.
    Val,
    /// Everything is judged here, nothing is fitted.
    Test,
    /// More real images, which may be added to training.
    Pool,
}

impl Split {
    /// Every split, in the order of work.
    pub const ALL: [Self; 4] = [Self::Train, Self::Val, Self::Test, Self::Pool];

    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
            Self::Pool => "pool",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Split> for &'static str {
    fn from(split: Split) -> Self {
        split.name()
    }
}

/// A name that is no split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no split: use train, val, test or pool")]
pub struct UnknownSplit {
    /// The name.
    pub name: String,
}

impl Classified for UnknownSplit {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(name: &str) -> Result<Self, UnknownSplit> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Ok(Self::Train),
            "val" | "validation" | "valid" | "dev" => Ok(Self::Val),
            "test" | "testing" => Ok(Self::Test),
            "pool" => Ok(Self::Pool),
            _ => Err(UnknownSplit {
                name: name.to_owned(),
            }),
        }
    }
}

impl TryFrom<String> for Split {
    type Error = UnknownSplit;

    fn try_from(name: String) -> Result<Self, UnknownSplit> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_names_and_aliases() {
        for (name, split) in [
            ("train", Split::Train),
            ("Validation", Split::Val),
            ("valid", Split::Val),
            ("dev", Split::Val),
            ("TEST", Split::Test),
            ("pool", Split::Pool),
        ] {
            assert_eq!(name.parse(), Ok(split));
        }
        let error = "trian".parse::<Split>().unwrap_err();
        assert_eq!(error.name, "trian");
        assert_eq!(serde_json::to_string(&Split::Val).unwrap(), "\"val\"");
        assert_eq!(
            serde_json::from_str::<Split>("\"dev\"").unwrap(),
            Split::Val
        );
        assert_eq!(format!("{:>6}", Split::Pool), "  pool");
    }
}
