//! How pictures leave: at which size, as which kind of file, with which marks.

use image::RgbImage;
use serde_json::json;

use super::SamplingError;
use crate::embed::resize::{Filter, Kernel, resize};
use crate::generate::recipe::Output;
use crate::generate::{AttemptId, GeneratedImage, MadeOn, Recipe};
use crate::image_file::{self, FileFormat, Marks, Parameters};
use crate::io::image::{Exif, decode_rgb};

/// A picture with the pixels that a reader of its file will see.
pub(super) struct Finished {
    pub(super) picture: GeneratedImage,
    /// Its file without marks, where the format loses something.
    jpeg: Option<Vec<u8>>,
}

/// What is to be written.
pub(super) enum Body {
    Pixels(RgbImage),
    Jpeg(Vec<u8>),
}

/// The picture at its output's size and encoding: what is measured is what is written.
pub(super) fn finished(
    mut picture: GeneratedImage,
    output: Output,
) -> Result<Finished, SamplingError> {
    let Output {
        width,
        height,
        format,
    } = output;
    if picture.image.dimensions() != (width, height) {
        picture.image = resize(&picture.image, width, height, Filter::Bicubic, Kernel::Pil);
    }
    let jpeg = if format == FileFormat::Jpeg {
        let bytes = image_file::encode(&picture.image, FileFormat::Jpeg, None)?;
        picture.image = decode_rgb(&bytes, Exif::Ignore)?;
        Some(bytes)
    } else {
        None
    };
    Ok(Finished { picture, jpeg })
}

impl Body {
    /// The file, with what it says of itself.
    pub(super) fn encode(
        self,
        format: FileFormat,
        marks: &Marks,
    ) -> Result<Vec<u8>, SamplingError> {
        Ok(match self {
            Self::Pixels(image) => image_file::encode(&image, format, Some(marks))?,
            Self::Jpeg(bytes) => image_file::add_marks_to_jpeg(bytes, marks)?,
        })
    }
}

/// The file of a picture, as a run writes it.
///
/// # Errors
///
/// [`SamplingError::Encode`], [`SamplingError::Decode`].
pub fn file(
    picture: GeneratedImage,
    recipe: &Recipe,
    made_on: &MadeOn,
) -> Result<Vec<u8>, SamplingError> {
    let marks = marks(&recipe.id(), recipe, made_on);
    let finished = finished(picture, recipe.output)?;
    finished.into_body().encode(recipe.output.format, &marks)
}

impl Finished {
    pub(super) fn into_body(self) -> Body {
        match self.jpeg {
            Some(bytes) => Body::Jpeg(bytes),
            None => Body::Pixels(self.picture.image),
        }
    }
}

/// What an image's file says of itself: it follows from the recipe alone, so that the same recipe gives the
/// same bytes.
pub fn marks(id: &AttemptId, recipe: &Recipe, made_on: &MadeOn) -> Marks {
    Marks {
        parameters: Parameters {
            caption: recipe.caption.clone(),
            negative_prompt: recipe.negative_prompt.clone(),
            steps: recipe.steps,
            scheduler: recipe.scheduler.name.clone(),
            guidance: recipe.guidance,
            seed: recipe.seed,
            width: recipe.width,
            height: recipe.height,
            model: recipe.model.name.clone(),
            strength: recipe.start.strength(),
        },
        hardlight: json!({"schema": 2, "id": id, "recipe": recipe, "made_on": made_on}),
        source: recipe.start.digital_source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_is_measured_by_the_pixels_of_its_file() {
        let image = RgbImage::from_fn(20, 20, |x, y| {
            image::Rgb([(x * 12) as u8, (y * 12) as u8, (x * y) as u8])
        });
        let picture = GeneratedImage {
            image: image.clone(),
            finite: true,
            flagged: false,
            latents: None,
        };
        let output = |format| Output {
            width: 16,
            height: 16,
            format,
        };
        let png = finished(picture.clone(), output(FileFormat::Png)).unwrap();
        let small = resize(&image, 16, 16, Filter::Bicubic, Kernel::Pil);
        assert_eq!(png.picture.image, small);
        let jpeg = finished(picture, output(FileFormat::Jpeg)).unwrap();
        assert_eq!(jpeg.picture.image.dimensions(), (16, 16));
        assert_ne!(jpeg.picture.image, small);
        let measured = jpeg.picture.image.clone();
        let Body::Jpeg(bytes) = jpeg.into_body() else {
            panic!("a JPEG is encoded once")
        };
        assert_eq!(decode_rgb(&bytes, Exif::Ignore).unwrap(), measured);
    }
}
