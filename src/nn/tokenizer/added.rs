//! Tokens that are found in a caption as they stand, such as `<|endoftext|>`.

use std::path::Path;

use serde_json::Value;

use super::TokenizerError;
use super::config::{key_error, token_id};

/// A token that is found as it stands, such as `<|endoftext|>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) content: String,
    pub(super) id: u32,
    /// Whether it is looked for after lower-casing rather than before.
    pub(super) normalized: bool,
}

/// `added_tokens` of a `tokenizer.json`.
pub(super) fn added_list(path: &Path, value: &Value) -> Result<Vec<Added>, TokenizerError> {
    let wrong = |key: String| key_error(path, key, "a token with content and id");
    let none = Vec::new();
    let list = match &value["added_tokens"] {
        Value::Null => &none,
        Value::Array(list) => list,
        _ => return Err(wrong("added_tokens".to_owned())),
    };
    list.iter()
        .enumerate()
        .map(|(i, token)| {
            added(token, token_id(&token["id"])).ok_or_else(|| wrong(format!("added_tokens[{i}]")))
        })
        .collect()
}

/// `added_tokens_decoder` of a `tokenizer_config.json`, by id.
pub(super) fn added_decoder(path: &Path, config: &Value) -> Result<Vec<Added>, TokenizerError> {
    let key = "added_tokens_decoder";
    let wrong = |key: String| key_error(path, key, "an object of ids and tokens with content");
    let object = config[key]
        .as_object()
        .ok_or_else(|| wrong(key.to_owned()))?;
    let mut tokens = object
        .iter()
        .map(|(id, token)| {
            added(token, id.parse().ok()).ok_or_else(|| wrong(format!("{key}.{id}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    tokens.sort_by_key(|added| added.id);
    Ok(tokens)
}

fn added(token: &Value, id: Option<u32>) -> Option<Added> {
    let special = token["special"].as_bool().unwrap_or(false);
    Some(Added {
        content: token["content"].as_str()?.to_owned(),
        id: id?,
        normalized: token["normalized"].as_bool().unwrap_or(!special),
    })
}
