//! The error of pipeline folders.

use std::path::PathBuf;

use crate::diffusion::config::ConfigError;
use crate::diffusion::schedulers::SchedulerError;
use crate::io::{self, Classified, ErrorKind};
use crate::nn::lora::LoraError;
use crate::nn::params::ParamsError;
use crate::nn::tokenizer::TokenizerError;

/// Why a pipeline folder could not be opened or sampled from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The folder does not exist.
    #[error("model folder {} does not exist", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },

    /// It is a file.
    #[error(
        "{} is a checkpoint in a single file: convert it once with Diffusers, \
         StableDiffusionPipeline.from_single_file({:?}).save_pretrained(DIR), and give DIR \
         (a LoRA goes to --lora)",
        path.display(), path.display().to_string()
    )]
    SingleFile {
        /// The file.
        path: PathBuf,
    },

    /// The folder is no pipeline.
    #[error(
        "{} has no model_index.json, so it is no Diffusers pipeline (`hardlight doctor` says what it is)",
        dir.display()
    )]
    NoIndex {
        /// The folder.
        dir: PathBuf,
    },

    /// The folder, or a part of it, is of a class that is not known.
    #[error("{}: {key} is {found}: expected {expected}", path.display())]
    Class {
        /// `model_index.json`.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it says.
        found: String,
        /// What is known.
        expected: String,
    },

    /// UNet and VAE do not belong together.
    #[error(
        "{}: unet takes {inputs} and gives {outputs} channels but vae has {latent}: only text-to-image \
         models are read, not inpainting or depth models",
        dir.display()
    )]
    Channels {
        /// The folder.
        dir: PathBuf,
        /// `in_channels` of the UNet.
        inputs: i64,
        /// `out_channels` of the UNet.
        outputs: i64,
        /// `latent_channels` of the VAE.
        latent: i64,
    },

    /// The text encoders' pooled caption does not fit the UNet.
    #[error(
        "{}: text_encoder_2 gives a pooled caption of {pooled} numbers but unet takes {unet}: the \
         parts are of different models",
        dir.display()
    )]
    PooledWidth {
        /// The folder.
        dir: PathBuf,
        /// `projection_dim` of the second text encoder.
        pooled: i64,
        /// What the UNet's config leaves for it.
        unet: i64,
    },

    /// The image condition's parts do not fit the UNet.
    #[error(
        "{}: image_normalizer is for embeddings of {embedding} numbers but unet takes a condition of \
         {unet}, which should be twice as many",
        dir.display()
    )]
    ImageWidth {
        /// The folder.
        dir: PathBuf,
        /// `embedding_dim` of the normaliser.
        embedding: i64,
        /// What the UNet takes.
        unet: i64,
    },

    /// A request lacks the image embedding that the model is conditioned on, or has one of another
    /// width.
    #[error("this model is conditioned on image embeddings of {expected} numbers, got {got}")]
    Embedding {
        /// Numbers given, 0 for none.
        got: usize,
        /// Numbers that it takes; 0 if it takes no embedding.
        expected: usize,
    },

    /// The model cannot start from an image.
    #[error("this {class} cannot start from an image: {why}")]
    NoStart {
        /// The folder's class.
        class: String,
        /// What is in the way.
        why: &'static str,
    },

    /// The text encoder and the UNet do not belong together.
    #[error(
        "{}: the text encoders give {text} numbers a token but unet takes {unet}: the parts are of \
         different models",
        dir.display()
    )]
    TextWidth {
        /// The folder.
        dir: PathBuf,
        /// Width of the text encoders together.
        text: i64,
        /// `cross_attention_dim` of the UNet.
        unet: i64,
    },

    /// The tokenizer's ids do not fit the text encoder.
    #[error("{}: the tokenizer has {tokens} tokens but its text encoder knows {known}", dir.display())]
    Vocabulary {
        /// The folder.
        dir: PathBuf,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// `vocab_size` of the text encoder.
        known: i64,
    },

    /// A prompt weights its words, in a notation that the model does not read.
    #[error(
        "the prompt {prompt:?} has {found:?}, which another program reads as a weight or an instruction; here, as in \
         Diffusers, the model would see its brackets and numbers as text: write the prompt without"
    )]
    Weighting {
        /// The prompt.
        prompt: String,
        /// The part that weights.
        found: String,
    },

    /// A setting makes no sense for this model.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: String,
    },

    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] io::IoError),
    /// A config was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Weights were refused.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// An adapter was refused.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// The tokenizer was refused.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The scheduler was refused.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),

    /// libtorch failed while it sampled.
    #[error("sampling failed; with too little memory, try a smaller --batch")]
    Torch(#[from] tch::TchError),
}

impl Classified for PipelineError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } | Self::Weighting { .. } => ErrorKind::Usage,
            Self::Io(error) => error.kind(),
            Self::Config(error) => error.kind(),
            Self::Params(error) => error.kind(),
            Self::Lora(error) => error.kind(),
            Self::Tokenizer(error) => error.kind(),
            Self::Scheduler(error) => error.kind(),
            Self::Torch(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}
