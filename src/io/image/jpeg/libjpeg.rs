//! libjpeg, the decoder behind Pillow.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ::image::{RgbImage, RgbaImage};
use mozjpeg::{ColorSpace, Decompress};
use mozjpeg_sys::{jpeg_common_struct, jpeg_error_mgr};

use super::Samples;

/// What a warning does: libjpeg goes on after one, with pixels that it made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Warnings {
    /// It is an error.
    Refuse,
    /// It is passed over, as Pillow does.
    Ignore,
}

/// Why there is no image.
#[derive(Debug)]
pub(super) struct Refused;

/// Decodes a file whose size was looked at before.
pub(super) fn decode(bytes: &[u8], warnings: Warnings) -> Result<Samples, Refused> {
    // Its error handler must not return, and unwinds.
    let decoded = catch_unwind(AssertUnwindSafe(|| samples(bytes, warnings)));
    match decoded {
        Ok(Some(samples)) => Ok(samples),
        Ok(None) => Err(Refused),
        Err(thrown) if is_libjpegs(thrown.as_ref()) => Err(Refused),
        Err(thrown) => resume_unwind(thrown),
    }
}

/// Whether it was thrown by an error handler: a mistake in this program is not hidden.
fn is_libjpegs(thrown: &(dyn Any + Send)) -> bool {
    let message = thrown.downcast_ref::<String>();
    thrown.is::<Warned>() || message.is_some_and(|text| text.starts_with("libjpeg fatal error"))
}

fn samples(bytes: &[u8], warnings: Warnings) -> Option<Samples> {
    let begun = match warnings {
        Warnings::Refuse => Decompress::with_err(strict()).from_mem(bytes),
        Warnings::Ignore => Decompress::new_mem(bytes),
    }
    .ok()?;
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
    let (width, height) = (started.width() as u32, started.height() as u32);
    let pixels: Vec<u8> = started.read_scanlines().ok()?;
    started.finish().ok()?;
    if inks {
        RgbaImage::from_raw(width, height, pixels).map(Samples::Inks)
    } else {
        RgbImage::from_raw(width, height, pixels).map(Samples::Rgb)
    }
}

/// What a warning throws.
struct Warned;

/// libjpeg's own error handling, but that errors and warnings unwind.
fn strict() -> jpeg_error_mgr {
    /// Negative levels are warnings of corrupt data, the others remarks.
    extern "C-unwind" fn message(_: &mut jpeg_common_struct, level: std::ffi::c_int) {
        if level < 0 {
            resume_unwind(Box::new(Warned));
        }
    }
    extern "C-unwind" fn error(_: &mut jpeg_common_struct) {
        resume_unwind(Box::new(Warned));
    }
    // SAFETY: all its fields are numbers and nullable pointers, for which zeros are values; `jpeg_std_error` then
    // fills all of them.
    #[allow(unsafe_code)] // The crate has no safe way to make one.
    let mut handler = unsafe {
        let mut handler = std::mem::zeroed();
        mozjpeg_sys::jpeg_std_error(&mut handler);
        handler
    };
    handler.emit_message = Some(message);
    handler.error_exit = Some(error);
    handler
}
