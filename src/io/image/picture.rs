//! A decoded image before it is RGB.

use ::image::{DynamicImage, GrayImage, ImageBuffer, Luma, RgbImage, Rgba, RgbaImage};

/// Gray of 16 bits.
pub type Gray16Image = ImageBuffer<Luma<u16>, Vec<u16>>;

/// An image as Pillow's `Image.open` holds it, as far as it matters for what is done to it before
/// `convert("RGB")`. Each variant names the modes of Pillow that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Picture {
    /// `RGB`, and `L` with its value three times.
    Rgb(RgbImage),
    /// `P` and `1`, their colors looked up: Pillow resizes these by the nearest pixel.
    Palette(RgbImage),
    /// `RGBA`, and `LA` with its value three times: Pillow weights colors by alpha when it resizes.
    Rgba(RgbaImage),
    /// `I;16`: resized with all 16 bits, and then cut off at 255.
    Gray16(Gray16Image),
    /// `CMYK`, the inks in the places of red, green, blue and alpha; 255 is all of it.
    Cmyk(RgbaImage),
}

impl Picture {
    /// Pillow's `convert("RGB")`.
    ///
    /// Source: `Convert.c` of Pillow 13 (`rgba2rgb`, `I16_RGB`, `cmyk2rgb`).
    pub fn into_rgb(self) -> RgbImage {
        match self {
            Self::Rgb(image) | Self::Palette(image) => image,
            Self::Rgba(image) => converted(&image, |&Rgba([r, g, b, _])| [r, g, b]),
            Self::Gray16(image) => {
                let (width, height) = image.dimensions();
                let clip = |value: u16| value.min(255) as u8;
                triple(GrayImage::from_fn(width, height, |x, y| {
                    Luma([clip(image.get_pixel(x, y)[0])])
                }))
            }
            Self::Cmyk(image) => converted(&image, |&Rgba(inks)| rgb_of_inks(inks)),
        }
    }

    /// Width and height, px.
    pub fn dimensions(&self) -> (u32, u32) {
        match self {
            Self::Rgb(image) | Self::Palette(image) => image.dimensions(),
            Self::Rgba(image) | Self::Cmyk(image) => image.dimensions(),
            Self::Gray16(image) => image.dimensions(),
        }
    }

    /// The same, turned as an orientation says.
    pub(super) fn turned(self, orientation: ::image::metadata::Orientation) -> Self {
        let rgba = |image| {
            let mut image = DynamicImage::ImageRgba8(image);
            image.apply_orientation(orientation);
            image.into_rgba8()
        };
        let rgb = |image| {
            let mut image = DynamicImage::ImageRgb8(image);
            image.apply_orientation(orientation);
            image.into_rgb8()
        };
        match self {
            Self::Rgb(image) => Self::Rgb(rgb(image)),
            Self::Palette(image) => Self::Palette(rgb(image)),
            Self::Rgba(image) => Self::Rgba(rgba(image)),
            Self::Cmyk(image) => Self::Cmyk(rgba(image)),
            Self::Gray16(image) => {
                let mut image = DynamicImage::ImageLuma16(image);
                image.apply_orientation(orientation);
                Self::Gray16(image.into_luma16())
            }
        }
    }
}

/// `R = (255 − C)(255 − K)/255`, and so on.
pub(crate) fn rgb_of_inks([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = 255 - k;
    [c, m, y].map(|ink| light - scaled(ink, light))
}

/// `a·b/255`, rounded (`MULDIV255`).
pub(crate) fn scaled(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

/// Gray as red, green and blue.
pub(super) fn triple(image: GrayImage) -> RgbImage {
    DynamicImage::ImageLuma8(image).into_rgb8()
}

fn converted(image: &RgbaImage, rgb: impl Fn(&Rgba<u8>) -> [u8; 3]) -> RgbImage {
    let mut out = RgbImage::new(image.width(), image.height());
    for (to, from) in out.pixels_mut().zip(image.pixels()) {
        to.0 = rgb(from);
    }
    out
}
