//! Images small enough to stand within a page.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, ImageEncoder as _, RgbImage};

/// The longest side, px.
pub const SIDE: u32 = 96;

/// How good the JPEG is, of 100.
const QUALITY: u8 = 78;

/// A JPEG of an image with its width and height, px, at most [`SIDE`] on the longest side; none of an image without
/// pixels. Smaller images keep their size.
pub fn thumbnail(image: &RgbImage) -> Option<(Vec<u8>, (u32, u32))> {
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    if width == 0 || height == 0 {
        return None;
    }
    let scaled = |px: u32| (u64::from(px) * u64::from(SIDE) / u64::from(longest)).max(1) as u32;
    let small = if longest > SIDE {
        &imageops::resize(image, scaled(width), scaled(height), FilterType::Triangle)
    } else {
        image
    };
    let (width, height) = small.dimensions();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .write_image(small.as_raw(), width, height, ExtendedColorType::Rgb8)
        .ok()?;
    Some((bytes, (width, height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_is_a_small_jpeg_of_the_same_shape() {
        let image = RgbImage::from_fn(400, 100, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let (bytes, size) = thumbnail(&image).unwrap();
        assert_eq!(size, (96, 24));
        assert!(bytes.len() < 4000);
        let read = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), size);
        assert_eq!(thumbnail(&RgbImage::new(32, 16)).unwrap().1, (32, 16));
        assert_eq!(thumbnail(&RgbImage::new(1, 5000)).unwrap().1, (1, 96));
        assert_eq!(thumbnail(&RgbImage::new(0, 7)), None);
    }
}
