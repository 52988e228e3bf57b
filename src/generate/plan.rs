//! The plan: per failure mode and arm an ordered, endless list of attempts, cut by quota and budget.
//!
//! Attempt `j` of a mode takes caption `j mod k` and index `j div k` (round-robin over its `k`
//! captions). Its seed is a hash of (run seed, class, mode, arm, caption, index), so that an attempt
//! is the same wherever, whenever and beside whatever it is computed. Its id is the hash of its recipe.
//!
//! Where a plan has images to start from ([`ImageStarts`]), every attempt with the same index starts alike, from noise
//! or from an image at one strength, whatever its caption: what stands side by side in a batch is then sampled
//! together.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::recipe::{AttemptId, ImageRef, Recipe, Start};
use crate::direction::ModeId;

/// Which captions a picture comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// The top failure captions: what goes into the manifest.
    Hard,
    /// The class's reference caption: a control.
    Neutral,
    /// The captions furthest from failure: a control.
    Easy,
}

impl Arm {
    /// The word that files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Neutral => "neutral",
            Self::Easy => "easy",
        }
    }

    /// Whether its images are there to be compared with, not to be trained on.
    pub fn is_control(self) -> bool {
        self != Self::Hard
    }
}

impl Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Real images that a share of the attempts starts from (`SDEdit`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageStarts {
    /// The images, hardest first; not empty.
    pub images: Vec<ImageRef>,
    /// The share of a caption's attempts, above 0 and at most 1.
    pub share: f64,
    /// How much of an image is replaced, at least and at most.
    pub strength: [f64; 2],
}

impl ImageStarts {
    /// How many of a caption's first `count` attempts start from an image.
    fn among(&self, count: u64) -> u64 {
        (count as f64 * self.share) as u64
    }

    /// What the attempt with this index starts from: `round` is the seed that all with the index have in common,
    /// `seed` its own. Seeds are below 2⁴⁸.
    fn of(&self, index: u64, round: u64, seed: u64) -> Start {
        if self.among(index + 1) == self.among(index) {
            return Start::Noise;
        }
        let at = (seed % self.images.len().max(1) as u64) as usize;
        let Some(source) = self.images.get(at) else {
            return Start::Noise;
        };
        let [least, most] = self.strength;
        let drawn = least + (most - least) * (round as f64 / SEEDS);
        Start::Image {
            source: source.clone(),
            // Two digits are enough to tell strengths apart, and read well.
            strength: ((drawn * 100.0).round() / 100.0).clamp(least, most),
        }
    }
}

/// Seeds are below this.
const SEEDS: f64 = (1_u64 << 48) as f64;

/// What to attempt for one arm of one failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModePlan {
    /// The failure mode.
    pub mode: ModeId,
    /// Name of its class.
    pub class: String,
    /// Where the captions come from.
    pub arm: Arm,
    /// The captions, best first; not empty.
    pub captions: Vec<String>,
    /// What a part of the attempts starts from; none where all start from noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<ImageStarts>,
    /// Pictures to keep.
    pub quota: usize,
    /// Attempts at most.
    pub budget: u64,
}

/// One attempt: where it stands in the plan, and its recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Hash of the recipe.
    pub id: AttemptId,
    /// How often this caption was attempted before.
    pub index: u64,
    /// How its image is made.
    pub recipe: Recipe,
}

impl ModePlan {
    /// Attempt `j` of this mode (0-based), with the settings of `template`.
    pub fn attempt(&self, run_seed: u64, template: &Recipe, j: u64) -> Attempt {
        let k = self.captions.len().max(1) as u64;
        let caption = self
            .captions
            .get((j % k) as usize)
            .map_or("", String::as_str);
        let index = j / k;
        let seed = self.seed(run_seed, caption, index);
        let mut recipe = template.draw(caption, seed);
        if let Some(starts) = &self.starts {
            recipe.start = starts.of(index, self.seed(run_seed, "", index), seed);
        }
        Attempt {
            id: recipe.id(),
            index,
            recipe,
        }
    }

    fn seed(&self, run_seed: u64, caption: &str, index: u64) -> u64 {
        // Every part is preceded by its length, so that no two keys run into the same bytes.
        let mut hasher = blake3::Hasher::new();
        let parts: [&[u8]; 6] = [
            &run_seed.to_le_bytes(),
            self.class.as_bytes(),
            &self.mode.mode.to_le_bytes(),
            self.arm.name().as_bytes(),
            caption.as_bytes(),
            &index.to_le_bytes(),
        ];
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let bytes = hasher.finalize();
        bytes.as_bytes()[..6]
            .iter()
            .fold(0, |seed, &byte| (seed << 8) | u64::from(byte))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::recipe::tests::recipe;
    use super::*;

    fn plan() -> ModePlan {
        ModePlan {
            mode: ModeId::new(1, 0),
            class: "old".to_owned(),
            arm: Arm::Hard,
            captions: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            starts: None,
            quota: 4,
            budget: 20,
        }
    }

    fn attempt(plan: &ModePlan, run_seed: u64, j: u64) -> Attempt {
        plan.attempt(run_seed, &recipe(0), j)
    }

    #[test]
    fn captions_take_turns() {
        let attempts: Vec<_> = (0..5).map(|j| attempt(&plan(), 7, j)).collect();
        let turns: Vec<_> = attempts
            .iter()
            .map(|a| (a.recipe.caption.as_str(), a.index))
            .collect();
        assert_eq!(turns, [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1)]);
    }

    #[test]
    fn an_attempt_is_a_function_of_its_own_entry() {
        let one = attempt(&plan(), 7, 4);
        // Neither the other captions' number nor quota and budget change seed and id.
        let alone = ModePlan {
            captions: vec!["b".to_owned()],
            quota: 1,
            budget: 9,
            ..plan()
        };
        assert_eq!(attempt(&alone, 7, 1), one);
        for other in [
            attempt(&plan(), 8, 4),
            attempt(&plan(), 7, 3),
            attempt(
                &ModePlan {
                    mode: ModeId::new(1, 1),
                    ..plan()
                },
                7,
                4,
            ),
            attempt(
                &ModePlan {
                    arm: Arm::Easy,
                    ..plan()
                },
                7,
                4,
            ),
            attempt(
                &ModePlan {
                    class: "young".to_owned(),
                    ..plan()
                },
                7,
                4,
            ),
        ] {
            assert_ne!(one.recipe.seed, other.recipe.seed);
            assert_ne!(one.id, other.id);
        }
    }

    #[test]
    fn ids_are_unique_and_seeds_fit_a_double() {
        let attempts: Vec<_> = (0..2000).map(|j| attempt(&plan(), 7, j)).collect();
        let ids: BTreeSet<_> = attempts.iter().map(|a| &a.id).collect();
        assert_eq!(ids.len(), 2000);
        assert!(attempts.iter().all(|a| a.recipe.seed < 1 << 48));
    }

    #[test]
    fn a_share_of_every_captions_attempts_starts_from_images_round_by_round() {
        let images = ["x", "y", "z"].map(|id| ImageRef {
            id: id.to_owned(),
            sha256: id.repeat(64),
        });
        let plan = ModePlan {
            starts: Some(ImageStarts {
                images: images.to_vec(),
                share: 0.4,
                strength: [0.4, 0.7],
            }),
            ..plan()
        };
        let template = recipe(0).draw("", 0);
        let attempts: Vec<Attempt> = (0..300).map(|j| plan.attempt(7, &template, j)).collect();
        let mut used = BTreeSet::new();
        let mut strengths = BTreeSet::new();
        for round in attempts.chunks(3) {
            let kinds: BTreeSet<Option<u64>> = round
                .iter()
                .map(|a| a.recipe.start.strength().map(f64::to_bits))
                .collect();
            assert_eq!(kinds.len(), 1, "a round starts alike");
            for attempt in round {
                if let Start::Image { source, strength } = &attempt.recipe.start {
                    assert!((0.4..=0.7).contains(strength), "{strength}");
                    used.insert(source.id.clone());
                    strengths.insert((strength * 100.0).round() as u64);
                }
            }
        }
        let from_images = attempts.iter().filter(|a| a.recipe.start != Start::Noise);
        assert_eq!(from_images.count(), 3 * 40);
        assert!(used.len() == 3 && strengths.len() > 15, "{strengths:?}");
        // Neither the other captions' number nor quota and budget change it.
        let alone = ModePlan {
            captions: vec!["b".to_owned()],
            quota: 1,
            budget: 9,
            ..plan.clone()
        };
        assert_eq!(alone.attempt(7, &template, 2), attempts[3 * 2 + 1]);
        // Seeds are those of a plan without images.
        let plain = ModePlan {
            starts: None,
            ..plan
        };
        let of = |j: u64| plain.attempt(7, &template, j).recipe.seed;
        assert!((0..300).all(|j| of(j) == attempts[j as usize].recipe.seed));
    }
}
