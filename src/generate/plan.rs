//! The plan: per failure mode an ordered, endless list of attempts, cut by quota and budget.
//!
//! Attempt `j` of a mode takes caption `j mod k` and index `j div k` (round-robin over its `k`
//! captions). Its seed is a hash of (run seed, class, mode, arm, caption, index), so that an attempt
//! is the same wherever, whenever and beside whatever it is computed.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

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
    /// The word the ledger uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Neutral => "neutral",
            Self::Easy => "easy",
        }
    }
}

impl Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to attempt for one arm of one failure mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModePlan {
    /// Index of the class.
    pub class: usize,
    /// Its name.
    pub class_name: String,
    /// Failure mode within the class.
    pub mode: u32,
    /// Where the captions come from.
    pub arm: Arm,
    /// The captions, best first; not empty.
    pub captions: Vec<String>,
    /// Pictures to keep.
    pub quota: usize,
    /// Attempts at most.
    pub budget: u64,
    /// Plan position of its first attempt.
    pub first: u64,
}

/// One attempt: everything a generator needs besides its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Position in the plan of the whole run.
    pub position: u64,
    /// A name for its files: hexadecimal, unique in a run.
    pub id: String,
    /// Caption.
    pub caption: String,
    /// How often this caption was attempted before.
    pub index: u64,
    /// Seed of its noise, below 2⁴⁸ so that every JSON reader keeps it exactly.
    pub seed: u64,
}

impl ModePlan {
    /// Attempt `j` of this mode (0-based).
    pub fn attempt(&self, run_seed: u64, j: u64) -> Attempt {
        let k = self.captions.len().max(1) as u64;
        let caption = self
            .captions
            .get((j % k) as usize)
            .cloned()
            .unwrap_or_default();
        let index = j / k;
        // Every part is preceded by its length, so that no two keys run into the same bytes.
        let mut hasher = blake3::Hasher::new();
        let parts: [&[u8]; 6] = [
            &run_seed.to_le_bytes(),
            self.class_name.as_bytes(),
            &self.mode.to_le_bytes(),
            self.arm.name().as_bytes(),
            caption.as_bytes(),
            &index.to_le_bytes(),
        ];
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let hash = hasher.finalize();
        let bytes = hash.as_bytes();
        let seed = bytes[..6]
            .iter()
            .fold(0, |seed, &byte| (seed << 8) | u64::from(byte));
        let id = hash.to_hex()[12..28].to_owned();
        Attempt {
            position: self.first + j,
            id,
            caption,
            index,
            seed,
        }
    }
}

/// Gives plans consecutive, non-overlapping positions.
pub fn lay_out(plans: &mut [ModePlan]) {
    let mut first = 0;
    for plan in plans {
        plan.first = first;
        first += plan.budget;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan() -> ModePlan {
        ModePlan {
            class: 1,
            class_name: "old".to_owned(),
            mode: 0,
            arm: Arm::Hard,
            captions: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            quota: 4,
            budget: 20,
            first: 100,
        }
    }

    #[test]
    fn captions_take_turns() {
        let attempts: Vec<_> = (0..5).map(|j| plan().attempt(7, j)).collect();
        let turns: Vec<_> = attempts
            .iter()
            .map(|a| (a.caption.as_str(), a.index))
            .collect();
        assert_eq!(turns, [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1)]);
        assert_eq!(attempts[3].position, 103);
    }

    #[test]
    fn an_attempt_is_a_function_of_its_own_entry() {
        let attempt = plan().attempt(7, 4);
        // Neither the other captions' number nor the plan's place changes seed and id.
        let alone = ModePlan {
            captions: vec!["b".to_owned()],
            first: 0,
            ..plan()
        };
        let same = alone.attempt(7, 1);
        assert_eq!((attempt.seed, &attempt.id), (same.seed, &same.id));
        for other in [
            plan().attempt(8, 4),
            plan().attempt(7, 3),
            ModePlan { mode: 1, ..plan() }.attempt(7, 4),
            ModePlan {
                arm: Arm::Easy,
                ..plan()
            }
            .attempt(7, 4),
            ModePlan {
                class_name: "young".to_owned(),
                ..plan()
            }
            .attempt(7, 4),
        ] {
            assert_ne!(attempt.seed, other.seed);
            assert_ne!(attempt.id, other.id);
        }
    }

    #[test]
    fn ids_are_unique_and_seeds_fit_a_double() {
        let attempts: Vec<_> = (0..2000).map(|j| plan().attempt(7, j)).collect();
        let ids: BTreeSet<_> = attempts.iter().map(|a| &a.id).collect();
        assert_eq!(ids.len(), 2000);
        assert!(attempts.iter().all(|a| a.seed < 1 << 48));
    }

    #[test]
    fn plans_do_not_overlap() {
        let mut plans = [plan(), plan(), plan()];
        lay_out(&mut plans);
        assert_eq!(plans.map(|p| p.first), [0, 20, 40]);
    }
}
