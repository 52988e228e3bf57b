//! Embeddings that are not made twice: `embeddings/SPLIT.safetensors` and `SPLIT.keys.json`.
//!
//! A row is keyed by the SHA-256 of its image's bytes and the fingerprint of the encoder, so a changed
//! image or model is embedded again and nothing else is; a renamed image keeps its row.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use ndarray::{Array2, ArrayView1, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, ExampleId};
use crate::embed::{EmbedError, ImageEncoder};
use crate::io::image::{DecodeError, Exif};
use crate::io::{self, Classified, ErrorKind, IoError};

/// Images decoded at once.
const CHUNK: usize = 64;

/// Why a split could not be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// An image or a cache file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An image could not be decoded.
    #[error(
        "{} could not be decoded: replace it, take it out of the data set, or pass over such images \
         with --on-bad-image skip",
        image.display()
    )]
    Decode {
        /// The image.
        image: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// More images than allowed cannot be used.
    #[error(
        "more than {limit} of {images} images cannot be used: mend them, take them out of the data \
         set, or raise --max-bad; the first are\n  {}",
        .first.join("\n  ")
    )]
    TooManyBad {
        /// How many may be passed over.
        limit: usize,
        /// Images of the data set.
        images: usize,
        /// The first of them, each with its reason.
        first: Vec<String>,
    },
    /// The encoder failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl Classified for CacheError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Embed(error) => error.kind(),
            Self::Decode { .. } | Self::TooManyBad { .. } => ErrorKind::Input,
        }
    }
}

/// What the rows of the matrix beside it are.
#[derive(Debug, Serialize, Deserialize)]
struct Keys {
    fingerprint: String,
    sha256: Vec<String>,
}

/// What a cache holds.
#[derive(Debug, Default)]
struct Stored {
    /// By the SHA-256 of the image.
    rows: BTreeMap<String, Vec<f32>>,
    ids: Vec<String>,
    sha256: Vec<String>,
}

/// The images to embed.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    /// The data set.
    pub dataset: &'a Dataset,
    /// The examples whose images they are.
    pub ids: &'a [ExampleId],
    /// How they are turned.
    pub exif: Exif,
}

/// Images, embedded.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The examples that have a row: all whose image can be used.
    pub ids: Vec<ExampleId>,
    /// One row each, `[ids, d]`.
    pub matrix: Array2<f32>,
    /// SHA-256 of the bytes of each.
    pub sha256: Vec<String>,
    /// Rows that were not in the cache.
    pub fresh: usize,
}

/// The two files in which a split's embeddings lie.
#[derive(Debug, Clone)]
pub struct CacheFiles {
    /// The matrix.
    pub matrix: PathBuf,
    /// Its keys.
    pub keys: PathBuf,
}

impl CacheFiles {
    /// In a folder, by the split's name.
    pub fn new(dir: &Path, split: &str) -> Self {
        Self {
            matrix: dir.join(format!("{split}.safetensors")),
            keys: dir.join(format!("{split}.keys.json")),
        }
    }

    /// What is there and was made by this encoder; nothing if the files do not belong together.
    fn load(&self, fingerprint: &str) -> Stored {
        let keys = io::read_to_string(&self.keys).ok();
        let keys = keys.and_then(|text| serde_json::from_str::<Keys>(&text).ok());
        match (keys, io::matrix::read_keyed(&self.matrix)) {
            (Some(keys), Ok((matrix, ids)))
                if keys.fingerprint == fingerprint && keys.sha256.len() == matrix.nrows() =>
            {
                let rows = matrix.outer_iter().map(|row| row.to_vec());
                Stored {
                    rows: keys.sha256.iter().cloned().zip(rows).collect(),
                    ids: ids.unwrap_or_default(),
                    sha256: keys.sha256,
                }
            }
            _ => Stored::default(),
        }
    }

    /// SHA-256 of the image of every row; none if there are no sound keys.
    pub fn sha256(&self) -> Option<Vec<String>> {
        let text = io::read_to_string(&self.keys).ok()?;
        let keys = serde_json::from_str::<Keys>(&text).ok()?;
        Some(keys.sha256)
    }

    fn store(
        &self,
        fingerprint: &str,
        ids: &[String],
        sha: &[String],
        m: &Array2<f32>,
    ) -> Result<(), IoError> {
        // Without keys the matrix counts as absent, so a kill between the two files is harmless.
        match std::fs::remove_file(&self.keys) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(IoError::Write {
                    path: self.keys.clone(),
                    source,
                });
            }
            _ => {}
        }
        io::matrix::write_safetensors(&self.matrix, "embeddings", m.view(), ids)?;
        let keys = serde_json::json!({ "fingerprint": fingerprint, "sha256": sha });
        io::write_atomic(&self.keys, keys.to_string().as_bytes())
    }
}

/// Embeds images, taking from the cache what it has; none if `stop` asked to end in between.
///
/// `bad` hears of every image that cannot be used, in order: it gives an error to end with, or leaves the
/// image out. `progress` is told after every chunk how many are done.
///
/// # Errors
///
/// [`CacheError`], naming the image.
pub fn embed(
    files: &CacheFiles,
    images: Images<'_>,
    encoder: &dyn ImageEncoder,
    bad: &mut dyn FnMut(ExampleId, CacheError) -> Result<(), CacheError>,
    stop: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(usize),
) -> Result<Option<Embedded>, CacheError> {
    let fingerprint = format!("{} {:?}", encoder.fingerprint(), images.exif);
    let stored = files.load(&fingerprint);
    let mut rows = Rows::new(images, encoder.dim());
    for (chunk, start) in images.ids.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        if stop() {
            return Ok(None);
        }
        let mut missing = Vec::new();
        let mut pictures = Vec::new();
        for (at, read) in (start..).zip(images.read(chunk, &stored, encoder.dim())) {
            let (sha256, found) = match read {
                Ok(read) => read,
                Err(error) => {
                    bad(images.ids[at], error)?;
                    continue;
                }
            };
            match found {
                Content::Row(row) => rows.matrix.row_mut(at).assign(&row),
                Content::Picture(picture) => {
                    missing.push(at);
                    pictures.push(picture);
                }
            }
            rows.usable.push(at);
            rows.sha256.push(sha256);
        }
        if !pictures.is_empty() {
            rows.put(&missing, &encoder.encode_images(&pictures)?)?;
        }
        progress(start + chunk.len());
    }
    let embedded = rows.finish();
    let ids = embedded.ids.iter();
    let names: Vec<String> = ids
        .map(|&id| images.dataset.example(id).id.clone())
        .collect();
    // Also where nothing is new: an image may have another name or place now.
    let same = embedded.fresh == 0 && stored.ids == names && stored.sha256 == embedded.sha256;
    if !names.is_empty() && !same {
        if let Some(folder) = files.matrix.parent() {
            io::create_dir_all(folder)?;
        }
        files.store(&fingerprint, &names, &embedded.sha256, &embedded.matrix)?;
    }
    Ok(Some(embedded))
}

/// What there is of an image that can be used.
enum Content<'a> {
    /// Its row in the cache.
    Row(ArrayView1<'a, f32>),
    /// Its pixels, still to be embedded.
    Picture(RgbImage),
}

impl Images<'_> {
    /// Reads images, each with its SHA-256; those with a row of `dim` numbers in the cache are not decoded.
    fn read<'a>(
        &self,
        ids: &[ExampleId],
        stored: &'a Stored,
        dim: usize,
    ) -> Vec<Result<(String, Content<'a>), CacheError>> {
        ids.par_iter()
            .map(|&id| {
                let image = self.dataset.image(self.dataset.example(id));
                let bytes = image.bytes()?;
                let sha256 = io::sha256_hex(&bytes);
                let row = stored.rows.get(&sha256).filter(|row| row.len() == dim);
                let found = if let Some(row) = row {
                    Content::Row(ArrayView1::from(row))
                } else {
                    let decoded = image.decode(&bytes, self.exif);
                    Content::Picture(decoded.map_err(|source| CacheError::Decode {
                        image: image.place(),
                        source,
                    })?)
                };
                Ok((sha256, found))
            })
            .collect()
    }
}

/// The rows of a split, as they come together.
struct Rows<'a> {
    images: Images<'a>,
    /// A row an image, those that cannot be used included.
    matrix: Array2<f32>,
    /// Places of the others among the images.
    usable: Vec<usize>,
    /// One for each of these.
    sha256: Vec<String>,
    fresh: usize,
}

impl<'a> Rows<'a> {
    fn new(images: Images<'a>, dim: usize) -> Self {
        let count = images.ids.len();
        Self {
            images,
            matrix: Array2::zeros((count, dim)),
            usable: Vec::with_capacity(count),
            sha256: Vec::with_capacity(count),
            fresh: 0,
        }
    }

    /// Takes what the encoder made of the images at these places.
    fn put(&mut self, places: &[usize], rows: &Array2<f32>) -> Result<(), EmbedError> {
        for (&at, row) in places.iter().zip(rows.outer_iter()) {
            if let Some(dim) = row.iter().position(|v| !v.is_finite()) {
                let Images { dataset, ids, .. } = self.images;
                return Err(EmbedError::NonFinite {
                    id: dataset.example(ids[at]).id.clone(),
                    dim,
                    value: row[dim],
                });
            }
            self.matrix.row_mut(at).assign(&row);
        }
        self.fresh += places.len();
        Ok(())
    }

    /// Without the images that cannot be used.
    fn finish(self) -> Embedded {
        let Self {
            images,
            mut matrix,
            usable,
            sha256,
            fresh,
        } = self;
        if usable.len() < images.ids.len() {
            matrix = matrix.select(Axis(0), &usable);
        }
        Embedded {
            ids: usable.into_iter().map(|at| images.ids[at]).collect(),
            matrix,
            sha256,
            fresh,
        }
    }
}

#[cfg(test)]
mod tests;
