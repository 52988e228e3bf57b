//! The residual block of UNet and VAE, and the two ways to change resolution.
//!
//! Source: diffusers 0.42 `models/resnet.py`, `downsampling.py`, `upsampling.py`.

use tch::Tensor;

use crate::nn::layers::{Conv2d, GroupNorm, Linear};
use crate::nn::params::Scope;

/// Group norm, `SiLU`, convolution, twice, around a shortcut (`ResnetBlock2D`).
#[derive(Debug)]
pub(super) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

/// What a [`Resnet`] needs to know besides its channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResnetShape {
    /// Groups of every group norm.
    pub(super) groups: i64,
    /// Added to the variance.
    pub(super) eps: f64,
    /// Width of the time embedding; `None` in a VAE.
    pub(super) time: Option<i64>,
}

impl Resnet {
    pub(super) fn new(scope: &Scope, inputs: i64, outputs: i64, shape: ResnetShape) -> Self {
        let ResnetShape { groups, eps, time } = shape;
        Self {
            norm1: GroupNorm::new(&scope.at("norm1"), groups, inputs, eps),
            conv1: Conv2d::new(&scope.at("conv1"), inputs, outputs, 3, 1, 1),
            time: time.map(|t| Linear::new(&scope.at("time_emb_proj"), t, outputs, true)),
            norm2: GroupNorm::new(&scope.at("norm2"), groups, outputs, eps),
            conv2: Conv2d::new(&scope.at("conv2"), outputs, outputs, 3, 1, 1),
            shortcut: (inputs != outputs)
                .then(|| Conv2d::new(&scope.at("conv_shortcut"), inputs, outputs, 1, 1, 0)),
        }
    }

    /// `xs` `[n, inputs, h, w]` to `[n, outputs, h, w]`; `time` is `SiLU` of the time embedding
    /// `[n, time]`, computed once per forward for all blocks.
    pub(super) fn forward(&self, xs: &Tensor, time: Option<&Tensor>) -> Tensor {
        let mut ys = self.conv1.forward(&self.norm1.forward(xs).silu_());
        if let (Some(project), Some(time)) = (&self.time, time) {
            ys += project.forward(time).unsqueeze(-1).unsqueeze(-1);
        }
        let ys = self.conv2.forward(&self.norm2.forward(&ys).silu_());
        match &self.shortcut {
            Some(conv) => conv.forward(xs) + ys,
            None => xs + ys,
        }
    }
}

/// Halves the resolution with a strided convolution (`Downsample2D`).
#[derive(Debug)]
pub(super) struct Downsample {
    conv: Conv2d,
    /// The VAE pads right and bottom only.
    asymmetric: bool,
}

impl Downsample {
    pub(super) fn new(scope: &Scope, channels: i64, padding: i64) -> Self {
        let conv = Conv2d::new(
            &scope.at("downsamplers.0.conv"),
            channels,
            channels,
            3,
            2,
            padding,
        );
        Self {
            conv,
            asymmetric: padding == 0,
        }
    }

    pub(super) fn forward(&self, xs: &Tensor) -> Tensor {
        if self.asymmetric {
            self.conv.forward(&xs.constant_pad_nd([0, 1, 0, 1]))
        } else {
            self.conv.forward(xs)
        }
    }
}

/// Doubles the resolution by repetition, then convolves (`Upsample2D`).
#[derive(Debug)]
pub(super) struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    pub(super) fn new(scope: &Scope, channels: i64) -> Self {
        Self {
            conv: Conv2d::new(&scope.at("upsamplers.0.conv"), channels, channels, 3, 1, 1),
        }
    }

    /// `size` is the target `[h, w]`: twice the input's, or one less where the way down rounded up.
    pub(super) fn forward(&self, xs: &Tensor, size: [i64; 2]) -> Tensor {
        self.conv.forward(&xs.upsample_nearest2d(size, None, None))
    }
}
