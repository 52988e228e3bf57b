//! CLIP's two transformers (Radford et al. 2021, section 2.4), with the names that Transformers or
//! `open_clip` gives their parameters.

use tch::{Device, Kind, Tensor};

use super::block::{Block, Shape};
use super::config::{TextConfig, VisionConfig};
use crate::nn::layers::{Conv2d, LayerNorm};
use crate::nn::params::{Init, Scope};

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

/// What the text tower gives, and what it had on the way.
#[derive(Debug)]
pub struct TextStates {
    /// As [`TextTower::forward`] gives it.
    pub output: TextOutput,
    /// `[n, l, width]` each: the embedded tokens, then what every block made of them, without the
    /// last layer norm (Transformers' `hidden_states`).
    pub states: Vec<Tensor>,
}

impl TextStates {
    /// What came out of the tower before its last `blocks` blocks; none if it has fewer.
    ///
    /// SDXL attends to `before_last(clip_skip + 1)` of both its encoders (`hidden_states[-2]` by
    /// default), as it is. Stable Diffusion with a `clip_skip` attends to `before_last(clip_skip)`
    /// after [`TextTower::normalise`].
    pub fn before_last(&self, blocks: usize) -> Option<&Tensor> {
        let at = self.states.len().checked_sub(blocks + 1)?;
        self.states.get(at)
    }
}

fn text_shape(config: &TextConfig) -> Shape {
    Shape {
        width: config.hidden_size,
        inner: config.intermediate_size,
        heads: config.num_attention_heads,
        eps: config.layer_norm_eps,
        activation: config.hidden_act,
    }
}

impl TextTower {
    /// How tensors begin that a file may hold besides a text tower: the rest of the CLIP that it was taken from, which
    /// Transformers passes over as well.
    pub const BESIDES: [&'static str; 4] = [
        "logit_scale",
        "text_projection",
        "vision_model.",
        "visual_projection",
    ];

    /// Takes the parameters below `scope` (`text_model`).
    pub fn new(scope: &Scope, config: &TextConfig) -> Self {
        let width = config.hidden_size;
        let emb = scope.at("embeddings");
        let tokens = tokens(&emb, config);
        let shape = [config.max_position_embeddings, width];
        let positions = emb
            .at("position_embedding")
            .param("weight", &shape, Init::Normal(0.01));
        let blocks = Block::all(
            &scope.at("encoder.layers"),
            config.num_hidden_layers,
            text_shape(config),
        );
        let norm = LayerNorm::new(&scope.at("final_layer_norm"), width, config.layer_norm_eps);
        Self {
            tokens,
            positions,
            blocks,
            norm,
            eos: config.eos_token_id,
        }
    }

    /// Takes the parameters of `open_clip`'s text tower below `scope`, the root of its `CLIP`.
    pub(super) fn open_clip(scope: &Scope, config: &TextConfig) -> Self {
        let width = config.hidden_size;
        let shape = [config.max_position_embeddings, width];
        Self {
            tokens: tokens(scope, config),
            positions: scope.param("positional_embedding", &shape, Init::Normal(0.01)),
            blocks: Block::all_open_clip(
                &scope.at("transformer.resblocks"),
                config.num_hidden_layers,
                text_shape(config),
            ),
            norm: LayerNorm::new(&scope.at("ln_final"), width, config.layer_norm_eps),
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
        let mask = causal_mask(ids, kind);
        let mut xs = self.embed(ids, kind);
        for block in &self.blocks {
            xs = block.forward(&xs, Some(&mask));
        }
        self.finish(ids, &xs)
    }

    /// As [`Self::forward`], keeping what every block gave.
    pub fn forward_all(&self, ids: &Tensor) -> TextStates {
        let kind = self.tokens.kind();
        let mask = causal_mask(ids, kind);
        let mut xs = self.embed(ids, kind);
        let mut states = vec![xs.shallow_clone()];
        for block in &self.blocks {
            xs = block.forward(&xs, Some(&mask));
            states.push(xs.shallow_clone());
        }
        let output = self.finish(ids, &xs);
        TextStates { output, states }
    }

    /// The last layer norm, for a state that was taken before it.
    ///
    /// # Shapes
    ///
    /// `[.., width]` to the same.
    pub fn normalise(&self, state: &Tensor) -> Tensor {
        self.norm.forward(state)
    }

    fn embed(&self, ids: &Tensor, kind: Kind) -> Tensor {
        let xs = Tensor::embedding(&self.tokens, ids, -1, false, false)
            + self.positions.narrow(0, 0, ids.size()[1]);
        xs.to_kind(kind)
    }

    fn finish(&self, ids: &Tensor, state: &Tensor) -> TextOutput {
        let hidden = self.norm.forward(state);
        // Old configs say 2 where the end token has the largest id (transformers,
        // `CLIPTextModel.forward`).
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

fn tokens(scope: &Scope, config: &TextConfig) -> Tensor {
    let shape = [config.vocab_size, config.hidden_size];
    scope
        .at("token_embedding")
        .param("weight", &shape, Init::Normal(0.02))
}

fn causal_mask(ids: &Tensor, kind: Kind) -> Tensor {
    let (length, device): (i64, Device) = (ids.size()[1], ids.device());
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

fn vision_shape(config: &VisionConfig) -> Shape {
    Shape {
        width: config.hidden_size,
        inner: config.intermediate_size,
        heads: config.num_attention_heads,
        eps: config.layer_norm_eps,
        activation: config.hidden_act,
    }
}

impl VisionTower {
    /// Takes the parameters below `scope` (`vision_model`).
    pub fn new(scope: &Scope, config: &VisionConfig) -> Self {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let emb = scope.at("embeddings");
        let patches = patches(&emb.at("patch_embedding"), config);
        let class = emb.param("class_embedding", &[width], Init::Normal(0.02));
        let positions = emb.at("position_embedding").param(
            "weight",
            &positions_shape(config),
            Init::Normal(0.02),
        );
        let blocks = Block::all(
            &scope.at("encoder.layers"),
            config.num_hidden_layers,
            vision_shape(config),
        );
        Self {
            class,
            patches,
            positions,
            // Spelled so in every checkpoint.
            norm_in: LayerNorm::new(&scope.at("pre_layrnorm"), width, eps),
            blocks,
            norm_out: LayerNorm::new(&scope.at("post_layernorm"), width, eps),
        }
    }

    /// Takes the parameters of `open_clip`'s `VisionTransformer` below `scope` (`visual`).
    pub(super) fn open_clip(scope: &Scope, config: &VisionConfig) -> Self {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        Self {
            class: scope.param("class_embedding", &[width], Init::Normal(0.02)),
            patches: patches(&scope.at("conv1"), config),
            positions: scope.param(
                "positional_embedding",
                &positions_shape(config),
                Init::Normal(0.02),
            ),
            norm_in: LayerNorm::new(&scope.at("ln_pre"), width, eps),
            blocks: Block::all_open_clip(
                &scope.at("transformer.resblocks"),
                config.num_hidden_layers,
                vision_shape(config),
            ),
            norm_out: LayerNorm::new(&scope.at("ln_post"), width, eps),
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

fn patches(scope: &Scope, config: &VisionConfig) -> Conv2d {
    let (channels, width, side) = (config.num_channels, config.hidden_size, config.patch_size);
    Conv2d::without_bias(scope, channels, width, side, side, 0)
}

/// A position for every patch, and one for the class token before them.
fn positions_shape(config: &VisionConfig) -> [i64; 2] {
    let side = config.image_size / config.patch_size;
    [side * side + 1, config.hidden_size]
}
