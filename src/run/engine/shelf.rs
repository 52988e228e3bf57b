//! The images of an arm that were kept so far, for those to come to be compared with.

use std::path::PathBuf;

use image::RgbImage;
use ndarray::ArrayView1;

use super::EngineError;
use crate::embed::ImageEncoder;
use crate::filter::duplicate::{Kept, Thumbnail};
use crate::io::image::{Exif, read_rgb};

/// Images embedded at once.
const CHUNK: usize = 32;

/// What was kept, in plan order. Images kept by an earlier process are read when they are first needed,
/// which is never where nothing is left to do.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    kept: Kept,
    waiting: Vec<(String, PathBuf)>,
}

impl Shelf {
    /// Begins with these.
    pub(super) fn new(kept: Kept) -> Self {
        let waiting = Vec::new();
        Self { kept, waiting }
    }

    /// Adds an image kept by an earlier process.
    pub(super) fn wait(&mut self, id: &str, path: PathBuf) {
        self.waiting.push((id.to_owned(), path));
    }

    /// Adds an image of this process.
    pub(super) fn add(&mut self, id: String, embedding: ArrayView1<'_, f32>, thumbnail: Thumbnail) {
        self.kept.add(id, embedding, thumbnail);
    }

    /// All of them.
    pub(super) fn filled(&mut self, encoder: &dyn ImageEncoder) -> Result<&Kept, EngineError> {
        for chunk in self.waiting.chunks(CHUNK) {
            let images: Vec<RgbImage> = chunk
                .iter()
                .map(|(_, path)| read_rgb(path, Exif::Ignore))
                .collect::<Result<_, _>>()?;
            let embeddings = encoder.encode_images(&images)?;
            for (((id, _), image), row) in chunk.iter().zip(&images).zip(embeddings.outer_iter()) {
                self.kept.add(id.clone(), row, Thumbnail::of(image));
            }
        }
        self.waiting.clear();
        Ok(&self.kept)
    }
}
