//! An attempt with what was decided of it, as one flat row.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Decision, Status};
use crate::generate::Arm;
use crate::run::folder::Layout;

/// A row of `decisions.jsonl` and `ledger.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the attempt: the hash of its recipe.
    pub id: String,
    /// Name of the class.
    pub class: String,
    /// Index of the class.
    pub class_index: usize,
    /// Failure mode within the class.
    pub mode: u32,
    /// Which captions it comes from: `hard`, `neutral`, `easy`.
    pub arm: Arm,
    /// The caption.
    pub caption: String,
    /// How often this caption was attempted before.
    pub index: u64,
    /// Seed of the noise.
    pub seed: u64,
    /// What became of it: `kept`, `control`, `rejected`.
    pub status: Status,
    /// The first filter it failed.
    pub reason: Option<String>,
    /// Id of the image that it is a near-duplicate of, where that is the reason.
    pub duplicate_of: Option<String>,
    /// Alignment with the mode's direction; larger is harder.
    pub alignment: Option<f64>,
    /// The alignment it had to reach.
    pub threshold: Option<f64>,
    /// Cosine with the own class's reference caption.
    pub class_similarity: Option<f64>,
    /// That cosine less the largest with another class's.
    pub class_margin: Option<f64>,
    /// Cosine with the nearest training image.
    pub nearest_train_similarity: Option<f64>,
    /// Path of the image in the run folder, with `/`.
    pub file: String,
    /// SHA-256 of that file, in hexadecimal.
    pub sha256: String,
    /// Denoising steps.
    pub steps: u32,
    /// Guidance scale.
    pub guidance: f64,
    /// Name of the scheduler.
    pub scheduler: String,
    /// The negative prompt; empty for none.
    pub negative_prompt: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The whole recipe, as JSON.
    pub recipe: String,
}

impl Row {
    /// The row of an attempt; `file` is where its image is shown.
    pub fn new(decided: &Decision, layout: &Layout, file: &Path) -> Self {
        let Decision {
            measured,
            status,
            reason,
            threshold,
        } = decided;
        let (recipe, measures) = (&measured.recipe, &measured.measures);
        Self {
            id: measured.id.to_string(),
            class: measured.class.clone(),
            class_index: measured.mode.class,
            mode: measured.mode.mode,
            arm: measured.arm,
            caption: recipe.caption.clone(),
            index: measured.index,
            seed: recipe.seed,
            status: *status,
            reason: reason.as_ref().map(|reason| reason.name().to_owned()),
            duplicate_of: reason
                .as_ref()
                .and_then(|reason| reason.duplicate_of().map(str::to_owned)),
            alignment: measures.alignment,
            threshold: *threshold,
            class_similarity: measures.class_similarity,
            class_margin: measures.class_margin,
            nearest_train_similarity: measures.nearest_train_similarity,
            file: layout.relative(file).unwrap_or_default(),
            sha256: measured.sha256.clone(),
            steps: recipe.steps,
            guidance: recipe.guidance,
            scheduler: recipe.scheduler.name.clone(),
            negative_prompt: recipe.negative_prompt.clone(),
            width: recipe.output.width,
            height: recipe.output.height,
            recipe: serde_json::to_string(recipe).unwrap_or_default(),
        }
    }
}
