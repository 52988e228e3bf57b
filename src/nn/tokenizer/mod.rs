//! Captions to token ids, as the library that trained or ships a model does it.
//!
//! | folder, told by | reference | in |
//! | --- | --- | --- |
//! | any other (Transformers' and Diffusers' CLIP) | `transformers.CLIPTokenizer` | `clip` |
//! | `open_clip`'s files, see [`Form`] | `open_clip.get_tokenizer("local-dir:…")` | `open_clip` |
//! | `tokenizer_class` or `model_type` of `SigLIP` | `transformers.SiglipTokenizer` | `siglip` |
//!
//! ```text
//! caption ─▶ cleaned ─▶ pieces of the vocabulary ─▶ [begin] ids end, cut or padded to the context
//! ```
//!
//! A cut caption keeps its end token, because the model reads the embedding there.
//!
//! They share how a folder's JSON is read (`config`, `added`) and how text is cleaned (`clean`,
//! `references`). Training a vocabulary: [`super::train::bpe`].
//!
//! May import: `io`.

mod added;
mod clean;
pub(in crate::nn) mod clip;
mod config;
mod error;
mod open_clip;
mod references;
mod siglip;
mod vectors;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

pub use self::error::TokenizerError;
use self::open_clip::OpenClip;
use self::siglip::Siglip;
use super::clip::form::Form;

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
    /// What follows the first token of an embedding of several vectors, by its id.
    vectors: BTreeMap<u32, Vec<u32>>,
}

/// How a caption is cut into tokens.
#[derive(Debug, Clone)]
enum Model {
    Clip(clip::Words),
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
            clip::read(dir)
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
            .map(|(i, (left, right))| clip::Merge {
                left,
                right,
                place: format!("merge {i}"),
            });
        clip::Vocabulary::new(PathBuf::from("vocabulary"), vocab, merges.collect())
            .build()
            .map(|tokenizer| tokenizer.with_context(context))
    }

    /// The same tokenizer for captions of at most `context` tokens (at least 2).
    #[must_use]
    pub fn with_context(mut self, context: usize) -> Self {
        self.context = context.max(2);
        self
    }

    /// The same tokenizer where a token stands for all its vectors: `<cat>` for `<cat> <cat>_1 <cat>_2`, as
    /// textual inversions of several vectors are named.
    ///
    /// Source: `maybe_convert_prompt` of Diffusers' `TextualInversionLoaderMixin`. A caption that spells the
    /// vectors out is left as it is, where Diffusers would repeat them.
    #[must_use]
    pub fn with_multi_vector_tokens(mut self) -> Self {
        if let Model::Clip(words) = &self.model {
            self.vectors = vectors::of(words.added());
        }
        self
    }

    /// Token ids of a caption.
    pub fn encode(&self, text: &str) -> Encoding {
        self.finish(self.body(text))
    }

    /// Token ids of a caption of any length: as many encodings as it takes, each with a begin and an end of
    /// its own. A short caption gives one, which is that of [`Self::encode`].
    pub fn encode_chunks(&self, text: &str) -> Vec<Encoding> {
        let ids = self.body(text);
        let (begin, ids) = ids.split_at(usize::from(self.bos.is_some()).min(ids.len()));
        let room = self.context.saturating_sub(begin.len() + 1).max(1);
        if ids.len() <= room {
            return vec![self.finish([begin, ids].concat())];
        }
        ids.chunks(room)
            .map(|chunk| self.finish([begin, chunk].concat()))
            .collect()
    }

    /// The begin token and the caption's own, however many.
    fn body(&self, text: &str) -> Vec<u32> {
        let mut ids: Vec<u32> = self.bos.into_iter().collect();
        match &self.model {
            Model::Clip(words) => words.encode(text, &mut ids),
            Model::OpenClip(open_clip) => open_clip.encode(text, &mut ids),
            Model::Siglip(siglip) => siglip.encode(text, &mut ids),
        }
        vectors::spell_out(ids, &self.vectors)
    }

    /// The end token behind a caption's, cut or padded to the context.
    fn finish(&self, mut ids: Vec<u32>) -> Encoding {
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
