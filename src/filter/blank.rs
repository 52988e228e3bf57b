//! Blank images: all black (what a safety checker or an overflow leaves), or one colour.

use image::RgbImage;

/// Whether no channel's standard deviation reaches `min_deviation` levels of 255.
pub fn is_blank(image: &RgbImage, min_deviation: f64) -> bool {
    let n = f64::from(image.width()) * f64::from(image.height());
    if n == 0.0 {
        return true;
    }
    (0..3).all(|channel| {
        let (sum, squares) = image.pixels().fold((0.0, 0.0), |(sum, squares), pixel| {
            let value = f64::from(pixel[channel]);
            (sum + value, squares + value * value)
        });
        let mean = sum / n;
        (squares / n - mean * mean).max(0.0).sqrt() < min_deviation
    })
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::is_blank;

    #[test]
    fn one_colour_is_blank_and_one_varying_channel_is_not() {
        assert!(is_blank(&RgbImage::new(8, 8), 2.0));
        assert!(is_blank(
            &RgbImage::from_pixel(8, 8, Rgb([200, 10, 30])),
            2.0
        ));
        let ramp = RgbImage::from_fn(8, 8, |x, _| Rgb([0, (x * 30) as u8, 0]));
        assert!(!is_blank(&ramp, 2.0));
        assert!(is_blank(&RgbImage::new(0, 0), 2.0));
    }
}
