//! Random numbers of a run, by what they are for.

use ndarray::{Array1, Array2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A generator with normal numbers.
pub(crate) struct Draws {
    rng: ChaCha8Rng,
    /// The second of a pair of normal numbers.
    spare: Option<f64>,
}

impl Draws {
    /// The generator of one purpose (`"null iid 40 16"`) and run: none shares draws with another.
    pub(crate) fn new(purpose: &str, run: usize) -> Self {
        let mut rng = ChaCha8Rng::from_seed(*blake3::hash(purpose.as_bytes()).as_bytes());
        rng.set_stream(run as u64);
        Self { rng, spare: None }
    }

    /// For what takes a generator.
    pub(crate) fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    /// True with a probability.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.rng.gen_bool(p)
    }

    /// A whole number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.rng.gen_range(0..n)
    }

    /// A normal number of mean 0 and deviation 1 (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let u: f64 = 1.0 - self.rng.r#gen::<f64>();
        let angle = std::f64::consts::TAU * self.rng.r#gen::<f64>();
        let radius = (-2.0 * u.ln()).sqrt();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// A heavy-tailed number: Student's t with 3 degrees of freedom.
    pub(crate) fn heavy(&mut self) -> f64 {
        let squares: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        self.normal() / (squares / 3.0).sqrt()
    }

    /// Normal numbers, `[n, d]`.
    pub(crate) fn normals(&mut self, n: usize, d: usize) -> Array2<f64> {
        Array2::from_shape_simple_fn((n, d), || self.normal())
    }

    /// A vector `[d]` of a length, in a direction at random.
    pub(crate) fn vector(&mut self, d: usize, length: f64) -> Array1<f64> {
        let mut vector = Array1::from_shape_simple_fn(d, || self.normal());
        let norm: f64 = vector.dot(&vector);
        vector *= length / norm.sqrt();
        vector
    }
}
