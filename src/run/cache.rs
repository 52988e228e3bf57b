//! Embeddings that are not made twice: `embeddings/SPLIT.safetensors` and `SPLIT.keys.json`.
//!
//! A row is keyed by the SHA-256 of its image's bytes and the fingerprint of the encoder, so a changed
//! image or model is embedded again and nothing else is; a renamed image keeps its row.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use ndarray::{Array2, Axis};
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
    let Images { dataset, ids, exif } = images;
    let fingerprint = format!("{} {exif:?}", encoder.fingerprint());
    let dim = encoder.dim();
    let stored = files.load(&fingerprint);
    let known = &stored.rows;
    let mut matrix = Array2::zeros((ids.len(), dim));
    let mut sha256 = Vec::with_capacity(ids.len());
    // Places among `ids`.
    let mut usable = Vec::with_capacity(ids.len());
    let mut fresh = 0;
    for (chunk, start) in ids.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        if stop() {
            return Ok(None);
        }
        let read: Vec<Result<(String, Option<RgbImage>), CacheError>> = chunk
            .par_iter()
            .map(|&id| {
                let image = dataset.image(dataset.example(id));
                let bytes = image.bytes()?;
                let sha = io::sha256_hex(&bytes);
                let known = known.get(&sha).is_some_and(|row| row.len() == dim);
                let pixels = if known {
                    None
                } else {
                    let decoded = image.decode(&bytes, exif);
                    Some(decoded.map_err(|source| CacheError::Decode {
                        image: image.place(),
                        source,
                    })?)
                };
                Ok((sha, pixels))
            })
            .collect();
        let mut missing = Vec::new();
        let mut pictures = Vec::new();
        for (index, read) in (start..).zip(read) {
            let (sha, image) = match read {
                Ok(read) => read,
                Err(error) => {
                    bad(ids[index], error)?;
                    continue;
                }
            };
            match image {
                Some(image) => {
                    missing.push(index);
                    pictures.push(image);
                }
                None => {
                    if let Some(row) = known.get(&sha) {
                        matrix
                            .row_mut(index)
                            .assign(&ndarray::ArrayView1::from(row));
                    }
                }
            }
            usable.push(index);
            sha256.push(sha);
        }
        if !pictures.is_empty() {
            let rows = encoder.encode_images(&pictures)?;
            for (&at, row) in missing.iter().zip(rows.axis_iter(Axis(0))) {
                if let Some(dim) = row.iter().position(|v| !v.is_finite()) {
                    return Err(EmbedError::NonFinite {
                        id: dataset.example(ids[at]).id.clone(),
                        dim,
                        value: row[dim],
                    }
                    .into());
                }
                matrix.row_mut(at).assign(&row);
            }
            fresh += missing.len();
        }
        progress(start + chunk.len());
    }
    if usable.len() < ids.len() {
        matrix = matrix.select(Axis(0), &usable);
    }
    let ids: Vec<ExampleId> = usable.into_iter().map(|at| ids[at]).collect();
    let names = ids.iter().map(|&id| dataset.example(id).id.clone());
    let names: Vec<String> = names.collect();
    // Also where nothing is new: an image may have another name or place now.
    if !ids.is_empty() && (fresh > 0 || stored.ids != names || stored.sha256 != sha256) {
        if let Some(folder) = files.matrix.parent() {
            io::create_dir_all(folder)?;
        }
        files.store(&fingerprint, &names, &sha256, &matrix)?;
    }
    Ok(Some(Embedded {
        ids,
        matrix,
        sha256,
        fresh,
    }))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::dataset::{Example, Split};

    /// The mean colour of an image; counts what it is given.
    struct Colour(Cell<usize>, &'static str);

    impl ImageEncoder for Colour {
        fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
            self.0.set(self.0.get() + images.len());
            let pixel = |i: usize, c: usize| f32::from(images[i].get_pixel(0, 0)[c]);
            Ok(Array2::from_shape_fn((images.len(), 3), |(i, c)| {
                pixel(i, c)
            }))
        }
        fn dim(&self) -> usize {
            3
        }
        fn fingerprint(&self) -> &str {
            self.1
        }
    }

    fn dataset(folder: &Path, names: &[&str]) -> Dataset {
        let examples = names
            .iter()
            .map(|&name| Example::new(name.to_owned(), 0, Split::Val));
        let classes = vec!["cat".to_owned()];
        Dataset::new(folder.to_owned(), classes, examples.collect()).unwrap()
    }

    /// Embeds all images of a data set in order; `bad` as in [`embed`].
    fn all(
        data: &Dataset,
        files: &CacheFiles,
        encoder: &Colour,
        bad: &mut dyn FnMut(ExampleId, CacheError) -> Result<(), CacheError>,
    ) -> Result<Embedded, CacheError> {
        let images = Images {
            dataset: data,
            ids: &data.ids().collect::<Vec<_>>(),
            exif: Exif::Apply,
        };
        let embedded = embed(files, images, encoder, bad, &|| false, &mut |_| {})?;
        Ok(embedded.unwrap())
    }

    fn run(folder: &Path, encoder: &Colour) -> Array2<f32> {
        let names: Vec<String> = (0..70).map(|i| format!("{i}.png")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let files = CacheFiles::new(&folder.join("cache"), "val");
        let data = dataset(folder, &names);
        let embedded = all(&data, &files, encoder, &mut |_, error| Err(error));
        embedded.unwrap().matrix
    }

    #[test]
    fn only_what_changed_is_embedded_again() {
        let folder = tempfile::tempdir().unwrap();
        let paint = |i: u8, value: u8| {
            let image = RgbImage::from_pixel(2, 2, image::Rgb([value, i, 7]));
            image.save(folder.path().join(format!("{i}.png"))).unwrap();
        };
        (0..70).for_each(|i| paint(i, 0));
        let encoder = Colour(Cell::new(0), "a");
        let first = run(folder.path(), &encoder);
        assert_eq!(encoder.0.get(), 70);
        assert_eq!(run(folder.path(), &encoder), first);
        assert_eq!(encoder.0.get(), 70, "all from the cache");
        paint(66, 9);
        let changed = run(folder.path(), &encoder);
        assert_eq!(encoder.0.get(), 71, "one image changed");
        assert_eq!(changed.row(66).to_vec(), [9.0, 66.0, 7.0]);
        assert_eq!(changed.row(65), first.row(65));
        run(folder.path(), &Colour(Cell::new(0), "b"));
        let other = Colour(Cell::new(0), "a");
        run(folder.path(), &other);
        assert_eq!(other.0.get(), 70, "another model's rows are not ours");
    }

    #[test]
    fn a_renamed_image_keeps_its_row_under_its_new_name() {
        let folder = tempfile::tempdir().unwrap();
        for (i, name) in ["a.png", "b.png"].iter().enumerate() {
            let image = RgbImage::from_pixel(2, 2, image::Rgb([i as u8, 5, 7]));
            image.save(folder.path().join(name)).unwrap();
        }
        let encoder = Colour(Cell::new(0), "a");
        let files = CacheFiles::new(&folder.path().join("cache"), "val");
        let run = |names: [&str; 2]| {
            let data = dataset(folder.path(), &names);
            let embedded = all(&data, &files, &encoder, &mut |_, error| Err(error));
            let (stored, ids) = io::matrix::read_keyed(&files.matrix).unwrap();
            assert_eq!(stored, embedded.unwrap().matrix);
            assert_eq!(ids.unwrap(), names);
        };
        run(["a.png", "b.png"]);
        std::fs::rename(folder.path().join("a.png"), folder.path().join("c.png")).unwrap();
        run(["b.png", "c.png"]);
        assert_eq!(encoder.0.get(), 2, "nothing was embedded again");
    }

    #[test]
    fn a_damaged_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.png"), "no image").unwrap();
        let data = dataset(folder.path(), &["x.png"]);
        let files = CacheFiles::new(folder.path(), "val");
        let encoder = Colour(Cell::new(0), "a");
        let error = all(&data, &files, &encoder, &mut |_, error| Err(error));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("x.png could not be decoded")
        );
    }

    #[test]
    fn what_is_passed_over_has_no_row_and_comes_back_when_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let paint = |name: &str, value: u8| {
            let image = RgbImage::from_pixel(2, 2, image::Rgb([value, 0, 0]));
            image.save(path(name)).unwrap();
        };
        paint("a.png", 1);
        std::fs::write(path("b.png"), "no image").unwrap();
        paint("d.png", 4);
        let data = dataset(folder.path(), &["a.png", "b.png", "c.png", "d.png"]);
        let files = CacheFiles::new(&path("cache"), "val");
        let encoder = Colour(Cell::new(0), "a");
        let run = || {
            let mut passed = Vec::new();
            let embedded = all(&data, &files, &encoder, &mut |id, _| {
                passed.push(id.index());
                Ok(())
            });
            let embedded = embedded.unwrap();
            let used: Vec<usize> = embedded.ids.iter().map(|id| id.index()).collect();
            (embedded, used, passed)
        };
        let (embedded, used, passed) = run();
        assert_eq!((passed, used), (vec![1, 2], vec![0, 3]));
        let (_, stored) = io::matrix::read_keyed(&files.matrix).unwrap();
        assert_eq!(stored.unwrap(), ["a.png", "d.png"]);
        assert_eq!(embedded.matrix.column(0).to_vec(), [1.0, 4.0]);
        assert_eq!(embedded.sha256.len(), 2);
        run();
        assert_eq!(encoder.0.get(), 2, "the good ones come from the cache");
        paint("b.png", 2);
        let (embedded, used, passed) = run();
        assert_eq!((passed, used), (vec![2], vec![0, 1, 3]));
        assert_eq!(embedded.matrix.column(0).to_vec(), [1.0, 2.0, 4.0]);
        assert_eq!(encoder.0.get(), 3);
    }
}
