//! The noise predictor, `UNet2DConditionModel` (Rombach et al. 2022, section 3.2).
//!
//! Block types `DownBlock2D`, `CrossAttnDownBlock2D`, `UNetMidBlock2DCrossAttn`, `UpBlock2D` and
//! `CrossAttnUpBlock2D`: all that SD 1.x and 2.x use.

mod blocks;

use tch::{Kind, Tensor};

use self::blocks::{Down, Mid, Up};
use super::config::UnetConfig;
use super::resnet::ResnetShape;
use super::transformer::TransformerShape;
use crate::nn::layers::{Conv2d, GroupNorm, Linear};
use crate::nn::params::Scope;

/// Predicts the noise (or velocity) in latents at a timestep, given a caption.
#[derive(Debug)]
pub struct Unet {
    conv_in: Conv2d,
    time1: Linear,
    time2: Linear,
    down: Vec<Down>,
    mid: Mid,
    up: Vec<Up>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UnetConfig,
}

impl Unet {
    /// Takes all parameters of a `UNet2DConditionModel`.
    pub fn new(scope: &Scope, config: &UnetConfig) -> Self {
        let channels = &config.block_out_channels;
        let levels = channels.len();
        let first = channels[0];
        let time_width = 4 * first;
        let resnet = ResnetShape {
            groups: config.norm_num_groups,
            eps: config.norm_eps,
            time: Some(time_width),
        };
        let transformer = |level: usize, cross: bool| {
            cross.then(|| TransformerShape {
                channels: channels[level],
                heads: config.heads(level),
                context: config.cross_attention_dim,
                layers: 1,
                groups: config.norm_num_groups,
                linear_projection: config.use_linear_projection,
            })
        };

        let down = (0..levels)
            .map(|level| {
                let cross = config.down_block_types[level].has_attention();
                Down::new(
                    &scope.at(format_args!("down_blocks.{level}")),
                    channels[level.saturating_sub(1)],
                    channels[level],
                    config.layers_per_block,
                    (level + 1 < levels).then_some(config.downsample_padding),
                    resnet,
                    transformer(level, cross),
                )
            })
            .collect();
        let last = channels[levels - 1];
        let mid = Mid::new(
            &scope.at("mid_block"),
            last,
            resnet,
            transformer(levels - 1, true),
        );
        let up = (0..levels)
            .map(|step| {
                // The way up walks the levels backwards.
                let level = levels - 1 - step;
                let cross = config.up_block_types[step].has_attention();
                Up::new(
                    &scope.at(format_args!("up_blocks.{step}")),
                    blocks::UpChannels {
                        skip: channels[level.saturating_sub(1)],
                        outputs: channels[level],
                        previous: channels[(level + 1).min(levels - 1)],
                    },
                    config.layers_per_block + 1,
                    step + 1 < levels,
                    resnet,
                    transformer(level, cross),
                )
            })
            .collect();
        Self {
            conv_in: Conv2d::new(&scope.at("conv_in"), config.in_channels, first, 3, 1, 1),
            time1: Linear::new(
                &scope.at("time_embedding.linear_1"),
                first,
                time_width,
                true,
            ),
            time2: Linear::new(
                &scope.at("time_embedding.linear_2"),
                time_width,
                time_width,
                true,
            ),
            down,
            mid,
            up,
            norm_out: GroupNorm::new(
                &scope.at("conv_norm_out"),
                config.norm_num_groups,
                first,
                config.norm_eps,
            ),
            conv_out: Conv2d::new(&scope.at("conv_out"), first, config.out_channels, 3, 1, 1),
            config: config.clone(),
        }
    }

    /// The config it was built from.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// # Shapes
    ///
    /// `latents` `[n, in_channels, h, w]`, `timesteps` `[n]` (float32), `context`
    /// `[n, l, cross_attention_dim]`; the result is `[n, out_channels, h, w]`. The result has the
    /// element type of `latents`, which `context` must share.
    pub fn forward(&self, latents: &Tensor, timesteps: &Tensor, context: &Tensor) -> Tensor {
        let waves = sinusoids(
            timesteps,
            self.config.block_out_channels[0],
            self.config.flip_sin_to_cos,
            self.config.freq_shift,
        )
        .to_kind(latents.kind());
        let time = self.time2.forward(&self.time1.forward(&waves).silu());
        // Every residual block applies SiLU to the time embedding first: done once here.
        let time = time.silu();

        let mut xs = self.conv_in.forward(latents);
        let mut skips = vec![xs.shallow_clone()];
        for block in &self.down {
            xs = block.forward(&xs, &time, context, &mut skips);
        }
        xs = self.mid.forward(&xs, &time, context);
        for block in &self.up {
            xs = block.forward(&xs, &time, context, &mut skips);
        }
        self.conv_out.forward(&self.norm_out.forward(&xs).silu_())
    }
}

/// Sinusoidal timestep features (Vaswani et al. 2017, section 3.5; diffusers
/// `get_timestep_embedding`), `[n]` to `[n, width]`.
fn sinusoids(timesteps: &Tensor, width: i64, flip: bool, shift: f64) -> Tensor {
    let half = width / 2;
    let exponent = Tensor::arange(half, (Kind::Float, timesteps.device()))
        * (-(10_000_f64.ln()) / (half as f64 - shift));
    let angles = timesteps.to_kind(Kind::Float).unsqueeze(-1) * exponent.exp().unsqueeze(0);
    let (sin, cos) = (angles.sin(), angles.cos());
    if flip {
        Tensor::cat(&[cos, sin], -1)
    } else {
        Tensor::cat(&[sin, cos], -1)
    }
}
