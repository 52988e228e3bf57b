//! `[embed]`: the space of directions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::flag::put_some;

/// What `hardlight init` writes of this section.
pub(super) const TEMPLATE: &str = r#"[embed]
# CLIP or SigLIP: a folder of Transformers or open_clip, or the id of one on the hub (org/name).
# Without it there are directions, but no captions.
# clip = "weights/world/clip"
# Embeddings that this CLIP made of the images before (`hardlight embed`, or your own code): a .npy or
# .safetensors matrix, joined by id where the file has ids, else by row. A few are made again and
# compared.
# embeddings = "embeddings.safetensors"
# "clip"; "classifier": the penultimate layer of data.classifier; "auto": CLIP where it is given, else
# the classifier; or a .npy or .safetensors matrix with a row an example, joined by id where the file
# has ids.
space = "auto"
# Other spaces, by the same words, in which directions are learned and judged too, to compare.
compare = []
"#;

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

/// Flags that override this section.
#[derive(Debug, clap::Args)]
pub struct EmbedFlags {
    /// CLIP or `SigLIP` model: a Transformers or `open_clip` folder, or a Hugging Face id.
    #[arg(long, value_name = "DIR|ID")]
    clip: Option<PathBuf>,

    /// Embeddings of the images that --clip made before: .npy or .safetensors, joined by id or row.
    #[arg(long, value_name = "FILE")]
    embeddings: Option<PathBuf>,

    /// Space to learn directions in: `clip`, `classifier`, or a .npy or .safetensors matrix [default: clip if given].
    /// Several, separated by commas, are compared; the first is the run's.
    #[arg(long, value_name = "SPACE")]
    space: Vec<String>,
}

impl EmbedFlags {
    /// Puts what was given in place of what is set.
    pub fn put(self, embed: &mut Embed) {
        put_some(&mut embed.clip, self.clip);
        put_some(&mut embed.embeddings, self.embeddings);
        let mut spaces = listed(&self.space).into_iter();
        if let Some(first) = spaces.next() {
            embed.space = first;
            embed.compare = spaces.collect();
        }
    }
}

/// `--space` as given, several times or with commas: every space by name. A file whose name has a comma in
/// it is one.
fn listed(given: &[String]) -> Vec<String> {
    given
        .iter()
        .flat_map(|text| {
            if PathBuf::from(text).exists() {
                vec![text.as_str()]
            } else {
                text.split(',').collect()
            }
        })
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
