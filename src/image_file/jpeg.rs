//! JPEG: marks are segments between the JFIF header and the tables.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _, RgbImage};
use img_parts::Bytes;
use img_parts::jpeg::markers::{APP0, APP1, COM};
use img_parts::jpeg::{Jpeg, JpegSegment};

use super::{EncodeError, Marks, exif, xmp};

/// Quality, of 100: what ImageNet-like sets were mostly saved with or above.
const QUALITY: u8 = 95;

/// The most bytes a segment may hold, besides its length.
const MAX_SEGMENT: usize = 65_533;

/// Encodes an image as a JPEG of quality 95.
pub(super) fn encode(image: &RgbImage, marks: Option<&Marks>) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .write_image(image, width, height, ExtendedColorType::Rgb8)
        .map_err(|source| EncodeError::Jpeg {
            width,
            height,
            source,
        })?;
    match marks {
        Some(marks) => add_marks(bytes, marks),
        None => Ok(bytes),
    }
}

/// Adds marks to a JPEG that was encoded without; its pixels stay.
///
/// For images that are judged as a reader of the file sees them, before all of their marks are
/// known.
///
/// # Errors
///
/// - [`EncodeError::NotAJpeg`] for other bytes.
/// - [`EncodeError::TooLong`] if the marks are longer than a segment can hold.
pub fn add_marks(jpeg: Vec<u8>, marks: &Marks) -> Result<Vec<u8>, EncodeError> {
    let mut jpeg =
        Jpeg::from_bytes(Bytes::from(jpeg)).map_err(|reason| EncodeError::NotAJpeg { reason })?;
    let parameters = exif::user_comment(&marks.parameters.to_string());
    let xmp = xmp::packet(marks.source, None);
    let added = [
        segment(APP1, "the EXIF comment", &[b"Exif\0\0", &parameters])?,
        segment(
            APP1,
            "the XMP packet",
            &[b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()],
        )?,
        segment(
            COM,
            "the JSON comment",
            &[marks.hardlight.to_string().as_bytes()],
        )?,
    ];
    let segments = jpeg.segments_mut();
    // The JFIF header must stay first.
    let at = segments.partition_point(|segment| segment.marker() == APP0);
    segments.splice(at..at, added);
    Ok(jpeg.encoder().bytes().to_vec())
}

/// The text of our JSON, if it is there.
pub(super) fn hardlight_text(jpeg: &[u8]) -> Option<String> {
    let jpeg = Jpeg::from_bytes(Bytes::copy_from_slice(jpeg)).ok()?;
    let comment = jpeg.segment_by_marker(COM)?.contents();
    String::from_utf8(comment.to_vec()).ok()
}

fn segment(marker: u8, what: &'static str, parts: &[&[u8]]) -> Result<JpegSegment, EncodeError> {
    let contents = parts.concat();
    if contents.len() > MAX_SEGMENT {
        return Err(EncodeError::TooLong {
            what,
            bytes: contents.len(),
            limit: MAX_SEGMENT,
        });
    }
    Ok(JpegSegment::new_with_contents(marker, contents.into()))
}
