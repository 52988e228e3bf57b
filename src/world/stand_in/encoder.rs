//! An encoder that sees colours.

use image::RgbImage;
use ndarray::Array2;

use super::named;
use crate::embed::{EmbedError, ImageEncoder, TextEncoder};

/// Numbers of an embedding: three of colour, one of brightness, two of texture.
const DIM: usize = 6;

/// Embeds images by their mean colour and how it varies, captions by the colours they name.
#[derive(Debug, Clone, Copy, Default)]
pub struct ColourEncoder;

/// The embedding of a mean colour, in levels of 255.
fn colour([r, g, b]: [f64; 3]) -> [f64; 4] {
    let mean = (r + g + b) / 3.0;
    [r - mean, g - mean, b - mean, mean - 128.0].map(|v| v / 64.0)
}

impl ImageEncoder for ColourEncoder {
    fn encode_images(&self, images: &[RgbImage]) -> Result<Array2<f32>, EmbedError> {
        let mut all = Array2::zeros((images.len(), DIM));
        for (mut row, image) in all.outer_iter_mut().zip(images) {
            let n = f64::from(image.width() * image.height()).max(1.0);
            let mut sums = [0.0; 3];
            for pixel in image.pixels() {
                for (sum, &level) in sums.iter_mut().zip(&pixel.0) {
                    *sum += f64::from(level);
                }
            }
            let seen = colour(sums.map(|sum| sum / n));
            // How much neighbours differ, along a row and down a column.
            let differ = |step: (u32, u32)| {
                let pairs = image.enumerate_pixels().filter_map(|(x, y, pixel)| {
                    let other = image.get_pixel_checked(x + step.0, y + step.1)?;
                    Some(f64::from(pixel[1].abs_diff(other[1])))
                });
                pairs.sum::<f64>() / n / 16.0
            };
            let texture = [differ((1, 0)), differ((0, 1))];
            for (value, &number) in row.iter_mut().zip(seen.iter().chain(&texture)) {
                *value = number as f32;
            }
        }
        Ok(all)
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn fingerprint(&self) -> &'static str {
        "colours-1"
    }
}

impl TextEncoder for ColourEncoder {
    fn encode_texts(&self, captions: &[String]) -> Result<Array2<f32>, EmbedError> {
        let mut all = Array2::zeros((captions.len(), DIM));
        for (mut row, caption) in all.outer_iter_mut().zip(captions) {
            let colours: Vec<[u8; 3]> = named(caption).collect();
            let n = colours.len().max(1) as f64;
            let mean = |channel: usize| {
                let sum: f64 = colours.iter().map(|c| f64::from(c[channel])).sum();
                if colours.is_empty() { 128.0 } else { sum / n }
            };
            let seen = colour([mean(0), mean(1), mean(2)]);
            // Every text says a little of everything: no caption is at the origin.
            for (value, number) in row.iter_mut().zip(seen.iter().chain(&[0.25, 0.25])) {
                *value = *number as f32;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::conformance;

    #[test]
    fn it_keeps_the_promises_of_an_encoder() {
        assert_eq!(conformance::check_images(&ColourEncoder), Ok(()));
        let captions = ["a red square", "a blue square"];
        assert_eq!(conformance::check_texts(&ColourEncoder, captions), Ok(()));
    }

    #[test]
    fn an_image_lies_nearest_to_the_caption_of_its_colour() {
        let image = RgbImage::from_pixel(8, 8, image::Rgb([190, 50, 45]));
        let image = ColourEncoder.encode_images(&[image]).unwrap();
        let captions = ["a red thing", "a green thing", "a blue thing"].map(str::to_owned);
        let texts = ColourEncoder.encode_texts(&captions).unwrap();
        let products = texts.dot(&image.row(0));
        assert!(
            products[0] > products[1] && products[0] > products[2],
            "{products}"
        );
    }
}
