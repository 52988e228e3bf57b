//! A decoded image before it is RGB.

use ::image::metadata::Orientation;
use ::image::{DynamicImage, GrayImage, ImageBuffer, Luma, RgbImage, Rgba, RgbaImage};

/// Gray of 16 bits.
pub type Gray16Image = ImageBuffer<Luma<u16>, Vec<u16>>;

/// An image as Pillow's `Image.open` holds it, as far as it matters for what is done to it before it
/// is RGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedImage {
    pixels: Pixels,
    /// Alpha beside the pixels, 255 opaque: of a color that the file calls transparent.
    beside: Option<GrayImage>,
}

/// The pixels of a [`DecodedImage`]; each variant names the modes of Pillow that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pixels {
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

impl From<Pixels> for DecodedImage {
    fn from(pixels: Pixels) -> Self {
        Self {
            pixels,
            beside: None,
        }
    }
}

impl DecodedImage {
    /// Pixels whose alpha is no part of them.
    pub(super) fn with_alpha(pixels: Pixels, alpha: GrayImage) -> Self {
        let beside = Some(alpha).filter(|alpha| alpha.iter().any(|&a| a < 255));
        Self { pixels, beside }
    }

    /// The pixels.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Width and height, px.
    pub fn dimensions(&self) -> (u32, u32) {
        match &self.pixels {
            Pixels::Rgb(image) | Pixels::Palette(image) => image.dimensions(),
            Pixels::Rgba(image) | Pixels::Cmyk(image) => image.dimensions(),
            Pixels::Gray16(image) => image.dimensions(),
        }
    }

    /// Pillow's `convert("RGB")`: alpha is dropped.
    ///
    /// Source: `Convert.c` of Pillow 13 (`rgba2rgb`, `I16_RGB`, `cmyk2rgb`).
    pub fn into_rgb(self) -> RgbImage {
        match self.pixels {
            Pixels::Rgb(image) | Pixels::Palette(image) => image,
            Pixels::Rgba(image) => converted(&image, |&Rgba([r, g, b, _])| [r, g, b]),
            Pixels::Gray16(image) => {
                let (width, height) = image.dimensions();
                let clip = |value: u16| value.min(255) as u8;
                triple(GrayImage::from_fn(width, height, |x, y| {
                    Luma([clip(image.get_pixel(x, y)[0])])
                }))
            }
            Pixels::Cmyk(image) => converted(&image, |&Rgba(inks)| rgb_of_inks(inks)),
        }
    }

    /// What is transparent laid on white.
    ///
    /// Source: `convert_to_rgb` of Transformers 5.23 (`image_transforms.py`), which uses Pillow's
    /// `alpha_composite` (`AlphaComposite.c`, 7 fractional bits).
    pub fn into_rgb_on_white(self) -> RgbImage {
        if let Pixels::Rgba(image) = &self.pixels {
            return converted(image, |&Rgba([r, g, b, a])| on_white([r, g, b], a));
        }
        let beside = self.beside.clone();
        let mut image = self.into_rgb();
        for (pixel, &alpha) in image.pixels_mut().zip(beside.iter().flat_map(|a| a.iter())) {
            pixel.0 = on_white(pixel.0, alpha);
        }
        image
    }

    /// The same, turned as an orientation says.
    pub(super) fn turned(self, orientation: Orientation) -> Self {
        let turned = |mut image: DynamicImage| {
            image.apply_orientation(orientation);
            image
        };
        let rgb = |image| turned(DynamicImage::ImageRgb8(image)).into_rgb8();
        let rgba = |image| turned(DynamicImage::ImageRgba8(image)).into_rgba8();
        let pixels = match self.pixels {
            Pixels::Rgb(image) => Pixels::Rgb(rgb(image)),
            Pixels::Palette(image) => Pixels::Palette(rgb(image)),
            Pixels::Rgba(image) => Pixels::Rgba(rgba(image)),
            Pixels::Cmyk(image) => Pixels::Cmyk(rgba(image)),
            Pixels::Gray16(image) => {
                Pixels::Gray16(turned(DynamicImage::ImageLuma16(image)).into_luma16())
            }
        };
        let beside = self.beside;
        let beside = beside.map(|alpha| turned(DynamicImage::ImageLuma8(alpha)).into_luma8());
        Self { pixels, beside }
    }
}

/// A color of this alpha over white.
fn on_white(color: [u8; 3], alpha: u8) -> [u8; 3] {
    let own = u32::from(alpha) << 7;
    let white = (255 << 7) - own;
    color.map(|c| {
        let sum = u32::from(c) * own + 255 * white + (0x80 << 7);
        ((((sum >> 8) + sum) >> 8) >> 7) as u8
    })
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
