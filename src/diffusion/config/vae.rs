//! `vae/config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ConfigError, MAX_LAYERS, MAX_WIDTH, check_channels, check_sizes, from_value, known_entries,
    read, refuse_others,
};

/// `vae/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VaeConfig {
    /// Colour channels in.
    pub in_channels: i64,
    /// Colour channels out.
    pub out_channels: i64,
    /// Channels of the levels, highest resolution first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks of an encoder level (one more in the decoder).
    pub layers_per_block: i64,
    /// Channels of the latents.
    pub latent_channels: i64,
    /// Groups of every group norm.
    pub norm_num_groups: i64,
    /// Latents are multiplied by this before diffusion.
    pub scaling_factor: f64,
    /// Whether float16 is too narrow for its activations. SDXL's pipeline heeds it, others do not.
    pub force_upcast: bool,
    /// Whether the older and newer checkpoints' 1 × 1 convolution after the encoder is there.
    pub use_quant_conv: bool,
    /// The same before the decoder.
    pub use_post_quant_conv: bool,
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![64],
            layers_per_block: 1,
            latent_channels: 4,
            norm_num_groups: 32,
            scaling_factor: 0.18215,
            force_upcast: true,
            use_quant_conv: true,
            use_post_quant_conv: true,
        }
    }
}

impl VaeConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let raw: Value = read(path)?;
        let neutral = [
            ("act_fn", vec!["silu".into(), "swish".into()]),
            ("mid_block_add_attention", vec![true.into()]),
            ("shift_factor", vec![Value::Null, 0.into(), 0.0.into()]),
            ("latents_mean", vec![Value::Null]),
            ("latents_std", vec![Value::Null]),
        ];
        refuse_others(path, &raw, &neutral)?;
        known_entries(path, &raw, "down_block_types", &["DownEncoderBlock2D"])?;
        known_entries(path, &raw, "up_block_types", &["UpDecoderBlock2D"])?;
        let config: Self = from_value(path, raw)?;
        check_channels(path, &config.block_out_channels)?;
        check_sizes(
            path,
            &[
                ("in_channels", config.in_channels, MAX_WIDTH),
                ("out_channels", config.out_channels, MAX_WIDTH),
                ("latent_channels", config.latent_channels, MAX_WIDTH),
                ("layers_per_block", config.layers_per_block, MAX_LAYERS),
            ],
        )?;
        if !(config.scaling_factor.is_finite() && config.scaling_factor > 0.0) {
            return Err(ConfigError::Unsupported {
                path: path.to_path_buf(),
                key: "scaling_factor".to_owned(),
                found: config.scaling_factor.to_string(),
                expected: "a positive number".to_owned(),
            });
        }
        let groups = config.norm_num_groups;
        let divides = |c: &i64| groups > 0 && c % groups == 0;
        if !config.block_out_channels.iter().all(divides) {
            return Err(ConfigError::Unsupported {
                path: path.to_path_buf(),
                key: "block_out_channels".to_owned(),
                found: format!("{:?}", config.block_out_channels),
                expected: format!("multiples of norm_num_groups ({groups})"),
            });
        }
        Ok(config)
    }

    /// Pixels per latent position along a side.
    pub fn factor(&self) -> i64 {
        1 << (self.block_out_channels.len() - 1)
    }
}
