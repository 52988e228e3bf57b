//! The plan: per failure mode and arm an ordered, endless list of attempts, cut by quota and budget.
//!
//! Attempt `j` of a mode takes caption `j mod k` and index `j div k` (round-robin over its `k`
//! captions). Its seed is a hash of (run seed, class, mode, arm, caption, index), so that an attempt
//! is the same wherever, whenever and beside whatever it is computed. Its id is the hash of its recipe.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::recipe::{AttemptId, Recipe};
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

/// What to attempt for one arm of one failure mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        let recipe = template.draw(caption, self.seed(run_seed, caption, index));
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
}
