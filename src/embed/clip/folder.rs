//! Which kind of CLIP folder it is, and the network in it.
//!
//! ```text
//! config.json             model.safetensors            model_type clip or siglip
//! open_clip_config.json   open_clip_model.safetensors  open_clip's own names
//! ```
//!
//! Which of the two, [`Form`] says.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tch::{Device, Kind, Tensor};

use crate::embed::EmbedError;
use crate::io;
use crate::nn::clip::config::ClipConfig;
use crate::nn::clip::form::Form;
use crate::nn::clip::model::Clip;
use crate::nn::clip::open_clip;
use crate::nn::params::Params;
use crate::nn::params::weights::{self, WeightsFile};
use crate::nn::siglip::{Siglip, SiglipConfig};

const CONFIG: &str = "config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
/// Of Transformers 5, which writes no [`PREPROCESSOR`].
const PROCESSOR: &str = "processor_config.json";
const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";

/// What determines an embedding besides config and weights; absent files count as absent.
const OTHERS: [&str; 7] = [
    PREPROCESSOR,
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
];

/// The two towers.
#[derive(Debug)]
pub(super) enum Network {
    Clip(Clip),
    Siglip(Siglip),
}

impl Network {
    pub(super) fn embed_text(&self, ids: &Tensor) -> Tensor {
        match self {
            Self::Clip(clip) => clip.embed_text(ids),
            Self::Siglip(siglip) => siglip.embed_text(ids),
        }
    }

    pub(super) fn embed_images(&self, pixels: &Tensor) -> Tensor {
        match self {
            Self::Clip(clip) => clip.embed_images(pixels),
            Self::Siglip(siglip) => siglip.embed_images(pixels),
        }
    }
}

#[derive(Debug)]
enum Config {
    Clip(ClipConfig),
    OpenClip(ClipConfig),
    Siglip(SiglipConfig),
}

/// What a folder says of its network, before any weight is read.
#[derive(Debug)]
pub(super) struct Folder {
    config: Config,
    /// The config's file.
    pub(super) path: PathBuf,
    weights: WeightsFile,
}

/// What its network takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Side of an image, px.
    pub(super) side: i64,
    /// Colour channels of an image.
    pub(super) channels: i64,
    /// Tokens per caption at most.
    pub(super) context: i64,
    /// Tokens known.
    pub(super) vocabulary: i64,
    /// Width of an embedding.
    pub(super) dim: i64,
}

impl Folder {
    /// Finds out what a folder holds.
    pub(super) fn read(dir: &Path, kind: Kind) -> Result<Self, EmbedError> {
        let (path, config, stem) = match Form::of(dir) {
            Form::OpenClip => {
                let path = dir.join(OPEN_CLIP_CONFIG);
                (path.clone(), open_clip_config(&path)?, "open_clip_model")
            }
            Form::Transformers => {
                let path = dir.join(CONFIG);
                if !path.is_file() {
                    return Err(EmbedError::NoConfig {
                        dir: dir.to_path_buf(),
                    });
                }
                (path.clone(), transformers_config(&path)?, "model")
            }
        };
        let weights = weights::find(dir, stem, None, kind)?;
        Ok(Self {
            config,
            path,
            weights,
        })
    }

    pub(super) fn sizes(&self) -> Sizes {
        match &self.config {
            Config::Clip(config) | Config::OpenClip(config) => Sizes {
                side: config.vision_config.image_size,
                channels: config.vision_config.num_channels,
                context: config.text_config.max_position_embeddings,
                vocabulary: config.text_config.vocab_size,
                dim: config.projection_dim,
            },
            Config::Siglip(config) => Sizes {
                side: config.vision_config.image_size,
                channels: config.vision_config.num_channels,
                context: config.text_config.max_position_embeddings,
                vocabulary: config.text_config.vocab_size,
                dim: config.dim(),
            },
        }
    }

    /// Loads the network.
    pub(super) fn network(&self, device: Device, kind: Kind) -> Result<Network, EmbedError> {
        let params = Params::open(&self.weights.path, kind, device)?;
        let root = params.root();
        let network = match &self.config {
            Config::Clip(config) => Network::Clip(Clip::new(&root, config)),
            Config::OpenClip(config) => Network::Clip(Clip::open_clip(&root, config)),
            Config::Siglip(config) => Network::Siglip(Siglip::new(&root, config)),
        };
        params.finish()?;
        Ok(network)
    }

    /// A hash of the files used; shards lie beside their index.
    pub(super) fn fingerprint(&self, dir: &Path) -> Result<String, EmbedError> {
        let mut names = Vec::new();
        for path in [self.path.clone()]
            .into_iter()
            .chain(weights::files(&self.weights)?)
        {
            let name = path.strip_prefix(dir).unwrap_or(&path);
            names.push(name.to_string_lossy().into_owned());
        }
        let mut names: Vec<&str> = names.iter().map(String::as_str).chain(OTHERS).collect();
        // Only where it is what is read, so that folders without it keep the fingerprints they have.
        if !dir.join(PREPROCESSOR).exists() && dir.join(PROCESSOR).exists() {
            names.push(PROCESSOR);
        }
        Ok(io::fingerprint(dir, &names)?)
    }
}

fn transformers_config(path: &Path) -> Result<Config, EmbedError> {
    #[derive(Deserialize)]
    struct Typed {
        model_type: Option<String>,
    }

    let text = io::read_to_string(path)?;
    let typed: Typed = parse(path, &text)?;
    match typed.model_type.as_deref() {
        None | Some("clip") => Ok(Config::Clip(parse(path, &text)?)),
        Some("siglip") => Ok(Config::Siglip(parse(path, &text)?)),
        Some(other) => Err(EmbedError::ModelType {
            found: other.to_owned(),
            path: path.to_path_buf(),
        }),
    }
}

fn open_clip_config(path: &Path) -> Result<Config, EmbedError> {
    let text = io::read_to_string(path)?;
    let config = open_clip::parse(&text).map_err(|source| EmbedError::OpenClip {
        path: path.to_path_buf(),
        source,
    })?;
    Ok(Config::OpenClip(config))
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, EmbedError> {
    serde_json::from_str(text).map_err(|source| EmbedError::Config {
        path: path.to_path_buf(),
        source,
    })
}
