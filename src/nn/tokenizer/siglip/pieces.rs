//! A `SentencePiece` unigram model (Kudo 2018, <https://arxiv.org/abs/1804.10959>), read from its
//! own file.
//!
//! ```text
//! text ─▶ normalised by the file's own rules ─▶ spaces as ▁ ─▶ the pieces of largest total score
//! ```
//!
//! A character without a piece is the unknown token, 10 below the smallest score; neighbours of
//! that kind are one token.
//!
//! Source: `sentencepiece_model.proto`, `normalizer.cc`, `unigram_model.cc` (`EncodeOptimized`) of
//! <https://github.com/google/sentencepiece> 0.2.

use std::collections::HashMap;
use std::path::Path;

use super::proto::{Field, fields};
use super::rules::Rules;
use crate::io;
use crate::nn::tokenizer::TokenizerError;

/// `ModelProto.SentencePiece.Type`.
const NORMAL: u64 = 1;
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
/// `TrainerSpec.ModelType`.
const UNIGRAM: u64 = 1;
/// What the unknown token costs beyond the rarest piece.
const UNKNOWN_PENALTY: f32 = 10.0;
/// No model file is larger.
const MAX_BYTES: u64 = 64 << 20;

/// The sign for a space.
const SPACE: &str = "▁";

/// A vocabulary of pieces with their scores.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    /// Ids and scores of what may stand in a text.
    normal: HashMap<String, (u32, f32)>,
    /// Ids of the unknown and the control tokens, which never stand in a text.
    reserved: HashMap<String, u32>,
    unknown: u32,
    unknown_score: f32,
    /// Characters of the longest piece.
    longest: usize,
    count: usize,
    rules: Option<Rules>,
    /// Whether a space is put before the text.
    prefix: bool,
}

impl Pieces {
    /// Reads a `spiece.model`; `prefix` as false turns off what the model says of a space before
    /// the text.
    pub(super) fn read(path: &Path, prefix: bool) -> Result<Self, TokenizerError> {
        let bytes = io::read_at_most(path, MAX_BYTES)?;
        Self::parse(&bytes, prefix).map_err(|what| TokenizerError::Pieces {
            path: path.to_path_buf(),
            what,
        })
    }

    fn parse(bytes: &[u8], prefix: bool) -> Result<Self, String> {
        let mut pieces = Self {
            normal: HashMap::new(),
            reserved: HashMap::new(),
            unknown: 0,
            unknown_score: f32::MAX,
            longest: 0,
            count: 0,
            rules: None,
            prefix,
        };
        let mut unknown = None;
        let mut model_type = UNIGRAM;
        for (number, field) in fields(bytes)? {
            match (number, field) {
                (1, Field::Bytes(piece)) => pieces.add(piece, &mut unknown)?,
                (2, Field::Bytes(trainer)) => {
                    for (number, field) in fields(trainer)? {
                        match (number, field) {
                            (3, Field::Integer(kind)) => model_type = kind,
                            // treat_whitespace_as_suffix
                            (24, Field::Integer(1)) => {
                                return Err("spaces stand behind its words".to_owned());
                            }
                            _ => {}
                        }
                    }
                }
                (3, Field::Bytes(spec)) => pieces.normalise_by(spec)?,
                _ => {}
            }
        }
        if model_type != UNIGRAM {
            return Err("not a unigram model".to_owned());
        }
        pieces.unknown = unknown.ok_or("it has no unknown token")?;
        pieces.unknown_score -= UNKNOWN_PENALTY;
        Ok(pieces)
    }

    /// Adds one `ModelProto.SentencePiece`.
    fn add(&mut self, message: &[u8], unknown: &mut Option<u32>) -> Result<(), String> {
        let id = u32::try_from(self.count).ok().ok_or("too many pieces")?;
        let (mut text, mut score, mut kind) = ("", 0.0, NORMAL);
        for (number, field) in fields(message)? {
            match (number, field) {
                (1, Field::Bytes(bytes)) => {
                    text = std::str::from_utf8(bytes)
                        .ok()
                        .ok_or_else(|| format!("piece {id} is not UTF-8"))?;
                }
                (2, Field::Fixed32(bits)) => score = f32::from_bits(bits),
                (3, Field::Integer(value)) => kind = value,
                _ => {}
            }
        }
        match kind {
            NORMAL if score.is_finite() => {
                self.unknown_score = self.unknown_score.min(score);
                self.longest = self.longest.max(text.chars().count());
                self.normal.insert(text.to_owned(), (id, score));
            }
            UNKNOWN | CONTROL => {
                self.reserved.insert(text.to_owned(), id);
                if kind == UNKNOWN {
                    *unknown = Some(id);
                }
            }
            _ => {
                return Err(format!(
                    "piece {id} ({text:?}) is of a kind that SigLIP's models do not have \
                     (user-defined, unused or byte)"
                ));
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Takes over a `NormalizerSpec`.
    fn normalise_by(&mut self, spec: &[u8]) -> Result<(), String> {
        for (number, field) in fields(spec)? {
            match (number, field) {
                (2, Field::Bytes(rules)) if !rules.is_empty() => {
                    self.rules = Some(Rules::parse(rules)?);
                }
                (3, Field::Integer(prefix)) => self.prefix &= prefix != 0,
                // remove_extra_whitespaces, escape_whitespaces
                (4 | 5, Field::Integer(0)) => {
                    return Err("it keeps extra spaces or does not mark them".to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Number of pieces, the reserved ones included.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The id of a piece.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        let normal = self.normal.get(piece).map(|&(id, _)| id);
        normal.or_else(|| self.reserved.get(piece).copied())
    }

    /// Ids of a text.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let text = self.normalised(text);
        // Of every boundary: the best total up to it, and the piece that ends there.
        let bounds: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let mut best = vec![Way::default(); bounds.len()];
        for start in 0..bounds.len() - 1 {
            let so_far = best[start].total;
            let mut single = false;
            for end in start + 1..bounds.len().min(start + 1 + self.longest) {
                let piece = &text[bounds[start]..bounds[end]];
                if let Some(&(id, score)) = self.normal.get(piece) {
                    best[end].offer(score + so_far, start, id);
                    single |= end == start + 1;
                }
            }
            if !single {
                let total = self.unknown_score + so_far;
                best[start + 1].offer(total, start, self.unknown);
            }
        }
        let mut ids = Vec::new();
        let mut end = bounds.len() - 1;
        while end > 0 {
            let Way { start, id, .. } = best[end];
            if id != self.unknown || ids.last() != Some(&id) {
                ids.push(id);
            }
            end = start;
        }
        ids.reverse();
        ids
    }

    /// A text by the model's rules, with signs for single spaces between words.
    fn normalised(&self, text: &str) -> String {
        let next = |rest: &str| -> (String, usize) {
            self.rules
                .as_ref()
                .and_then(|rules| rules.longest(rest))
                .unwrap_or_else(|| {
                    let first = rest.chars().next().map(String::from).unwrap_or_default();
                    let len = first.len();
                    (first, len)
                })
        };
        let mut rest = text;
        while !rest.is_empty() {
            let (replaced, len) = next(rest);
            if replaced != " " {
                break;
            }
            rest = &rest[len..];
        }
        let mut out = String::new();
        if rest.is_empty() {
            return out;
        }
        if self.prefix {
            out.push_str(SPACE);
        }
        let mut after_space = true;
        while !rest.is_empty() {
            let (replaced, len) = next(rest);
            rest = &rest[len..];
            let kept = if after_space {
                replaced.trim_start_matches(' ')
            } else {
                &replaced
            };
            if !kept.is_empty() {
                out.push_str(&kept.replace(' ', SPACE));
                after_space = kept.ends_with(' ');
            }
        }
        let end = out.trim_end_matches(SPACE).len();
        out.truncate(end);
        out
    }
}

/// The best way to a boundary.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    total: f32,
    start: usize,
    id: u32,
    reached: bool,
}

impl Way {
    fn offer(&mut self, total: f32, start: usize, id: u32) {
        if !self.reached || total > self.total {
            *self = Self {
                total,
                start,
                id,
                reached: true,
            };
        }
    }
}
