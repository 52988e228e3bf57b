//! The faces of every split, with exact group counts.
//!
//! Every face has a seed of its own, made from the seed of the world, the name of the split and the index of the
//! face: any one can be drawn without the others, and in parallel. Their files: [`super::folder`].

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::face::{Age, Face, Gender, WorldConfig, is_minority};
use super::preset::Population;

/// How many faces each split has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitSizes {
    /// What the analysed classifier learns from; the only biased split.
    pub train: usize,
    /// Where its failures are looked for.
    pub val: usize,
    /// Where the result is measured.
    pub test: usize,
    /// More pictures nobody has labelled, to choose from.
    pub pool: usize,
}

impl SplitSizes {
    /// The splits with their names, in the order they are written.
    pub fn named(&self) -> [(&'static str, usize); 4] {
        [
            ("train", self.train),
            ("val", self.val),
            ("test", self.test),
            ("pool", self.pool),
        ]
    }
}

impl Default for SplitSizes {
    fn default() -> Self {
        Self {
            train: 2000,
            val: 1000,
            test: 1000,
            pool: 2000,
        }
    }
}

/// The random numbers of face `index` of `split`.
pub fn item_rng(seed: u64, split: &str, index: usize) -> ChaCha8Rng {
    named_rng(seed, split, "face", index)
}

/// The `n` faces of a split, in an order that tells nothing about them.
///
/// Half are young and half old; an odd `n` has one young face more. `rho` is the share of the majority (old
/// men, young women) in each label, as a count rounded to the nearest face and never a chance:
/// `Some(0.95)` of 1,000 faces makes 475 and 25 of each label. `None` is 0.5, no correlation. Values
/// outside 0 to 1 act as the nearer end.
pub fn describe(
    config: &WorldConfig,
    seed: u64,
    split: &str,
    n: usize,
    rho: Option<f64>,
) -> Vec<Face> {
    let population = Population {
        rho,
        ..Population::balanced(*config)
    };
    describe_population(&population, seed, split, n)
}

/// [`describe`] where the young and the old may differ in more than gender.
pub fn describe_population(population: &Population, seed: u64, split: &str, n: usize) -> Vec<Face> {
    let rho = population.rho.unwrap_or(0.5).clamp(0.0, 1.0);
    let old = n / 2;
    let mut cells = Vec::with_capacity(n);
    for (age, count) in [(Age::Young, n - old), (Age::Old, old)] {
        let majority = (count as f64 * rho).round() as usize;
        let (major, minor) = if is_minority(age, Gender::Woman) {
            (Gender::Man, Gender::Woman)
        } else {
            (Gender::Woman, Gender::Man)
        };
        cells.extend(std::iter::repeat_n((age, major), majority));
        cells.extend(std::iter::repeat_n((age, minor), count - majority));
    }
    cells.shuffle(&mut named_rng(seed, split, "order", n));
    cells
        .into_iter()
        .enumerate()
        .map(|(index, (age, gender))| {
            let mut rng = item_rng(seed, split, index);
            Face::sample(&mut rng, age, gender, population.of(age))
        })
        .collect()
}

/// Random numbers for one purpose. The parts are told apart by their lengths, so that no two purposes share a stream.
fn named_rng(seed: u64, split: &str, purpose: &str, index: usize) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in [split, purpose] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&(index as u64).to_le_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(faces: &[Face]) -> [usize; 4] {
        let count = |age, gender| {
            faces
                .iter()
                .filter(|f| (f.age, f.gender) == (age, gender))
                .count()
        };
        [
            count(Age::Young, Gender::Man),
            count(Age::Young, Gender::Woman),
            count(Age::Old, Gender::Man),
            count(Age::Old, Gender::Woman),
        ]
    }

    #[test]
    fn counts_are_exact() {
        let config = WorldConfig::default();
        let of = |n, rho| counts(&describe(&config, 0, "train", n, rho));
        assert_eq!(of(1000, Some(0.95)), [25, 475, 475, 25]);
        assert_eq!(of(1000, None), [250; 4]);
        assert_eq!(of(100, Some(1.0)), [0, 50, 50, 0]);
        assert_eq!(of(5, Some(0.5)), [1, 2, 1, 1]);
        assert_eq!(of(0, None), [0; 4]);
    }

    #[test]
    fn a_face_can_be_drawn_alone() {
        let config = WorldConfig::default();
        let faces = describe(&config, 9, "val", 20, None);
        let Face { age, gender, .. } = faces[13];
        let alone = Face::sample(&mut item_rng(9, "val", 13), age, gender, &config);
        assert_eq!(alone, faces[13]);
    }

    #[test]
    fn seeds_and_splits_differ() {
        let config = WorldConfig::default();
        let faces = describe(&config, 0, "val", 30, None);
        assert_eq!(faces, describe(&config, 0, "val", 30, None));
        assert_ne!(faces, describe(&config, 1, "val", 30, None));
        assert_ne!(faces, describe(&config, 0, "test", 30, None));
    }

    #[test]
    fn the_order_tells_nothing() {
        let faces = describe(&WorldConfig::default(), 0, "train", 1000, Some(0.9));
        for part in faces.chunks(250) {
            let old = part.iter().filter(|f| f.age == Age::Old).count();
            let minority = part.iter().filter(|f| f.is_minority()).count();
            assert!((95..=155).contains(&old), "{old}");
            assert!((10..=42).contains(&minority), "{minority}");
        }
    }
}
