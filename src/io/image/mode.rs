//! Which of Pillow's modes the pixels that a decoder gave belong to.
//!
//! The decoders expand palettes and few bits, so the mode is told from the file's header.
//!
//! Source: Pillow 13, `_MODES` of `PngImagePlugin`, `_is_palette_needed` of `GifImagePlugin`,
//! `_bitmap` of `BmpImagePlugin`, `OPEN_INFO` of `TiffImagePlugin`.

use std::io::Cursor;

use ::image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageFormat, Luma, LumaA, RgbImage, Rgba, RgbaImage,
};

use super::DecodeError;
use super::decoded::{DecodedImage, Gray16Image, Pixels, triple};

/// How the file holds its pixels, where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// Indices into colors, or single bits.
    Indexed,
    /// Gray of 16 bits, perhaps with one value that is transparent.
    Gray16,
    /// Gray or color without alpha, perhaps with one value that is transparent.
    Opaque,
    /// As the decoder gives it.
    AsDecoded,
}

impl Stored {
    /// Reads the header; `original` is the decoder's word for it.
    pub(super) fn of(bytes: &[u8], format: ImageFormat, original: ExtendedColorType) -> Self {
        let indexed = match format {
            ImageFormat::Png => return Self::of_png(bytes),
            ImageFormat::Gif => gif_is_indexed(bytes),
            ImageFormat::Bmp => bmp_is_indexed(bytes).unwrap_or(false),
            ImageFormat::Tiff => original == ExtendedColorType::L1,
            _ => false,
        };
        if indexed {
            Self::Indexed
        } else {
            Self::AsDecoded
        }
    }

    fn of_png(bytes: &[u8]) -> Self {
        match bytes.get(24..26) {
            Some([1, 0] | [_, 3]) => Self::Indexed,
            Some([16, 0]) => Self::Gray16,
            Some([_, 0 | 2]) => Self::Opaque,
            _ => Self::AsDecoded,
        }
    }

    /// The picture in Pillow's mode.
    pub(super) fn decoded(
        self,
        image: DynamicImage,
        format: &'static str,
    ) -> Result<DecodedImage, DecodeError> {
        let alpha = (self != Self::AsDecoded && image.color().has_alpha())
            .then(|| GrayImage::from_vec(image.width(), image.height(), alpha_of(&image)))
            .flatten();
        let pixels = match (self, image) {
            (Self::Gray16, DynamicImage::ImageLumaA16(image)) => {
                let (width, height) = image.dimensions();
                let gray = |x, y| Luma([image.get_pixel(x, y)[0]]);
                Some(Pixels::Gray16(Gray16Image::from_fn(width, height, gray)))
            }
            (_, image) => in_own_mode(image),
        };
        let pixels = pixels.ok_or_else(|| DecodeError::Unsupported {
            format,
            what: "with floating-point samples".to_owned(),
        })?;
        let rgb = |pixels: Pixels| DecodedImage::from(pixels).into_rgb();
        let pixels = match self {
            Self::Indexed => Pixels::Palette(rgb(pixels)),
            Self::Opaque => Pixels::Rgb(rgb(pixels)),
            Self::Gray16 | Self::AsDecoded => pixels,
        };
        Ok(match alpha {
            Some(alpha) => DecodedImage::with_alpha(pixels, alpha),
            None => pixels.into(),
        })
    }
}

/// The alpha of every pixel, as bytes.
fn alpha_of(image: &DynamicImage) -> Vec<u8> {
    let rgba = image.to_rgba8();
    rgba.pixels().map(|pixel| pixel[3]).collect()
}

/// The mode that the samples suggest: of 16-bit color the high byte, of gray alone all 16 bits.
fn in_own_mode(image: DynamicImage) -> Option<Pixels> {
    let high = |value: u16| (value >> 8) as u8;
    let (width, height) = (image.width(), image.height());
    Some(match image {
        DynamicImage::ImageRgb8(image) => Pixels::Rgb(image),
        DynamicImage::ImageLuma8(image) => Pixels::Rgb(triple(image)),
        DynamicImage::ImageLuma16(image) => Pixels::Gray16(image),
        DynamicImage::ImageRgba8(image) => Pixels::Rgba(image),
        DynamicImage::ImageLumaA8(image) => rgba(width, height, |x, y| {
            let LumaA([value, alpha]) = *image.get_pixel(x, y);
            [value, value, value, alpha]
        }),
        DynamicImage::ImageLumaA16(image) => rgba(width, height, |x, y| {
            let [value, alpha] = image.get_pixel(x, y).0.map(high);
            [value, value, value, alpha]
        }),
        DynamicImage::ImageRgba16(image) => {
            rgba(width, height, |x, y| image.get_pixel(x, y).0.map(high))
        }
        DynamicImage::ImageRgb16(image) => Pixels::Rgb(RgbImage::from_fn(width, height, |x, y| {
            ::image::Rgb(image.get_pixel(x, y).0.map(high))
        })),
        _ => return None,
    })
}

fn rgba(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Pixels {
    Pixels::Rgba(RgbaImage::from_fn(width, height, |x, y| Rgba(pixel(x, y))))
}

/// Whether the first frame of a GIF has colors that are not its indices as gray.
fn gif_is_indexed(bytes: &[u8]) -> bool {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let Ok(mut decoder) = options.read_info(Cursor::new(bytes)) else {
        return false;
    };
    let own = match decoder.next_frame_info() {
        Ok(Some(frame)) => frame.palette.clone(),
        _ => None,
    };
    own.as_deref()
        .or_else(|| decoder.global_palette())
        .is_some_and(|palette| !is_gray(palette.chunks(3)))
}

/// Whether a BMP of at most 8 bits has other colors than gray in order, or two at most.
fn bmp_is_indexed(bytes: &[u8]) -> Option<bool> {
    let field = |at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let header = field(14)?;
    // The oldest headers have sides of 16 bits and colors of 3 bytes.
    let old = header == 12;
    let bits = field(if old { 22 } else { 26 })? >> 16;
    if bits > 8 {
        return Some(false);
    }
    let size = if old { 3 } else { 4 };
    let colors = match if old { 0 } else { field(46)? } {
        0 => 1 << bits,
        colors => colors,
    };
    let start = 14_usize.checked_add(header)?;
    let palette = bytes.get(start..start.checked_add(colors.checked_mul(size)?)?)?;
    Some(colors <= 2 || !is_gray(palette.chunks(size)))
}

/// Whether color number `i` is gray `i`.
fn is_gray<'a>(colors: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut numbered = colors.enumerate();
    numbered.all(|(index, color)| color.iter().take(3).all(|&c| usize::from(c) == index))
}
