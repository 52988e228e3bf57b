//! Captions as the UNet attends to them: one text encoder (SD) or two (SDXL).

use std::path::Path;

use tch::{Device, Tensor};

use super::{EncodedCaption, PipelineError};
use crate::nn::clip::config::TextConfig;
use crate::nn::clip::model::TextModelWithProjection;
use crate::nn::clip::towers::{TextStates, TextTower};
use crate::nn::tokenizer::Tokenizer;

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
    Ok(tokenizer.with_context(context))
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
        device: Device,
    ) -> Result<EncodedCaption, PipelineError> {
        let _guard = tch::no_grad_guard();
        let ids = |tokenizer: &Tokenizer| -> Result<(Tensor, bool), PipelineError> {
            let encoding = tokenizer.encode(caption);
            let ids: Vec<i64> = encoding.ids.iter().map(|&id| i64::from(id)).collect();
            let ids = Tensor::f_from_slice(&ids)?.f_unsqueeze(0)?;
            Ok((ids.f_to_device(device)?, encoding.truncated))
        };
        match self {
            Self::One { tokenizer, tower } => {
                let (ids, truncated) = ids(tokenizer)?;
                Ok(EncodedCaption {
                    hidden: tower.forward(&ids).hidden,
                    pooled: None,
                    truncated,
                })
            }
            Self::Two(two) => {
                let [a, b] = &two.tokenizers;
                let ((a, cut_a), (b, cut_b)) = (ids(a)?, ids(b)?);
                let first = two.first.forward_all(&a);
                let (second, pooled) = two.second.forward_all(&b);
                let hidden = [penultimate(&first), penultimate(&second)];
                Ok(EncodedCaption {
                    hidden: Tensor::f_cat(&hidden, -1)?,
                    pooled: Some(pooled),
                    truncated: cut_a || cut_b,
                })
            }
        }
    }

    /// As [`Self::encode`], but for the zeros of an empty text where the model was trained so.
    pub(super) fn encode_negative(
        &self,
        text: &str,
        device: Device,
    ) -> Result<EncodedCaption, PipelineError> {
        let encoded = self.encode(text, device)?;
        match self {
            Self::Two(two) if two.zeros_for_empty && text.is_empty() => Ok(EncodedCaption {
                hidden: encoded.hidden.f_zeros_like()?,
                pooled: match &encoded.pooled {
                    Some(pooled) => Some(pooled.f_zeros_like()?),
                    None => None,
                },
                truncated: false,
            }),
            _ => Ok(encoded),
        }
    }
}

/// What the last block is given, without the last layer norm.
fn penultimate(states: &TextStates) -> &Tensor {
    // A tower without blocks has nothing before its output.
    states.before_last(1).unwrap_or(&states.output.hidden)
}
