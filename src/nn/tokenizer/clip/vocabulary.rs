//! A vocabulary in files: tokens, merges, special tokens.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::merge_list::{self, Merge};
use super::words::{Words, byte_symbols};
use super::{BOS, DEFAULT_CONTEXT, END_OF_WORD, EOS};
use crate::io;
use crate::nn::tokenizer::added::{Added, added_list};
use crate::nn::tokenizer::config::{json, key_error, token_id};
use crate::nn::tokenizer::{Model, Tokenizer, TokenizerError};

/// Tokens, merges and the added tokens of `tokenizer.json`, or else of `vocab.json` with
/// `merges.txt`.
pub(in crate::nn::tokenizer) fn parts(dir: &Path) -> Result<Vocabulary, TokenizerError> {
    let whole = dir.join("tokenizer.json");
    let (vocab_path, merges_path) = (dir.join("vocab.json"), dir.join("merges.txt"));
    if whole.is_file() {
        let value = json(&whole)?;
        let model = model(&whole, &value)?;
        let added = added_list(&whole, &value)?;
        let vocab = vocabulary(&whole, &model["vocab"], "model.vocab")?;
        let merges = merge_list::from_json(&whole, &model["merges"])?;
        let mut parts = Vocabulary::new(whole, vocab, merges);
        parts.added = added;
        Ok(parts)
    } else if vocab_path.is_file() && merges_path.is_file() {
        let vocab = vocabulary(&vocab_path, &json(&vocab_path)?, "the file")?;
        let merges = merge_list::from_text(&merges_path, &io::read_to_string(&merges_path)?)?;
        let mut parts = Vocabulary::new(vocab_path, vocab, merges);
        parts.merges_path = merges_path;
        Ok(parts)
    } else {
        Err(TokenizerError::NoVocabulary {
            dir: dir.to_path_buf(),
        })
    }
}

/// What a tokenizer is built from.
pub(in crate::nn::tokenizer) struct Vocabulary {
    /// The file with the vocabulary, for errors.
    path: PathBuf,
    merges_path: PathBuf,
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    pub(super) added: Vec<Added>,
    pub(super) special: [Special; 4],
}

/// A vocabulary with the ids of its special tokens.
pub(in crate::nn::tokenizer) struct Built {
    pub(in crate::nn::tokenizer) words: Words,
    pub(in crate::nn::tokenizer) bos: u32,
    pub(in crate::nn::tokenizer) eos: u32,
    pub(in crate::nn::tokenizer) pad: u32,
    pub(in crate::nn::tokenizer) vocab_size: usize,
}

/// A token with a purpose. Those not named are the end token.
pub(super) struct Special {
    pub(super) name: &'static str,
    pub(super) token: Option<String>,
    pub(super) normalized: bool,
}

impl Vocabulary {
    pub(in crate::nn::tokenizer) fn new(
        path: PathBuf,
        vocab: HashMap<String, u32>,
        merges: Vec<Merge>,
    ) -> Self {
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
    pub(in crate::nn::tokenizer) fn build(self) -> Result<Tokenizer, TokenizerError> {
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
            vectors: BTreeMap::new(),
        })
    }

    pub(in crate::nn::tokenizer) fn built(mut self) -> Result<Built, TokenizerError> {
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

pub(super) fn vocabulary(
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
