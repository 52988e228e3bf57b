//! Generated images as files: their pixels, how they were made, and the mark that they are
//! synthetic.
//!
//! ```text
//! pixels + Marks ──encode──▶ bytes of a PNG, JPEG or WebP ──read_marks──▶ our JSON
//! ```
//!
//! | Content | In a PNG | In a JPEG | In a WebP |
//! | --- | --- | --- | --- |
//! | [`Parameters`], as AUTOMATIC1111's web UI writes them | tEXt `parameters` (iTXt if not Latin-1) | EXIF `UserComment` | EXIF `UserComment` |
//! | our own JSON | iTXt `hardlight` | comment | XMP property `hardlight:json` |
//! | XMP with IPTC's [`DigitalSource`] | iTXt `XML:com.adobe.xmp` | APP1 | `XMP ` chunk |
//!
//! In a PNG and a JPEG the text stands before the pixels, so readers find it without decoding them.
//! The same image and marks give the same bytes; nothing is taken from the clock.
//!
//! A format is one file here ([`FileFormat`] lists them); what the texts say is in `parameters`,
//! `xmp` and `exif`.
//!
//! Not here: decoding, and the formats of data sets ([`crate::io::image`]).

mod error;
mod exif;
mod format;
mod jpeg;
mod marks;
mod parameters;
mod png;
mod webp;
mod xmp;

pub use self::error::EncodeError;
pub use self::format::FileFormat;
pub use self::jpeg::add_marks as add_marks_to_jpeg;
pub use self::marks::{DigitalSource, Marks};
pub use self::parameters::Parameters;

use image::RgbImage;
use serde_json::Value;

use crate::io::image::{Exif, decode_rgb};

/// Encodes an image as 8-bit RGB.
///
/// Without marks the file holds the pixels only.
///
/// # Errors
///
/// - [`EncodeError::Png`], [`EncodeError::Jpeg`], [`EncodeError::WebP`] for an image without pixels,
///   or larger than the format allows.
/// - [`EncodeError::TooLong`] if the marks are longer than a JPEG can hold.
///
/// # Examples
///
/// ```
/// # use hardlight::image_file::{DigitalSource, FileFormat, Marks, Parameters, encode, read_marks};
/// # let parameters = Parameters {
/// #     caption: String::new(), negative_prompt: String::new(), steps: 1, scheduler: String::new(),
/// #     guidance: 1.0, seed: 0, width: 8, height: 8, model: String::new(), strength: None,
/// # };
/// let marks = Marks {
///     parameters,
///     hardlight: serde_json::json!({"id": "00ff"}),
///     source: DigitalSource::TrainedAlgorithmicMedia,
/// };
/// let file = encode(&image::RgbImage::new(8, 8), FileFormat::WebP, Some(&marks))?;
/// assert_eq!(read_marks(&file), Some(marks.hardlight));
/// # Ok::<(), hardlight::image_file::EncodeError>(())
/// ```
pub fn encode(
    image: &RgbImage,
    format: FileFormat,
    marks: Option<&Marks>,
) -> Result<Vec<u8>, EncodeError> {
    match format {
        FileFormat::Png => png::encode(image, marks),
        FileFormat::Jpeg => jpeg::encode(image, marks),
        FileFormat::WebP => webp::encode(image, marks),
    }
}

/// Our own JSON in a file that [`encode`] made; none in any other.
///
/// A file that was cut, or whose pixels are damaged, has none, whatever its texts say.
pub fn read_marks(bytes: &[u8]) -> Option<Value> {
    let text = match FileFormat::of(bytes)? {
        FileFormat::Png => png::hardlight_text(bytes),
        FileFormat::Jpeg => jpeg::hardlight_text(bytes),
        FileFormat::WebP => webp::hardlight_text(bytes),
    }?;
    let marks: Value = serde_json::from_str(&text).ok()?;
    decode_rgb(bytes, Exif::Ignore).ok()?;
    marks.is_object().then_some(marks)
}

#[cfg(test)]
mod tests;
