//! JPEG through zune in strict mode.
//!
//! The `image` crate decodes leniently: half a file is an image with a gray bottom. Strict mode
//! refuses missing data, and because even that accepts a file whose end marker alone is gone, the
//! segments are walked first. Bytes overwritten inside the compressed data can still decode, to
//! wrong pixels: the format has no checksum, and Pillow accepts such files too.

use ::image::RgbImage;
use ::image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::{DecodeError, MAX_SIDE, check_size};

/// The decoded image, and the orientation its EXIF data asks for.
pub(super) fn decode(
    bytes: &[u8],
    max_pixels: u64,
) -> Result<(RgbImage, Orientation), DecodeError> {
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
    let pixels = decoder.decode().map_err(error)?;
    let image = RgbImage::from_raw(info.width.into(), info.height.into(), pixels)
        .ok_or_else(|| truncated(bytes))?;
    Ok((image, orientation))
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
