//! From image bytes to RGB pixels, as Pillow's `Image.open(…).convert("RGB")` gives them, or to a
//! [`DecodedImage`] as `Image.open(…)` alone does.
//!
//! The format is told from the content, never from the name. Dimensions are checked in the header,
//! before pixels are allocated. A truncated or corrupt file is an error, never a half-gray image (but for
//! JPEG data that are damaged before their end: Pillow decodes them, and so does this, to the same pixels).
//!
//! | in | out |
//! | --- | --- |
//! | gray, palette, 1/2/4 bits | expanded |
//! | 16-bit gray | values above 255 clip to 255 |
//! | 16-bit color | the high byte |
//! | alpha, transparent palette entry | dropped without blending |
//! | CMYK, YCCK | `R = (255 − C)(255 − K)/255`; a JPEG's inks are inverted, as Adobe writes them |
//! | GIF, APNG, animated WebP | the first frame |
//! | PPM, PGM, PBM | scaled to 8 bits; gray of more as 16-bit gray |
//!
//! Against Pillow 13: JPEG, PNG, BMP, GIF and 8-bit TIFF are equal. A GIF whose first frame does not cover
//! its screen is black around it, where Pillow takes a palette color. Not supported: palette,
//! float and gray-and-alpha TIFF.
//!
//! Not here: writing images, and what they say of themselves ([`crate::image_file`]).

pub mod decoded;
mod jpeg;
mod mode;
mod pnm;
mod tiff;

use std::io::Cursor;
use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat};
use ::image::{ImageReader, RgbImage};

use self::decoded::DecodedImage;
use self::mode::Stored;
use super::{Classified, ErrorKind, IoError};

/// The most pixels an image may have unless the caller says otherwise: 64 million.
pub const MAX_PIXELS: u64 = 64_000_000;

/// The longest side an image may have, in pixels (what a JPEG header can say).
pub const MAX_SIDE: u32 = 65_535;

/// The largest image file that is read, in bytes: 64 million pixels of 8 bytes, uncompressed.
pub const MAX_FILE_BYTES: u64 = 520 << 20;

/// What to do with an EXIF orientation; it must equal what the classifier's own loader does.
///
/// TIFF is turned upright either way, because Pillow does so when it loads one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Exif {
    /// Turn the image upright, as Hugging Face `datasets` does.
    Apply,
    /// Leave the pixels as stored, as torchvision's `ImageFolder` and `OpenCLIP` do.
    #[default]
    Ignore,
}

/// Why bytes are not a usable image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the file is empty (0 bytes)")]
    Empty,

    /// The content is something else.
    #[error(
        "not an image: the content is {found}, expected JPEG, PNG, WebP, BMP, TIFF, GIF or PPM \
         (the file's name does not count)"
    )]
    NotAnImage {
        /// What the content looks like.
        found: String,
    },

    /// An image, but of a kind that is not read.
    #[error("{format} {what} is not supported: convert it to PNG or JPEG")]
    Unsupported {
        /// The file format.
        format: &'static str,
        /// The part of it.
        what: String,
    },

    /// The header announces more pixels than allowed.
    #[error(
        "{width} x {height} pixels, the limit is {max_pixels} in all and {MAX_SIDE} along a side"
    )]
    TooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// The limit it was held against.
        max_pixels: u64,
    },

    /// Tables or metadata ask for more memory than an image within the limits can need.
    #[error("decoding this {format} needs more memory than its size allows for")]
    TooMuchMemory {
        /// The file format.
        format: &'static str,
    },

    /// The header announces no pixels.
    #[error("{format} of {width} x {height} pixels")]
    NoPixels {
        /// The file format.
        format: &'static str,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
    },

    /// The file ends before the image does.
    #[error("truncated {format}: the file ends after {bytes} bytes, before the image does")]
    Truncated {
        /// The file format.
        format: &'static str,
        /// Bytes there are.
        bytes: usize,
    },

    /// The data contradicts itself or the format.
    #[error("corrupt {format}")]
    Corrupt {
        /// The file format.
        format: &'static str,
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Classified for DecodeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// Decodes an image of at most [`MAX_PIXELS`] to RGB.
///
/// # Errors
///
/// Every [`DecodeError`]: empty, not an image, unsupported kind, too large, truncated, corrupt.
pub fn decode_rgb(bytes: &[u8], exif: Exif) -> Result<RgbImage, DecodeError> {
    decode_rgb_within(bytes, exif, MAX_PIXELS)
}

/// [`decode_rgb`] with another limit on the number of pixels.
///
/// # Errors
///
/// Those of [`decode_rgb`].
pub fn decode_rgb_within(
    bytes: &[u8],
    exif: Exif,
    max_pixels: u64,
) -> Result<RgbImage, DecodeError> {
    Ok(decode_within(bytes, exif, max_pixels)?.into_rgb())
}

/// Decodes an image of at most [`MAX_PIXELS`] to what Pillow's `Image.open` holds.
///
/// # Errors
///
/// Those of [`decode_rgb`].
pub fn decode(bytes: &[u8], exif: Exif) -> Result<DecodedImage, DecodeError> {
    decode_within(bytes, exif, MAX_PIXELS)
}

fn decode_within(bytes: &[u8], exif: Exif, max_pixels: u64) -> Result<DecodedImage, DecodeError> {
    let (format, name) = sniff(bytes)?;
    let (picture, orientation) = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, max_pixels)?,
        ImageFormat::Pnm => (pnm::decode(bytes, max_pixels)?, Orientation::NoTransforms),
        _ => decode_other(bytes, format, name, max_pixels)?,
    };
    Ok(if exif == Exif::Apply || format == ImageFormat::Tiff {
        picture.turned(orientation)
    } else {
        picture
    })
}

/// Reads and decodes an image file of at most [`MAX_FILE_BYTES`].
///
/// # Errors
///
/// [`IoError::Image`] with the [`DecodeError`], or what [`super::read_at_most`] says.
pub fn read_rgb(path: &Path, exif: Exif) -> Result<RgbImage, IoError> {
    Ok(read(path, exif)?.into_rgb())
}

/// [`read_rgb`] before it is RGB.
///
/// # Errors
///
/// Those of [`read_rgb`].
pub fn read(path: &Path, exif: Exif) -> Result<DecodedImage, IoError> {
    let bytes = super::read_at_most(path, MAX_FILE_BYTES)?;
    decode(&bytes, exif).map_err(|source| IoError::Image {
        path: path.to_owned(),
        source,
    })
}

/// What names of files with this content end in; empty if it is no image that is read.
pub fn extension(bytes: &[u8]) -> &'static str {
    match sniff(bytes) {
        Ok((ImageFormat::Jpeg, _)) => "jpg",
        Ok((ImageFormat::Tiff, _)) => "tif",
        Ok((ImageFormat::Pnm, _)) => pnm::extension(bytes),
        Ok((format, _)) => format.extensions_str().first().copied().unwrap_or_default(),
        Err(_) => "",
    }
}

/// The format of the content and its name for messages.
fn sniff(bytes: &[u8]) -> Result<(ImageFormat, &'static str), DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if pnm::is_pnm(bytes) {
        return Ok((ImageFormat::Pnm, "PNM"));
    }
    match ::image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Ok((ImageFormat::Jpeg, "JPEG")),
        Ok(ImageFormat::Png) => Ok((ImageFormat::Png, "PNG")),
        Ok(ImageFormat::WebP) => Ok((ImageFormat::WebP, "WebP")),
        Ok(ImageFormat::Bmp) => Ok((ImageFormat::Bmp, "BMP")),
        Ok(ImageFormat::Tiff) => Ok((ImageFormat::Tiff, "TIFF")),
        Ok(ImageFormat::Gif) => Ok((ImageFormat::Gif, "GIF")),
        _ => Err(DecodeError::NotAnImage {
            found: describe(bytes),
        }),
    }
}

/// What content that is no image looks like.
fn describe(bytes: &[u8]) -> String {
    const KNOWN: [(&[u8], &str); 9] = [
        (
            b"\x00\x00\x00\x0cjP  ",
            "JPEG 2000, which is not read: convert it to PNG",
        ),
        (
            b"version https://git-lfs",
            "a Git LFS pointer (run git lfs pull)",
        ),
        (b"%PDF", "a PDF"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "gzip data"),
        (b"<svg", "an SVG drawing"),
        (b"<", "HTML or XML text"),
        (b"{", "JSON text"),
        (
            b"\x00\x00\x00\x0cJXL ",
            "JPEG XL, which is not read: convert it to PNG",
        ),
    ];
    if bytes.get(4..8) == Some(b"ftyp") {
        let name = match bytes.get(8..12) {
            Some(b"avif" | b"avis") => "AVIF, which is not read: convert it to PNG",
            Some(b"heic" | b"heix" | b"heim" | b"hevc" | b"mif1" | b"msf1") => {
                "HEIC, which is not read: convert it to PNG"
            }
            _ => "an ISO media file (MP4 or the like)",
        };
        return name.to_owned();
    }
    let known = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic));
    known.map_or_else(
        || {
            format!(
                "of unknown kind, starting with {:02x?}",
                &bytes[..bytes.len().min(8)]
            )
        },
        |(_, name)| (*name).to_owned(),
    )
}

/// Holds the dimensions of a header against the limits.
fn check_size(
    format: &'static str,
    width: u64,
    height: u64,
    max_pixels: u64,
) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::NoPixels {
            format,
            width,
            height,
        });
    }
    let side = u64::from(MAX_SIDE);
    if width > side || height > side || width.saturating_mul(height) > max_pixels {
        return Err(DecodeError::TooLarge {
            width,
            height,
            max_pixels,
        });
    }
    Ok(())
}

/// Decodes PNG, WebP, BMP, TIFF and GIF, and tells the stored orientation.
fn decode_other(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    max_pixels: u64,
) -> Result<(DecodedImage, Orientation), DecodeError> {
    if format == ImageFormat::WebP {
        check_riff_length(bytes)?;
    }
    if let Some((width, height)) = png_size(bytes) {
        // The decoder allocates a row before it tells the size.
        check_size(name, width, height, max_pixels)?;
    }
    let error = |source| typed(source, name, bytes.len());
    let mut limits = ::image::Limits::no_limits();
    // 8 bytes a pixel, twice (a decoder's own copy), and room for tables and metadata.
    limits.max_alloc = Some(max_pixels.saturating_mul(16).saturating_add(64 << 20));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(error)?;
    let (width, height) = decoder.dimensions();
    check_size(name, width.into(), height.into(), max_pixels)?;
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(DecodeError::Unsupported {
            format: name,
            what: "with floating-point samples".to_owned(),
        });
    }
    decoder.set_limits(limits).map_err(error)?;
    let orientation = decoder.orientation().map_err(error)?;
    let original = decoder.original_color_type();
    if matches!(
        original,
        ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16
    ) {
        return Ok((tiff::cmyk(bytes, max_pixels)?, orientation));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(error)?;
    let picture = Stored::of(bytes, format, original).decoded(image, name)?;
    Ok((picture, orientation))
}

/// A WebP file says its length in its first 8 bytes.
fn check_riff_length(bytes: &[u8]) -> Result<(), DecodeError> {
    let announced = bytes
        .get(4..8)
        .and_then(|field| field.try_into().ok())
        .map_or(u64::MAX, |field| u64::from(u32::from_le_bytes(field)) + 8);
    if announced > bytes.len() as u64 {
        return Err(DecodeError::Truncated {
            format: "WebP",
            bytes: bytes.len(),
        });
    }
    Ok(())
}

/// Our error for one of the `image` crate.
fn typed(source: ::image::ImageError, format: &'static str, bytes: usize) -> DecodeError {
    use ::image::ImageError;
    match source {
        ImageError::Unsupported(what) => DecodeError::Unsupported {
            format,
            what: format!("of this kind ({what})"),
        },
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format, bytes }
        }
        ImageError::Limits(_) => DecodeError::TooMuchMemory { format },
        other => DecodeError::Corrupt {
            format,
            source: Box::new(other),
        },
    }
}

/// Width and height in the header of a PNG, `None` for other content.
fn png_size(bytes: &[u8]) -> Option<(u64, u64)> {
    let (width, rest) = bytes.get(16..24)?.split_first_chunk::<4>()?;
    let height = rest.first_chunk::<4>()?;
    let size = [*width, *height].map(|field| u64::from(u32::from_be_bytes(field)));
    bytes.starts_with(b"\x89PNG").then_some((size[0], size[1]))
}

#[cfg(test)]
mod tests;
