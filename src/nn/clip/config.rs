//! CLIP's `config.json`, as Transformers writes it.
//!
//! Absent keys have the defaults of Transformers 5 (`configuration_clip.py`), as there: some of its
//! versions leave out what is at its default, the end token among it. Sizes no network can have are
//! refused while reading, by key.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::io::{Classified, ErrorKind};

/// The activation between the two layers of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · sigmoid(1.702 x)`, in the weights `OpenAI` released.
    QuickGelu,
    /// The exact Gaussian error linear unit, in `LAION`'s weights.
    Gelu,
    /// Its approximation by a hyperbolic tangent, in `SigLIP`.
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new")]
    GeluTanh,
}

impl Activation {
    pub(super) fn apply(self, xs: &tch::Tensor) -> tch::Tensor {
        match self {
            Self::QuickGelu => xs * (xs * 1.702).sigmoid(),
            Self::Gelu => xs.gelu("none"),
            Self::GeluTanh => xs.gelu("tanh"),
        }
    }
}

/// A size in a config that no network can have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{key} is {found}, expected {expected}")]
pub struct SizeError {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub found: String,
    /// What it may be.
    pub expected: String,
}

impl Classified for SizeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// Beyond this a size is a damaged file, not a network; the largest tables of tokens have 2¹⁸ rows.
pub(super) const MAX_SIZE: i64 = 1 << 20;

/// Every block has a dozen names, all of which are looked for before any is missed.
const MAX_LAYERS: i64 = 1024;

/// Refuses sizes that are not positive or absurd.
pub(in crate::nn) fn check_sizes(sizes: &[(&'static str, i64)]) -> Result<(), SizeError> {
    let most = |key: &str| {
        if key.ends_with("layers") {
            MAX_LAYERS
        } else {
            MAX_SIZE
        }
    };
    match sizes.iter().find(|(key, n)| !(1..=most(key)).contains(n)) {
        None => Ok(()),
        Some(&(key, found)) => Err(SizeError {
            key,
            found: found.to_string(),
            expected: format!("a whole number from 1 to {}", most(key)),
        }),
    }
}

/// Refuses a width that cannot be split among the heads.
pub(in crate::nn) fn check_heads(
    key: &'static str,
    width: i64,
    heads: i64,
) -> Result<(), SizeError> {
    if width % heads == 0 {
        return Ok(());
    }
    Err(SizeError {
        key,
        found: width.to_string(),
        expected: format!("a multiple of the {heads} attention heads"),
    })
}

/// Refuses patches that do not fit into the image.
pub(in crate::nn) fn check_patches(image: i64, patch: i64) -> Result<(), SizeError> {
    if patch <= image {
        return Ok(());
    }
    Err(SizeError {
        key: "patch_size",
        found: patch.to_string(),
        expected: format!("at most image_size ({image})"),
    })
}

/// The text tower (`CLIPTextConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
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

impl TextConfig {
    /// Refuses sizes that no tower can have.
    ///
    /// # Errors
    ///
    /// [`SizeError`] with the key.
    pub fn check(&self) -> Result<(), SizeError> {
        check_sizes(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("max_position_embeddings", self.max_position_embeddings),
            ("projection_dim", self.projection_dim),
        ])?;
        check_heads("hidden_size", self.hidden_size, self.num_attention_heads)
    }
}

impl<'de> Deserialize<'de> for TextConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Self::deserialize(deserializer)?;
        config.check().map_err(D::Error::custom)?;
        Ok(config)
    }
}

impl Serialize for TextConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// The image tower (`CLIPVisionConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
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
    /// Width of the shared space, where this config stands alone.
    pub projection_dim: i64,
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
            projection_dim: 512,
        }
    }
}

impl VisionConfig {
    /// Refuses sizes that no tower can have.
    ///
    /// # Errors
    ///
    /// [`SizeError`] with the key.
    pub fn check(&self) -> Result<(), SizeError> {
        check_sizes(&[
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("image_size", self.image_size),
            ("patch_size", self.patch_size),
            ("num_channels", self.num_channels),
            ("projection_dim", self.projection_dim),
        ])?;
        check_heads("hidden_size", self.hidden_size, self.num_attention_heads)?;
        check_patches(self.image_size, self.patch_size)
    }
}

impl<'de> Deserialize<'de> for VisionConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Self::deserialize(deserializer)?;
        config.check().map_err(D::Error::custom)?;
        Ok(config)
    }
}

impl Serialize for VisionConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Both towers and the width of the space they share (`CLIPConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
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

/// A `CLIPConfig` as files have it.
#[derive(Deserialize)]
struct Written {
    #[serde(default = "default_projection", deserialize_with = "size")]
    projection_dim: i64,
    text_config: Option<TextConfig>,
    vision_config: Option<VisionConfig>,
    text_config_dict: Option<TextConfig>,
    vision_config_dict: Option<VisionConfig>,
}

fn default_projection() -> i64 {
    ClipConfig::default().projection_dim
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let size = i64::deserialize(deserializer)?;
    check_sizes(&[("projection_dim", size)]).map_err(D::Error::custom)?;
    Ok(size)
}

impl From<Written> for ClipConfig {
    fn from(written: Written) -> Self {
        // Old files have both. Transformers lets every key of the older one win, also those it
        // leaves out, with their defaults (`CLIPConfig.__post_init__`).
        let Written {
            projection_dim,
            text_config,
            vision_config,
            text_config_dict,
            vision_config_dict,
        } = written;
        Self {
            projection_dim,
            text_config: text_config_dict.or(text_config).unwrap_or_default(),
            vision_config: vision_config_dict.or(vision_config).unwrap_or_default(),
        }
    }
}
