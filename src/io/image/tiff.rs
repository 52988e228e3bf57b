//! TIFFs of inks, which the `image` crate gives as RGB alone.

use std::io::Cursor;

use ::image::RgbaImage;
use ::tiff::decoder::{Decoder, DecodingResult, Limits};
use ::tiff::tags::Tag;
use ::tiff::{ColorType, TiffError};

use super::DecodeError;
use super::decoded::{DecodedImage, Pixels};

/// The inks of a CMYK file; of 16 bits the high byte, as Pillow takes it.
pub(super) fn cmyk(bytes: &[u8], max_pixels: u64) -> Result<DecodedImage, DecodeError> {
    let error = |source| typed(source, bytes.len());
    let mut limits = Limits::default();
    limits.decoding_buffer_size = max_pixels.saturating_mul(8) as usize;
    let decoder = Decoder::new(Cursor::new(bytes)).map_err(error)?;
    let mut decoder = decoder.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(error)?;
    let kind = decoder.colortype().map_err(error)?;
    let planes = decoder
        .find_tag_unsigned::<u16>(Tag::PlanarConfiguration)
        .map_err(error)?;
    if planes == Some(2) {
        return Err(DecodeError::Unsupported {
            format: "TIFF",
            what: "of inks in planes".to_owned(),
        });
    }
    let inks = match (kind, decoder.read_image().map_err(error)?) {
        (ColorType::CMYK(8), DecodingResult::U8(inks)) => inks,
        (ColorType::CMYK(16), DecodingResult::U16(inks)) => {
            inks.into_iter().map(|ink| (ink >> 8) as u8).collect()
        }
        (kind, _) => {
            return Err(DecodeError::Unsupported {
                format: "TIFF",
                what: format!("of this kind ({kind:?})"),
            });
        }
    };
    let bytes = bytes.len();
    let format = "TIFF";
    let image =
        RgbaImage::from_raw(width, height, inks).ok_or(DecodeError::Truncated { format, bytes })?;
    Ok(Pixels::Cmyk(image).into())
}

fn typed(source: TiffError, bytes: usize) -> DecodeError {
    let format = "TIFF";
    match source {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format, bytes }
        }
        TiffError::LimitsExceeded => DecodeError::TooMuchMemory { format },
        TiffError::UnsupportedError(what) => DecodeError::Unsupported {
            format,
            what: format!("of this kind ({what})"),
        },
        other => DecodeError::Corrupt {
            format,
            source: Box::new(other),
        },
    }
}
