//! `SigLIP` (Zhai et al. 2023, <https://arxiv.org/abs/2303.15343>): its two towers, with the names
//! Transformers gives their parameters (`SiglipModel`).
//!
//! Where it differs from CLIP: text is read without a causal mask and pooled at the last position,
//! padding or not; an image has no class token, its patches are pooled by a learned query; the pooled
//! image is the embedding.
//!
//! May import: `io`.

mod config;

use tch::Tensor;

pub use self::config::{SiglipConfig, SiglipTextConfig, SiglipVisionConfig};
use super::clip::block::{Attention, Block, Mlp, Shape};
use super::layers::{Conv2d, LayerNorm, Linear};
use super::params::{Init, Scope};

/// Both towers.
#[derive(Debug)]
pub struct Siglip {
    text: TextTower,
    vision: VisionTower,
    logit_scale: Tensor,
    logit_bias: Tensor,
}

impl Siglip {
    /// Takes all parameters of a `SiglipModel`.
    pub fn new(scope: &Scope, config: &SiglipConfig) -> Self {
        Self {
            text: TextTower::new(&scope.at("text_model"), &config.text_config),
            vision: VisionTower::new(&scope.at("vision_model"), &config.vision_config),
            // ln 10 and −10, the paper's initial values (section 3.2).
            logit_scale: scope.param("logit_scale", &[1], Init::Const(std::f64::consts::LN_10)),
            logit_bias: scope.param("logit_bias", &[1], Init::Const(-10.0)),
        }
    }

    /// Caption embeddings before normalisation.
    ///
    /// # Shapes
    ///
    /// `ids` int64 `[n, l]`, padded to the config's `max_position_embeddings` as in training; the
    /// result is `[n, dim]`.
    pub fn embed_text(&self, ids: &Tensor) -> Tensor {
        self.text.forward(ids)
    }

    /// Image embeddings before normalisation.
    ///
    /// # Shapes
    ///
    /// `pixels` `[n, 3, side, side]`, normalised; the result is `[n, dim]`.
    pub fn embed_images(&self, pixels: &Tensor) -> Tensor {
        self.vision.forward(pixels)
    }

    /// The learned logarithm of the inverse temperature, and the bias: a pair matches with
    /// probability `sigmoid(exp(scale) · cosine + bias)`.
    pub fn logit_scale_and_bias(&self) -> (&Tensor, &Tensor) {
        (&self.logit_scale, &self.logit_bias)
    }
}

#[derive(Debug)]
struct TextTower {
    tokens: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl TextTower {
    fn new(scope: &Scope, config: &SiglipTextConfig) -> Self {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let shape = Shape {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps,
            activation: config.hidden_act,
        };
        let emb = scope.at("embeddings");
        let table = |name, rows| {
            emb.at(name)
                .param("weight", &[rows, width], Init::Normal(0.02))
        };
        let dim = config.projection_size.unwrap_or(width);
        Self {
            tokens: table("token_embedding", config.vocab_size),
            positions: table("position_embedding", config.max_position_embeddings),
            blocks: Block::all(&scope.at("encoder.layers"), config.num_hidden_layers, shape),
            norm: LayerNorm::new(&scope.at("final_layer_norm"), width, eps),
            head: Linear::new(&scope.at("head"), width, dim, true),
        }
    }

    fn forward(&self, ids: &Tensor) -> Tensor {
        let mut xs = Tensor::embedding(&self.tokens, ids, -1, false, false)
            + self.positions.narrow(0, 0, ids.size()[1]);
        for block in &self.blocks {
            xs = block.forward(&xs, None);
        }
        self.head.forward(&self.norm.forward(&xs.select(1, -1)))
    }
}

#[derive(Debug)]
struct VisionTower {
    patches: Conv2d,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    pool: Pool,
}

impl VisionTower {
    fn new(scope: &Scope, config: &SiglipVisionConfig) -> Self {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let shape = Shape {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps,
            activation: config.hidden_act,
        };
        let (side, channels) = (config.patch_size, config.num_channels);
        let emb = scope.at("embeddings");
        let patches = Conv2d::new(&emb.at("patch_embedding"), channels, width, side, side, 0);
        let grid = config.image_size / side;
        let positions =
            emb.at("position_embedding")
                .param("weight", &[grid * grid, width], Init::Normal(0.02));
        Self {
            patches,
            positions,
            blocks: Block::all(&scope.at("encoder.layers"), config.num_hidden_layers, shape),
            norm: LayerNorm::new(&scope.at("post_layernorm"), width, eps),
            pool: Pool::new(&scope.at("head"), shape),
        }
    }

    fn forward(&self, pixels: &Tensor) -> Tensor {
        let patches = self.patches.forward(pixels).flatten(2, 3).transpose(1, 2);
        let mut xs = patches + &self.positions;
        for block in &self.blocks {
            xs = block.forward(&xs, None);
        }
        self.pool.forward(&self.norm.forward(&xs))
    }
}

/// One learned query that attends to all patches (`SiglipMultiheadAttentionPoolingHead`).
#[derive(Debug)]
struct Pool {
    probe: Tensor,
    attention: Attention,
    norm: LayerNorm,
    mlp: Mlp,
}

impl Pool {
    fn new(scope: &Scope, shape: Shape) -> Self {
        Self {
            probe: scope.param("probe", &[1, 1, shape.width], Init::Normal(0.02)),
            attention: Attention::packed(&scope.at("attention"), shape),
            norm: LayerNorm::new(&scope.at("layernorm"), shape.width, shape.eps),
            mlp: Mlp::new(&scope.at("mlp"), ["fc1", "fc2"], shape),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let query = self.probe.expand([xs.size()[0], -1, -1], false);
        let pooled = self.attention.forward(&query, xs, None);
        let pooled = &pooled + self.mlp.forward(&self.norm.forward(&pooled));
        pooled.select(1, 0)
    }
}
