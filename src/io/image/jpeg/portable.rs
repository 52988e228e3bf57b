//! zune in strict mode, which refuses missing data; its pixels are up to 4 levels from libjpeg's.

use ::image::{RgbImage, RgbaImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::{Samples, truncated};
use crate::io::image::{DecodeError, MAX_SIDE, check_size};

/// Decodes a file that has its end marker.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Result<Samples, DecodeError> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let error = |source| typed(source, bytes);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(error)?;
    let info = decoder.info().ok_or_else(|| truncated(bytes))?;
    check_size("JPEG", info.width.into(), info.height.into(), max_pixels)?;
    let (width, height) = (info.width.into(), info.height.into());
    let inks = decoder
        .input_colorspace()
        .filter(|space| matches!(space, ColorSpace::CMYK | ColorSpace::YCCK));
    let Some(space) = inks else {
        let pixels = decoder.decode().map_err(error)?;
        let image = RgbImage::from_raw(width, height, pixels).ok_or_else(|| truncated(bytes))?;
        return Ok(Samples::Rgb(image));
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(error)?;
    let mut image = RgbaImage::from_raw(width, height, pixels).ok_or_else(|| truncated(bytes))?;
    if space == ColorSpace::YCCK {
        for pixel in image.pixels_mut() {
            pixel.0 = inks_of_ycck(pixel.0);
        }
    }
    Ok(Samples::Inks(image))
}

/// Luminance and chroma of inks as libjpeg undoes them.
///
/// Source: `ycck_cmyk_convert` of libjpeg (16 fractional bits).
fn inks_of_ycck([y, cb, cr, k]: [u8; 4]) -> [u8; 4] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let byte = |value: i32| value.clamp(0, 255) as u8;
    [
        255 - byte(y + ((91_881 * cr + HALF) >> 16)),
        255 - byte(y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16)),
        255 - byte(y + ((116_130 * cb + HALF) >> 16)),
        k,
    ]
}

fn typed(source: DecodeErrors, bytes: &[u8]) -> DecodeError {
    match source {
        DecodeErrors::ExhaustedData => truncated(bytes),
        DecodeErrors::Unsupported(what) => DecodeError::Unsupported {
            format: "JPEG",
            what: format!("of this kind ({what:?})"),
        },
        other => DecodeError::Corrupt {
            format: "JPEG",
            source: Box::new(other),
        },
    }
}
