//! One axis of a resize: which input pixels make an output pixel, and how they are summed.

use std::ops::Range;

use super::{Filter, Kernel};

/// The weights of one axis, as integers with `bits` fractional bits.
pub(super) struct Axis {
    bits: u32,
    pub(super) taps: Vec<Taps<i32>>,
}

/// The input pixels that make one output pixel.
pub(super) struct Taps<W> {
    pub(super) start: usize,
    pub(super) weights: Vec<W>,
}

impl Axis {
    pub(super) fn new(
        from: usize,
        to: usize,
        outputs: Range<usize>,
        filter: Filter,
        kernel: Kernel,
    ) -> Self {
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
    pub(super) fn span(&self) -> Range<usize> {
        let start = self.taps.iter().map(|taps| taps.start).min();
        let end = self.taps.iter().map(|taps| taps.start + taps.weights.len());
        start.unwrap_or(0)..end.max().unwrap_or(0)
    }

    /// Horizontal pass over `rows`; a row's bytes begin at pixel `first`.
    pub(super) fn mix_columns<'a, const CHANNELS: usize>(
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
    pub(super) fn mix_rows<'a>(&self, bytes: impl Fn(usize) -> &'a [u8], len: usize) -> Vec<u8> {
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
pub(super) fn taps(from: usize, to: usize, i: usize, filter: Filter) -> Taps<f64> {
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
