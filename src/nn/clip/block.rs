//! The pre-norm transformer block that CLIP's and SigLIP's towers are made of.

use tch::Tensor;

use super::config::Activation;
use crate::nn::attention::attend;
use crate::nn::layers::{LayerNorm, Linear};
use crate::nn::params::{Init, Scope};

/// What all blocks of a tower have in common.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct Shape {
    /// Width of the residual stream.
    pub(in crate::nn) width: i64,
    /// Width between the two layers.
    pub(in crate::nn) inner: i64,
    pub(in crate::nn) heads: i64,
    pub(in crate::nn) eps: f64,
    pub(in crate::nn) activation: Activation,
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Debug)]
pub(in crate::nn) struct Block {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    /// Blocks below `scope` (`encoder.layers`) as Transformers names their parameters.
    pub(in crate::nn) fn all(scope: &Scope, count: i64, shape: Shape) -> Vec<Self> {
        let block = |i| {
            let scope = scope.at(i);
            Self {
                norm1: LayerNorm::new(&scope.at("layer_norm1"), shape.width, shape.eps),
                attention: Attention::new(&scope.at("self_attn"), shape),
                norm2: LayerNorm::new(&scope.at("layer_norm2"), shape.width, shape.eps),
                mlp: Mlp::new(&scope.at("mlp"), ["fc1", "fc2"], shape),
            }
        };
        (0..count).map(block).collect()
    }

    /// Blocks below `scope` (`transformer.resblocks`) as `open_clip` names their parameters.
    pub(in crate::nn) fn all_open_clip(scope: &Scope, count: i64, shape: Shape) -> Vec<Self> {
        let block = |i| {
            let scope = scope.at(i);
            Self {
                norm1: LayerNorm::new(&scope.at("ln_1"), shape.width, shape.eps),
                attention: Attention::packed(&scope.at("attn"), shape),
                norm2: LayerNorm::new(&scope.at("ln_2"), shape.width, shape.eps),
                mlp: Mlp::new(&scope.at("mlp"), ["c_fc", "c_proj"], shape),
            }
        };
        (0..count).map(block).collect()
    }

    /// # Shapes
    ///
    /// `[n, l, width]` to the same; `mask` is added to the scores, `[l, l]`.
    pub(in crate::nn) fn forward(&self, xs: &Tensor, mask: Option<&Tensor>) -> Tensor {
        let ys = self.norm1.forward(xs);
        let xs = xs + self.attention.forward(&ys, &ys, mask);
        &xs + self.mlp.forward(&self.norm2.forward(&xs))
    }
}

/// Multi-head attention with its four projections.
#[derive(Debug)]
pub(in crate::nn) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: i64,
}

impl Attention {
    fn new(scope: &Scope, shape: Shape) -> Self {
        let width = shape.width;
        let linear = |name| Linear::new(&scope.at(name), width, width, true);
        Self {
            query: linear("q_proj"),
            key: linear("k_proj"),
            value: linear("v_proj"),
            out: linear("out_proj"),
            heads: shape.heads,
        }
    }

    /// `torch.nn.MultiheadAttention`, where query, key and value are one matrix.
    pub(in crate::nn) fn packed(scope: &Scope, shape: Shape) -> Self {
        let width = shape.width;
        let init = Init::FanIn(width);
        let weight = scope.param("in_proj_weight", &[3 * width, width], init);
        let bias = scope.param("in_proj_bias", &[3 * width], init);
        let third = |i| {
            let of = |all: &Tensor| all.narrow(0, i * width, width);
            Linear::from_tensors(of(&weight), Some(of(&bias)))
        };
        Self {
            query: third(0),
            key: third(1),
            value: third(2),
            out: Linear::new(&scope.at("out_proj"), width, width, true),
            heads: shape.heads,
        }
    }

    /// # Shapes
    ///
    /// `from` `[n, l, width]` looks at `at` `[n, s, width]`; the result is `[n, l, width]`.
    pub(in crate::nn) fn forward(
        &self,
        from: &Tensor,
        at: &Tensor,
        mask: Option<&Tensor>,
    ) -> Tensor {
        let (q, k, v) = (
            self.query.forward(from),
            self.key.forward(at),
            self.value.forward(at),
        );
        self.out.forward(&attend(&q, &k, &v, self.heads, mask))
    }
}

/// Two linear layers and what is between them.
#[derive(Debug)]
pub(in crate::nn) struct Mlp {
    first: Linear,
    second: Linear,
    activation: Activation,
}

impl Mlp {
    pub(in crate::nn) fn new(scope: &Scope, names: [&str; 2], shape: Shape) -> Self {
        Self {
            first: Linear::new(&scope.at(names[0]), shape.width, shape.inner, true),
            second: Linear::new(&scope.at(names[1]), shape.inner, shape.width, true),
            activation: shape.activation,
        }
    }

    pub(in crate::nn) fn forward(&self, xs: &Tensor) -> Tensor {
        self.second
            .forward(&self.activation.apply(&self.first.forward(xs)))
    }
}
