//! Captions as the UNet attends to them: one text encoder (SD) or two (SDXL).
//!
//! A long prompt in chunks is what the library Compel (2.1, `truncate_long_prompts=False`) makes of it: every
//! chunk is a prompt of its own with begin and end, hidden states stand one behind the other, the pooled
//! embedding is that of the first chunk, and the shorter of prompt and negative prompt is filled up with the
//! states of an empty prompt.

use std::path::Path;

use tch::{Device, Tensor};

use super::{EncodedCaption, PipelineError, weighting};
use crate::diffusion::record::LongPrompts;
use crate::nn::clip::config::TextConfig;
use crate::nn::clip::model::TextModelWithProjection;
use crate::nn::clip::towers::{TextStates, TextTower};
use crate::nn::tokenizer::{Encoding, Tokenizer};

/// A tokenizer with the context of its text encoder.
pub(super) fn tokenizer(
    dir: &Path,
    part: &str,
    config: &TextConfig,
) -> Result<Tokenizer, PipelineError> {
    let tokenizer = Tokenizer::from_dir(&dir.join(part))?;
    let (tokens, known) = (tokenizer.vocab_size(), config.vocab_size);
    if tokens as i64 > known {
        return Err(PipelineError::Vocabulary {
            dir: dir.to_path_buf(),
            tokens,
            known,
        });
    }
    let context = tokenizer
        .context()
        .min(config.max_position_embeddings.max(2) as usize);
    Ok(tokenizer.with_context(context).with_multi_vector_tokens())
}

/// The text encoders of a pipeline.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one a pipeline")]
pub(super) enum CaptionEncoder {
    /// The last hidden state of one tower.
    One {
        tokenizer: Tokenizer,
        tower: TextTower,
    },
    /// SDXL's.
    Two(Box<Two>),
}

/// The last hidden state but one of two towers, side by side, and the second's pooled embedding
/// (Podell et al. 2023, section 2.1).
#[derive(Debug)]
pub(super) struct Two {
    pub(super) tokenizers: [Tokenizer; 2],
    pub(super) first: TextTower,
    pub(super) second: TextModelWithProjection,
    /// Whether an empty negative prompt is zeros (`force_zeros_for_empty_prompt`).
    pub(super) zeros_for_empty: bool,
}

impl CaptionEncoder {
    pub(super) fn encode(
        &self,
        caption: &str,
        long: LongPrompts,
        device: Device,
    ) -> Result<EncodedCaption, PipelineError> {
        let _guard = tch::no_grad_guard();
        weighting::refuse(caption)?;
        match self {
            Self::One { tokenizer, tower } => {
                let chunks = chunks(tokenizer, caption, long);
                let hidden = tensors(&chunks, device)?
                    .iter()
                    .map(|ids| tower.forward(ids).hidden)
                    .collect::<Vec<_>>();
                Ok(EncodedCaption {
                    hidden: Tensor::f_cat(&hidden, 1)?,
                    pooled: None,
                    truncated: chunks.iter().any(|chunk| chunk.truncated),
                    zeroed: false,
                })
            }
            Self::Two(two) => two.encode(caption, long, device),
        }
    }

    /// As [`Self::encode`], but for the zeros of an empty text where the model was trained so.
    pub(super) fn encode_negative(
        &self,
        text: &str,
        long: LongPrompts,
        device: Device,
    ) -> Result<EncodedCaption, PipelineError> {
        let encoded = self.encode(text, long, device)?;
        match self {
            Self::Two(two) if two.zeros_for_empty && text.is_empty() => Ok(EncodedCaption {
                hidden: encoded.hidden.f_zeros_like()?,
                pooled: match &encoded.pooled {
                    Some(pooled) => Some(pooled.f_zeros_like()?),
                    None => None,
                },
                truncated: false,
                zeroed: true,
            }),
            _ => Ok(encoded),
        }
    }
}

impl Two {
    fn encode(
        &self,
        caption: &str,
        long: LongPrompts,
        device: Device,
    ) -> Result<EncodedCaption, PipelineError> {
        let mut each = self.tokenizers.each_ref().map(|t| chunks(t, caption, long));
        // Two vocabularies may cut a caption into different numbers of chunks.
        let most = each.iter().map(Vec::len).max().unwrap_or(0);
        for (tokenizer, chunks) in self.tokenizers.iter().zip(&mut each) {
            chunks.resize(most, tokenizer.encode(""));
        }
        let [first, second] = &each;
        let first = tensors(first, device)?
            .iter()
            .map(|ids| penultimate(&self.first.forward_all(ids)))
            .collect::<Vec<_>>();
        let (second, pooled): (Vec<Tensor>, Vec<Tensor>) = tensors(second, device)?
            .iter()
            .map(|ids| self.second.forward_all(ids))
            .map(|(states, pooled)| (penultimate(&states), pooled))
            .unzip();
        let hidden = [Tensor::f_cat(&first, 1)?, Tensor::f_cat(&second, 1)?];
        Ok(EncodedCaption {
            hidden: Tensor::f_cat(&hidden, -1)?,
            pooled: pooled.into_iter().next(),
            truncated: each.iter().flatten().any(|chunk| chunk.truncated),
            zeroed: false,
        })
    }
}

impl EncodedCaption {
    /// Tokens that the UNet attends to, padding included.
    pub(super) fn len(&self) -> i64 {
        self.hidden.size()[1]
    }

    /// `[1, length, width]`: filled up with the states of an empty prompt.
    pub(super) fn filled(&self, length: i64, empty: &Self) -> Result<Tensor, tch::TchError> {
        let mut parts = vec![self.hidden.shallow_clone()];
        let mut missing = length - self.len();
        while missing > 0 {
            let part = empty.hidden.f_narrow(1, 0, missing.min(empty.len()))?;
            missing -= part.size()[1];
            parts.push(if self.zeroed {
                part.f_zeros_like()?
            } else {
                part
            });
        }
        Tensor::f_cat(&parts, 1)
    }
}

/// The token ids of a caption: one encoding, or as many as it takes.
fn chunks(tokenizer: &Tokenizer, caption: &str, long: LongPrompts) -> Vec<Encoding> {
    match long {
        LongPrompts::Cut => vec![tokenizer.encode(caption)],
        LongPrompts::Chunks => tokenizer.encode_chunks(caption),
    }
}

/// `[1, l]` each.
fn tensors(chunks: &[Encoding], device: Device) -> Result<Vec<Tensor>, tch::TchError> {
    let tensor = |chunk: &Encoding| {
        let ids: Vec<i64> = chunk.ids.iter().map(|&id| i64::from(id)).collect();
        Tensor::f_from_slice(&ids)?
            .f_unsqueeze(0)?
            .f_to_device(device)
    };
    chunks.iter().map(tensor).collect()
}

/// What the last block is given, without the last layer norm.
fn penultimate(states: &TextStates) -> Tensor {
    // A tower without blocks has nothing before its output.
    states
        .before_last(1)
        .unwrap_or(&states.output.hidden)
        .shallow_clone()
}
