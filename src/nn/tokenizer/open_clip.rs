//! `open_clip`'s own tokenizer: the same vocabulary as Transformers', other words.
//!
//! ```text
//! caption ─▶ repaired, unescaped, white space collapsed, lower case ─▶ words ─▶ merges ─▶ ids
//! ```
//!
//! It pads with 0, knows `<start_of_text>` and `<end_of_text>` instead of `<|startoftext|>` and
//! `<|endoftext|>`, and cleans captions as [`super::clean`] says.
//!
//! Source: `SimpleTokenizer` and `HFTokenizer` of `open_clip` 3.3 (`tokenizer.py`), and
//! `get_tokenizer` (`factory.py`) for what a folder means.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::clean::Clean;
use super::clip::{self, Built, DEFAULT_CONTEXT, Words};
use super::config::{context, json, key_error};
use super::{Model, Tokenizer, TokenizerError};

/// What a caption may say to mean the begin and the end token.
const SPECIAL: [&str; 2] = ["<start_of_text>", "<end_of_text>"];

/// `open_clip.SimpleTokenizer`.
#[derive(Debug, Clone)]
pub(super) struct OpenClip {
    words: Words,
    clean: Clean,
    /// Ids of [`SPECIAL`].
    special: [u32; 2],
}

impl OpenClip {
    /// Appends the ids of a caption.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
            // Neither sort of word holds the iota below (U+0345) in the reference: there, without
            // regard to case, it is the letter iota to the last class but no letter to the first.
            Regex::new(concat!(
                r"(?i:<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d)",
                r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}\x{345}]+"
            ))
            .expect("the expression is constant and tested")
        });
        let text = self.clean.apply(text);
        for word in PATTERN.find_iter(&text).map(|found| found.as_str()) {
            match SPECIAL.iter().position(|special| *special == word) {
                Some(at) => ids.push(self.special[at]),
                None => ids.extend(self.words.word(word)),
            }
        }
    }
}

/// Reads a folder with `open_clip_config.json` and CLIP's vocabulary.
pub(super) fn read(dir: &Path) -> Result<Tokenizer, TokenizerError> {
    let path = dir.join("open_clip_config.json");
    let config = json(&path)?;
    let text = &config["model_cfg"]["text_cfg"];
    if !text.is_object() {
        return Err(key_error(
            &path,
            "model_cfg.text_cfg".to_owned(),
            "an object",
        ));
    }
    // An empty name counts as none there too.
    if !matches!(&text["hf_tokenizer_name"], Value::Null) && text["hf_tokenizer_name"] != "" {
        return Err(key_error(
            &path,
            key("hf_tokenizer_name"),
            "absent: of open_clip's tokenizers only its own is read (for SigLIP take the Transformers folder)",
        ));
    }
    let clean = cleaning(&path, text)?;
    let Built {
        words,
        bos,
        eos,
        vocab_size,
        ..
    } = clip::parts(dir)?.built()?;
    Ok(Tokenizer {
        model: Model::OpenClip(OpenClip {
            words,
            clean,
            special: [bos, eos],
        }),
        bos: Some(bos),
        eos,
        pad: 0,
        vocab_size,
        context: context(text, "context_length", DEFAULT_CONTEXT),
        vectors: BTreeMap::new(),
    })
}

/// The key of a setting, for errors.
fn key(name: &str) -> String {
    format!("model_cfg.text_cfg.{name}")
}

/// How captions are cleaned, by `tokenizer_kwargs`.
fn cleaning(path: &Path, text: &Value) -> Result<Clean, TokenizerError> {
    let mut clean = Clean::Lower;
    if let Some(settings) = text["tokenizer_kwargs"].as_object() {
        for (name, value) in settings {
            clean = match (name.as_str(), value.as_str()) {
                ("clean", Some("lower")) => Clean::Lower,
                ("clean", Some("whitespace")) => Clean::WhiteSpace,
                ("clean", Some("canonicalize")) => Clean::Canonical,
                ("clean", _) => {
                    return Err(key_error(
                        path,
                        key("tokenizer_kwargs.clean"),
                        "\"lower\", \"whitespace\" or \"canonicalize\"",
                    ));
                }
                // Neither draws at random nor adds tokens.
                ("reduction_mask", Some("")) => clean,
                _ => {
                    return Err(key_error(
                        path,
                        key(&format!("tokenizer_kwargs.{name}")),
                        "absent: of these settings only clean is known",
                    ));
                }
            }
        }
    }
    Ok(clean)
}
