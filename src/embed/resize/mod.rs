//! Image resampling that equals the reference implementations pixel by pixel.
//!
//! ```text
//! u8 [H, W, 3] ──one axis──▶ [H, w, 3] ──other axis──▶ u8 [h, w, 3]
//! ```
//!
//! Output pixel `i` of an axis of `n` pixels shrunk to `m` is a weighted mean around
//! `c = (i + ½)·n/m`: the weight of pixel `j` is `f((j + ½ − c)/s)` with `s = max(n/m, 1)`, cut
//! at the border and scaled to sum to one. `f` is the triangle, Keys' cubic with `a = −½`, or Lanczos' windowed
//! sinc (Pillow's alone: torch has none to equal).
//!
//! Weights are integers and every pass ends in bytes, so "CLIP's bicubic" is as many functions
//! as there are references that round differently; see [`Kernel`]. Only the requested window is
//! computed, which changes no pixel and keeps a strip of 1 × 100 000 pixels from filling the memory.
//!
//! Source: written from the behaviour of Pillow's `Resample.c` and torch's antialiased upsampling;
//! Keys 1981, "Cubic convolution interpolation for digital image processing".

mod axis;
mod other;

use std::ops::Range;

use image::{ImageBuffer, Pixel, RgbImage};

use self::axis::Axis;

/// Whose arithmetic the resampling follows. It changes embeddings a little, so it belongs into the
/// key of whatever is computed from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Kernel {
    /// Pillow since 13.0: weights of 22 bits, bytes between the passes, the vertical pass
    /// first only where the image shrinks much more in height than in width.
    #[default]
    Pil,
    /// Pillow before 13.0: the same, but the horizontal pass always first.
    Pil12,
    /// torchvision on byte tensors in main memory, with `antialias=True`: as [`Kernel::Pil12`], but
    /// with weights of 16 bits. (On a GPU torchvision rounds only once, and differs by up to 20
    /// levels where the cubic overshoots.)
    Torchvision,
}

impl Kernel {
    /// The name used in flags and cache keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pil => "pil",
            Self::Pil12 => "pil12",
            Self::Torchvision => "torchvision",
        }
    }
}

/// The weight function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Filter {
    /// Triangle, two pixels wide.
    Bilinear,
    /// Cubic with `a = −½`, four pixels wide.
    Bicubic,
    /// Sinc windowed by a sinc three times as wide, six pixels wide.
    Lanczos,
}

impl Filter {
    fn radius(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

/// `sin πx / πx`.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// Resizes an image to `width × height` pixels.
///
/// An empty image, or an empty target, gives an empty image of the target's size, all black.
pub fn resize(
    image: &RgbImage,
    width: u32,
    height: u32,
    filter: Filter,
    kernel: Kernel,
) -> RgbImage {
    let window = Window {
        size: (width as usize, height as usize),
        columns: 0..width as usize,
        rows: 0..height as usize,
        filter,
        kernel,
    };
    let pixels = window.bytes::<3>(Raster::of(image));
    RgbImage::from_raw(width, height, pixels).unwrap_or_else(|| RgbImage::new(width, height))
}

/// An image's samples, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raster<'a, T> {
    /// As many for a pixel as it has channels.
    pub(super) samples: &'a [T],
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<'a, T> Raster<'a, T> {
    pub(super) fn of<P: Pixel<Subpixel = T>>(image: &'a ImageBuffer<P, Vec<T>>) -> Self {
        Self {
            samples: image.as_raw(),
            width: image.width() as usize,
            height: image.height() as usize,
        }
    }
}

/// A part of a resized image, and how it is resized.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Width and height of the whole resized image.
    pub(super) size: (usize, usize),
    /// The part that is wanted; it must lie within `size`.
    pub(super) columns: Range<usize>,
    /// As `columns`.
    pub(super) rows: Range<usize>,
    pub(super) filter: Filter,
    pub(super) kernel: Kernel,
}

impl Window {
    /// The bytes of the part. An image or part without pixels gives none.
    pub(super) fn bytes<const CHANNELS: usize>(&self, image: Raster<'_, u8>) -> Vec<u8> {
        let Raster { width, height, .. } = image;
        if self.is_empty(width, height) {
            return Vec::new();
        }
        let (filter, kernel) = (self.filter, self.kernel);
        let xs = Axis::new(width, self.size.0, self.columns.clone(), filter, kernel);
        let ys = Axis::new(height, self.size.1, self.rows.clone(), filter, kernel);
        let (columns, rows) = (xs.span(), ys.span());
        let (bytes, stride) = (image.samples, width * CHANNELS);
        if self.rows_first(width, height) {
            let part = columns.start * CHANNELS..columns.end * CHANNELS;
            let between = ys.mix_rows(|row| &bytes[row * stride..][part.clone()], part.len());
            let stride = part.len();
            xs.mix_columns::<CHANNELS>(
                |row| &between[row * stride..][..stride],
                0..ys.taps.len(),
                columns.start,
            )
        } else {
            let row = |row: usize| &bytes[row * stride..][..stride];
            let between = xs.mix_columns::<CHANNELS>(row, rows.clone(), 0);
            let stride = xs.taps.len() * CHANNELS;
            ys.mix_rows(
                |row| &between[(row - rows.start) * stride..][..stride],
                stride,
            )
        }
    }

    fn is_empty(&self, width: usize, height: usize) -> bool {
        width == 0 || height == 0 || self.columns.is_empty() || self.rows.is_empty()
    }

    /// Whether the vertical pass comes first: python-pillow/Pillow#9549, the height shrinks, by more
    /// than twice what the width does.
    fn rows_first(&self, width: usize, height: usize) -> bool {
        let (to_width, to_height) = self.size;
        self.kernel == Kernel::Pil
            && height > to_height
            && height - to_height + 2 * to_width > 2 * width
    }
}

#[cfg(test)]
mod tests;
