//! JPEG through zune in strict mode.
//!
//! The `image` crate decodes leniently: half a file is an image with a gray bottom. Strict mode
//! refuses missing data, and because even that accepts a file whose end marker alone is gone, the
//! segments are walked first. Bytes overwritten inside the compressed data can still decode, to
//! wrong pixels: the format has no checksum, and Pillow accepts such files too.

use ::image::metadata::Orientation;
use ::image::{RgbImage, RgbaImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::decoded::{DecodedImage, Pixels};
use super::{DecodeError, MAX_SIDE, check_size};

/// The decoded image, and the orientation its EXIF data asks for.
pub(super) fn decode(
    bytes: &[u8],
    max_pixels: u64,
) -> Result<(DecodedImage, Orientation), DecodeError> {
    if !is_complete(bytes) {
        return Err(truncated(bytes));
    }
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
    let orientation = decoder
        .exif()
        .and_then(|chunk| Orientation::from_exif_chunk(chunk))
        .unwrap_or(Orientation::NoTransforms);
    let (width, height) = (info.width.into(), info.height.into());
    let inks = decoder
        .input_colorspace()
        .filter(|space| matches!(space, ColorSpace::CMYK | ColorSpace::YCCK));
    let Some(space) = inks else {
        let pixels = decoder.decode().map_err(error)?;
        let image = RgbImage::from_raw(width, height, pixels).ok_or_else(|| truncated(bytes))?;
        return Ok((Pixels::Rgb(image).into(), orientation));
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(error)?;
    let mut image = RgbaImage::from_raw(width, height, pixels).ok_or_else(|| truncated(bytes))?;
    for pixel in image.pixels_mut() {
        pixel.0 = if space == ColorSpace::YCCK {
            inks_of_ycck(pixel.0)
        } else {
            pixel.0.map(|ink| 255 - ink)
        };
    }
    Ok((Pixels::Cmyk(image).into(), orientation))
}

/// Adobe's luminance and chroma of inverted inks, as libjpeg and then Pillow undo them.
///
/// Source: `ycck_cmyk_convert` of libjpeg (16 fractional bits), `CMYK;I` of Pillow.
fn inks_of_ycck([y, cb, cr, k]: [u8; 4]) -> [u8; 4] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let byte = |value: i32| value.clamp(0, 255) as u8;
    [
        byte(y + ((91_881 * cr + HALF) >> 16)),
        byte(y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16)),
        byte(y + ((116_130 * cb + HALF) >> 16)),
        255 - k,
    ]
}

fn truncated(bytes: &[u8]) -> DecodeError {
    DecodeError::Truncated {
        format: "JPEG",
        bytes: bytes.len(),
    }
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

/// Whether the segments run up to an end marker.
///
/// Segments with a length are stepped over, so the end marker of an embedded thumbnail does not
/// count; what follows the image (a maker's trailer, a second picture) is not looked at.
fn is_complete(bytes: &[u8]) -> bool {
    const END: u8 = 0xD9;
    let mut at = 2;
    loop {
        // Anything up to the next marker is the compressed data of a scan, or filling.
        let Some(step) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|b| *b == 0xFF))
        else {
            return false;
        };
        at += step + 1;
        match bytes.get(at) {
            None => return false,
            Some(&END) => return true,
            // 0xFF again is a fill byte: the marker may start there.
            Some(0xFF) => {}
            // A stuffed 0xFF of the data, or a marker without a length (restart, start, TEM).
            Some(0x00 | 0x01 | 0xD0..=0xD8) => at += 1,
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
        }
    }
}
