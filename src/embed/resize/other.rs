//! Resizing in the modes of Pillow that are not bytes of red, green and blue.
//!
//! Source: `Image.resize` of Pillow 13, which picks the nearest pixel of modes `1` and `P` and goes
//! over `RGBa` and `La` for alpha; `ImagingScaleAffine` of `Geometry.c`, `rgba2rgbA` and `rgbA2rgba`
//! of `Convert.c`, `ImagingResampleHorizontal_16bpc` of `Resample.c`.

use super::axis::{Taps, taps};
use super::{Raster, Window};
use crate::io::image::decoded::scaled;

impl Window {
    /// The nearest pixels.
    pub(in crate::embed) fn nearest(&self, image: Raster<'_, u8>) -> Vec<u8> {
        let Raster {
            samples,
            width,
            height,
        } = image;
        if self.is_empty(width, height) {
            return Vec::new();
        }
        let columns = nearest(width, self.size.0, self.columns.end);
        let rows = nearest(height, self.size.1, self.rows.end);
        let mut out = Vec::with_capacity(self.columns.len() * self.rows.len() * 3);
        for &row in &rows[self.rows.clone()] {
            for &column in &columns[self.columns.clone()] {
                out.extend_from_slice(&samples[(row * width + column) * 3..][..3]);
            }
        }
        out
    }

    /// Red, green, blue and alpha, the colors weighted by their alpha.
    pub(in crate::embed) fn weighted_by_alpha(&self, image: Raster<'_, u8>) -> Vec<u8> {
        let (pixels, _) = image.samples.as_chunks::<4>();
        let weighted: Vec<u8> = pixels
            .iter()
            .flat_map(|&[r, g, b, a]| [scaled(r, a), scaled(g, a), scaled(b, a), a])
            .collect();
        let samples = weighted.as_slice();
        let mut out = self.bytes::<4>(Raster { samples, ..image });
        let (pixels, _) = out.as_chunks_mut::<4>();
        for [r, g, b, a] in pixels {
            if *a > 0 {
                for color in [r, g, b] {
                    *color = (255 * u32::from(*color) / u32::from(*a)).min(255) as u8;
                }
            }
        }
        out
    }

    /// Gray of 16 bits, with sums that are rounded to 16 bits after either pass.
    pub(in crate::embed) fn gray16(&self, image: Raster<'_, u16>) -> Vec<u16> {
        let Raster {
            samples,
            width,
            height,
        } = image;
        if self.is_empty(width, height) {
            return Vec::new();
        }
        let of = |from, to, outputs: std::ops::Range<usize>| -> Vec<Taps<f64>> {
            outputs.map(|i| taps(from, to, i, self.filter)).collect()
        };
        let xs = of(width, self.size.0, self.columns.clone());
        let ys = of(height, self.size.1, self.rows.clone());
        let along = |row: &[u16], taps: &Taps<f64>, first: usize| {
            round(taps.mixed(|column| row[column - first]))
        };
        if self.rows_first(width, height) {
            let start = xs.iter().map(|taps| taps.start).min().unwrap_or(0);
            let end = xs.iter().map(|taps| taps.start + taps.weights.len());
            let end = end.max().unwrap_or(0);
            let mix = |taps: &Taps<f64>| -> Vec<u16> {
                (start..end)
                    .map(|column| round(taps.mixed(|row| samples[row * width + column])))
                    .collect()
            };
            let between = ys.iter().map(mix);
            between
                .flat_map(|row| {
                    let mixed: Vec<u16> = xs.iter().map(|taps| along(&row, taps, start)).collect();
                    mixed
                })
                .collect()
        } else {
            let start = ys.iter().map(|taps| taps.start).min().unwrap_or(0);
            let end = ys.iter().map(|taps| taps.start + taps.weights.len());
            let end = end.max().unwrap_or(0);
            let between: Vec<u16> = (start..end)
                .flat_map(|row| {
                    let row = &samples[row * width..][..width];
                    xs.iter().map(|taps| along(row, taps, 0))
                })
                .collect();
            let n = xs.len();
            ys.iter()
                .flat_map(|taps| {
                    let between = &between;
                    (0..n).map(move |column| {
                        round(taps.mixed(|row| between[(row - start) * n + column]))
                    })
                })
                .collect()
        }
    }
}

impl Taps<f64> {
    /// The weighted sum of the inputs.
    fn mixed(&self, input: impl Fn(usize) -> u16) -> f64 {
        let inputs = (self.start..).map(|i| f64::from(input(i)));
        inputs
            .zip(&self.weights)
            .fold(0.0, |sum, (input, weight)| sum + input * weight)
    }
}

/// A sum as 16 bits. Above them Pillow limits the high byte and lets the low one wrap.
fn round(sum: f64) -> u16 {
    let whole = (sum.abs() + 0.5).floor().copysign(sum) as i32;
    let low = (whole % 256).max(0);
    let high = (whole >> 8).clamp(0, 255);
    (high << 8 | low) as u16
}

/// The input pixel under each of the first `end` of `to` outputs. Pillow adds up steps, and so rounds
/// as it does.
fn nearest(from: usize, to: usize, end: usize) -> Vec<usize> {
    let step = from as f64 / to as f64;
    let mut at = step * 0.5;
    (0..end)
        .map(|_| {
            let pixel = (at as usize).min(from - 1);
            at += step;
            pixel
        })
        .collect()
}
