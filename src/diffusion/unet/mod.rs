//! The noise predictor, `UNet2DConditionModel` (Rombach et al. 2022, section 3.2).
//!
//! Block types `DownBlock2D`, `CrossAttnDownBlock2D`, `UNetMidBlock2DCrossAttn`, `UpBlock2D` and
//! `CrossAttnUpBlock2D`: all that SD 1.x, 2.x and XL use. Besides the timestep and a caption's states
//! it takes what its config asks for ([`Conditions`]).

mod blocks;

use tch::{Kind, Tensor};

use self::blocks::{Down, Mid, Up};
use super::config::{SIZE_NUMBERS, UnetConfig};
use super::resnet::ResnetShape;
use super::transformer::TransformerShape;
use crate::nn::layers::{Conv2d, GroupNorm, Linear};
use crate::nn::params::Scope;

/// Two linear layers with `SiLU` between them (diffusers `TimestepEmbedding`).
#[derive(Debug)]
struct Embedding {
    first: Linear,
    second: Linear,
}

impl Embedding {
    fn new(scope: &Scope, inputs: i64, outputs: i64) -> Self {
        Self {
            first: Linear::new(&scope.at("linear_1"), inputs, outputs, true),
            second: Linear::new(&scope.at("linear_2"), outputs, outputs, true),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        self.second.forward(&self.first.forward(xs).silu())
    }
}

/// What a [`Unet`] is told besides latents and timestep. What its config does not ask for is not
/// looked at.
///
/// # Shapes
///
/// `n` as the latents'; every tensor has the latents' element type, but `sizes`, which is float32.
#[derive(Debug, Clone, Copy)]
pub struct Conditions<'a> {
    /// `[n, l, cross_attention_dim]`: the caption's states.
    pub context: &'a Tensor,
    /// `text_time`: the pooled caption `[n, pooled]`, and `[n, 6]`: height and width of the original,
    /// top and left of the crop, height and width of the target, px.
    pub text_time: Option<(&'a Tensor, &'a Tensor)>,
    /// `projection`: `[n, projection_class_embeddings_input_dim]`.
    pub class: Option<&'a Tensor>,
    /// The guidance scale, where `time_cond_proj_dim` makes it an input.
    pub guidance: Option<f64>,
}

impl<'a> From<&'a Tensor> for Conditions<'a> {
    fn from(context: &'a Tensor) -> Self {
        Self {
            context,
            text_time: None,
            class: None,
            guidance: None,
        }
    }
}

/// Predicts the noise (or velocity) in latents at a timestep, given a caption.
#[derive(Debug)]
pub struct Unet {
    conv_in: Conv2d,
    time: Embedding,
    guidance: Option<Linear>,
    added: Option<Embedding>,
    class: Option<Embedding>,
    down: Vec<Down>,
    mid: Mid,
    up: Vec<Up>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UnetConfig,
}

/// What blocks are built from.
struct Builder<'a> {
    config: &'a UnetConfig,
    resnet: ResnetShape,
}

impl Builder<'_> {
    fn down(&self, scope: &Scope, level: usize) -> Down {
        let config = self.config;
        let channels = &config.block_out_channels;
        let cross = config.down_block_types[level].has_attention();
        Down::new(
            &scope.at(format_args!("down_blocks.{level}")),
            channels[level.saturating_sub(1)],
            channels[level],
            config.layers_per_block,
            (level + 1 < channels.len()).then_some(config.downsample_padding),
            self.resnet,
            cross.then(|| self.transformer(level)),
        )
    }

    fn mid(&self, scope: &Scope) -> Mid {
        let channels = &self.config.block_out_channels;
        let level = channels.len() - 1;
        let transformer = Some(self.transformer(level));
        Mid::new(
            &scope.at("mid_block"),
            channels[level],
            self.resnet,
            transformer,
        )
    }

    /// The block at a step of the way up, which walks the levels backwards.
    fn up(&self, scope: &Scope, step: usize) -> Up {
        let config = self.config;
        let channels = &config.block_out_channels;
        let last = channels.len() - 1;
        let level = last - step;
        let cross = config.up_block_types[step].has_attention();
        Up::new(
            &scope.at(format_args!("up_blocks.{step}")),
            blocks::UpChannels {
                skip: channels[level.saturating_sub(1)],
                outputs: channels[level],
                previous: channels[(level + 1).min(last)],
            },
            config.layers_per_block + 1,
            step < last,
            self.resnet,
            cross.then(|| self.transformer(level)),
        )
    }

    fn transformer(&self, level: usize) -> TransformerShape {
        let config = self.config;
        TransformerShape {
            channels: config.block_out_channels[level],
            heads: config.heads(level),
            context: config.cross_attention_dim,
            layers: config.transformer_layers(level),
            groups: config.norm_num_groups,
            linear_projection: config.use_linear_projection,
        }
    }
}

impl Unet {
    /// Takes all parameters of a `UNet2DConditionModel`.
    pub fn new(scope: &Scope, config: &UnetConfig) -> Self {
        let levels = config.block_out_channels.len();
        let first = config.block_out_channels[0];
        let time_width = 4 * first;
        let builder = Builder {
            config,
            resnet: ResnetShape {
                groups: config.norm_num_groups,
                eps: config.norm_eps,
                time: Some(time_width),
            },
        };
        let down = (0..levels)
            .map(|level| builder.down(scope, level))
            .collect();
        let mid = builder.mid(scope);
        let up = (0..levels).map(|step| builder.up(scope, step)).collect();
        Self {
            conv_in: Conv2d::new(&scope.at("conv_in"), config.in_channels, first, 3, 1, 1),
            time: Embedding::new(&scope.at("time_embedding"), first, time_width),
            guidance: config.time_cond_proj_dim.map(|waves| {
                Linear::new(&scope.at("time_embedding.cond_proj"), waves, first, false)
            }),
            added: config
                .addition_embed_type
                .and(config.projection_class_embeddings_input_dim)
                .map(|width| Embedding::new(&scope.at("add_embedding"), width, time_width)),
            class: config
                .class_embed_type
                .and(config.projection_class_embeddings_input_dim)
                .map(|width| Embedding::new(&scope.at("class_embedding"), width, time_width)),
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
    /// `latents` `[n, in_channels, h, w]`, `timesteps` `[n]` (float32); the result is
    /// `[n, out_channels, h, w]` of the latents' element type.
    pub fn forward<'a>(
        &self,
        latents: &Tensor,
        timesteps: &Tensor,
        conditions: impl Into<Conditions<'a>>,
    ) -> Tensor {
        let conditions = conditions.into();
        let context = conditions.context;
        let time = self.embed_time(timesteps, conditions, latents.kind());
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

    /// The timestep, and what is added to it, as `[n, 4 · channels]`.
    fn embed_time(&self, timesteps: &Tensor, conditions: Conditions<'_>, kind: Kind) -> Tensor {
        let UnetConfig {
            block_out_channels,
            flip_sin_to_cos: flip,
            freq_shift: shift,
            ..
        } = &self.config;
        let mut waves = sinusoids(timesteps, block_out_channels[0], *flip, *shift).to_kind(kind);
        if let (Some(project), Some(scale)) = (&self.guidance, conditions.guidance) {
            let width = self.config.time_cond_proj_dim.unwrap_or(0);
            let features = guidance_waves(scale, width).to_device(waves.device());
            waves += project.forward(&features.to_kind(kind));
        }
        let mut time = self.time.forward(&waves);
        if let (Some(embedding), Some(class)) = (&self.class, conditions.class) {
            time += embedding.forward(class);
        }
        if let (Some(embedding), Some((pooled, sizes))) = (&self.added, conditions.text_time) {
            let width = self.config.addition_time_embed_dim.unwrap_or(0);
            let sizes = sinusoids(&sizes.flatten(0, -1), width, *flip, *shift)
                .view([-1, SIZE_NUMBERS * width])
                .to_kind(kind);
            time += embedding.forward(&Tensor::cat(&[pooled, &sizes], -1));
        }
        time
    }
}

/// Waves of a guidance scale `w`, `[1, width]`: those of a timestep 1000 (w − 1), spread to the last
/// frequency (diffusers `get_guidance_scale_embedding`).
fn guidance_waves(scale: f64, width: i64) -> Tensor {
    let time = Tensor::from_slice(&[(scale - 1.0) * 1000.0]).to_kind(Kind::Float);
    let waves = sinusoids(&time, width, false, 1.0);
    if width % 2 == 0 {
        waves
    } else {
        waves.constant_pad_nd([0, 1])
    }
}

/// Sinusoidal timestep features (Vaswani et al. 2017, section 3.5; diffusers
/// `get_timestep_embedding`), `[n]` to `[n, width]`.
pub(super) fn sinusoids(timesteps: &Tensor, width: i64, flip: bool, shift: f64) -> Tensor {
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
