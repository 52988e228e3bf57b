//! JPEG, pixel for pixel as Pillow decodes it.
//!
//! ```text
//! segments: complete? how large? ──▶ libjpeg ──▶ pixels
//!                                       │ refused     ▲
//!                                       └──▶ zune ────┘ or why not
//! ```
//!
//! Pillow decodes with libjpeg-turbo. Its inverse DCT and its chroma filter are its own: another sound decoder is up
//! to 4 levels off, which changes what a classifier says of one photograph in a hundred. `mozjpeg` is the same
//! decoder, built by `cc` alone (libjpeg-turbo's own crates want `CMake`).
//!
//! libjpeg makes an image of half a file, with a gray bottom. Pillow refuses files that end too early, and so do we: the
//! segments are walked first. Data that lack or were overwritten before the end marker decode to wrong pixels, the
//! same as Pillow's: the format has no checksum.
//!
//! It is C: the limits are held before it sees a file, its errors come back as values, and nothing of it is kept
//! between files.

mod libjpeg;
mod portable;
mod segments;

use ::image::metadata::Orientation;
use ::image::{RgbImage, RgbaImage};

use self::segments::Segments;
use super::decoded::{DecodedImage, Pixels};
use super::{DecodeError, check_size};

/// Scans of a progressive file: encoders write a dozen, and each walks over the whole image.
const MAX_SCANS: usize = 500;

/// The decoded image, and the orientation its EXIF data asks for.
pub(super) fn decode(
    bytes: &[u8],
    max_pixels: u64,
) -> Result<(DecodedImage, Orientation), DecodeError> {
    let segments = Segments::walk(bytes).ok_or_else(|| truncated(bytes))?;
    if let Some((width, height)) = segments.size {
        check_size("JPEG", width.into(), height.into(), max_pixels)?;
    }
    if segments.scans > MAX_SCANS {
        return Err(DecodeError::Unsupported {
            format: "JPEG",
            what: format!("of {} scans, more than {MAX_SCANS}", segments.scans),
        });
    }
    let orientation = segments
        .exif
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms);
    // Without a frame libjpeg is not asked: zune says what lacks.
    let by_libjpeg = segments.size.and_then(|size| libjpeg::decode(bytes, size));
    let decoded = match by_libjpeg {
        Some(decoded) => decoded,
        None => portable::decode(bytes, max_pixels)?,
    };
    let pixels = match decoded {
        Samples::Rgb(image) => Pixels::Rgb(image),
        Samples::Inks(mut image) => {
            // Adobe's are inverted, and Pillow takes all to be Adobe's.
            image.iter_mut().for_each(|ink| *ink = 255 - *ink);
            Pixels::Cmyk(image)
        }
    };
    Ok((pixels.into(), orientation))
}

/// What a decoder gives.
enum Samples {
    /// Red, green and blue; of a gray file its value three times.
    Rgb(RgbImage),
    /// Four inks as they are stored.
    Inks(RgbaImage),
}

fn truncated(bytes: &[u8]) -> DecodeError {
    DecodeError::Truncated {
        format: "JPEG",
        bytes: bytes.len(),
    }
}

#[cfg(test)]
mod tests;
