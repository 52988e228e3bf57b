//! WebP, without loss: marks are the EXIF and the XMP chunk, which follow the pixels.

use std::io::Cursor;

use image::RgbImage;
use image_webp::{ColorType, WebPDecoder, WebPEncoder};

use super::{EncodeError, Marks, exif, xmp};

/// Encodes an image as a lossless WebP.
pub(super) fn encode(image: &RgbImage, marks: Option<&Marks>) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    if let Some(marks) = marks {
        encoder.set_exif_metadata(exif::user_comment(&marks.parameters.to_string()));
        // The format has no other place for text.
        encoder.set_xmp_metadata(xmp::packet(marks.source, Some(&marks.hardlight)).into_bytes());
    }
    encoder
        .encode(image, width, height, ColorType::Rgb8)
        .map_err(|source| EncodeError::WebP {
            width,
            height,
            source,
        })?;
    Ok(bytes)
}

/// The text of our JSON, if it is there.
pub(super) fn hardlight_text(webp: &[u8]) -> Option<String> {
    let mut decoder = WebPDecoder::new(Cursor::new(webp)).ok()?;
    // No chunk is longer than the file.
    decoder.set_memory_limit(webp.len());
    let packet = decoder.xmp_metadata().ok()??;
    xmp::hardlight_text(std::str::from_utf8(&packet).ok()?)
}
