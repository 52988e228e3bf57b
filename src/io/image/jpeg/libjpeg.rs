//! libjpeg, the decoder behind Pillow.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ::image::{RgbImage, RgbaImage};
use mozjpeg::{ColorSpace, Decompress};

use super::Samples;

/// Decodes a file of this width and height, which were held against the limits; none if libjpeg refuses it, or finds
/// another size in it. What it warns of it passes over, as it does for Pillow.
pub(super) fn decode(bytes: &[u8], size: (u16, u16)) -> Option<Samples> {
    // Its error handler must not return, and unwinds.
    match catch_unwind(AssertUnwindSafe(|| samples(bytes, size))) {
        Ok(decoded) => decoded,
        Err(thrown) if is_libjpegs(thrown.as_ref()) => None,
        Err(thrown) => resume_unwind(thrown),
    }
}

/// Whether the error handler threw it: a mistake in this program is not hidden.
fn is_libjpegs(thrown: &(dyn Any + Send)) -> bool {
    let message = thrown.downcast_ref::<String>();
    message.is_some_and(|text| text.starts_with("libjpeg fatal error"))
}

fn samples(bytes: &[u8], (width, height): (u16, u16)) -> Option<Samples> {
    let begun = Decompress::new_mem(bytes).ok()?;
    if begun.size() != (width.into(), height.into()) {
        return None;
    }
    let inks = matches!(
        begun.color_space(),
        ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK
    );
    let space = if inks {
        ColorSpace::JCS_CMYK
    } else {
        ColorSpace::JCS_RGB
    };
    let mut started = begun.to_colorspace(space).ok()?;
    let pixels: Vec<u8> = started.read_scanlines().ok()?;
    started.finish().ok()?;
    if inks {
        RgbaImage::from_raw(width.into(), height.into(), pixels).map(Samples::Inks)
    } else {
        RgbImage::from_raw(width.into(), height.into(), pixels).map(Samples::Rgb)
    }
}
