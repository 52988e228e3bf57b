//! Which images are kept: a fold over what was measured, in plan order.
//!
//! ```text
//! plan, policy ──goals──▶ for every arm: attempt 0, 1, 2, … until its quota is met
//!                             │ ledger: Measured ──filters──▶ kept, or rejected for a Reason
//! ```
//!
//! Nothing is measured here and no model is asked: the same plan, policy and ledger always give the same
//! decisions, whoever asks and however often. Attempts behind the one that met a quota do not count,
//! even where they were made (a batch is finished before the quota is looked at).

mod row;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::row::Row;
pub use self::table::{TableError, encode, write};

use super::ledger::Measured;
use super::plan::{Goal, Plan};
use crate::direction::ModeId;
use crate::filter::duplicate::KeptImages;
use crate::filter::{Reason, first_reason};
use crate::generate::{Arm, AttemptId, ModePlan};

/// What was measured, by attempt.
pub type Known = BTreeMap<AttemptId, Arc<Measured>>;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its image goes into the training set.
    Kept,
    /// Its image is a control.
    Control,
    /// A filter refused it.
    Rejected,
}

impl Status {
    /// The word that files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Control => "control",
            Self::Rejected => "rejected",
        }
    }
}

/// What was decided of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What was measured.
    pub measured: Arc<Measured>,
    /// What became of it.
    pub status: Status,
    /// Why it was rejected.
    pub reason: Option<Reason>,
    /// The alignment it had to reach; none for controls.
    pub threshold: Option<f64>,
}

/// What an arm came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was wanted.
    pub plan: ModePlan,
    /// The attempts that count, in plan order.
    pub decided: Vec<Decision>,
    /// Whether the quota was met.
    pub met: bool,
    /// Whether it ended at an attempt that nobody has made yet.
    pub unfinished: bool,
}

impl Outcome {
    /// Attempts whose images count towards the quota, in plan order.
    pub fn kept(&self) -> impl Iterator<Item = &Decision> {
        self.decided.iter().filter(|d| d.status != Status::Rejected)
    }

    /// Why images lack; none where the quota is met.
    pub fn lack(&self) -> Option<Lack> {
        let ModePlan {
            quota, budget, arm, ..
        } = self.plan;
        let images = quota.saturating_sub(self.kept().count());
        if self.met || images == 0 {
            return None;
        }
        Some(if self.unfinished {
            Lack::Unmade {
                images,
                attempts: budget.saturating_sub(self.decided.len() as u64),
                budget,
            }
        } else if arm.is_control() {
            Lack::Controls {
                images,
                attempts: budget,
            }
        } else {
            Lack::Spent { images, budget }
        })
    }

    /// How many attempts were rejected, by reason.
    pub fn rejected(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for reason in self.decided.iter().filter_map(|d| d.reason.as_ref()) {
            *counts.entry(reason.name().to_owned()).or_default() += 1;
        }
        counts
    }
}

/// Why images lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// There are attempts that nobody has made yet.
    Unmade {
        /// Images that lack.
        images: usize,
        /// Attempts that the budget leaves.
        attempts: u64,
        /// Attempts that it has.
        budget: u64,
    },
    /// All attempts of the budget are made.
    Spent {
        /// Images that lack.
        images: usize,
        /// Attempts that it has.
        budget: u64,
    },
    /// All attempts of a control arm are made, which no budget changes.
    Controls {
        /// Images that lack.
        images: usize,
        /// Attempts that it has.
        attempts: u64,
    },
}

/// What a run came to, arm by arm, in plan order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decisions {
    /// The arms.
    pub outcomes: Vec<Outcome>,
}

impl Decisions {
    /// The outcomes of an arm.
    pub fn of(&self, arm: Arm) -> impl Iterator<Item = &Outcome> {
        self.outcomes
            .iter()
            .filter(move |outcome| outcome.plan.arm == arm)
    }

    /// The failure arm of a mode.
    pub fn of_mode(&self, mode: ModeId) -> Option<&Outcome> {
        self.of(Arm::Hard).find(|outcome| outcome.plan.mode == mode)
    }

    /// Every attempt that counts, in plan order.
    pub fn all(&self) -> impl Iterator<Item = &Decision> {
        self.outcomes.iter().flat_map(|outcome| &outcome.decided)
    }
}

/// Decides on every attempt that counts; `pool` are the real images that were taken before.
pub fn decide(plan: &Plan, goals: &[Goal], known: &Known, pool: KeptImages) -> Decisions {
    let mut fold = Fold::new(pool);
    let outcomes = goals.iter().map(|goal| {
        let mut decided = Vec::new();
        let mut unfinished = false;
        fold.begin(goal);
        for j in 0..goal.plan.budget {
            if fold.is_met(goal) {
                break;
            }
            let Some(measured) = known.get(&plan.attempt(&goal.plan, j).id) else {
                unfinished = true;
                break;
            };
            let (status, reason) = fold.step(goal, measured);
            decided.push(Decision {
                measured: Arc::clone(measured),
                status,
                reason,
                threshold: goal.threshold,
            });
        }
        Outcome {
            plan: goal.plan.clone(),
            decided,
            met: fold.is_met(goal),
            unfinished,
        }
    });
    Decisions {
        outcomes: outcomes.collect(),
    }
}

/// The state of the fold between two attempts.
#[derive(Debug)]
pub struct Fold {
    /// What was kept, by arm.
    before: BTreeMap<Arm, KeptImages>,
    /// Images kept for the present goal.
    kept: usize,
}

impl Fold {
    /// Begins with the images that the pool gave.
    pub fn new(pool: KeptImages) -> Self {
        Self {
            before: BTreeMap::from([(Arm::Hard, pool)]),
            kept: 0,
        }
    }

    /// Begins the next goal.
    pub fn begin(&mut self, goal: &Goal) {
        self.kept = 0;
        self.before.entry(goal.plan.arm).or_default();
    }

    /// Images kept for the present goal.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Whether the present goal is met.
    pub fn is_met(&self, goal: &Goal) -> bool {
        self.kept >= goal.plan.quota
    }

    /// Decides on the next attempt of the present goal.
    pub fn step(&mut self, goal: &Goal, measured: &Measured) -> (Status, Option<Reason>) {
        let control = goal.plan.arm.is_control();
        let earlier = self.before.entry(goal.plan.arm).or_default();
        let reason = first_reason(&goal.filters, &measured.measures, earlier, control);
        if reason.is_some() {
            return (Status::Rejected, reason);
        }
        if let Some(descriptor) = &measured.measures.descriptor {
            earlier.add(measured.id.as_str(), descriptor);
        }
        self.kept += 1;
        let status = if control {
            Status::Control
        } else {
            Status::Kept
        };
        (status, None)
    }
}

#[cfg(test)]
mod tests;
