//! How pictures leave: at which size, as which kind of file.

use image::RgbImage;

use super::EngineError;
use crate::embed::resize::{Filter, Kernel, resize};
use crate::generate::Picture;
use crate::image_file::{self, FileFormat};
use crate::io::image::{Exif, decode_rgb};

/// How images leave the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// Width and height to resize to; none leaves the generator's.
    pub size: Option<(u32, u32)>,
    /// Kind of file.
    pub format: FileFormat,
    /// Rejected images kept per mode, in plan order.
    pub keep_rejected: usize,
}

/// A picture with the pixels that a reader of its file will see.
pub(super) struct Finished {
    pub(super) picture: Picture,
    format: FileFormat,
    /// Its file without marks, where the format loses something.
    jpeg: Option<Vec<u8>>,
}

/// What is to be written.
pub(super) enum Body {
    Pixels(RgbImage, FileFormat),
    Jpeg(Vec<u8>),
}

impl Finish {
    /// The picture at the data set's size and encoding: what is judged is what is written.
    pub(super) fn finished(&self, mut picture: Picture) -> Result<Finished, EngineError> {
        if let Some((w, h)) = self.size.filter(|&size| picture.image.dimensions() != size) {
            picture.image = resize(&picture.image, w, h, Filter::Bicubic, Kernel::Pil);
        }
        let jpeg = match self.format {
            FileFormat::Png | FileFormat::WebP => None,
            FileFormat::Jpeg => {
                let bytes = image_file::encode(&picture.image, FileFormat::Jpeg, None)?;
                picture.image = decode_rgb(&bytes, Exif::Ignore)?;
                Some(bytes)
            }
        };
        Ok(Finished {
            picture,
            format: self.format,
            jpeg,
        })
    }
}

impl Finished {
    pub(super) fn into_body(self) -> Body {
        match self.jpeg {
            Some(bytes) => Body::Jpeg(bytes),
            None => Body::Pixels(self.picture.image, self.format),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_is_judged_by_the_pixels_of_its_file() {
        let image = RgbImage::from_fn(20, 20, |x, y| {
            image::Rgb([(x * 12) as u8, (y * 12) as u8, (x * y) as u8])
        });
        let picture = Picture {
            image: image.clone(),
            finite: true,
            flagged: false,
        };
        let finish = |format| Finish {
            size: Some((16, 16)),
            format,
            keep_rejected: 0,
        };
        let png = finish(FileFormat::Png).finished(picture.clone()).unwrap();
        let small = resize(&image, 16, 16, Filter::Bicubic, Kernel::Pil);
        assert_eq!(png.picture.image, small);
        let jpeg = finish(FileFormat::Jpeg).finished(picture).unwrap();
        assert_eq!(jpeg.picture.image.dimensions(), (16, 16));
        assert_ne!(jpeg.picture.image, small);
        let judged = jpeg.picture.image.clone();
        let Body::Jpeg(bytes) = jpeg.into_body() else {
            panic!("a JPEG is encoded once")
        };
        assert_eq!(decode_rgb(&bytes, Exif::Ignore).unwrap(), judged);
    }
}
