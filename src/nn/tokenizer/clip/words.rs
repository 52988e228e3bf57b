//! Captions cut into words, and words into tokens.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

use super::merging::{self, Merges};
use crate::nn::tokenizer::added::Added;

/// A vocabulary of words.
#[derive(Debug, Clone)]
pub(in crate::nn::tokenizer) struct Words {
    /// Id of every byte, within a word and at its end; bytes without a token have the unknown id.
    pub(super) bytes: Box<[[u32; 2]; 256]>,
    pub(super) merges: Merges,
    /// Tokens that are found in a caption before it is split into words.
    pub(super) added: Vec<Added>,
}

enum Piece<'a> {
    Added(u32),
    Text(&'a str),
}

impl Words {
    /// Tokens that are found in a caption as they stand.
    pub(in crate::nn::tokenizer) fn added(&self) -> &[Added] {
        &self.added
    }

    /// Appends the ids of a caption.
    pub(in crate::nn::tokenizer) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        for raw in self.cut(text, false) {
            match raw {
                Piece::Added(id) => ids.push(id),
                Piece::Text(text) => self.encode_text(text, ids),
            }
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

    /// The ids of one word.
    pub(in crate::nn::tokenizer) fn word(&self, word: &str) -> Vec<u32> {
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
}

/// NFC and lower case. White space needs no care: words never hold any.
pub(in crate::nn) fn normalised(text: &str) -> String {
    // Character by character, as the reference does: `str::to_lowercase` would turn the sigma at
    // the end of a word into another letter.
    text.nfc().flat_map(char::to_lowercase).collect()
}

/// The words of a normalised text.
pub(in crate::nn) fn split(text: &str) -> Vec<&str> {
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
pub(in crate::nn) fn byte_symbols() -> [char; 256] {
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
