//! CLIP's tokenizer: byte-level BPE over lower-cased words, as `transformers.CLIPTokenizer` does it.
//!
//! ```text
//! caption ─▶ special tokens cut out ─▶ NFC, lower case ─▶ words ─▶ byte symbols ─▶ merges ─▶ ids
//! ```
//!
//! The ids stand between a begin and an end token, padded or cut to the context; a cut caption
//! keeps its end token, because CLIP reads the embedding there.
//!
//! Source: `tokenization_clip.py` of Transformers 5.23 and the tokenizers library under it; the
//! split expression is that of <https://github.com/openai/CLIP> `clip/simple_tokenizer.py`.

mod files;
mod merging;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

use self::merging::Merges;
use crate::io::IoError;

/// The token that begins a caption.
pub(super) const BOS: &str = "<|startoftext|>";
/// The token that ends a caption.
pub(super) const EOS: &str = "<|endoftext|>";
/// The mark on a symbol that ends a word.
pub(super) const END_OF_WORD: &str = "</w>";
/// Context of every released CLIP, where a folder does not say.
const DEFAULT_CONTEXT: usize = 77;

/// Why a tokenizer's files were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),

    /// Neither form of vocabulary is there.
    #[error(
        "{} holds neither tokenizer.json nor vocab.json with merges.txt: is it a tokenizer's folder?",
        dir.display()
    )]
    NoVocabulary {
        /// The folder.
        dir: PathBuf,
    },

    /// A file is not JSON.
    #[error("{} is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// A key is missing, of the wrong type, or of a kind of tokenizer other than CLIP's.
    #[error("{}: {key} must be {expected}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key, with dots between its levels.
        key: String,
        /// What it must hold.
        expected: &'static str,
    },

    /// A merge is not two symbols that, alone and joined, are tokens.
    #[error("{}, {place}: {found:?} is not {expected}", path.display())]
    Merge {
        /// The file.
        path: PathBuf,
        /// The line, or the position in a JSON list.
        place: String,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },

    /// A special token is not in the vocabulary.
    #[error("{}: the {name} {token:?} is not in the vocabulary", path.display())]
    Special {
        /// The file with the vocabulary.
        path: PathBuf,
        /// What the token is for, such as `eos_token`.
        name: &'static str,
        /// The token.
        token: String,
    },
}

/// Token ids of one caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// Ids, exactly as many as the context holds.
    pub ids: Vec<u32>,
    /// Ids that are not padding, begin and end included.
    pub len: usize,
    /// Whether the caption was longer than the context and was cut.
    pub truncated: bool,
}

/// A CLIP tokenizer.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Id of every byte, within a word and at its end; bytes without a token have the unknown id.
    bytes: Box<[[u32; 2]; 256]>,
    merges: Merges,
    /// Tokens that are found in a caption before it is split into words.
    added: Vec<Added>,
    bos: u32,
    eos: u32,
    pad: u32,
    vocab_size: usize,
    context: usize,
}

/// A token that is found as it stands, such as `<|endoftext|>`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Added {
    content: String,
    id: u32,
    /// Whether it is looked for after lower-casing rather than before.
    normalized: bool,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, or else `vocab.json` with `merges.txt`; the special tokens and the
    /// context from `tokenizer_config.json` and `special_tokens_map.json` where they are.
    ///
    /// # Errors
    ///
    /// [`TokenizerError`], naming the file and the key or line.
    pub fn from_dir(dir: &Path) -> Result<Self, TokenizerError> {
        files::read(dir)
    }

    /// A tokenizer from tokens with their ids and merges in order of rank, with CLIP's own special
    /// tokens and the end token as padding.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Special`] without the begin or end token, [`TokenizerError::Merge`] if a
    /// merge is not of tokens; the path in them is `vocabulary`.
    pub fn from_parts(
        vocab: HashMap<String, u32>,
        merges: Vec<(String, String)>,
        context: usize,
    ) -> Result<Self, TokenizerError> {
        let merges = merges
            .into_iter()
            .enumerate()
            .map(|(i, (left, right))| files::Merge {
                left,
                right,
                place: format!("merge {i}"),
            });
        files::Parts::new(PathBuf::from("vocabulary"), vocab, merges.collect())
            .build()
            .map(|tokenizer| tokenizer.with_context(context))
    }

    /// The same tokenizer for captions of at most `context` tokens (at least 2).
    #[must_use]
    pub fn with_context(mut self, context: usize) -> Self {
        self.context = context.max(2);
        self
    }

    /// Token ids of a caption.
    pub fn encode(&self, text: &str) -> Encoding {
        let mut ids = vec![self.bos];
        for raw in self.cut(text, false) {
            match raw {
                Piece::Added(id) => ids.push(id),
                Piece::Text(text) => self.encode_text(text, &mut ids),
            }
        }
        let truncated = ids.len() + 1 > self.context;
        ids.truncate(self.context - 1);
        ids.push(self.eos);
        let len = ids.len();
        ids.resize(self.context, self.pad);
        Encoding {
            ids,
            len,
            truncated,
        }
    }

    fn encode_text(&self, text: &str, ids: &mut Vec<u32>) {
        let text = normalised(text);
        for piece in self.cut(&text, true) {
            match piece {
                Piece::Added(id) => ids.push(id),
                Piece::Text(text) => {
                    for word in split(text) {
                        ids.extend(self.word(word));
                    }
                }
            }
        }
    }

    fn word(&self, word: &str) -> Vec<u32> {
        let last = word.len().saturating_sub(1);
        let symbols = word
            .bytes()
            .enumerate()
            .map(|(i, byte)| self.bytes[usize::from(byte)][usize::from(i == last)]);
        merging::merge_all(symbols.collect(), &self.merges)
    }

    /// Cuts the added tokens out of a text: the leftmost first, of several there the longest.
    fn cut<'a>(&self, mut text: &'a str, normalized: bool) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        loop {
            let next = self
                .added
                .iter()
                .filter(|added| added.normalized == normalized)
                .filter_map(|added| Some((text.find(&added.content)?, added)))
                .min_by_key(|(at, added)| (*at, usize::MAX - added.content.len()));
            let Some((at, added)) = next else {
                pieces.push(Piece::Text(text));
                return pieces;
            };
            pieces.push(Piece::Text(&text[..at]));
            pieces.push(Piece::Added(added.id));
            text = &text[at + added.content.len()..];
        }
    }

    /// Tokens per caption, begin and end included.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Rows that an embedding needs: one more than the largest id.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id that begins a caption.
    pub fn bos_id(&self) -> u32 {
        self.bos
    }

    /// The id that ends a caption.
    pub fn eos_id(&self) -> u32 {
        self.eos
    }

    /// The id that fills the context.
    pub fn pad_id(&self) -> u32 {
        self.pad
    }
}

enum Piece<'a> {
    Added(u32),
    Text(&'a str),
}

/// NFC and lower case. White space needs no care: words never hold any.
pub(super) fn normalised(text: &str) -> String {
    // Character by character, as the reference does: `str::to_lowercase` would turn the sigma at
    // the end of a word into another letter.
    text.nfc().flat_map(char::to_lowercase).collect()
}

/// The words of a normalised text.
pub(super) fn split(text: &str) -> Vec<&str> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d",
            r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
        ))
        .expect("the expression is constant and tested")
    });
    let mut words = Vec::new();
    for word in PATTERN.find_iter(text).map(|found| found.as_str()) {
        // The reference splits every word again by GPT-2's expression. That leaves words as they
        // are but for the names of special tokens, which got here because they were in capitals.
        match word
            .strip_prefix("<|")
            .and_then(|rest| rest.strip_suffix("|>"))
        {
            Some(name) if !name.is_empty() => words.extend(["<|", name, "|>"]),
            _ => words.push(word),
        }
    }
    words
}

/// The printable character that stands for each byte (GPT-2's `bytes_to_unicode`).
pub(super) fn byte_symbols() -> [char; 256] {
    let mut table = ['\0'; 256];
    let mut next = 256_u32;
    for byte in 0..=255_u8 {
        table[usize::from(byte)] = match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
            _ => {
                let symbol = char::from_u32(next).unwrap_or(char::REPLACEMENT_CHARACTER);
                next += 1;
                symbol
            }
        };
    }
    table
}

#[cfg(test)]
mod tests;
