//! Reads merges, from `merges.txt` or `tokenizer.json`, in the order of their ranks.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::merging::Merges;
use crate::nn::tokenizer::TokenizerError;
use crate::nn::tokenizer::config::key_error;

/// Two symbols and where they stand.
pub(in crate::nn::tokenizer) struct Merge {
    pub(in crate::nn::tokenizer) left: String,
    pub(in crate::nn::tokenizer) right: String,
    pub(in crate::nn::tokenizer) place: String,
}

/// Rank and result of every merge, by the ids of its symbols.
pub(super) fn ids(
    path: &Path,
    vocab: &HashMap<String, u32>,
    merges: Vec<Merge>,
) -> Result<Merges, TokenizerError> {
    let mut ids = HashMap::with_capacity(merges.len());
    for (rank, Merge { left, right, place }) in merges.into_iter().enumerate() {
        let id = |token: &str| {
            vocab
                .get(token)
                .copied()
                .ok_or_else(|| TokenizerError::Merge {
                    path: path.to_path_buf(),
                    place: place.clone(),
                    found: token.to_owned(),
                    expected: "in the vocabulary",
                })
        };
        let joined = id(&format!("{left}{right}"))?;
        ids.insert((id(&left)?, id(&right)?), (rank, joined));
    }
    Ok(ids)
}

/// Those of a `merges.txt`.
pub(super) fn from_text(path: &Path, text: &str) -> Result<Vec<Merge>, TokenizerError> {
    text.lines()
        .zip(1..)
        .filter(|(line, _)| !line.starts_with("#version") && !line.trim().is_empty())
        .map(|(line, number)| merge(path, format!("line {number}"), line, line.split_once(' ')))
        .collect()
}

/// Those of a `tokenizer.json`.
pub(super) fn from_json(path: &Path, value: &Value) -> Result<Vec<Merge>, TokenizerError> {
    let list = value.as_array().ok_or_else(|| {
        key_error(
            path,
            "model.merges".to_owned(),
            "a list of pairs of symbols",
        )
    })?;
    list.iter()
        .enumerate()
        .map(|(i, entry)| {
            // Older files hold "a b", newer ones ["a", "b"].
            let pair = match entry {
                Value::String(text) => text.split_once(' '),
                Value::Array(two) => match two.as_slice() {
                    [left, right] => left.as_str().zip(right.as_str()),
                    _ => None,
                },
                _ => None,
            };
            merge(path, format!("model.merges[{i}]"), &entry.to_string(), pair)
        })
        .collect()
}

fn merge(
    path: &Path,
    place: String,
    found: &str,
    pair: Option<(&str, &str)>,
) -> Result<Merge, TokenizerError> {
    match pair {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok(Merge {
                left: left.to_owned(),
                right: right.to_owned(),
                place,
            })
        }
        _ => Err(TokenizerError::Merge {
            path: path.to_path_buf(),
            place,
            found: found.to_owned(),
            expected: "two symbols",
        }),
    }
}
