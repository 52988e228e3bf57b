//! The tokenizers of the CLIP family: captions to token ids, as the library that trained or ships
//! the model does it.
//!
//! | folder, told by | reference | in |
//! | --- | --- | --- |
//! | any other (Transformers' and Diffusers' CLIP) | `transformers.CLIPTokenizer` | `words` |
//! | `open_clip`'s files, see [`super::form`] | `open_clip.get_tokenizer("local-dir:…")` | `open_clip` |
//! | `tokenizer_class` or `model_type` of `SigLIP` | `transformers.SiglipTokenizer` | `siglip` |
//!
//! ```text
//! caption ─▶ cleaned ─▶ pieces of the vocabulary ─▶ [begin] ids end, cut or padded to the context
//! ```
//!
//! A cut caption keeps its end token, because the model reads the embedding there.
//!
//! May import: `io`.

mod clean;
mod files;
mod merge_list;
mod merging;
mod open_clip;
mod pieces;
mod proto;
mod references;
mod rules;
mod siglip;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use self::open_clip::OpenClip;
use self::siglip::Siglip;
use self::words::Words;
pub(super) use self::words::{byte_symbols, normalised, split};
use super::form::Form;
use crate::io::{Classified, ErrorKind, IoError};

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

    /// `SigLIP`'s vocabulary is not there.
    #[error(
        "{} holds no spiece.model, which SigLIP's tokenizer is read from: copy it from the model's repository",
        dir.display()
    )]
    NoPieces {
        /// The folder.
        dir: PathBuf,
    },

    /// A `spiece.model` is damaged, or a kind of model other than `SigLIP`'s.
    #[error("{}: {what}", path.display())]
    Pieces {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },

    /// A key is missing, of the wrong type, or of a kind of tokenizer that is not read.
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

impl Classified for TokenizerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
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

/// A tokenizer of the CLIP family.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    model: Model,
    bos: Option<u32>,
    eos: u32,
    pad: u32,
    vocab_size: usize,
    context: usize,
}

/// How a caption is cut into tokens.
#[derive(Debug, Clone)]
enum Model {
    Clip(Words),
    OpenClip(OpenClip),
    Siglip(Siglip),
}

impl Tokenizer {
    /// Reads the files of a folder; which ones, its kind decides (see the module's table).
    ///
    /// CLIP: `tokenizer.json`, or else `vocab.json` with `merges.txt`; special tokens and context
    /// from `tokenizer_config.json` and `special_tokens_map.json` where they are. `open_clip`: the
    /// same vocabulary files (it ships CLIP's vocabulary within itself, hardlight does not), the
    /// rest from `open_clip_config.json`. `SigLIP`: `spiece.model` and `tokenizer_config.json`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError`], naming the file and the key or line.
    pub fn from_dir(dir: &Path) -> Result<Self, TokenizerError> {
        if Form::of(dir) == Form::OpenClip {
            open_clip::read(dir)
        } else if siglip::is_kind_of(dir)? {
            siglip::read(dir)
        } else {
            files::read(dir)
        }
    }

    /// A CLIP tokenizer from tokens with their ids and merges in order of rank, with CLIP's own
    /// special tokens and the end token as padding.
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
            .map(|(i, (left, right))| merge_list::Merge {
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
        let mut ids: Vec<u32> = self.bos.into_iter().collect();
        match &self.model {
            Model::Clip(words) => words.encode(text, &mut ids),
            Model::OpenClip(open_clip) => open_clip.encode(text, &mut ids),
            Model::Siglip(siglip) => siglip.encode(text, &mut ids),
        }
        // SigLIP's adds no end token to one that is written out in the caption.
        let ends =
            |ids: &[u32]| matches!(self.model, Model::Siglip(_)) && ids.last() == Some(&self.eos);
        let truncated = ids.len() + usize::from(!ends(&ids)) > self.context;
        ids.truncate(self.context - 1);
        if !ends(&ids) {
            ids.push(self.eos);
        }
        let len = ids.len();
        ids.resize(self.context, self.pad);
        Encoding {
            ids,
            len,
            truncated,
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

    /// The id that begins a caption; `SigLIP`'s have none.
    pub fn bos_id(&self) -> Option<u32> {
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

#[cfg(test)]
mod tests;
