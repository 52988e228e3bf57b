//! Image resampling that equals the reference implementations pixel by pixel.
//!
//! ```text
//! u8 [H, W, 3] ──one axis──▶ [H, w, 3] ──other axis──▶ u8 [h, w, 3]
//! ```
//!
//! Output pixel `i` of an axis of `n` pixels shrunk to `m` is a weighted mean around
//! `c = (i + ½)·n/m`: the weight of pixel `j` is `f((j + ½ − c)/s)` with `s = max(n/m, 1)`, cut
//! at the border and scaled to sum to one. `f` is the triangle or Keys' cubic with `a = −½`.
//!
//! Weights are integers and every pass ends in bytes, so "CLIP's bicubic" is as many functions
//! as there are references that round differently; see [`Kernel`]. Only the requested window is computed, which changes no pixel and keeps a strip of
//! 1 × 100 000 pixels from filling the memory.
//!
//! Source: written from the behaviour of Pillow's `Resample.c` and torch's antialiased upsampling;
//! Keys 1981, "Cubic convolution interpolation for digital image processing".

mod other;

use std::ops::Range;

use image::{ImageBuffer, Pixel, RgbImage};

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
}

impl Filter {
    fn radius(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
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
    let pixels = window.bytes::<3>(Pixels::of(image));
    RgbImage::from_raw(width, height, pixels).unwrap_or_else(|| RgbImage::new(width, height))
}

/// An image's samples, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pixels<'a, T> {
    /// As many for a pixel as it has channels.
    pub(super) samples: &'a [T],
    pub(super) width: usize,
    pub(super) height: usize,
}

impl<'a, T> Pixels<'a, T> {
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
    pub(super) fn bytes<const CHANNELS: usize>(&self, image: Pixels<'_, u8>) -> Vec<u8> {
        let Pixels { width, height, .. } = image;
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

/// The weights of one axis, as integers with `bits` fractional bits.
struct Axis {
    bits: u32,
    taps: Vec<Taps<i32>>,
}

/// The input pixels that make one output pixel.
struct Taps<W> {
    start: usize,
    weights: Vec<W>,
}

impl Axis {
    fn new(from: usize, to: usize, outputs: Range<usize>, filter: Filter, kernel: Kernel) -> Self {
        let bits = match kernel {
            Kernel::Pil | Kernel::Pil12 => 22,
            // As many as let the largest weight of the whole axis fit 16 bits.
            Kernel::Torchvision => {
                let largest = (0..to)
                    .flat_map(|i| taps(from, to, i, filter).weights)
                    .fold(0.0, f64::max);
                (0..22)
                    .find(|bits| (0.5 + largest * f64::from(1 << (bits + 1))) as i32 >= 1 << 15)
                    .unwrap_or(22)
            }
        };
        let one = f64::from(1 << bits);
        let taps = outputs
            .map(|i| {
                let Taps { start, weights } = taps(from, to, i, filter);
                let weights = weights.iter().map(|weight| (weight * one).round() as i32);
                Taps {
                    start,
                    weights: weights.collect(),
                }
            })
            .collect();
        Self { bits, taps }
    }

    /// The input pixels that any of the outputs reads.
    fn span(&self) -> Range<usize> {
        let start = self.taps.iter().map(|taps| taps.start).min();
        let end = self.taps.iter().map(|taps| taps.start + taps.weights.len());
        start.unwrap_or(0)..end.max().unwrap_or(0)
    }

    /// Horizontal pass over `rows`; a row's bytes begin at pixel `first`.
    fn mix_columns<'a, const CHANNELS: usize>(
        &self,
        bytes: impl Fn(usize) -> &'a [u8],
        rows: Range<usize>,
        first: usize,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(rows.len() * self.taps.len() * CHANNELS);
        for row in rows {
            let (pixels, _) = bytes(row).as_chunks::<CHANNELS>();
            for Taps { start, weights } in &self.taps {
                let mut sums = [self.half(); CHANNELS];
                for (pixel, weight) in pixels[start - first..].iter().zip(weights) {
                    for (sum, &byte) in sums.iter_mut().zip(pixel) {
                        *sum += i32::from(byte) * weight;
                    }
                }
                out.extend(sums.map(|sum| self.byte(sum)));
            }
        }
        out
    }

    /// Vertical pass over rows of `len` bytes.
    fn mix_rows<'a>(&self, bytes: impl Fn(usize) -> &'a [u8], len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.taps.len() * len);
        let mut sums = vec![0; len];
        for Taps { start, weights } in &self.taps {
            sums.fill(self.half());
            for (row, weight) in (*start..).zip(weights) {
                for (sum, &byte) in sums.iter_mut().zip(bytes(row)) {
                    *sum += i32::from(byte) * weight;
                }
            }
            out.extend(sums.iter().map(|&sum| self.byte(sum)));
        }
        out
    }

    /// What makes the shift of [`Self::byte`] round.
    fn half(&self) -> i32 {
        1 << (self.bits - 1)
    }

    fn byte(&self, sum: i32) -> u8 {
        (sum >> self.bits).clamp(0, 255) as u8
    }
}

/// Output pixel `i` of an axis of `from` pixels resized to `to`.
fn taps(from: usize, to: usize, i: usize, filter: Filter) -> Taps<f64> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let radius = filter.radius() * stretch;
    let centre = (i as f64 + 0.5) * scale;
    // Casts to usize truncate and stop at zero, as the references do.
    let start = (centre - radius + 0.5) as usize;
    let end = ((centre + radius + 0.5) as usize).min(from);
    // The references multiply by the reciprocal; dividing differs in the last bit.
    let shrink = 1.0 / stretch;
    let mut weights: Vec<f64> = (start..end)
        .map(|j| filter.at((j as f64 - centre + 0.5) * shrink))
        .collect();
    let sum: f64 = weights.iter().sum();
    if sum != 0.0 {
        for weight in &mut weights {
            *weight /= sum;
        }
    }
    Taps { start, weights }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/resize.json");

    #[derive(serde::Deserialize)]
    struct Golden {
        resize: Vec<Case>,
    }

    /// Made by `tests/oracle/golden/resize.py`.
    #[derive(serde::Deserialize)]
    struct Case {
        from: (u32, u32),
        to: (u32, u32),
        image: String,
        bilinear: Resized,
        bicubic: Resized,
    }

    #[derive(serde::Deserialize)]
    struct Resized {
        pil: String,
        /// Where it differs from `pil`.
        pil12: Option<String>,
        /// Where it differs from Pillow 12's.
        torchvision: Option<String>,
    }

    impl Resized {
        fn pil12(&self) -> &str {
            self.pil12.as_ref().unwrap_or(&self.pil)
        }

        fn torchvision(&self) -> &str {
            self.torchvision.as_deref().unwrap_or(self.pil12())
        }
    }

    impl Case {
        fn all() -> Vec<Self> {
            let golden: Golden =
                serde_json::from_str(&std::fs::read_to_string(GOLDEN).unwrap()).unwrap();
            assert!(golden.resize.len() >= 15);
            golden.resize
        }

        fn filters(&self) -> [(Filter, &Resized); 2] {
            [
                (Filter::Bilinear, &self.bilinear),
                (Filter::Bicubic, &self.bicubic),
            ]
        }

        fn assert_same(&self, filter: Filter, kernel: Kernel, theirs: &str) {
            let Self { from, to, .. } = *self;
            let image = RgbImage::from_raw(from.0, from.1, bytes(&self.image)).unwrap();
            let ours = resize(&image, to.0, to.1, filter, kernel).into_raw();
            let what = format!("{from:?} to {to:?}, {filter:?}, {}", kernel.name());
            assert_eq!(ours, bytes(theirs), "{what}");
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn pillow_13_and_12_are_matched_bit_for_bit() {
        let mut differ = 0;
        for case in Case::all() {
            for (filter, theirs) in case.filters() {
                case.assert_same(filter, Kernel::Pil, &theirs.pil);
                case.assert_same(filter, Kernel::Pil12, theirs.pil12());
                differ += usize::from(theirs.pil != theirs.pil12());
            }
        }
        assert!(
            differ >= 5,
            "the golden cases must tell the two orders of passes apart"
        );
    }

    #[test]
    fn torchvision_is_matched_bit_for_bit() {
        let mut differ = 0;
        for case in Case::all() {
            for (filter, theirs) in case.filters() {
                case.assert_same(filter, Kernel::Torchvision, theirs.torchvision());
                differ += usize::from(theirs.torchvision() != theirs.pil12());
            }
        }
        assert!(
            differ >= 5,
            "the golden cases must tell torchvision from Pillow"
        );
    }

    #[test]
    fn a_window_equals_that_part_of_the_whole() {
        for kernel in [Kernel::Pil, Kernel::Pil12, Kernel::Torchvision] {
            for (width, height) in [(23, 31), (31, 90)] {
                let image = RgbImage::from_fn(width, height, |x, y| {
                    image::Rgb([(x * 37 + y * 11) as u8, (x * y) as u8, (y * 53) as u8])
                });
                let whole = resize(&image, 17, 19, Filter::Bicubic, kernel);
                let window = Window {
                    size: (17, 19),
                    columns: 4..12,
                    rows: 7..10,
                    filter: Filter::Bicubic,
                    kernel,
                };
                let part = window.bytes::<3>(Pixels::of(&image));
                let expected: Vec<u8> = (7..10)
                    .flat_map(|y| (4..12).map(move |x| (x, y)))
                    .flat_map(|(x, y)| whole.get_pixel(x, y).0)
                    .collect();
                assert_eq!(part, expected, "{}", kernel.name());
            }
        }
    }

    #[test]
    fn a_thin_strip_costs_no_more_than_its_window() {
        // The whole resized strip would hold 224 × 22 400 000 pixels.
        let strip = RgbImage::from_pixel(100_000, 1, image::Rgb([9, 120, 255]));
        let window = Window {
            size: (22_400_000, 224),
            columns: 50..60,
            rows: 0..224,
            filter: Filter::Bicubic,
            kernel: Kernel::Pil,
        };
        let part = window.bytes::<3>(Pixels::of(&strip));
        assert_eq!(part.len(), 10 * 224 * 3);
        assert!(part.chunks(3).all(|pixel| pixel == [9, 120, 255]));
    }

    #[test]
    fn nothing_in_gives_black_and_nothing_out_gives_nothing() {
        let one = resize(&RgbImage::new(0, 4), 2, 2, Filter::Bilinear, Kernel::Pil);
        assert_eq!(one, RgbImage::new(2, 2));
        let none = resize(&RgbImage::new(3, 3), 0, 2, Filter::Bilinear, Kernel::Pil);
        assert_eq!(none.dimensions(), (0, 2));
    }
}
