//! CLIP's `config.json`, as Transformers writes it.

use serde::{Deserialize, Serialize};

/// The activation between the two layers of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · sigmoid(1.702 x)`, in the weights `OpenAI` released.
    QuickGelu,
    /// The exact Gaussian error linear unit, in `LAION`'s weights.
    Gelu,
}

impl Activation {
    pub(super) fn apply(self, xs: &tch::Tensor) -> tch::Tensor {
        match self {
            Self::QuickGelu => xs * (xs * 1.702).sigmoid(),
            Self::Gelu => xs.gelu("none"),
        }
    }
}

fn eps() -> f64 {
    1e-5
}
fn quick() -> Activation {
    Activation::QuickGelu
}
fn projection() -> i64 {
    512
}
fn channels() -> i64 {
    3
}
fn legacy_eos() -> i64 {
    2
}

/// The text tower (`CLIPTextConfig`; the defaults are Transformers').
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextConfig {
    /// Number of tokens.
    pub vocab_size: i64,
    /// Width of the residual stream.
    pub hidden_size: i64,
    /// Width between the two layers of a block.
    pub intermediate_size: i64,
    /// Blocks.
    pub num_hidden_layers: i64,
    /// Heads per block.
    pub num_attention_heads: i64,
    /// Tokens per caption, begin and end included.
    pub max_position_embeddings: i64,
    /// Activation between the two layers.
    #[serde(default = "quick")]
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    #[serde(default = "eps")]
    pub layer_norm_eps: f64,
    /// Id of the end token. The value 2 is a mistake of old configs and means "the largest id".
    #[serde(default = "legacy_eos")]
    pub eos_token_id: i64,
    /// Width of the shared space, where this config stands alone.
    #[serde(default = "projection")]
    pub projection_dim: i64,
}

/// The image tower (`CLIPVisionConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VisionConfig {
    /// Width of the residual stream.
    pub hidden_size: i64,
    /// Width between the two layers of a block.
    pub intermediate_size: i64,
    /// Blocks.
    pub num_hidden_layers: i64,
    /// Heads per block.
    pub num_attention_heads: i64,
    /// Side of the square image, px.
    pub image_size: i64,
    /// Side of a patch, px.
    pub patch_size: i64,
    /// Colour channels.
    #[serde(default = "channels")]
    pub num_channels: i64,
    /// Activation between the two layers.
    #[serde(default = "quick")]
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    #[serde(default = "eps")]
    pub layer_norm_eps: f64,
}

/// Both towers and the width of the space they share (`CLIPConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipConfig {
    /// Width of the shared space.
    #[serde(default = "projection")]
    pub projection_dim: i64,
    /// The text tower.
    pub text_config: TextConfig,
    /// The image tower.
    pub vision_config: VisionConfig,
}
