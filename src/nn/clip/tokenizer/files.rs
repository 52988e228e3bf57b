//! Reads a tokenizer's folder.
//!
//! The special tokens follow Transformers: where `tokenizer_config.json` lists its added tokens,
//! it has the last word; in older folders `special_tokens_map.json` has. Stable Diffusion 2 pads
//! with `!` by the latter file alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::merge_list::{self, Merge};
use super::words::{Added, Words, byte_symbols};
use super::{BOS, DEFAULT_CONTEXT, END_OF_WORD, EOS, Model, Tokenizer, TokenizerError};
use crate::io;

/// Transformers writes 1e30 for "not said"; no text tower is longer than this.
const MAX_CONTEXT: u64 = 100_000;

/// Tokens, merges and the added tokens of `tokenizer.json`, or else of `vocab.json` with
/// `merges.txt`.
pub(super) fn parts(dir: &Path) -> Result<Parts, TokenizerError> {
    let whole = dir.join("tokenizer.json");
    let (vocab_path, merges_path) = (dir.join("vocab.json"), dir.join("merges.txt"));
    if whole.is_file() {
        let value = json(&whole)?;
        let model = model(&whole, &value)?;
        let added = added_list(&whole, &value)?;
        let vocab = vocabulary(&whole, &model["vocab"], "model.vocab")?;
        let merges = merge_list::from_json(&whole, &model["merges"])?;
        let mut parts = Parts::new(whole, vocab, merges);
        parts.added = added;
        Ok(parts)
    } else if vocab_path.is_file() && merges_path.is_file() {
        let vocab = vocabulary(&vocab_path, &json(&vocab_path)?, "the file")?;
        let merges = merge_list::from_text(&merges_path, &io::read_to_string(&merges_path)?)?;
        let mut parts = Parts::new(vocab_path, vocab, merges);
        parts.merges_path = merges_path;
        Ok(parts)
    } else {
        Err(TokenizerError::NoVocabulary {
            dir: dir.to_path_buf(),
        })
    }
}

pub(super) fn read(dir: &Path) -> Result<Tokenizer, TokenizerError> {
    let mut parts = parts(dir)?;
    let config_path = dir.join("tokenizer_config.json");
    let config = optional_json(&config_path)?;
    let map = if config.get("added_tokens_decoder").is_some() {
        parts.added = added_decoder(&config_path, &config)?;
        Value::Null
    } else {
        let path = dir.join("added_tokens.json");
        if path.is_file() {
            let tokens = vocabulary(&path, &json(&path)?, "the file")?;
            let mut tokens: Vec<Added> = tokens
                .into_iter()
                .map(|(content, id)| Added {
                    content,
                    id,
                    normalized: true,
                })
                .collect();
            tokens.sort_by_key(|added| added.id);
            parts.added.extend(tokens);
        }
        optional_json(&dir.join("special_tokens_map.json"))?
    };
    for special in &mut parts.special {
        let found = [&map, &config].into_iter().find_map(|file| {
            // A string, or an object with the string under `content`.
            let value = file.get(special.name)?;
            let content = value.as_str().or_else(|| value.get("content")?.as_str())?;
            let normalized = value.get("normalized").and_then(Value::as_bool);
            Some((content.to_owned(), normalized.unwrap_or(false)))
        });
        if let Some((token, normalized)) = found {
            special.token = Some(token);
            special.normalized = normalized;
        }
    }
    Ok(parts
        .build()?
        .with_context(context(&config, "model_max_length", DEFAULT_CONTEXT)))
}

/// The context that a config names, or else the default.
pub(super) fn context(config: &Value, key: &str, default: usize) -> usize {
    config
        .get(key)
        .and_then(Value::as_u64)
        .filter(|n| (2..=MAX_CONTEXT).contains(n))
        .map_or(default, |n| n as usize)
}

/// What a tokenizer is built from.
pub(super) struct Parts {
    /// The file with the vocabulary, for errors.
    path: PathBuf,
    merges_path: PathBuf,
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    added: Vec<Added>,
    special: [Special; 4],
}

/// A vocabulary with the ids of its special tokens.
pub(super) struct Built {
    pub(super) words: Words,
    pub(super) bos: u32,
    pub(super) eos: u32,
    pub(super) pad: u32,
    pub(super) vocab_size: usize,
}

/// A token with a purpose. Those not named are the end token.
struct Special {
    name: &'static str,
    token: Option<String>,
    normalized: bool,
}

impl Parts {
    pub(super) fn new(path: PathBuf, vocab: HashMap<String, u32>, merges: Vec<Merge>) -> Self {
        let special = |name, token: Option<&str>| Special {
            name,
            token: token.map(str::to_owned),
            normalized: false,
        };
        Self {
            merges_path: path.clone(),
            path,
            vocab,
            merges,
            added: Vec::new(),
            special: [
                special("eos_token", Some(EOS)),
                special("bos_token", Some(BOS)),
                special("unk_token", None),
                special("pad_token", None),
            ],
        }
    }

    /// `transformers.CLIPTokenizer`.
    pub(super) fn build(self) -> Result<Tokenizer, TokenizerError> {
        let Built {
            words,
            bos,
            eos,
            pad,
            vocab_size,
        } = self.built()?;
        Ok(Tokenizer {
            model: Model::Clip(words),
            bos: Some(bos),
            eos,
            pad,
            vocab_size,
            context: DEFAULT_CONTEXT,
        })
    }

    pub(super) fn built(mut self) -> Result<Built, TokenizerError> {
        for added in &self.added {
            self.vocab.entry(added.content.clone()).or_insert(added.id);
        }
        let listed = self.added.len();
        let mut end = EOS.to_owned();
        let mut ids = [0; 4];
        for (special, id) in self.special.into_iter().zip(&mut ids) {
            let Special {
                name,
                token,
                normalized,
            } = special;
            let token = token.unwrap_or_else(|| end.clone());
            if name == "eos_token" {
                end.clone_from(&token);
            }
            *id = *self
                .vocab
                .get(&token)
                .ok_or_else(|| TokenizerError::Special {
                    path: self.path.clone(),
                    name,
                    token: token.clone(),
                })?;
            // A listed token is as listed; else the last purpose of several decides.
            match self.added.iter().position(|added| added.content == token) {
                Some(at) if at < listed => {}
                Some(at) => self.added[at].normalized = normalized,
                None => self.added.push(Added {
                    content: token,
                    id: *id,
                    normalized,
                }),
            }
        }
        // An empty token would be found everywhere.
        self.added.retain(|added| !added.content.is_empty());
        let [eos, bos, unknown, pad] = ids;
        Ok(Built {
            vocab_size: self.vocab.values().max().map_or(0, |&id| id as usize + 1),
            words: Words {
                bytes: byte_ids(&self.vocab, unknown),
                merges: merge_list::ids(&self.merges_path, &self.vocab, self.merges)?,
                added: self.added,
            },
            bos,
            eos,
            pad,
        })
    }
}

/// Ids of every byte, within a word and at its end.
fn byte_ids(vocab: &HashMap<String, u32>, unknown: u32) -> Box<[[u32; 2]; 256]> {
    let id = |token: &str| vocab.get(token).copied().unwrap_or(unknown);
    Box::new(byte_symbols().map(|symbol| {
        [
            id(&symbol.to_string()),
            id(&format!("{symbol}{END_OF_WORD}")),
        ]
    }))
}

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

/// The `model` of a `tokenizer.json`, if it is a byte-level BPE of CLIP's kind.
fn model<'a>(path: &Path, value: &'a Value) -> Result<&'a Value, TokenizerError> {
    let wrong = |key: &str, expected| TokenizerError::Key {
        path: path.to_path_buf(),
        key: key.to_owned(),
        expected,
    };
    let model = &value["model"];
    // Old files leave the type out.
    if !matches!(model["type"].as_str(), None | Some("BPE")) {
        return Err(wrong("model.type", "\"BPE\", as CLIP's tokenizers are"));
    }
    if model["end_of_word_suffix"] != END_OF_WORD {
        return Err(wrong(
            "model.end_of_word_suffix",
            "\"</w>\", as CLIP's tokenizers have it",
        ));
    }
    Ok(model)
}

/// `added_tokens` of a `tokenizer.json`.
fn added_list(path: &Path, value: &Value) -> Result<Vec<Added>, TokenizerError> {
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

fn token_id(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

pub(super) fn key_error(path: &Path, key: String, expected: &'static str) -> TokenizerError {
    TokenizerError::Key {
        path: path.to_path_buf(),
        key,
        expected,
    }
}

fn vocabulary(
    path: &Path,
    value: &Value,
    key: &str,
) -> Result<HashMap<String, u32>, TokenizerError> {
    let object = value
        .as_object()
        .ok_or_else(|| key_error(path, key.to_owned(), "an object of tokens and their ids"))?;
    object
        .iter()
        .map(|(token, id)| {
            let id = token_id(id)
                .ok_or_else(|| key_error(path, format!("the id of {token:?}"), "a token id"))?;
            Ok((token.clone(), id))
        })
        .collect()
}
