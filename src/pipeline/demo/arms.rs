//! The arms of the proof: what each adds to the training images.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::dataset::Split;
use crate::generate::Arm;
use crate::pipeline::error::Error;
use crate::pipeline::order::Finished;
use crate::run::decide::{Decision, Decisions};

/// The arms, in the order of the table.
pub(super) const ARMS: [&str; 6] = [
    "none",
    "real",
    "neutral",
    "easy",
    "failure_unfiltered",
    "failure",
];

/// Images that an arm adds, each with its class.
pub(super) type Added = Vec<(PathBuf, usize)>;

/// What every arm adds.
pub(super) struct Arms {
    /// Images of a class, the same number in every arm but the first, which adds none.
    pub(super) per_class: usize,
    /// In the order of [`ARMS`].
    pub(super) added: Vec<(&'static str, Added)>,
}

impl Arms {
    /// Those of a run, with at most `most` images a class.
    pub(super) fn of(done: &Finished, most: usize) -> Result<Self, Error> {
        let decisions = done
            .decided
            .as_ref()
            .map(|decided| &decided.decisions)
            .filter(|decisions| !decisions.outcomes.is_empty())
            .ok_or_else(|| Error::input("nothing was generated, so there is nothing to prove"))?;
        let generated = |arm, kept| generated(done, decisions, arm, kept);
        let all: BTreeMap<&'static str, BTreeMap<usize, Added>> = BTreeMap::from([
            ("real", real(done)),
            ("neutral", generated(Arm::Neutral, true)),
            ("easy", generated(Arm::Easy, true)),
            ("failure_unfiltered", generated(Arm::Hard, false)),
            ("failure", generated(Arm::Hard, true)),
        ]);
        let failing = decisions.of(Arm::Hard);
        let mut classes: Vec<usize> = failing.map(|outcome| outcome.plan.mode.class).collect();
        // Several modes of a class follow each other.
        classes.dedup();
        let counts = all.values().flat_map(|arm| {
            let of = |class| arm.get(class).map_or(0, Vec::len);
            classes.iter().map(of)
        });
        let per_class = counts.chain([most]).min().unwrap_or(0);
        if per_class == 0 {
            return Err(Error::input("an arm of the proof has no images of a class"));
        }
        let added = ARMS.map(|name| {
            let images = all.get(name).map(|arm| {
                let of = |class| arm.get(class).into_iter().flatten().take(per_class);
                classes.iter().flat_map(of).cloned().collect()
            });
            (name, images.unwrap_or_default())
        });
        Ok(Self {
            per_class,
            added: added.to_vec(),
        })
    }
}

/// The images of a generated arm by class; unfiltered they are the first attempts, whatever the filters
/// said of them.
fn generated(
    done: &Finished,
    decisions: &Decisions,
    arm: Arm,
    kept: bool,
) -> BTreeMap<usize, Added> {
    let layout = done.folder.layout();
    let added = |decision: &Decision| {
        let measured = &decision.measured;
        (layout.attempt(measured), measured.mode.class)
    };
    let mut by_class: BTreeMap<usize, Vec<Added>> = BTreeMap::new();
    for outcome in decisions.of(arm) {
        let of_class = by_class.entry(outcome.plan.mode.class).or_default();
        of_class.push(if kept {
            outcome.kept().map(added).collect()
        } else {
            outcome.decided.iter().map(added).collect()
        });
    }
    let in_turn = |(class, modes): (usize, Vec<Added>)| (class, in_turn(&modes));
    by_class.into_iter().map(in_turn).collect()
}

/// The images of a class's modes in turn, so that the first so many are of all modes alike.
fn in_turn(modes: &[Added]) -> Added {
    let longest = modes.iter().map(Vec::len).max().unwrap_or_default();
    let turn = |at: usize| modes.iter().filter_map(move |mode| mode.get(at).cloned());
    (0..longest).flat_map(turn).collect()
}

/// Real images of the pool by class, in random order.
fn real(done: &Finished) -> BTreeMap<usize, Added> {
    let dataset = done.dataset();
    let mut real: BTreeMap<usize, Added> = BTreeMap::new();
    for (_, e) in done.embedded.usable().of_split(Split::Pool) {
        let of_class = real.entry(e.label).or_default();
        of_class.push((dataset.image_path(e), e.label));
    }
    for (class, images) in &mut real {
        images.shuffle(&mut ChaCha8Rng::seed_from_u64(*class as u64));
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_images_of_a_class_are_of_all_its_modes() {
        let mode = |name: &str, images: usize| -> Added {
            let image = |at| (PathBuf::from(format!("{name}{at}")), 0);
            (0..images).map(image).collect()
        };
        let names = |added: Added| -> Vec<String> {
            let shown = added
                .into_iter()
                .map(|(path, _)| path.display().to_string());
            shown.collect()
        };
        let both = in_turn(&[mode("a", 3), mode("b", 1)]);
        assert_eq!(names(both), ["a0", "b0", "a1", "a2"]);
        assert_eq!(names(in_turn(&[mode("a", 2)])), ["a0", "a1"]);
        assert!(in_turn(&[]).is_empty());
    }
}
