//! `[embed]`: the space of directions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The space of directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Embed {
    /// A Transformers `CLIPModel` folder.
    pub clip: Option<PathBuf>,
    /// Embeddings that `clip` made before, a row an example.
    pub embeddings: Option<PathBuf>,
    /// `auto`, `clip`, `classifier`, or a matrix file.
    pub space: String,
    /// Other spaces to compare detection in, by the same words.
    pub compare: Vec<String>,
}

impl Default for Embed {
    fn default() -> Self {
        Self {
            clip: None,
            embeddings: None,
            space: "auto".to_owned(),
            compare: Vec::new(),
        }
    }
}
