//! CLIP's `config.json`, as Transformers writes it.
//!
//! Absent keys have the defaults of Transformers 5 (`configuration_clip.py`), as there: some of its
//! versions leave out what is at its default, the end token among it.

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

/// The text tower (`CLIPTextConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Id of the end token. The value 2 is a mistake of old configs and means "the largest id".
    pub eos_token_id: i64,
    /// Width of the shared space, where this config stands alone.
    pub projection_dim: i64,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 49407,
            projection_dim: 512,
        }
    }
}

/// The image tower (`CLIPVisionConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    pub num_channels: i64,
    /// Activation between the two layers.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 32,
            num_channels: 3,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

/// Both towers and the width of the space they share (`CLIPConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipConfig {
    /// Width of the shared space.
    pub projection_dim: i64,
    /// The text tower.
    pub text_config: TextConfig,
    /// The image tower.
    pub vision_config: VisionConfig,
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self {
            projection_dim: 512,
            text_config: TextConfig::default(),
            vision_config: VisionConfig::default(),
        }
    }
}
