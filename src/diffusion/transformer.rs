//! The transformer inside a UNet level: self-attention, attention to the caption, feed-forward.
//!
//! Source: diffusers 0.42 `models/transformers/transformer_2d.py`, `models/attention.py`
//! (`BasicTransformerBlock`).

use tch::Tensor;

use crate::nn::attention::attend;
use crate::nn::layers::{Conv2d, GroupNorm, LayerNorm, Linear};
use crate::nn::params::Scope;

/// Widths of a [`SpatialTransformer`].
#[derive(Debug, Clone, Copy)]
pub(super) struct TransformerShape {
    pub(super) channels: i64,
    pub(super) heads: i64,
    pub(super) context: i64,
    pub(super) layers: i64,
    pub(super) groups: i64,
    pub(super) linear_projection: bool,
}

#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: i64,
}

impl Attention {
    fn new(scope: &Scope, width: i64, context: i64, heads: i64) -> Self {
        Self {
            query: Linear::new(&scope.at("to_q"), width, width, false),
            key: Linear::new(&scope.at("to_k"), context, width, false),
            value: Linear::new(&scope.at("to_v"), context, width, false),
            out: Linear::new(&scope.at("to_out.0"), width, width, true),
            heads,
        }
    }

    fn forward(&self, xs: &Tensor, context: &Tensor) -> Tensor {
        let (key, value) = (self.key.forward(context), self.value.forward(context));
        self.out.forward(&attend(
            &self.query.forward(xs),
            &key,
            &value,
            self.heads,
            None,
        ))
    }
}

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    own: Attention,
    norm2: LayerNorm,
    cross: Attention,
    norm3: LayerNorm,
    gate: Linear,
    out: Linear,
}

impl Block {
    fn new(scope: &Scope, width: i64, context: i64, heads: i64) -> Self {
        let norm = |name| LayerNorm::new(&scope.at(name), width, 1e-5);
        Self {
            norm1: norm("norm1"),
            own: Attention::new(&scope.at("attn1"), width, width, heads),
            norm2: norm("norm2"),
            cross: Attention::new(&scope.at("attn2"), width, context, heads),
            norm3: norm("norm3"),
            gate: Linear::new(&scope.at("ff.net.0.proj"), width, 8 * width, true),
            out: Linear::new(&scope.at("ff.net.2"), 4 * width, width, true),
        }
    }

    fn forward(&self, xs: &Tensor, context: &Tensor) -> Tensor {
        let ys = self.norm1.forward(xs);
        let xs = xs + self.own.forward(&ys, &ys);
        let xs = &xs + self.cross.forward(&self.norm2.forward(&xs), context);
        // GEGLU: Shazeer 2020, <https://arxiv.org/abs/2002.05202>.
        let halves = self.gate.forward(&self.norm3.forward(&xs)).chunk(2, -1);
        &xs + self.out.forward(&(&halves[0] * halves[1].gelu("none")))
    }
}

#[derive(Debug)]
enum Projection {
    /// SD 1.x.
    Conv(Conv2d, Conv2d),
    /// SD 2.x.
    Linear(Linear, Linear),
}

/// `Transformer2DModel` over the positions of a feature map.
#[derive(Debug)]
pub(super) struct SpatialTransformer {
    norm: GroupNorm,
    projection: Projection,
    blocks: Vec<Block>,
}

impl SpatialTransformer {
    pub(super) fn new(scope: &Scope, shape: TransformerShape) -> Self {
        let TransformerShape {
            channels,
            heads,
            context,
            layers,
            groups,
            linear_projection,
        } = shape;
        let (a, b) = (scope.at("proj_in"), scope.at("proj_out"));
        let projection = if linear_projection {
            let new = |s| Linear::new(s, channels, channels, true);
            Projection::Linear(new(&a), new(&b))
        } else {
            let new = |s| Conv2d::new(s, channels, channels, 1, 1, 0);
            Projection::Conv(new(&a), new(&b))
        };
        let block = |i| {
            let scope = scope.at(format_args!("transformer_blocks.{i}"));
            Block::new(&scope, channels, context, heads)
        };
        Self {
            // 1e-6 whatever the config's `norm_eps` says (`Transformer2DModel`).
            norm: GroupNorm::new(&scope.at("norm"), groups, channels, 1e-6),
            projection,
            blocks: (0..layers).map(block).collect(),
        }
    }

    /// `xs` `[n, channels, h, w]`, `context` `[n, l, context]`; the result is shaped as `xs`.
    pub(super) fn forward(&self, xs: &Tensor, context: &Tensor) -> Tensor {
        let size = xs.size();
        let (n, c, h, w) = (size[0], size[1], size[2], size[3]);
        let rows = |t: &Tensor| t.permute([0, 2, 3, 1]).reshape([n, h * w, c]);
        let map = |t: &Tensor| t.view([n, h, w, c]).permute([0, 3, 1, 2]);
        let ys = self.norm.forward(xs);
        let mut ys = match &self.projection {
            Projection::Conv(into, _) => rows(&into.forward(&ys)),
            Projection::Linear(into, _) => into.forward(&rows(&ys)),
        };
        for block in &self.blocks {
            ys = block.forward(&ys, context);
        }
        let ys = match &self.projection {
            Projection::Conv(_, out) => out.forward(&map(&ys)),
            Projection::Linear(_, out) => map(&out.forward(&ys)),
        };
        ys + xs
    }
}
