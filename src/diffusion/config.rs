//! The JSON of a Diffusers pipeline folder, checked before any weight is read.
//!
//! Defaults of absent keys are those of diffusers 0.42. A key that would change the result and that
//! nothing here implements is refused by name, never ignored.

mod unet;
mod vae;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::io::{self, Classified, ErrorKind};

pub(super) use self::unet::SIZE_NUMBERS;
pub use self::unet::{AdditionEmbed, ClassEmbed, PerLevel, UnetBlock, UnetConfig};
pub use self::vae::VaeConfig;

/// No layer of a known model is wider; a hostile file must not allocate without bound.
const MAX_WIDTH: i64 = 65_536;
/// No level of a known model has as many blocks.
const MAX_LAYERS: i64 = 256;
/// No known model has as many levels; every one halves the sides.
const MAX_LEVELS: usize = 16;

/// Why a config was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::IoError),

    /// It is not JSON.
    #[error("{} is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// A key is missing or of the wrong type.
    #[error("{}: {key} is not what the config should hold", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, with dots between its levels.
        key: String,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// A value that no network here implements.
    #[error("{}: {key} is {found}: expected {expected}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What is known.
        expected: String,
    },
}

impl Classified for ConfigError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

/// Reads a JSON config.
///
/// # Errors
///
/// [`ConfigError::Io`] and [`ConfigError::Json`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = io::read_to_string(path)?;
    let value: Value = serde_json::from_str(&text).map_err(|source| ConfigError::Json {
        path: path.to_path_buf(),
        source,
    })?;
    from_value(path, value)
}

/// Takes a config out of the JSON of the file `path`.
fn from_value<T: DeserializeOwned>(path: &Path, value: Value) -> Result<T, ConfigError> {
    if !value.is_object() {
        return Err(ConfigError::Value {
            path: path.to_path_buf(),
            key: "the whole file".to_owned(),
            source: serde::de::Error::custom("expected an object with keys"),
        });
    }
    serde_path_to_error::deserialize(value).map_err(|error| ConfigError::Value {
        path: path.to_path_buf(),
        key: error.path().to_string(),
        source: error.into_inner(),
    })
}

/// Refuses sizes that are not positive or absurd: (key, value, largest).
fn check_sizes(path: &Path, sizes: &[(&str, i64, i64)]) -> Result<(), ConfigError> {
    for &(key, found, most) in sizes {
        if !(1..=most).contains(&found) {
            return Err(ConfigError::Unsupported {
                path: path.to_path_buf(),
                key: key.to_owned(),
                found: found.to_string(),
                expected: format!("a whole number from 1 to {most}"),
            });
        }
    }
    Ok(())
}

/// The number of levels, none of them too wide.
fn check_channels(path: &Path, channels: &[i64]) -> Result<usize, ConfigError> {
    let key = "block_out_channels";
    if !(1..=MAX_LEVELS).contains(&channels.len()) {
        return Err(ConfigError::Unsupported {
            path: path.to_path_buf(),
            key: key.to_owned(),
            found: format!("{} long", channels.len()),
            expected: format!("1 to {MAX_LEVELS} numbers"),
        });
    }
    for &width in channels {
        check_sizes(path, &[(key, width, MAX_WIDTH)])?;
    }
    Ok(channels.len())
}

/// Puts one number, or flag, in place of a list of equal ones: Diffusers takes both for these keys.
fn lists_as_one(raw: &mut Value, keys: &[&str]) {
    for key in keys {
        let one = match raw.get(key) {
            Some(Value::Array(list)) => match list.split_first() {
                Some((first, rest)) if rest.iter().all(|other| other == first) => first.clone(),
                _ => continue,
            },
            _ => continue,
        };
        raw[*key] = one;
    }
}

fn refuse_others(
    path: &Path,
    raw: &Value,
    neutral: &[(&str, Vec<Value>)],
) -> Result<(), ConfigError> {
    for (key, allowed) in neutral {
        let Some(found) = raw.get(key) else { continue };
        // Where off is allowed, null means off, as in Python.
        let off = allowed.iter().any(|a| a.is_null() || *a == false);
        if found.is_null() && off || allowed.contains(found) {
            continue;
        }
        let known = allowed
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(" or ");
        return Err(ConfigError::Unsupported {
            path: path.to_path_buf(),
            key: (*key).to_owned(),
            found: found.to_string(),
            expected: known,
        });
    }
    Ok(())
}

fn known_entries(path: &Path, raw: &Value, key: &str, known: &[&str]) -> Result<(), ConfigError> {
    for entry in raw.get(key).and_then(Value::as_array).into_iter().flatten() {
        if !entry.as_str().is_some_and(|name| known.contains(&name)) {
            return Err(ConfigError::Unsupported {
                path: path.to_path_buf(),
                key: key.to_owned(),
                found: entry.to_string(),
                expected: format!("one of {}", known.join(", ")),
            });
        }
    }
    Ok(())
}
