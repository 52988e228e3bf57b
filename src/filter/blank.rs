//! Blank images: all black (what a safety checker or an overflow leaves), or one colour.

use image::RgbImage;

use super::duplicate::KeptImages;
use super::{Filter, Measures, Policy, Reason};

/// The largest standard deviation of a channel, in levels of 255; 0 for an image without pixels.
pub fn deviation(image: &RgbImage) -> f64 {
    let n = f64::from(image.width()) * f64::from(image.height());
    if n == 0.0 {
        return 0.0;
    }
    let of = |channel: usize| {
        let (sum, squares) = image.pixels().fold((0.0, 0.0), |(sum, squares), pixel| {
            let value = f64::from(pixel[channel]);
            (sum + value, squares + value * value)
        });
        let mean = sum / n;
        (squares / n - mean * mean).max(0.0).sqrt()
    };
    (0..3).map(of).fold(0.0, f64::max)
}

/// Rejects images in which no channel varies enough.
#[derive(Debug, Clone, Copy)]
pub struct Blank {
    least: f64,
}

impl Blank {
    /// As the policy has it.
    pub fn new(policy: &Policy) -> Self {
        let least = policy.min_deviation;
        Self { least }
    }
}

impl Filter for Blank {
    fn reject(&self, measures: &Measures, _kept: &KeptImages) -> Option<Reason> {
        let (deviation, least) = (measures.deviation, self.least);
        (deviation < least).then_some(Reason::Blank { deviation, least })
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::deviation;

    #[test]
    fn one_colour_does_not_deviate_and_one_varying_channel_does() {
        assert_eq!(deviation(&RgbImage::new(8, 8)), 0.0);
        assert!(deviation(&RgbImage::from_pixel(8, 8, Rgb([200, 10, 30]))) < 1e-6);
        // 0, 30, …, 210: the deviation of 0 to 7 is √5.25.
        let ramp = RgbImage::from_fn(8, 8, |x, _| Rgb([0, (x * 30) as u8, 0]));
        assert!((deviation(&ramp) - 30.0 * 5.25_f64.sqrt()).abs() < 1e-9);
        assert_eq!(deviation(&RgbImage::new(0, 0)), 0.0);
    }
}
