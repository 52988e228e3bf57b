//! Embeddings of images and captions in one space, and who makes them.
//!
//! - [`Embeddings`]: a matrix with its ids; [`ImageEncoder`] and [`TextEncoder`]: who fills it.
//! - [`preprocess`] and [`resize`]: from a decoded image to the pixels a tower expects.
//! - [`clip`]: a CLIP folder behind both traits.
//!
//! May import: `io`, `dataset`, `nn`.

#[cfg(feature = "torch")]
pub mod clip;
pub mod conformance;
pub mod preprocess;
pub mod resize;
#[cfg(feature = "torch")]
pub mod safety;

use std::path::PathBuf;

use image::RgbImage;
use ndarray::Array2;

use crate::io::{self, Classified, ErrorKind};

/// Why embedding failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The encoder's folder does not exist.
    #[error("CLIP folder {} does not exist", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },

    /// An embedding is not a finite number.
    #[error(
        "the embedding of {id} holds {value} in dimension {dim}: is the image or the model damaged?"
    )]
    NonFinite {
        /// Id of the image, or the caption.
        id: String,
        /// Zero-based dimension.
        dim: usize,
        /// The number.
        value: f32,
    },

    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] io::IoError),

    /// The preprocessing config was refused.
    #[error(transparent)]
    Preprocess(#[from] preprocess::PreprocessError),

    /// The encoder's folder holds no config.
    #[error(
        "{} holds neither config.json nor open_clip_config.json: is it a CLIP folder?",
        dir.display()
    )]
    NoConfig {
        /// The folder.
        dir: PathBuf,
    },

    /// The model's config was refused.
    #[error("{} does not describe a CLIP model", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// `open_clip`'s config was refused.
    #[cfg(feature = "torch")]
    #[error("{} does not describe a CLIP model", path.display())]
    OpenClip {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: crate::nn::clip::open_clip::OpenClipError,
    },

    /// The config is of another family of models.
    #[error("{}: model_type is {found:?}, expected \"clip\" or \"siglip\"", path.display())]
    ModelType {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },

    /// Tokenizer and text tower are not of the same model.
    #[error(
        "the tokenizer has {tokens} tokens, the text tower knows {known} ({}): take both from the \
         same model",
        path.display()
    )]
    Vocabulary {
        /// The config with the tower's number.
        path: PathBuf,
        /// The tokenizer's.
        tokens: usize,
        /// The tower's.
        known: i64,
    },

    /// Preprocessing and image tower are not of the same model.
    #[error(
        "preprocessing makes 3 x {height} x {width}, the image tower takes {channels} x {side} x \
         {side} ({}): take both from the same model",
        path.display()
    )]
    ImageSize {
        /// The config with the tower's size.
        path: PathBuf,
        /// Pixels.
        height: usize,
        /// Pixels.
        width: usize,
        /// The tower's, in pixels.
        side: i64,
        /// The tower's colour channels.
        channels: i64,
    },

    /// The model's weights were refused.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Params(#[from] crate::nn::params::ParamsError),

    /// A classifier could not give its logits or features.
    #[error("the classifier failed")]
    Features {
        /// What kind of failure that is.
        kind: ErrorKind,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A pipeline names a safety checker that it does not have.
    #[error(
        "model_index.json names a safety checker, but {} is not there: fetch it, or turn it off \
         (filter.safety = false, or --no-safety-checker of generate)",
        dir.display()
    )]
    NoSafety {
        /// The folder.
        dir: PathBuf,
    },

    /// A safety checker was refused or failed.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Safety(#[from] crate::nn::safety_checker::SafetyError),

    /// The tokenizer was refused.
    #[error(transparent)]
    Tokenizer(#[from] crate::nn::tokenizer::TokenizerError),

    /// libtorch failed.
    #[cfg(feature = "torch")]
    #[error("embedding failed; with too little memory, try a smaller --batch")]
    Torch(#[from] tch::TchError),
}

impl Classified for EmbedError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Preprocess(error) => error.kind(),
            Self::Tokenizer(error) => error.kind(),
            #[cfg(feature = "torch")]
            Self::Params(error) => error.kind(),
            #[cfg(feature = "torch")]
            Self::Safety(error) => error.kind(),
            #[cfg(feature = "torch")]
            Self::Torch(error) => error.kind(),
            Self::Features { kind, .. } => *kind,
            _ => ErrorKind::Input,
        }
    }
}

/// Embeddings of one split.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Ids of the rows.
    pub ids: Vec<String>,
    /// `[n, d]`, before normalisation.
    pub matrix: Array2<f32>,
    /// What made them: a fingerprint of the model, or the name of the user's file.
    pub space: String,
}

/// Turns images into vectors.
pub trait ImageEncoder {
    /// Embeds images.
    ///
    /// # Shapes
    ///
    /// The result is `[images, dim]`, before normalisation. A row depends on its image alone.
    ///
    /// # Errors
    ///
    /// [`EmbedError`].
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError>;

    /// Width of an embedding.
    fn dim(&self) -> usize;

    /// A hash of the model and its preprocessing.
    fn fingerprint(&self) -> &str;
}

/// Turns captions into vectors of the same space as an [`ImageEncoder`]'s.
pub trait TextEncoder {
    /// Embeds captions; the result is `[captions, dim]`, before normalisation.
    ///
    /// # Errors
    ///
    /// [`EmbedError`].
    fn encode_texts(&self, captions: &[String]) -> Result<Array2<f32>, EmbedError>;

    /// Whether a caption is longer than the encoder reads, so that its end is not seen.
    fn truncates(&self, caption: &str) -> bool {
        let _ = caption;
        false
    }
}

/// Images and captions in one space, as CLIP has them.
pub trait JointEncoder: ImageEncoder + TextEncoder {}

impl<T: ImageEncoder + TextEncoder> JointEncoder for T {}
