//! Images or captions as vectors, without a run: what `hardlight embed` writes.

use std::path::Path;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::context::Context;
use super::error::Error;
use super::reporter::Stage;
use crate::dataset;
use crate::embed::clip::ClipEncoder;
use crate::embed::{EmbedError, ImageEncoder as _, TextEncoder as _};
use crate::io::image::decoded::{DecodedImage, Pixels};
use crate::io::image::{self, Exif};
use crate::io::{self, IoError};
use crate::run::skipped::OnBadImage;

/// Vectors with their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// Paths below the folder, or captions.
    pub ids: Vec<String>,
    /// `[n, d]`, before normalisation; every number is finite.
    pub matrix: Array2<f32>,
}

/// How images are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whether they are turned as their EXIF says.
    pub exif: Exif,
    /// Whether they become RGB and lose their alpha before anything else.
    pub rgb_first: bool,
    /// What becomes of one that cannot be read.
    pub on_bad_image: OnBadImage,
}

/// Every image file below a folder, by its path there, in bytewise order.
///
/// # Errors
///
/// Of kind input if there is none.
pub fn images_below(context: &mut Context<'_>, folder: &Path) -> Result<Vec<String>, Error> {
    let mut passed = Vec::new();
    let paths = dataset::images_below(folder, &mut passed)?;
    if let Some(first) = passed.first() {
        context.warn(format_args!(
            "{} entries below {} are not images and were passed over, the first: {first}",
            passed.len(),
            folder.display()
        ));
    }
    if paths.is_empty() {
        let text = format!("there is no image below {}", folder.display());
        return Err(Error::input(text));
    }
    Ok(paths)
}

/// The captions of a text file, one a line.
///
/// # Errors
///
/// Of kind input if there is none.
pub fn captions_of(file: &Path) -> Result<Vec<String>, Error> {
    let text = io::read_to_string(file)?;
    let captions: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    if captions.is_empty() {
        return Err(Error::input(format!("{} holds no caption", file.display())));
    }
    Ok(captions)
}

/// Embeds images, batch by batch.
///
/// # Errors
///
/// Of kind input for an image that cannot be read, unless such are passed over; of kind stopped.
pub fn of_images(
    context: &mut Context<'_>,
    encoder: &ClipEncoder,
    (folder, paths): (&Path, &[String]),
    reading: Reading,
) -> Result<Vectors, Error> {
    let mut vectors = Vectors::new(encoder.dim());
    let mut stage = Stage::begin(context.reporter, "embed images", paths.len(), "images");
    let batches = paths.chunks(encoder.batch());
    for (chunk, start) in batches.zip((0..).step_by(encoder.batch())) {
        if (context.stop)() {
            return Err(Error::stopped());
        }
        let pictures: Vec<Result<DecodedImage, IoError>> = chunk
            .par_iter()
            .map(|path| reading.read(&folder.join(path)))
            .collect();
        let (mut ids, mut readable) = (Vec::new(), Vec::new());
        for (path, picture) in chunk.iter().zip(pictures) {
            match picture {
                Ok(picture) => {
                    ids.push(path.clone());
                    readable.push(picture);
                }
                Err(error) if reading.on_bad_image == OnBadImage::Skip => {
                    let error = Error::from(error);
                    stage.warn(format_args!("skipped: {error:#}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        vectors.add(ids, &encoder.encode_decoded(&readable)?)?;
        stage.set(start + chunk.len(), "");
    }
    stage.end();
    Ok(vectors)
}

/// Embeds captions, batch by batch.
///
/// # Errors
///
/// Of kind device where the model fails; of kind stopped.
pub fn of_captions(
    context: &mut Context<'_>,
    encoder: &ClipEncoder,
    captions: &[String],
) -> Result<Vectors, Error> {
    let lines = 0..captions.len();
    let cut: Vec<usize> = lines
        .filter(|&line| encoder.truncates(&captions[line]))
        .collect();
    if let Some(&first) = cut.first() {
        context.warn(format_args!(
            "{} captions are longer than the model reads, and their ends were cut off; the first \
             is line {}: {:?}",
            cut.len(),
            first + 1,
            captions[first]
        ));
    }
    let mut vectors = Vectors::new(encoder.dim());
    let total = captions.len();
    let mut stage = Stage::begin(context.reporter, "embed captions", total, "captions");
    let batches = captions.chunks(encoder.batch());
    for (chunk, start) in batches.zip((0..).step_by(encoder.batch())) {
        if (context.stop)() {
            return Err(Error::stopped());
        }
        vectors.add(chunk.to_vec(), &encoder.encode_texts(chunk)?)?;
        stage.set(start + chunk.len(), "");
    }
    stage.end();
    Ok(vectors)
}

impl Reading {
    fn read(self, path: &Path) -> Result<DecodedImage, IoError> {
        let picture = image::read(path, self.exif)?;
        Ok(if self.rgb_first {
            Pixels::Rgb(picture.into_rgb()).into()
        } else {
            picture
        })
    }
}

impl Vectors {
    fn new(dim: usize) -> Self {
        Self {
            ids: Vec::new(),
            matrix: Array2::zeros((0, dim)),
        }
    }

    /// Adds rows; all must be finite, which half precision does not promise.
    fn add(&mut self, ids: Vec<String>, rows: &Array2<f32>) -> Result<(), Error> {
        for (id, row) in ids.iter().zip(rows.axis_iter(Axis(0))) {
            if let Some(dim) = row.iter().position(|v| !v.is_finite()) {
                let (id, value) = (id.clone(), row[dim]);
                return Err(EmbedError::NonFinite { id, dim, value }.into());
            }
        }
        self.ids.extend(ids);
        self.matrix
            .append(Axis(0), rows.view())
            .map_err(Error::other)
    }
}
