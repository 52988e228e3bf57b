//! CLIP's two transformers (Radford et al. 2021, section 2.4), with the names Transformers gives
//! their parameters.

use tch::{Device, Kind, Tensor};

use super::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use crate::nn::attention::attend;
use crate::nn::layers::{Conv2d, LayerNorm, Linear};
use crate::nn::params::{Init, Scope};

/// One pre-norm transformer block.
#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: i64,
    activation: Activation,
}

impl Block {
    fn new(scope: &Scope, width: i64, inner: i64, heads: i64, eps: f64, act: Activation) -> Self {
        let attn = scope.at("self_attn");
        Self {
            norm1: LayerNorm::new(&scope.at("layer_norm1"), width, eps),
            query: Linear::new(&attn.at("q_proj"), width, width, true),
            key: Linear::new(&attn.at("k_proj"), width, width, true),
            value: Linear::new(&attn.at("v_proj"), width, width, true),
            out: Linear::new(&attn.at("out_proj"), width, width, true),
            norm2: LayerNorm::new(&scope.at("layer_norm2"), width, eps),
            fc1: Linear::new(&scope.at("mlp.fc1"), width, inner, true),
            fc2: Linear::new(&scope.at("mlp.fc2"), inner, width, true),
            heads,
            activation: act,
        }
    }

    fn forward(&self, xs: &Tensor, mask: Option<&Tensor>) -> Tensor {
        let ys = self.norm1.forward(xs);
        let (q, k, v) = (
            self.query.forward(&ys),
            self.key.forward(&ys),
            self.value.forward(&ys),
        );
        let xs = xs + self.out.forward(&attend(&q, &k, &v, self.heads, mask));
        let ys = self
            .activation
            .apply(&self.fc1.forward(&self.norm2.forward(&xs)));
        xs + self.fc2.forward(&ys)
    }
}

/// The text tower (`text_model` in a checkpoint), without the projection.
#[derive(Debug)]
pub struct TextTower {
    tokens: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    eos: i64,
}

/// What the text tower gives.
#[derive(Debug)]
pub struct TextOutput {
    /// `[n, l, width]`, after the last layer norm: what a UNet attends to.
    pub hidden: Tensor,
    /// `[n, width]`, `hidden` at the end token: what is projected into the shared space.
    pub pooled: Tensor,
}

impl TextTower {
    /// Takes the parameters below `scope` (`text_model`).
    pub fn new(scope: &Scope, config: &TextConfig) -> Self {
        let width = config.hidden_size;
        let emb = scope.at("embeddings");
        let init = Init::Normal(0.02);
        let tokens = emb
            .at("token_embedding")
            .param("weight", &[config.vocab_size, width], init);
        let shape = [config.max_position_embeddings, width];
        let positions = emb
            .at("position_embedding")
            .param("weight", &shape, Init::Normal(0.01));
        let blocks = (0..config.num_hidden_layers)
            .map(|i| {
                Block::new(
                    &scope.at(format_args!("encoder.layers.{i}")),
                    width,
                    config.intermediate_size,
                    config.num_attention_heads,
                    config.layer_norm_eps,
                    config.hidden_act,
                )
            })
            .collect();
        let norm = LayerNorm::new(&scope.at("final_layer_norm"), width, config.layer_norm_eps);
        Self {
            tokens,
            positions,
            blocks,
            norm,
            eos: config.eos_token_id,
        }
    }

    /// Takes the parameters of a checkpoint that holds this tower alone (`CLIPTextModel`), from its
    /// root: Transformers up to 4 writes their names below `text_model`, Transformers 5 without it.
    pub fn standalone(root: &Scope, config: &TextConfig) -> Self {
        let below = root.at("text_model");
        let first = "embeddings.token_embedding.weight";
        let bare = !below.has(first) && root.has(first);
        Self::new(if bare { root } else { &below }, config)
    }

    /// # Shapes
    ///
    /// `ids` int64 `[n, l]`, `l` at most the config's `max_position_embeddings`.
    pub fn forward(&self, ids: &Tensor) -> TextOutput {
        self.forward_as(ids, self.tokens.kind())
    }

    /// As [`Self::forward`], computing in `kind`.
    pub fn forward_as(&self, ids: &Tensor, kind: Kind) -> TextOutput {
        let length = ids.size()[1];
        let xs = Tensor::embedding(&self.tokens, ids, -1, false, false)
            + self.positions.narrow(0, 0, length);
        let mut xs = xs.to_kind(kind);
        let mask = causal_mask(length, kind, ids.device());
        for block in &self.blocks {
            xs = block.forward(&xs, Some(&mask));
        }
        let hidden = self.norm.forward(&xs);
        // Old configs say 2 where the end token has the largest id (transformers,
        // `CLIPTextTransformer.forward`).
        let ends = if self.eos == 2 {
            ids.argmax(-1, false)
        } else {
            ids.eq(self.eos).to_kind(Kind::Int64).argmax(-1, false)
        };
        let width = hidden.size()[2];
        let index = ends.view([-1, 1, 1]).expand([-1, 1, width], false);
        let pooled = hidden.gather(1, &index, false).squeeze_dim(1);
        TextOutput { hidden, pooled }
    }
}

fn causal_mask(length: i64, kind: Kind, device: Device) -> Tensor {
    Tensor::full([length, length], f64::NEG_INFINITY, (kind, device)).triu(1)
}

/// The image tower (`vision_model` in a checkpoint), without the projection.
#[derive(Debug)]
pub struct VisionTower {
    class: Tensor,
    patches: Conv2d,
    positions: Tensor,
    norm_in: LayerNorm,
    blocks: Vec<Block>,
    norm_out: LayerNorm,
}

impl VisionTower {
    /// Takes the parameters below `scope` (`vision_model`).
    pub fn new(scope: &Scope, config: &VisionConfig) -> Self {
        let width = config.hidden_size;
        let emb = scope.at("embeddings");
        let side = config.image_size / config.patch_size;
        let patches = Conv2d::without_bias(
            &emb.at("patch_embedding"),
            config.num_channels,
            width,
            config.patch_size,
            config.patch_size,
            0,
        );
        let class = emb.param("class_embedding", &[width], Init::Normal(0.02));
        let positions = emb.at("position_embedding").param(
            "weight",
            &[side * side + 1, width],
            Init::Normal(0.02),
        );
        let blocks = (0..config.num_hidden_layers)
            .map(|i| {
                Block::new(
                    &scope.at(format_args!("encoder.layers.{i}")),
                    width,
                    config.intermediate_size,
                    config.num_attention_heads,
                    config.layer_norm_eps,
                    config.hidden_act,
                )
            })
            .collect();
        Self {
            class,
            patches,
            positions,
            // Spelled so in every checkpoint.
            norm_in: LayerNorm::new(&scope.at("pre_layrnorm"), width, config.layer_norm_eps),
            blocks,
            norm_out: LayerNorm::new(&scope.at("post_layernorm"), width, config.layer_norm_eps),
        }
    }

    /// The pooled embedding, before the projection.
    ///
    /// # Shapes
    ///
    /// `pixels` `[n, 3, side, side]`, normalised; the result is `[n, width]`.
    pub fn forward(&self, pixels: &Tensor) -> Tensor {
        let n = pixels.size()[0];
        let patches = self.patches.forward(pixels).flatten(2, 3).transpose(1, 2);
        let class = self.class.to_kind(pixels.kind()).expand([n, 1, -1], false);
        let xs = Tensor::cat(&[class, patches], 1) + self.positions.to_kind(pixels.kind());
        let mut xs = self.norm_in.forward(&xs);
        for block in &self.blocks {
            xs = block.forward(&xs, None);
        }
        self.norm_out.forward(&xs.select(1, 0))
    }
}

/// Both towers and their projections into the shared space (`CLIPModel`).
#[derive(Debug)]
pub struct Clip {
    text: TextTower,
    vision: VisionTower,
    text_projection: Linear,
    visual_projection: Linear,
    logit_scale: Tensor,
}

impl Clip {
    /// Takes all parameters of a `CLIPModel`.
    pub fn new(scope: &Scope, config: &ClipConfig) -> Self {
        let d = config.projection_dim;
        let (text, vision) = (&config.text_config, &config.vision_config);
        let project = |name, width| Linear::new(&scope.at(name), width, d, false);
        Self {
            text: TextTower::new(&scope.at("text_model"), text),
            vision: VisionTower::new(&scope.at("vision_model"), vision),
            text_projection: project("text_projection", text.hidden_size),
            visual_projection: project("visual_projection", vision.hidden_size),
            // ln(1 / 0.07), the paper's initial temperature (section 2.5).
            logit_scale: scope.param("logit_scale", &[], Init::Const(2.6593)),
        }
    }

    /// Caption embeddings before normalisation.
    ///
    /// # Shapes
    ///
    /// `ids` int64 `[n, l]`; the result is `[n, projection_dim]`.
    pub fn embed_text(&self, ids: &Tensor) -> Tensor {
        self.text_projection.forward(&self.text.forward(ids).pooled)
    }

    /// As [`Self::embed_text`], computing in `kind` whatever the parameters' element type.
    pub fn embed_text_as(&self, ids: &Tensor, kind: Kind) -> Tensor {
        self.text_projection
            .forward(&self.text.forward_as(ids, kind).pooled)
    }

    /// Image embeddings before normalisation.
    ///
    /// # Shapes
    ///
    /// `pixels` `[n, 3, side, side]`, normalised; the result is `[n, projection_dim]`.
    pub fn embed_images(&self, pixels: &Tensor) -> Tensor {
        self.visual_projection.forward(&self.vision.forward(pixels))
    }

    /// The learned logarithm of the inverse temperature.
    pub fn logit_scale(&self) -> &Tensor {
        &self.logit_scale
    }
}
