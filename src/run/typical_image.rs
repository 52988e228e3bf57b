//! What a data set's images look like from outside: their size and encoding.
//!
//! A classifier trained on 32 px JPEGs and 512 px PNGs learns to tell the two apart, and with them
//! the synthetic from the real. Images written as the data set's own leave nothing to learn.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};

use image::{ImageFormat, ImageReader};

use crate::image_file::FileFormat;
use crate::io::IoError;
use crate::io::source::{ImageSource, Member};

/// Images whose headers are read at most.
const SAMPLE: usize = 1000;

/// Size and encoding of most images of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypicalImage {
    /// Width and height that most images have, px.
    pub size: (u32, u32),
    /// What most images are saved as; all that loses something counts as JPEG.
    pub format: FileFormat,
    /// Images that have that size, of those that were looked at.
    pub same_size: usize,
    /// Images that were looked at.
    pub seen: usize,
}

/// Looks at the headers of up to 1,000 images, evenly spread; none for no images.
///
/// # Errors
///
/// [`IoError::Read`], naming the image.
pub fn typical_image(images: &[ImageSource]) -> Result<Option<TypicalImage>, IoError> {
    let every = images.len().div_ceil(SAMPLE).max(1);
    let mut sizes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let (mut lossy, mut webps, mut seen) = (0, 0, 0);
    for image in images.iter().step_by(every) {
        let (size, format) = header(image)?;
        *sizes.entry(size).or_default() += 1;
        lossy += usize::from(format == FileFormat::Jpeg);
        webps += usize::from(format == FileFormat::WebP);
        seen += 1;
    }
    // The first of equals is the smallest.
    let most = sizes.into_iter().rev().max_by_key(|&(_, count)| count);
    Ok(most.map(|(size, same_size)| TypicalImage {
        size,
        format: if 2 * lossy > seen {
            FileFormat::Jpeg
        } else if 2 * webps > seen {
            FileFormat::WebP
        } else {
            FileFormat::Png
        },
        same_size,
        seen,
    }))
}

/// Size of an image, and the format that is like its own.
fn header(image: &ImageSource) -> Result<((u32, u32), FileFormat), IoError> {
    if let Some(&Member::Record { side, .. }) = image.member() {
        return Ok(((side, side), FileFormat::Png));
    }
    let failed = |source| IoError::Read {
        path: image.place(),
        source,
    };
    let reader = ImageReader::new(content(image)?)
        .with_guessed_format()
        .map_err(failed)?;
    let format = match reader.format() {
        Some(ImageFormat::Jpeg) => FileFormat::Jpeg,
        Some(ImageFormat::WebP) => FileFormat::like_webp(content(image)?),
        _ => FileFormat::Png,
    };
    let size = reader
        .into_dimensions()
        .map_err(|error| failed(std::io::Error::other(error)))?;
    Ok((size, format))
}

/// Of a file, no more is read than the header.
fn content(image: &ImageSource) -> Result<Box<dyn Content>, IoError> {
    Ok(match image.member() {
        None => {
            let file = File::open(image.file()).map_err(|source| IoError::Read {
                path: image.place(),
                source,
            })?;
            Box::new(BufReader::new(file))
        }
        Some(_) => Box::new(Cursor::new(image.bytes()?)),
    })
}

/// What a header is read from.
trait Content: BufRead + Seek {}

impl<T: BufRead + Seek> Content for T {}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;
    use crate::image_file::encode;

    #[test]
    fn most_images_decide() {
        let folder = tempfile::tempdir().unwrap();
        let mut images = Vec::new();
        for (name, side) in [("a.jpg", 8), ("b.jpg", 8), ("c.png", 16)] {
            let path = folder.path().join(name);
            RgbImage::new(side, 8).save(&path).unwrap();
            images.push(ImageSource::new(path, None));
        }
        let found = typical_image(&images).unwrap().unwrap();
        assert_eq!((found.size, found.format), ((8, 8), FileFormat::Jpeg));
        assert_eq!((found.same_size, found.seen), (2, 3));
        assert_eq!(typical_image(&[]).unwrap(), None);
        let webp = folder.path().join("e.webp");
        let pixels = RgbImage::new(8, 8);
        std::fs::write(&webp, encode(&pixels, FileFormat::WebP, None).unwrap()).unwrap();
        let found = typical_image(&[ImageSource::new(webp, None)])
            .unwrap()
            .unwrap();
        assert_eq!((found.size, found.format), ((8, 8), FileFormat::WebP));
        let text = folder.path().join("d.png");
        std::fs::write(&text, "no image").unwrap();
        let text = ImageSource::new(text, None);
        assert!(
            typical_image(&[text])
                .unwrap_err()
                .to_string()
                .contains("d.png")
        );
    }
}
