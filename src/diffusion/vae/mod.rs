//! The autoencoder between pixels and latents, `AutoencoderKL` (Rombach et al. 2022, section 3.1).

use tch::Tensor;

use super::config::VaeConfig;
use super::resnet::{Downsample, Resnet, ResnetShape, Upsample};
use crate::nn::attention::attend;
use crate::nn::layers::{Conv2d, GroupNorm, Linear};
use crate::nn::params::Scope;

/// The epsilon of every VAE norm, whatever the config (diffusers 0.42
/// `autoencoders/vae.py`).
const EPS: f64 = 1e-6;

/// Single-head self-attention over the positions of a feature map.
#[derive(Debug)]
struct Attention {
    norm: GroupNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl Attention {
    fn new(scope: &Scope, channels: i64, groups: i64) -> Self {
        // Checkpoints from before diffusers 0.18 use the second name.
        let linear = |name: &str, old: &str| {
            let probe = scope.at(old);
            let name = if !scope.at(name).has("weight") && probe.has("weight") {
                old
            } else {
                name
            };
            Linear::new(&scope.at(name), channels, channels, true)
        };
        Self {
            norm: GroupNorm::new(&scope.at("group_norm"), groups, channels, EPS),
            query: linear("to_q", "query"),
            key: linear("to_k", "key"),
            value: linear("to_v", "value"),
            out: linear("to_out.0", "proj_attn"),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let size = xs.size();
        let (n, c, h, w) = (size[0], size[1], size[2], size[3]);
        let rows = self.norm.forward(xs).view([n, c, h * w]).transpose(1, 2);
        let (q, k, v) = (
            self.query.forward(&rows),
            self.key.forward(&rows),
            self.value.forward(&rows),
        );
        let ys = self.out.forward(&attend(&q, &k, &v, 1, None));
        xs + ys.transpose(1, 2).reshape([n, c, h, w])
    }
}

#[derive(Debug)]
struct Mid {
    resnets: [Resnet; 2],
    attention: Attention,
}

impl Mid {
    fn new(scope: &Scope, channels: i64, shape: ResnetShape) -> Self {
        let new = |name| Resnet::new(&scope.at(name), channels, channels, shape);
        Self {
            resnets: [new("resnets.0"), new("resnets.1")],
            attention: Attention::new(&scope.at("attentions.0"), channels, shape.groups),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let xs = self.attention.forward(&self.resnets[0].forward(xs, None));
        self.resnets[1].forward(&xs, None)
    }
}

fn level(scope: &Scope, inputs: i64, outputs: i64, layers: i64, shape: ResnetShape) -> Vec<Resnet> {
    (0..layers)
        .map(|i| {
            let inputs = if i == 0 { inputs } else { outputs };
            Resnet::new(
                &scope.at(format_args!("resnets.{i}")),
                inputs,
                outputs,
                shape,
            )
        })
        .collect()
}

#[derive(Debug)]
struct Encoder {
    conv_in: Conv2d,
    levels: Vec<(Vec<Resnet>, Option<Downsample>)>,
    mid: Mid,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    fn new(scope: &Scope, config: &VaeConfig, shape: ResnetShape) -> Self {
        let channels = &config.block_out_channels;
        let count = channels.len();
        let levels = (0..count)
            .map(|i| {
                let scope = scope.at(format_args!("down_blocks.{i}"));
                let inputs = channels[i.saturating_sub(1)];
                let resnets = level(&scope, inputs, channels[i], config.layers_per_block, shape);
                (
                    resnets,
                    (i + 1 < count).then(|| Downsample::new(&scope, channels[i], 0)),
                )
            })
            .collect();
        let last = channels[count - 1];
        let norm = scope.at("conv_norm_out");
        Self {
            conv_in: Conv2d::new(
                &scope.at("conv_in"),
                config.in_channels,
                channels[0],
                3,
                1,
                1,
            ),
            levels,
            mid: Mid::new(&scope.at("mid_block"), last, shape),
            norm_out: GroupNorm::new(&norm, shape.groups, last, EPS),
            conv_out: Conv2d::new(
                &scope.at("conv_out"),
                last,
                2 * config.latent_channels,
                3,
                1,
                1,
            ),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let mut xs = self.conv_in.forward(xs);
        for (resnets, downsample) in &self.levels {
            for resnet in resnets {
                xs = resnet.forward(&xs, None);
            }
            if let Some(downsample) = downsample {
                xs = downsample.forward(&xs);
            }
        }
        self.conv_out
            .forward(&self.norm_out.forward(&self.mid.forward(&xs)).silu_())
    }
}

#[derive(Debug)]
struct Decoder {
    conv_in: Conv2d,
    mid: Mid,
    levels: Vec<(Vec<Resnet>, Option<Upsample>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    fn new(scope: &Scope, config: &VaeConfig, shape: ResnetShape) -> Self {
        let channels = &config.block_out_channels;
        let count = channels.len();
        let last = channels[count - 1];
        let levels = (0..count)
            .map(|step| {
                let scope = scope.at(format_args!("up_blocks.{step}"));
                let at = count - 1 - step;
                let inputs = channels[(at + 1).min(count - 1)];
                let layers = config.layers_per_block + 1;
                let resnets = level(&scope, inputs, channels[at], layers, shape);
                (
                    resnets,
                    (step + 1 < count).then(|| Upsample::new(&scope, channels[at])),
                )
            })
            .collect();
        let norm = scope.at("conv_norm_out");
        Self {
            conv_in: Conv2d::new(&scope.at("conv_in"), config.latent_channels, last, 3, 1, 1),
            mid: Mid::new(&scope.at("mid_block"), last, shape),
            levels,
            norm_out: GroupNorm::new(&norm, shape.groups, channels[0], EPS),
            conv_out: Conv2d::new(
                &scope.at("conv_out"),
                channels[0],
                config.out_channels,
                3,
                1,
                1,
            ),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let mut xs = self.mid.forward(&self.conv_in.forward(xs));
        for (resnets, upsample) in &self.levels {
            for resnet in resnets {
                xs = resnet.forward(&xs, None);
            }
            if let Some(upsample) = upsample {
                let size = xs.size();
                xs = upsample.forward(&xs, [2 * size[2], 2 * size[3]]);
            }
        }
        self.conv_out.forward(&self.norm_out.forward(&xs).silu_())
    }
}

/// Encoder and decoder.
#[derive(Debug)]
pub struct Vae {
    /// None in a file that was saved for decoding alone.
    encoder: Option<Encoder>,
    quant: Option<Conv2d>,
    post_quant: Option<Conv2d>,
    decoder: Decoder,
    config: VaeConfig,
}

impl Vae {
    /// Takes all parameters of an `AutoencoderKL`; those of its encoder may all be absent, as they are in files
    /// that were saved for decoding alone.
    pub fn new(scope: &Scope, config: &VaeConfig) -> Self {
        let shape = ResnetShape {
            groups: config.norm_num_groups,
            eps: EPS,
            time: None,
        };
        let latent = config.latent_channels;
        let (encoder, quant) = (scope.at("encoder"), scope.at("quant_conv"));
        let encodes = encoder.has_any();
        let conv = |name, channels| Conv2d::new(&scope.at(name), channels, channels, 1, 1, 0);
        Self {
            encoder: encodes.then(|| Encoder::new(&encoder, config, shape)),
            quant: (config.use_quant_conv && (encodes || quant.has_any()))
                .then(|| conv("quant_conv", 2 * latent)),
            post_quant: config
                .use_post_quant_conv
                .then(|| conv("post_quant_conv", latent)),
            decoder: Decoder::new(&scope.at("decoder"), config, shape),
            config: config.clone(),
        }
    }

    /// The config it was built from.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Whether it has an encoder.
    pub fn encodes(&self) -> bool {
        self.encoder.is_some()
    }

    /// Mean and log-variance of the latents, not yet scaled.
    ///
    /// # Shapes
    ///
    /// `pixels` `[n, 3, h, w]` in −1…1; both results are `[n, latent_channels, h / f, w / f]`, with
    /// `f` = 2 to the number of levels less one.
    ///
    /// # Panics
    ///
    /// Without an encoder: ask [`Self::encodes`].
    pub fn encode(&self, pixels: &Tensor) -> (Tensor, Tensor) {
        let encoder = self.encoder.as_ref();
        let encoder = encoder.expect("callers ask whether there is an encoder");
        let mut moments = encoder.forward(pixels);
        if let Some(conv) = &self.quant {
            moments = conv.forward(&moments);
        }
        let halves = moments.chunk(2, 1);
        // The clamp is `DiagonalGaussianDistribution`'s.
        (halves[0].shallow_clone(), halves[1].clamp(-30.0, 20.0))
    }

    /// Pixels from latents that were divided by the scaling factor.
    ///
    /// # Shapes
    ///
    /// `latents` `[n, latent_channels, h, w]`; the result is `[n, 3, h f, w f]`, about −1…1.
    pub fn decode(&self, latents: &Tensor) -> Tensor {
        match &self.post_quant {
            Some(conv) => self.decoder.forward(&conv.forward(latents)),
            None => self.decoder.forward(latents),
        }
    }
}
