//! The analysed classifier's penultimate layer as a space of its own: directions without CLIP.

use std::path::Path;

use image::RgbImage;
use ndarray::Array2;

use crate::classifier::{ClassifierError, Cnn};
use crate::embed::resize::{Filter, Kernel, resize};
use crate::embed::{EmbedError, ImageEncoder};
use crate::io;

/// A classifier as an [`ImageEncoder`].
#[derive(Debug)]
pub struct ClassifierFeatures {
    cnn: Cnn,
    fingerprint: String,
}

impl ClassifierFeatures {
    /// Takes a classifier and the folder it was read from.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Io`].
    pub fn new(cnn: Cnn, dir: &Path) -> Result<Self, ClassifierError> {
        let fingerprint = io::fingerprint(dir, &["config.json", "model.safetensors"])?;
        Ok(Self { cnn, fingerprint })
    }

    /// The classifier.
    pub fn cnn(&self) -> &Cnn {
        &self.cnn
    }
}

/// Images at the size a classifier takes.
pub fn fitted(images: &[RgbImage], side: u32) -> Vec<RgbImage> {
    images
        .iter()
        .map(|image| {
            if image.dimensions() == (side, side) {
                image.clone()
            } else {
                resize(image, side, side, Filter::Bicubic, Kernel::Pil)
            }
        })
        .collect()
}

impl ImageEncoder for ClassifierFeatures {
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
        let images = fitted(images, self.cnn.config().image_size);
        self.cnn
            .predict(&images)
            .map(|predictions| predictions.features)
            .map_err(|error| EmbedError::Features {
                reason: error.to_string(),
            })
    }

    fn dim(&self) -> usize {
        self.cnn.config().features as usize
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
