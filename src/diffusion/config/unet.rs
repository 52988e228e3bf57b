//! `unet/config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ConfigError, MAX_LAYERS, MAX_WIDTH, check_channels, check_sizes, from_value, known_entries,
    lists_as_one, read, refuse_others,
};

/// A level of the UNet, on the way down or up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnetBlock {
    /// `DownBlock2D`.
    #[serde(rename = "DownBlock2D")]
    Down,
    /// `CrossAttnDownBlock2D`.
    #[serde(rename = "CrossAttnDownBlock2D")]
    CrossAttnDown,
    /// `UpBlock2D`.
    #[serde(rename = "UpBlock2D")]
    Up,
    /// `CrossAttnUpBlock2D`.
    #[serde(rename = "CrossAttnUpBlock2D")]
    CrossAttnUp,
}

impl UnetBlock {
    pub(in crate::diffusion) fn has_attention(self) -> bool {
        matches!(self, Self::CrossAttnDown | Self::CrossAttnUp)
    }
}

/// One number for all levels, or one for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerLevel {
    /// The same at every level.
    One(i64),
    /// From the highest resolution to the lowest.
    Each(Vec<i64>),
}

impl PerLevel {
    fn at(&self, level: usize) -> i64 {
        match self {
            Self::One(number) => *number,
            Self::Each(each) => each.get(level).copied().unwrap_or(1),
        }
    }
}

/// Numbers of size and crop: height and width of the original, top and left of the crop, height and
/// width of the target.
pub(in crate::diffusion) const SIZE_NUMBERS: i64 = 6;

/// What is added to the time embedding besides a caption's states (`addition_embed_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdditionEmbed {
    /// A pooled caption and six numbers of size and crop: SDXL (Podell et al. 2023, section 2.2).
    #[serde(rename = "text_time")]
    TextTime,
}

/// How class labels enter the time embedding (`class_embed_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClassEmbed {
    /// A vector through two linear layers: Stable unCLIP's image embedding.
    #[serde(rename = "projection")]
    Projection,
}

/// `unet/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnetConfig {
    /// Side of the latents it was trained on.
    pub sample_size: i64,
    /// Channels of the latents.
    pub in_channels: i64,
    /// Channels of the prediction.
    pub out_channels: i64,
    /// Whether cosines come before sines in the timestep features.
    pub flip_sin_to_cos: bool,
    /// Shift of the timestep features' frequencies.
    pub freq_shift: f64,
    /// Levels on the way down, highest resolution first.
    pub down_block_types: Vec<UnetBlock>,
    /// Levels on the way up, lowest resolution first.
    pub up_block_types: Vec<UnetBlock>,
    /// Channels of the levels, highest resolution first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks of a level on the way down (one more on the way up).
    pub layers_per_block: i64,
    /// Padding of the strided convolutions.
    pub downsample_padding: i64,
    /// Groups of every group norm.
    pub norm_num_groups: i64,
    /// Epsilon of the residual blocks' norms.
    pub norm_eps: f64,
    /// Width of the caption's hidden states.
    pub cross_attention_dim: i64,
    /// Despite its name the number of heads; the class of that time mixed the two up
    /// (`UNet2DConditionModel.__init__`).
    pub attention_head_dim: PerLevel,
    /// The number of heads, where a config says so.
    pub num_attention_heads: Option<PerLevel>,
    /// Linear layers around the transformers (SD 2.x) instead of 1 × 1 convolutions (SD 1.x).
    pub use_linear_projection: bool,
    /// Blocks of a level's transformers; the middle has as many as the lowest level.
    pub transformer_layers_per_block: PerLevel,
    /// What else is added to the time embedding.
    pub addition_embed_type: Option<AdditionEmbed>,
    /// Width of the waves of each number of size and crop (`text_time`).
    pub addition_time_embed_dim: Option<i64>,
    /// How class labels enter.
    pub class_embed_type: Option<ClassEmbed>,
    /// Width of the vector that `text_time` or `projection` takes.
    pub projection_class_embeddings_input_dim: Option<i64>,
    /// Width of the waves of the guidance scale, in models distilled to take it as an input (Luo et
    /// al. 2023, section 4.1).
    pub time_cond_proj_dim: Option<i64>,
}

impl Default for UnetConfig {
    fn default() -> Self {
        use UnetBlock::{CrossAttnDown, CrossAttnUp, Down, Up};
        Self {
            sample_size: 64,
            in_channels: 4,
            out_channels: 4,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            down_block_types: vec![CrossAttnDown, CrossAttnDown, CrossAttnDown, Down],
            up_block_types: vec![Up, CrossAttnUp, CrossAttnUp, CrossAttnUp],
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: 2,
            downsample_padding: 1,
            norm_num_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: 1280,
            attention_head_dim: PerLevel::One(8),
            num_attention_heads: None,
            use_linear_projection: false,
            transformer_layers_per_block: PerLevel::One(1),
            addition_embed_type: None,
            addition_time_embed_dim: None,
            class_embed_type: None,
            projection_class_embeddings_input_dim: None,
            time_cond_proj_dim: None,
        }
    }
}

impl UnetConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]; unknown block types are named with those that are known.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut raw: Value = read(path)?;
        lists_as_one(
            &mut raw,
            &[
                "sample_size",
                "layers_per_block",
                "cross_attention_dim",
                "only_cross_attention",
            ],
        );
        // Absent or at these values they change nothing; else another network is meant.
        let neutral = [
            ("act_fn", vec!["silu".into(), "swish".into()]),
            ("center_input_sample", vec![false.into()]),
            ("mid_block_type", vec!["UNetMidBlock2DCrossAttn".into()]),
            ("mid_block_scale_factor", vec![1.into(), 1.0.into()]),
            ("only_cross_attention", vec![false.into()]),
            ("dual_cross_attention", vec![false.into()]),
            ("reverse_transformer_layers_per_block", vec![Value::Null]),
            ("class_embed_type", vec![Value::Null, "projection".into()]),
            ("num_class_embeds", vec![Value::Null]),
            ("class_embeddings_concat", vec![false.into()]),
            ("addition_embed_type", vec![Value::Null, "text_time".into()]),
            ("encoder_hid_dim", vec![Value::Null]),
            ("encoder_hid_dim_type", vec![Value::Null]),
            ("resnet_time_scale_shift", vec!["default".into()]),
            ("resnet_skip_time_act", vec![false.into()]),
            ("resnet_out_scale_factor", vec![1.into(), 1.0.into()]),
            ("time_embedding_type", vec!["positional".into()]),
            ("time_embedding_dim", vec![Value::Null]),
            ("time_embedding_act_fn", vec![Value::Null]),
            ("timestep_post_act", vec![Value::Null]),
            ("conv_in_kernel", vec![3.into()]),
            ("conv_out_kernel", vec![3.into()]),
            ("attention_type", vec!["default".into()]),
            ("cross_attention_norm", vec![Value::Null]),
        ];
        refuse_others(path, &raw, &neutral)?;
        let known = [
            "DownBlock2D",
            "CrossAttnDownBlock2D",
            "UpBlock2D",
            "CrossAttnUpBlock2D",
        ];
        known_entries(path, &raw, "down_block_types", &known[..2])?;
        known_entries(path, &raw, "up_block_types", &known[2..])?;
        let config: Self = from_value(path, raw)?;
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let levels = check_channels(path, &self.block_out_channels)?;
        self.check_ranges(path, levels)?;
        let unsupported = |key: &str, found: String, expected: String| ConfigError::Unsupported {
            path: path.to_path_buf(),
            key: key.to_owned(),
            found,
            expected,
        };
        // The convolutions that halve keep the sides whole with 1, and pad one side with 0.
        if !(0..=1).contains(&self.downsample_padding) {
            let found = self.downsample_padding.to_string();
            return Err(unsupported(
                "downsample_padding",
                found,
                "0 or 1".to_owned(),
            ));
        }
        self.check_lengths(levels, &unsupported)?;
        self.check_conditions(&unsupported)?;
        self.check_groups(&unsupported)
    }

    /// Whether every number is one that a tensor can be made of.
    fn check_ranges(&self, path: &Path, levels: usize) -> Result<(), ConfigError> {
        check_sizes(
            path,
            &[
                ("sample_size", self.sample_size, MAX_WIDTH),
                ("in_channels", self.in_channels, MAX_WIDTH),
                ("out_channels", self.out_channels, MAX_WIDTH),
                ("cross_attention_dim", self.cross_attention_dim, MAX_WIDTH),
                ("layers_per_block", self.layers_per_block, MAX_LAYERS),
            ],
        )?;
        for (key, numbers) in self.per_level() {
            let most = if key == "transformer_layers_per_block" {
                MAX_LAYERS
            } else {
                MAX_WIDTH
            };
            for level in 0..levels {
                check_sizes(path, &[(key, numbers.at(level), most)])?;
            }
        }
        Ok(())
    }

    /// The settings that are one number, or one a level.
    fn per_level(&self) -> impl Iterator<Item = (&'static str, &PerLevel)> {
        let layers = &self.transformer_layers_per_block;
        let all = [
            ("attention_head_dim", Some(&self.attention_head_dim)),
            ("num_attention_heads", self.num_attention_heads.as_ref()),
            ("transformer_layers_per_block", Some(layers)),
        ];
        let present = |(key, numbers): (_, Option<_>)| numbers.map(|numbers| (key, numbers));
        all.into_iter().filter_map(present)
    }

    /// Whether every list has an entry for each level.
    fn check_lengths(
        &self,
        levels: usize,
        unsupported: &dyn Fn(&str, String, String) -> ConfigError,
    ) -> Result<(), ConfigError> {
        let counts = [
            ("down_block_types", self.down_block_types.len()),
            ("up_block_types", self.up_block_types.len()),
        ];
        for (key, count) in counts {
            if count != levels {
                let expected = format!("one entry a level of block_out_channels ({levels})");
                return Err(unsupported(key, format!("{count} long"), expected));
            }
        }
        for (key, numbers) in self.per_level() {
            if let PerLevel::Each(each) = numbers
                && each.len() != levels
            {
                let expected = format!("a number, or {levels} numbers");
                return Err(unsupported(key, format!("{each:?}"), expected));
            }
        }
        Ok(())
    }

    /// Whether the channels of every level divide into groups and heads.
    fn check_groups(
        &self,
        unsupported: &dyn Fn(&str, String, String) -> ConfigError,
    ) -> Result<(), ConfigError> {
        for (level, &channels) in self.block_out_channels.iter().enumerate() {
            let (groups, heads) = (self.norm_num_groups, self.heads(level));
            if groups < 1 || channels % groups != 0 || channels % heads != 0 {
                let expected =
                    format!("multiples of norm_num_groups ({groups}) and of the heads ({heads})");
                return Err(unsupported(
                    "block_out_channels",
                    channels.to_string(),
                    expected,
                ));
            }
        }
        Ok(())
    }

    /// Whether the extra inputs have the widths that they need.
    fn check_conditions(
        &self,
        unsupported: &dyn Fn(&str, String, String) -> ConfigError,
    ) -> Result<(), ConfigError> {
        let width = self.projection_class_embeddings_input_dim;
        let added = self.addition_embed_type.is_some() || self.class_embed_type.is_some();
        if added && !width.is_some_and(|w| (1..=MAX_WIDTH).contains(&w)) {
            return Err(unsupported(
                "projection_class_embeddings_input_dim",
                format!("{width:?}"),
                format!("the width of the vector taken, at most {MAX_WIDTH}"),
            ));
        }
        if self.addition_embed_type.is_some() {
            let waves = self.addition_time_embed_dim.unwrap_or(0);
            // Six numbers, and a pooled caption of what is left.
            if !(2..=MAX_WIDTH).contains(&waves) || waves % 2 != 0 || self.pooled_width() < 1 {
                return Err(unsupported(
                    "addition_time_embed_dim",
                    format!("{waves}"),
                    "an even number below a sixth of projection_class_embeddings_input_dim"
                        .to_owned(),
                ));
            }
        }
        if let Some(waves) = self.time_cond_proj_dim
            && !(4..=MAX_WIDTH).contains(&waves)
        {
            let expected = format!("a number from 4 to {MAX_WIDTH}");
            return Err(unsupported(
                "time_cond_proj_dim",
                waves.to_string(),
                expected,
            ));
        }
        Ok(())
    }

    /// Attention heads at a level (0: the highest resolution).
    pub fn heads(&self, level: usize) -> i64 {
        self.num_attention_heads
            .as_ref()
            .unwrap_or(&self.attention_head_dim)
            .at(level)
    }

    /// Blocks of a transformer at a level.
    pub(in crate::diffusion) fn transformer_layers(&self, level: usize) -> i64 {
        self.transformer_layers_per_block.at(level)
    }

    /// Width of the pooled caption that `text_time` takes beside six numbers' waves.
    pub(in crate::diffusion) fn pooled_width(&self) -> i64 {
        self.projection_class_embeddings_input_dim.unwrap_or(0)
            - SIZE_NUMBERS * self.addition_time_embed_dim.unwrap_or(0)
    }
}
