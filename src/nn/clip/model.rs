//! CLIP's towers with their projections into the shared space: both, or one alone as it stands in
//! the folder of a diffusion model.

use tch::{Kind, Tensor};

use super::config::{ClipConfig, TextConfig, VisionConfig};
use super::towers::{TextOutput, TextStates, TextTower, VisionTower};
use crate::nn::layers::Linear;
use crate::nn::params::{Init, Scope};

/// The text tower and its projection (`CLIPTextModelWithProjection`): SDXL's second text encoder.
#[derive(Debug)]
pub struct TextModelWithProjection {
    tower: TextTower,
    projection: Linear,
}

impl TextModelWithProjection {
    /// Takes all parameters of a checkpoint that holds this alone.
    pub fn new(root: &Scope, config: &TextConfig) -> Self {
        let (width, d) = (config.hidden_size, config.projection_dim);
        Self {
            tower: TextTower::standalone(root, config),
            projection: Linear::new(&root.at("text_projection"), width, d, false),
        }
    }

    /// What the tower gives, and the caption embeddings before normalisation.
    ///
    /// # Shapes
    ///
    /// `ids` int64 `[n, l]`; the second result (`text_embeds`) is `[n, projection_dim]`.
    pub fn forward(&self, ids: &Tensor) -> (TextOutput, Tensor) {
        let output = self.tower.forward(ids);
        let embeds = self.projection.forward(&output.pooled);
        (output, embeds)
    }

    /// As [`Self::forward`], keeping what every block gave.
    pub fn forward_all(&self, ids: &Tensor) -> (TextStates, Tensor) {
        let states = self.tower.forward_all(ids);
        let embeds = self.projection.forward(&states.output.pooled);
        (states, embeds)
    }

    /// The tower.
    pub fn tower(&self) -> &TextTower {
        &self.tower
    }
}

/// The image tower and its projection (`CLIPVisionModelWithProjection`): the image encoder of Stable
/// unCLIP.
#[derive(Debug)]
pub struct VisionModelWithProjection {
    tower: VisionTower,
    projection: Linear,
}

impl VisionModelWithProjection {
    /// Takes all parameters of a checkpoint that holds this alone.
    pub fn new(root: &Scope, config: &VisionConfig) -> Self {
        let (width, d) = (config.hidden_size, config.projection_dim);
        Self {
            tower: VisionTower::new(&root.at("vision_model"), config),
            projection: Linear::new(&root.at("visual_projection"), width, d, false),
        }
    }

    /// Image embeddings before normalisation (`image_embeds`).
    ///
    /// # Shapes
    ///
    /// `pixels` `[n, 3, side, side]`, normalised; the result is `[n, projection_dim]`.
    pub fn forward(&self, pixels: &Tensor) -> Tensor {
        self.projection.forward(&self.tower.forward(pixels))
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
            logit_scale: logit_scale(scope),
        }
    }

    /// Takes all parameters of `open_clip`'s `CLIP`; [`super::open_clip`] reads its config.
    pub fn open_clip(scope: &Scope, config: &ClipConfig) -> Self {
        let d = config.projection_dim;
        let (text, vision) = (&config.text_config, &config.vision_config);
        let visual = scope.at("visual");
        // Kept as the matrix that a row is multiplied with from the right.
        let project = |scope: &Scope, name, width| {
            let matrix = scope.param(name, &[width, d], Init::FanIn(width));
            Linear::from_tensors(matrix.transpose(0, 1), None)
        };
        Self {
            text: TextTower::open_clip(scope, text),
            vision: VisionTower::open_clip(&visual, vision),
            text_projection: project(scope, "text_projection", text.hidden_size),
            visual_projection: project(&visual, "proj", vision.hidden_size),
            logit_scale: logit_scale(scope),
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

fn logit_scale(scope: &Scope) -> Tensor {
    // ln(1 / 0.07), the paper's initial temperature (section 2.5).
    scope.param("logit_scale", &[], Init::Const(2.6593))
}
