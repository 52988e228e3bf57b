//! `SigLIP`'s tokenizer: a `SentencePiece` model over canonical captions.
//!
//! ```text
//! caption ─▶ special tokens cut out ─▶ lower case, no punctuation, single spaces ─▶ pieces ─▶ ids
//! ```
//!
//! There is no begin token, and the end token also fills the context. A caption that spells out
//! `</s>` or `<unk>` means those tokens, as it does to the reference.
//!
//! Source: `tokenization_siglip.py`, `tokenization_python.py` of Transformers 5.23.

mod pieces;
mod proto;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use self::pieces::Pieces;
use super::added::added_decoder;
use super::clean::{collapse, is_space};
use super::config::{context, key_error, optional_json};
use super::{Model, Tokenizer, TokenizerError};

/// `SentencePiece`'s sign for a space.
const SPACE: &str = "▁";
/// Context of every released `SigLIP`.
const CONTEXT: usize = 64;

/// `transformers.SiglipTokenizer`.
#[derive(Debug, Clone)]
pub(super) struct Siglip {
    pieces: Pieces,
    added: Vec<Added>,
    /// The unknown token as it is written, and the number of its pieces.
    unknown: (String, usize),
    lower: bool,
}

/// A token that is found in a caption as it stands.
#[derive(Debug, Clone)]
struct Added {
    content: String,
    id: u32,
    /// Whether white space before and after it is dropped.
    strips: (bool, bool),
}

impl Siglip {
    /// Appends the ids of a caption.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        // The sign itself is a space, and one stands before the caption.
        let text = format!("{SPACE}{}", text.replace(SPACE, " "));
        let mut rest = text.as_str();
        loop {
            let next = self
                .added
                .iter()
                .filter_map(|added| Some((rest.find(&added.content)?, added)))
                .min_by_key(|(at, added)| (*at, usize::MAX - added.content.len()));
            let Some((at, added)) = next else {
                self.encode_text(rest, ids);
                return;
            };
            let before = &rest[..at];
            self.encode_text(
                if added.strips.0 {
                    before.trim_end_matches(is_space)
                } else {
                    before
                },
                ids,
            );
            ids.push(added.id);
            rest = &rest[at + added.content.len()..];
            if added.strips.1 {
                rest = rest.trim_start_matches(is_space);
            }
        }
    }

    fn encode_text(&self, text: &str, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let lowered = if self.lower {
            text.to_lowercase()
        } else {
            text.to_owned()
        };
        let kept: String = lowered
            .chars()
            .filter(|c| !c.is_ascii_punctuation())
            .collect();
        // The reference puts the unknown token before the text, so that a space at the text's
        // beginning is not dropped, and takes as many pieces away as that token alone has.
        let (unknown, count) = &self.unknown;
        let found = self.pieces.encode(&format!("{unknown}{}", collapse(&kept)));
        ids.extend(found.get(*count..).unwrap_or(&found));
    }
}

/// Whether a folder's configs name `SigLIP`.
pub(super) fn is_kind_of(dir: &Path) -> Result<bool, TokenizerError> {
    let tokenizer = optional_json(&dir.join("tokenizer_config.json"))?;
    if let Some(class) = tokenizer["tokenizer_class"].as_str() {
        // Transformers 4 had no fast one, some folders say so all the same.
        return Ok(matches!(class, "SiglipTokenizer" | "SiglipTokenizerFast"));
    }
    let model = optional_json(&dir.join("config.json"))?;
    Ok(model["model_type"] == "siglip")
}

pub(super) fn read(dir: &Path) -> Result<Tokenizer, TokenizerError> {
    let path = dir.join("spiece.model");
    if !path.is_file() {
        return Err(TokenizerError::NoPieces {
            dir: dir.to_path_buf(),
        });
    }
    let config_path = dir.join("tokenizer_config.json");
    let config = optional_json(&config_path)?;
    if config["sp_model_kwargs"]
        .as_object()
        .is_some_and(|settings| !settings.is_empty())
    {
        return Err(key_error(
            &config_path,
            "sp_model_kwargs".to_owned(),
            "empty: sampling is not supported",
        ));
    }
    let flag = |key: &str, default: bool| match &config[key] {
        Value::Null => Ok(default),
        value => value
            .as_bool()
            .ok_or_else(|| key_error(&config_path, key.to_owned(), "true or false")),
    };
    // Without `legacy` the model adds no space of its own, whatever it says.
    let pieces = Pieces::read(&path, flag("legacy", true)?)?;

    let Special {
        mut added,
        eos,
        unknown,
        pad,
    } = Special::read(dir, &config_path, &config, &path, &pieces)?;
    // An empty token would be found everywhere.
    added.retain(|added| !added.content.is_empty());
    let largest = added.iter().map(|added| added.id as usize + 1).max();
    let count = pieces.encode(&unknown).len();
    Ok(Tokenizer {
        vocab_size: pieces.len().max(largest.unwrap_or(0)),
        model: Model::Siglip(Siglip {
            pieces,
            added,
            unknown: (unknown, count),
            lower: flag("do_lower_case", true)?,
        }),
        bos: None,
        eos,
        pad,
        context: context(&config, "model_max_length", CONTEXT),
        vectors: BTreeMap::new(),
    })
}

/// The tokens that are found in a caption as they stand, and those with a purpose.
struct Special {
    added: Vec<Added>,
    eos: u32,
    /// As it is written.
    unknown: String,
    pad: u32,
}

impl Special {
    fn read(
        dir: &Path,
        config_path: &Path,
        config: &Value,
        model_path: &Path,
        pieces: &Pieces,
    ) -> Result<Self, TokenizerError> {
        let mut added = Vec::new();
        let listed = if config.get("added_tokens_decoder").is_some() {
            added = listed_tokens(config_path, config)?;
            Value::Null
        } else {
            optional_json(&dir.join("special_tokens_map.json"))?
        };
        let mut id_of =
            |name: &'static str, default: &str| -> Result<(String, u32), TokenizerError> {
                let token = [&listed, config]
                    .into_iter()
                    .find_map(|file| {
                        let value = file.get(name)?;
                        value.as_str().or_else(|| value.get("content")?.as_str())
                    })
                    .unwrap_or(default)
                    .to_owned();
                if let Some(known) = added.iter().find(|added: &&Added| added.content == token) {
                    return Ok((token, known.id));
                }
                let id = pieces.id(&token).ok_or_else(|| TokenizerError::Special {
                    path: model_path.to_path_buf(),
                    name,
                    token: token.clone(),
                })?;
                added.push(Added {
                    content: token.clone(),
                    id,
                    strips: (true, true),
                });
                Ok((token, id))
            };
        let (_, eos) = id_of("eos_token", "</s>")?;
        let (unknown, _) = id_of("unk_token", "<unk>")?;
        let (_, pad) = id_of("pad_token", "</s>")?;
        Ok(Self {
            added,
            eos,
            unknown,
            pad,
        })
    }
}

/// `added_tokens_decoder`, with what each strips.
fn listed_tokens(path: &Path, config: &Value) -> Result<Vec<Added>, TokenizerError> {
    let tokens = added_decoder(path, config)?;
    tokens
        .into_iter()
        .map(|token| {
            let key = format!("added_tokens_decoder.{}", token.id);
            let flags = &config["added_tokens_decoder"][token.id.to_string()];
            if flags["single_word"] == true {
                let key = format!("{key}.single_word");
                return Err(key_error(path, key, "false"));
            }
            Ok(Added {
                content: token.content,
                id: token.id,
                strips: (flags["lstrip"] == true, flags["rstrip"] == true),
            })
        })
        .collect()
}
