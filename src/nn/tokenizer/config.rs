//! What the JSON files beside every vocabulary say.

use std::path::Path;

use serde_json::Value;

use super::TokenizerError;
use crate::io;

/// Transformers writes 1e30 for "not said"; no text tower is longer than this.
const MAX_CONTEXT: u64 = 100_000;

pub(super) fn json(path: &Path) -> Result<Value, TokenizerError> {
    serde_json::from_str(&io::read_to_string(path)?).map_err(|source| TokenizerError::Json {
        path: path.to_path_buf(),
        source,
    })
}

pub(super) fn optional_json(path: &Path) -> Result<Value, TokenizerError> {
    if path.is_file() {
        json(path)
    } else {
        Ok(Value::Null)
    }
}

/// The context that a config names, or else the default.
pub(super) fn context(config: &Value, key: &str, default: usize) -> usize {
    config
        .get(key)
        .and_then(Value::as_u64)
        .filter(|n| (2..=MAX_CONTEXT).contains(n))
        .map_or(default, |n| n as usize)
}

pub(super) fn token_id(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

pub(super) fn key_error(path: &Path, key: String, expected: &'static str) -> TokenizerError {
    TokenizerError::Key {
        path: path.to_path_buf(),
        key,
        expected,
    }
}
