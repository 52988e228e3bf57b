//! Embeddings of images and captions in one space, and who makes them.
//!
//! - [`Embeddings`]: a matrix with its ids; [`ImageEncoder`] and [`TextEncoder`]: who fills it.
//! - [`preprocess`] and [`resize`]: from a decoded image to the pixels a tower expects.
//! - [`clip`]: a CLIP folder behind both traits.
//!
//! May import: `io`, `dataset`, `nn`.

#[cfg(feature = "torch")]
pub mod clip;
pub mod preprocess;
pub mod resize;

use std::path::PathBuf;

use image::RgbImage;
use ndarray::Array2;

use crate::io;

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

    /// The model's config was refused.
    #[error("{} does not describe a CLIP model", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What the JSON reader said.
        #[source]
        source: serde_json::Error,
    },

    /// The model's weights were refused.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Params(#[from] crate::nn::params::ParamsError),

    /// A classifier could not give its features.
    #[error("the classifier gave no features: {reason}")]
    Features {
        /// What it said.
        reason: String,
    },

    /// The tokenizer was refused.
    #[error(transparent)]
    Tokenizer(#[from] crate::nn::clip::tokenizer::TokenizerError),

    /// libtorch failed.
    #[cfg(feature = "torch")]
    #[error("embedding failed; with too little memory, try a smaller --batch")]
    Torch(#[from] tch::TchError),
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
}
