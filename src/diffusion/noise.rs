//! Standard normal noise keyed by seed and step.
//!
//! The same key gives the same numbers on every device, at every batch size and in every order:
//! `ChaCha8` is specified to the bit, and the normal variates come from it by Box and Muller's
//! transform (1958) in double precision.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The step number of an image's starting latents.
pub const START: u64 = u64::MAX;
/// The step number of the noise on an image embedding (Stable unCLIP).
pub const EMBEDDING: u64 = START - 1;
/// The step number of the noise by which a starting image's latents are drawn from what the encoder says of them.
pub const POSTERIOR: u64 = START - 2;

/// `n` standard normal numbers for `seed` at `step`.
pub fn normal(seed: u64, step: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step);
    let mut out = Vec::with_capacity(n + 1);
    while out.len() < n {
        // 53 bits each; `u` is never 0, so that its logarithm is finite.
        let u = ((rng.next_u64() >> 11) + 1) as f64 / 9_007_199_254_740_992.0;
        let v = (rng.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0;
        let radius = (-2.0 * u.ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        out.push((radius * cos) as f32);
        out.push((radius * sin) as f32);
    }
    out.truncate(n);
    out
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn a_key_gives_the_same_numbers_and_another_key_others() {
        assert_eq!(normal(7, 0, 10), normal(7, 0, 10));
        assert_ne!(normal(7, 0, 10), normal(8, 0, 10));
        assert_ne!(normal(7, 0, 10), normal(7, 1, 10));
        // A longer draw starts with the shorter one: image size does not reshuffle noise.
        assert_eq!(normal(7, 0, 11)[..10], normal(7, 0, 10)[..]);
    }

    #[test]
    fn the_numbers_are_standard_normal() {
        let xs = normal(3, 1, 100_000);
        let mean = xs.iter().map(|&x| f64::from(x)).sum::<f64>() / 1e5;
        let second = xs.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 1e5;
        let fourth = xs.iter().map(|&x| f64::from(x).powi(4)).sum::<f64>() / 1e5;
        // Five standard errors of each moment at n = 100,000.
        assert!(mean.abs() < 5.0 * (1.0 / 1e5_f64).sqrt(), "mean {mean}");
        assert!(
            (second - 1.0).abs() < 5.0 * (2.0 / 1e5_f64).sqrt(),
            "second {second}"
        );
        assert!(
            (fourth - 3.0).abs() < 5.0 * (96.0 / 1e5_f64).sqrt(),
            "fourth {fourth}"
        );
    }
}
