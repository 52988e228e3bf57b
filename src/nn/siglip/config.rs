//! `SigLIP`'s `config.json`, as Transformers writes it; absent keys have the defaults of Transformers
//! 5 (`configuration_siglip.py`).

use serde::Deserialize;

use crate::nn::clip::config::{Activation, SizeError, check_heads, check_patches, check_sizes};

/// The text tower (`SiglipTextConfig`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct SiglipTextConfig {
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
    /// Tokens per caption, padding included.
    pub max_position_embeddings: i64,
    /// Activation between the two layers.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Width of the shared space; [`Self::hidden_size`] if absent.
    pub projection_size: Option<i64>,
}

impl Default for SiglipTextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 32000,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 64,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            projection_size: None,
        }
    }
}

/// The image tower (`SiglipVisionConfig`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct SiglipVisionConfig {
    /// Width of the residual stream, and of the shared space.
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
    /// Whether patches are pooled by attention, which must be so.
    pub vision_use_head: bool,
}

impl Default for SiglipVisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 224,
            patch_size: 16,
            num_channels: 3,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            vision_use_head: true,
        }
    }
}

/// Both towers (`SiglipConfig`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(try_from = "Written")]
pub struct SiglipConfig {
    /// The text tower.
    pub text_config: SiglipTextConfig,
    /// The image tower.
    pub vision_config: SiglipVisionConfig,
}

#[derive(Deserialize)]
struct Written {
    text_config: Option<SiglipTextConfig>,
    vision_config: Option<SiglipVisionConfig>,
}

impl TryFrom<Written> for SiglipConfig {
    type Error = SizeError;

    fn try_from(written: Written) -> Result<Self, SizeError> {
        let config = Self {
            text_config: written.text_config.unwrap_or_default(),
            vision_config: written.vision_config.unwrap_or_default(),
        };
        config.check()?;
        Ok(config)
    }
}

impl SiglipConfig {
    /// Width of the shared space.
    pub fn dim(&self) -> i64 {
        self.vision_config.hidden_size
    }

    /// Refuses sizes that no towers can have, and towers that share no space.
    ///
    /// # Errors
    ///
    /// [`SizeError`] with the key.
    pub fn check(&self) -> Result<(), SizeError> {
        let (text, vision) = (&self.text_config, &self.vision_config);
        let shared = text.projection_size.unwrap_or(text.hidden_size);
        check_sizes(&[
            ("text_config.vocab_size", text.vocab_size),
            ("text_config.hidden_size", text.hidden_size),
            ("text_config.intermediate_size", text.intermediate_size),
            ("text_config.num_hidden_layers", text.num_hidden_layers),
            ("text_config.num_attention_heads", text.num_attention_heads),
            (
                "text_config.max_position_embeddings",
                text.max_position_embeddings,
            ),
            ("text_config.projection_size", shared),
            ("vision_config.hidden_size", vision.hidden_size),
            ("vision_config.intermediate_size", vision.intermediate_size),
            ("vision_config.num_hidden_layers", vision.num_hidden_layers),
            (
                "vision_config.num_attention_heads",
                vision.num_attention_heads,
            ),
            ("vision_config.image_size", vision.image_size),
            ("vision_config.patch_size", vision.patch_size),
            ("vision_config.num_channels", vision.num_channels),
        ])?;
        check_heads(
            "text_config.hidden_size",
            text.hidden_size,
            text.num_attention_heads,
        )?;
        check_heads(
            "vision_config.hidden_size",
            vision.hidden_size,
            vision.num_attention_heads,
        )?;
        check_patches(vision.image_size, vision.patch_size)?;
        let wrong = |key, found: String, expected: &str| {
            Err(SizeError {
                key,
                found,
                expected: expected.to_owned(),
            })
        };
        if !vision.vision_use_head {
            let key = "vision_config.vision_use_head";
            return wrong(
                key,
                "false".to_owned(),
                "true: without it there is no embedding",
            );
        }
        if shared != vision.hidden_size {
            let expected = format!("vision_config.hidden_size ({})", vision.hidden_size);
            return wrong("text_config.projection_size", shared.to_string(), &expected);
        }
        Ok(())
    }
}
