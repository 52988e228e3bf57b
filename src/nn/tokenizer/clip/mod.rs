//! CLIP's tokenizer as `transformers.CLIPTokenizer` has it: byte-level BPE over lower-cased words.
//!
//! ```text
//! caption ─▶ special tokens cut out ─▶ NFC, lower case ─▶ words ─▶ byte symbols ─▶ merges ─▶ ids
//! ```
//!
//! Source: `tokenization_clip.py` of Transformers 5.23 and the tokenizers library under it; the
//! split expression is that of <https://github.com/openai/CLIP> `clip/simple_tokenizer.py`.
//!
//! The special tokens follow Transformers: where `tokenizer_config.json` lists its added tokens,
//! it has the last word; in older folders `special_tokens_map.json` has. Stable Diffusion 2 pads
//! with `!` by the latter file alone.

mod merge_list;
mod merging;
mod vocabulary;
mod words;

use std::path::Path;

use serde_json::Value;

pub(super) use self::merge_list::Merge;
use self::vocabulary::vocabulary;
pub(super) use self::vocabulary::{Built, Vocabulary, parts};
pub(super) use self::words::Words;
pub(in crate::nn) use self::words::{byte_symbols, normalised, split};
use super::added::{Added, added_decoder};
use super::config::{context, json, optional_json};
use super::{Tokenizer, TokenizerError};

/// The token that begins a caption.
pub(in crate::nn) const BOS: &str = "<|startoftext|>";
/// The token that ends a caption.
pub(in crate::nn) const EOS: &str = "<|endoftext|>";
/// The mark on a symbol that ends a word.
pub(in crate::nn) const END_OF_WORD: &str = "</w>";
/// Context of every released CLIP, where a folder does not say.
pub(super) const DEFAULT_CONTEXT: usize = 77;

/// Reads a folder of Transformers or Diffusers.
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
