//! PNG: marks are text chunks before the pixels.

use std::io::Cursor;

use image::RgbImage;
use png::text_metadata::{ITXtChunk, TEXtChunk};

use super::{EncodeError, Marks, xmp};

/// Keyword of our JSON.
const HARDLIGHT: &str = "hardlight";

/// Encodes an image as an 8-bit RGB PNG.
pub(super) fn encode(image: &RgbImage, marks: Option<&Marks>) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = image.dimensions();
    let failed = |source| EncodeError::Png {
        width,
        height,
        source,
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Named, because the crate's defaults may change and the bytes must not.
    encoder.set_deflate_compression(png::DeflateCompression::Level(6));
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header().map_err(failed)?;
    if let Some(marks) = marks {
        let parameters = marks.parameters.to_string();
        if is_latin1(&parameters) {
            writer.write_text_chunk(&TEXtChunk::new("parameters", parameters))
        } else {
            writer.write_text_chunk(&ITXtChunk::new("parameters", parameters))
        }
        .map_err(failed)?;
        for (keyword, text) in [
            (HARDLIGHT, marks.hardlight.to_string()),
            ("XML:com.adobe.xmp", xmp::packet(marks.source, None)),
        ] {
            writer
                .write_text_chunk(&ITXtChunk::new(keyword, text))
                .map_err(failed)?;
        }
    }
    writer.write_image_data(image).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// The text of our JSON, if it is there.
pub(super) fn hardlight_text(png: &[u8]) -> Option<String> {
    let reader = png::Decoder::new(Cursor::new(png)).read_info().ok()?;
    let mut texts = reader.info().utf8_text.iter();
    texts
        .find(|text| text.keyword == HARDLIGHT)?
        .get_text()
        .ok()
}

/// Whether a text can stand in a tEXt chunk.
fn is_latin1(text: &str) -> bool {
    // Control characters have no place there, but for the line break.
    text.chars()
        .all(|c| c == '\n' || (!c.is_control() && u32::from(c) < 256))
}
