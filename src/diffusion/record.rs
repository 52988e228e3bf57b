//! What a pipeline says of itself, for the record of an image. Builds without libtorch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A scheduler with every setting that shows in the image, but for the number of steps.
///
/// Equal records give the same samples from the same model outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchedulerRecord {
    /// Its name, such as `dpm++`.
    pub name: String,
    /// Settings by their key in Diffusers' `scheduler_config.json`, and `eta` for DDIM.
    pub settings: BTreeMap<String, Value>,
}

/// What becomes of a prompt that is longer than the text encoder's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LongPrompts {
    /// What exceeds the context is cut off, as Diffusers does.
    #[default]
    Cut,
    /// It is encoded in chunks, and the UNet attends to all of them.
    Chunks,
}

impl LongPrompts {
    /// Whether it is the one that recipes need not name.
    pub fn is_cut(&self) -> bool {
        *self == Self::Cut
    }
}

/// A low-rank adapter that was merged into a model's weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterRecord {
    /// Name of its file.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// How many times its change counts.
    pub scale: f64,
}
