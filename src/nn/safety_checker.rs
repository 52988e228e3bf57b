//! Stable Diffusion's safety checker: an image is flagged when its CLIP embedding comes too near to
//! one of 17 concepts.
//!
//! Every concept has a threshold on the cosine. Three more, of special care, flag nothing: when an
//! image comes too near to one of them, the thresholds that are looked at later fall by 0.01.
//!
//! Source: `StableDiffusionSafetyChecker.forward` in
//! `pipelines/stable_diffusion/safety_checker.py` of diffusers 0.42.

use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use super::clip::config::ClipConfig;
use super::clip::towers::VisionTower;
use super::layers::Linear;
use super::params::{Init, Params, ParamsError, Scope, weights};
use crate::io::{self, Classified, ErrorKind, IoError};

/// Concepts that flag an image.
const CONCEPTS: usize = 17;
/// Concepts that make the checker stricter.
const SPECIAL: usize = 3;
/// By how much.
const STRICTER: f32 = 0.01;

/// Why a safety checker could not be opened, or could not look.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SafetyError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),

    /// The config was refused.
    #[error("{} does not describe a safety checker", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// The weights were refused.
    #[error(transparent)]
    Params(#[from] ParamsError),

    /// libtorch failed.
    #[error("the safety checker failed")]
    Torch(#[from] tch::TchError),
}

impl Classified for SafetyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Params(error) => error.kind(),
            Self::Torch(error) => error.kind(),
            Self::Config { .. } => ErrorKind::Input,
        }
    }
}

/// The network with its concepts.
#[derive(Debug)]
pub struct SafetyChecker {
    vision: VisionTower,
    projection: Linear,
    concepts: Concepts,
    special: Concepts,
    side: i64,
    kind: Kind,
    device: Device,
}

/// What the checker says of one image: by how much its cosine is above each threshold, rounded to
/// thousandths as the reference does.
#[derive(Debug, Clone, PartialEq)]
pub struct ConceptScores {
    /// Of the concepts of special care.
    pub special: Vec<f32>,
    /// Of the others.
    pub concepts: Vec<f32>,
}

impl ConceptScores {
    /// Whether any concept is too near.
    pub fn flagged(&self) -> bool {
        self.concepts.iter().any(|&score| score > 0.0)
    }

    /// From cosines and thresholds.
    fn new(special: [&[f32]; 2], concepts: [&[f32]; 2]) -> Self {
        let mut adjustment = 0.0;
        let mut scores = Self {
            special: Vec::new(),
            concepts: Vec::new(),
        };
        for (cosine, threshold) in special[0].iter().zip(special[1]) {
            let score = thousandths(cosine - threshold + adjustment);
            if score > 0.0 {
                adjustment = STRICTER;
            }
            scores.special.push(score);
        }
        for (cosine, threshold) in concepts[0].iter().zip(concepts[1]) {
            let score = thousandths(cosine - threshold + adjustment);
            scores.concepts.push(score);
        }
        scores
    }
}

fn thousandths(x: f32) -> f32 {
    (x * 1000.0).round_ties_even() / 1000.0
}

/// Embeddings `[n, d]` of unit length, float32, and their thresholds.
#[derive(Debug)]
struct Concepts {
    embeds: Tensor,
    thresholds: Vec<f32>,
}

impl Concepts {
    fn new(scope: &Scope, name: &str, count: usize, dim: i64) -> Result<Self, SafetyError> {
        let n = count as i64;
        let embeds = scope.param(name, &[n, dim], Init::Const(1.0));
        let thresholds = scope.param(&format!("{name}_weights"), &[n], Init::Const(1.0));
        Ok(Self {
            embeds: unit(&embeds),
            thresholds: numbers(&thresholds)?,
        })
    }

    /// Cosines with images of unit length, row by row.
    fn cosines(&self, images: &Tensor) -> Result<Vec<f32>, SafetyError> {
        numbers(&images.matmul(&self.embeds.transpose(0, 1)))
    }
}

fn unit(xs: &Tensor) -> Tensor {
    let xs = xs.to_kind(Kind::Float);
    // The reference's `normalize` guards against zero in the same way.
    &xs / xs.norm_scalaropt_dim(2.0, [-1], true).clamp_min(1e-12)
}

fn numbers(xs: &Tensor) -> Result<Vec<f32>, SafetyError> {
    let flat = xs
        .f_to_kind(Kind::Float)?
        .f_to_device(Device::Cpu)?
        .f_contiguous()?;
    let mut out = vec![0_f32; flat.numel()];
    flat.f_copy_data(&mut out, flat.numel())?;
    Ok(out)
}

impl SafetyChecker {
    /// Opens a `safety_checker` folder with `config.json` and `model.safetensors`.
    ///
    /// # Errors
    ///
    /// [`SafetyError`], naming the file.
    pub fn open(dir: &Path, kind: Kind, device: Device) -> Result<Self, SafetyError> {
        let _guard = tch::no_grad_guard();
        let path = dir.join("config.json");
        let config: ClipConfig = serde_json::from_str(&io::read_to_string(&path)?)
            .map_err(|source| SafetyError::Config { path, source })?;
        let found = weights::find(dir, "model", None, kind)?;
        let params = Params::open(&found.path, kind, device)?;
        let root = params.root();
        // Transformers up to 4 has a model within the model; 5 has one.
        let outer = root.at("vision_model");
        let inner = outer.at("vision_model");
        let nested = inner.has("embeddings.class_embedding");
        let vision = &config.vision_config;
        let (width, dim) = (vision.hidden_size, config.projection_dim);
        let checker = Self {
            vision: VisionTower::new(if nested { &inner } else { &outer }, vision),
            projection: Linear::new(&root.at("visual_projection"), width, dim, false),
            concepts: Concepts::new(&root, "concept_embeds", CONCEPTS, dim)?,
            special: Concepts::new(&root, "special_care_embeds", SPECIAL, dim)?,
            side: vision.image_size,
            kind,
            device,
        };
        params.finish()?;
        Ok(checker)
    }

    /// Side of the square images that [`Self::scores`] takes, in pixels.
    pub fn side(&self) -> i64 {
        self.side
    }

    /// Looks at images.
    ///
    /// # Shapes
    ///
    /// `pixels` `[n, 3, side, side]`, normalised as the pipeline's `feature_extractor` does, of any
    /// element type and on any device; the result has `n` entries.
    ///
    /// # Errors
    ///
    /// [`SafetyError::Torch`].
    pub fn scores(&self, pixels: &Tensor) -> Result<Vec<ConceptScores>, SafetyError> {
        let _guard = tch::no_grad_guard();
        let pixels = pixels.f_to_device(self.device)?.f_to_kind(self.kind)?;
        let images = unit(&self.projection.forward(&self.vision.forward(&pixels)));
        let special = self.special.cosines(&images)?;
        let concepts = self.concepts.cosines(&images)?;
        let scores =
            special
                .chunks(SPECIAL)
                .zip(concepts.chunks(CONCEPTS))
                .map(|(special, concepts)| {
                    ConceptScores::new(
                        [special, &self.special.thresholds],
                        [concepts, &self.concepts.thresholds],
                    )
                });
        Ok(scores.collect())
    }

    /// Which images are flagged; see [`Self::scores`].
    ///
    /// # Errors
    ///
    /// [`SafetyError::Torch`].
    pub fn flags(&self, pixels: &Tensor) -> Result<Vec<bool>, SafetyError> {
        let scores = self.scores(pixels)?;
        Ok(scores.iter().map(ConceptScores::flagged).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_care_makes_what_is_looked_at_later_stricter() {
        let thresholds = [0.2, 0.2, 0.2];
        let of = |special: [f32; 3]| {
            ConceptScores::new([&special, &thresholds], [&[0.195, 0.1], &thresholds[..2]])
        };
        let mild = of([0.1, 0.195, 0.2]);
        assert_eq!(mild.special, [-0.1, -0.005, 0.0]);
        assert_eq!(mild.concepts, [-0.005, -0.1]);
        assert!(!mild.flagged());
        let strict = of([0.3, 0.195, 0.2]);
        assert_eq!(strict.special, [0.1, 0.005, 0.01]);
        assert_eq!(strict.concepts, [0.005, -0.09]);
        assert!(strict.flagged());
    }

    #[test]
    fn less_than_half_a_thousandth_above_the_threshold_is_not_above() {
        let scores = |cosine| ConceptScores::new([&[], &[]], [&[cosine], &[0.25]]);
        assert!(!scores(0.2504).flagged());
        assert!(scores(0.2506).flagged());
    }
}
