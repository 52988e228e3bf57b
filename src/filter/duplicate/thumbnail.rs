//! What is left of an image when size, encoding, brightness and contrast do not count.

use image::RgbImage;

use crate::embed::resize::{Filter, Kernel, resize};

/// Pixels along a side.
const SIDE: usize = 16;

/// Pixels in all.
const PIXELS: usize = SIDE * SIDE;

/// An image as 16 × 16 gray pixels, less their mean and of length 1; zeros for one colour.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnail(Box<[f32; PIXELS]>);

impl Thumbnail {
    /// Shrinks an image of any size and shape; zeros for one without pixels.
    pub fn of(image: &RgbImage) -> Self {
        let mut gray = Box::new([0.0; PIXELS]);
        if image.width() == 0 || image.height() == 0 {
            return Self(gray);
        }
        let side = SIDE as u32;
        let small = resize(image, side, side, Filter::Bilinear, Kernel::Pil);
        for (gray, pixel) in gray.iter_mut().zip(small.pixels()) {
            let [r, g, b] = pixel.0.map(f32::from);
            // ITU-R 601, as Pillow's `convert("L")`.
            *gray = 0.299 * r + 0.587 * g + 0.114 * b;
        }
        let mean = gray.iter().sum::<f32>() / PIXELS as f32;
        gray.iter_mut().for_each(|v| *v -= mean);
        let norm = gray.iter().map(|v| v * v).sum::<f32>().sqrt();
        // Rounding alone leaves less of one colour.
        let scale = if norm > 1e-2 { 1.0 / norm } else { 0.0 };
        gray.iter_mut().for_each(|v| *v *= scale);
        Self(gray)
    }

    /// The numbers, row by row.
    pub(super) fn values(&self) -> &[f32] {
        self.0.as_slice()
    }

    /// From such numbers; none if they are not as many.
    pub(super) fn from_values(values: &[f32]) -> Option<Self> {
        Some(Self(Box::new(values.try_into().ok()?)))
    }

    /// The correlation with another, or with its mirror image where that is larger; from −1 to 1.
    pub fn correlation(&self, other: &Self) -> f64 {
        let (mut plain, mut mirrored) = (0.0, 0.0);
        for (a, b) in self.0.chunks(SIDE).zip(other.0.chunks(SIDE)) {
            plain += a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            mirrored += a
                .iter()
                .zip(b.iter().rev())
                .map(|(a, b)| a * b)
                .sum::<f32>();
        }
        f64::from(plain.max(mirrored))
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, imageops};

    use super::*;

    /// Something with large and small parts.
    fn picture(seed: u32) -> RgbImage {
        RgbImage::from_fn(96, 64, |x, y| {
            let wave = |a: u32, b: u32| {
                let phase = (x * a + y * b + 13 * seed) as f32 / 40.0;
                (127.0 + 120.0 * phase.sin()) as u8
            };
            Rgb([
                wave(1 + seed, 2),
                wave(3, 1 + seed % 3),
                wave(2, 5 - seed % 4),
            ])
        })
    }

    #[test]
    fn a_picture_stays_itself_when_only_its_form_changes() {
        let image = picture(0);
        let own = Thumbnail::of(&image);
        assert!((own.correlation(&own) - 1.0).abs() < 1e-5);
        let half = resize(&image, 48, 32, Filter::Bicubic, Kernel::Pil);
        let pale = RgbImage::from_fn(96, 64, |x, y| {
            Rgb(image.get_pixel(x, y).0.map(|v| 60 + v / 2))
        });
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 30)
            .encode_image(&image)
            .unwrap();
        let jpeg = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        let mirrored = imageops::flip_horizontal(&image);
        for (what, other) in [
            ("half the size", half),
            ("pale", pale),
            ("JPEG", jpeg),
            ("mirrored", mirrored),
        ] {
            let correlation = own.correlation(&Thumbnail::of(&other));
            assert!(correlation > 0.99, "{what}: {correlation}");
        }
    }

    #[test]
    fn other_pictures_and_one_colour_do_not_correlate() {
        let own = Thumbnail::of(&picture(0));
        for seed in 1..6 {
            let correlation = own.correlation(&Thumbnail::of(&picture(seed)));
            assert!(correlation < 0.9, "{seed}: {correlation}");
        }
        let upside_down = imageops::flip_vertical(&picture(0));
        assert!(own.correlation(&Thumbnail::of(&upside_down)) < 0.9);
        for gray in [
            RgbImage::from_pixel(9, 9, Rgb([200; 3])),
            RgbImage::new(0, 3),
        ] {
            let gray = Thumbnail::of(&gray);
            assert_eq!(own.correlation(&gray), 0.0);
            assert_eq!(gray.correlation(&gray), 0.0);
        }
    }
}
