//! `[generate]`: how images are made.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::range::{at_least_one, finite, refuse, within};

/// Denoising steps that no model was trained on.
const MAX_STEPS: usize = 1000;

/// How images are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    /// A Diffusers pipeline folder.
    pub model: Option<PathBuf>,
    /// Images to keep per failure mode.
    pub quota: usize,
    /// Attempts per failure mode; 0 means ten times the quota.
    pub budget: u64,
    /// Which weight files are taken, such as `fp16`.
    pub variant: Option<String>,
    /// Adapters, `FILE[:SCALE]` each.
    pub lora: Vec<String>,
    /// Denoising steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance: f64,
    /// Scheduler by name.
    pub scheduler: Option<String>,
    /// DDIM's η.
    pub eta: f64,
    /// What images should not show.
    pub negative_prompt: String,
    /// Width, px.
    pub width: Option<u32>,
    /// Height, px.
    pub height: Option<u32>,
    /// Images sampled at once.
    pub batch: usize,
    /// Control images per class and kind of caption.
    pub controls: usize,
    /// `auto`, `cpu`, `cuda`, `cuda:N`.
    pub device: String,
    /// `auto`, `fp32`, `fp16`, `bf16`.
    pub dtype: String,
    /// Whether directions no better than chance are used.
    pub force: bool,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            model: None,
            quota: 50,
            budget: 0,
            variant: None,
            lora: Vec::new(),
            steps: 25,
            guidance: 7.5,
            scheduler: None,
            eta: 0.0,
            negative_prompt: String::new(),
            width: None,
            height: None,
            batch: 8,
            controls: 0,
            device: "auto".to_owned(),
            dtype: "auto".to_owned(),
            force: false,
        }
    }
}

impl Generate {
    /// Attempts at most for so many images of a failure mode.
    pub fn attempts(&self, quota: usize) -> u64 {
        if self.budget == 0 {
            10 * quota as u64
        } else {
            self.budget
        }
    }

    /// Checks the ranges of this section.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        at_least_one("generate.quota", self.quota)?;
        at_least_one("generate.steps", self.steps)?;
        at_least_one("generate.batch", self.batch)?;
        if self.steps > MAX_STEPS {
            refuse("generate.steps", self.steps, "at most 1000")?;
        }
        finite("generate.guidance", self.guidance)?;
        within("generate.eta", self.eta, 0.0..=1.0, "a number from 0 to 1")?;
        for (key, side) in [
            ("generate.width", self.width),
            ("generate.height", self.height),
        ] {
            if let Some(side) = side.filter(|side| *side == 0 || side % 8 != 0) {
                refuse(key, side, "a multiple of 8")?;
            }
        }
        for adapter in &self.lora {
            // Whether the end of the text is a scale at all is seen when the adapter is looked for.
            let scale = adapter.rsplit_once(':').map(|(_, scale)| scale.parse());
            if let Some(Ok(scale)) = scale {
                finite("generate.lora", scale)?;
            }
        }
        Ok(())
    }
}
