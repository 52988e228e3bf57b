//! Classical augmentation: what training images may be changed by without changing their label.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// How far an image may be changed, each time that it is trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augment {
    /// Whether it is mirrored left to right, every second time.
    pub mirror: bool,
    /// Pixels by which it is shifted at most, to each side; its edge is repeated.
    pub shift: u32,
    /// Share by which brightness, contrast and each channel are changed at most, 0 to 1.
    pub colour: f64,
}

impl Augment {
    /// Images as they are.
    pub const NONE: Self = Self {
        mirror: false,
        shift: 0,
        colour: 0.0,
    };

    /// What most recipes for small photographs begin with.
    pub const CLASSICAL: Self = Self {
        mirror: true,
        shift: 4,
        colour: 0.2,
    };

    /// Changes an image of `side` × `side` RGB pixels at random; [`Augment::NONE`] draws no random number.
    pub(super) fn apply(&self, pixels: &mut [u8], side: usize, rng: &mut ChaCha8Rng) {
        if self.mirror && rng.r#gen() {
            for row in pixels.chunks_exact_mut(3 * side) {
                mirror(row);
            }
        }
        if self.shift > 0 {
            let most = i64::from(self.shift);
            let by = [(); 2].map(|()| rng.gen_range(-most..=most));
            shift(pixels, side, by);
        }
        if self.colour > 0.0 {
            let mut around = |middle: f64| middle + rng.gen_range(-self.colour..=self.colour);
            let (contrast, brightness) = (around(1.0), 128.0 * around(0.0));
            let gains = [(); 3].map(|()| around(1.0));
            recolour(pixels, contrast, brightness, gains);
        }
    }
}

/// Turns a row of RGB pixels round.
fn mirror(row: &mut [u8]) {
    row.reverse();
    for pixel in row.chunks_exact_mut(3) {
        pixel.reverse();
    }
}

/// Moves the image right and down by so many pixels.
fn shift(pixels: &mut [u8], side: usize, [right, down]: [i64; 2]) {
    let before = pixels.to_vec();
    let from = |to: usize, by: i64| (to as i64 - by).clamp(0, side as i64 - 1) as usize;
    for (y, row) in pixels.chunks_exact_mut(3 * side).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let at = 3 * (from(y, down) * side + from(x, right));
            pixel.copy_from_slice(&before[at..at + 3]);
        }
    }
}

/// Contrast about mid-gray, then brightness, then a gain a channel.
fn recolour(pixels: &mut [u8], contrast: f64, brightness: f64, gains: [f64; 3]) {
    let tables = gains.map(|gain| {
        let changed = |level: usize| {
            let level = (level as f64 - 128.0) * contrast + 128.0 + brightness;
            (level * gain).round().clamp(0.0, 255.0) as u8
        };
        std::array::from_fn::<u8, 256, _>(changed)
    });
    for pixel in pixels.chunks_exact_mut(3) {
        for (value, table) in pixel.iter_mut().zip(&tables) {
            *value = table[usize::from(*value)];
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    /// Two by two pixels of one channel.
    fn square(levels: [u8; 4]) -> Vec<u8> {
        levels.iter().flat_map(|&level| [level, 0, 0]).collect()
    }

    #[test]
    fn rows_are_mirrored_pixel_by_pixel() {
        let mut row = [1, 2, 3, 4, 5, 6];
        mirror(&mut row);
        assert_eq!(row, [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn a_shift_repeats_the_edge() {
        let mut pixels = square([1, 2, 3, 4]);
        shift(&mut pixels, 2, [1, 0]);
        assert_eq!(pixels, square([1, 1, 3, 3]));
        shift(&mut pixels, 2, [0, -1]);
        assert_eq!(pixels, square([3, 3, 3, 3]));
    }

    #[test]
    fn levels_stay_levels() {
        let mut pixels = [0, 128, 255];
        recolour(&mut pixels, 2.0, 10.0, [1.0, 0.5, 1.0]);
        assert_eq!(pixels, [0, 69, 255]);
    }

    #[test]
    fn nothing_draws_nothing() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut pixels = square([1, 2, 3, 4]);
        Augment::NONE.apply(&mut pixels, 2, &mut rng);
        assert_eq!(pixels, square([1, 2, 3, 4]));
        assert_eq!(rng, ChaCha8Rng::seed_from_u64(1));
        Augment::CLASSICAL.apply(&mut pixels, 2, &mut rng);
        assert_ne!(rng, ChaCha8Rng::seed_from_u64(1));
    }
}
