//! `plan.json`: everything that a run's attempts follow from, but for the policy.
//!
//! With the ledger it is enough to decide again which images are kept, without any model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ledger::Measured;
use super::policy::Policy;
use crate::direction::ModeId;
use crate::filter::{Filter, filters};
use crate::generate::{Arm, Attempt, ImageStarts, ModePlan, Recipe};
use crate::io::JsonFile;

/// What attempts follow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this format.
    schema: u32,
    /// Version of hardlight that wrote the file.
    version: String,
    /// Seed of the run.
    pub seed: u64,
    /// The settings of every image, without caption and seed.
    pub template: Recipe,
    /// The arms of every failure mode that is acted on, the failure arm of a mode before its controls.
    pub arms: Vec<PlannedArm>,
}

/// An arm of a failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedArm {
    /// The failure mode.
    pub mode: ModeId,
    /// Name of its class.
    pub class: String,
    /// Where the captions come from.
    pub arm: Arm,
    /// The captions, best first.
    pub captions: Vec<String>,
    /// What a part of the attempts starts from; none where all start from noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<ImageStarts>,
    /// The calibrated threshold of the mode's alignment.
    pub threshold: f64,
}

/// An arm with what is wanted of it.
#[derive(Debug)]
pub struct Goal {
    /// What is attempted, how many are kept.
    pub plan: ModePlan,
    /// The alignment that an image must reach; none for controls, which may be easy.
    pub threshold: Option<f64>,
    /// What it must pass.
    pub filters: Vec<Box<dyn Filter>>,
}

impl JsonFile for Plan {
    const SCHEMA: u32 = 2;
    const WHAT: &'static str = "plan of a run's attempts";
    const REMEDY: &'static str = "let `hardlight run` finish on the folder again";
}

impl Plan {
    /// A plan of these arms; those without captions are left out.
    pub fn new(seed: u64, template: Recipe, mut arms: Vec<PlannedArm>) -> Self {
        arms.retain(|arm| !arm.captions.is_empty());
        Self {
            schema: Self::SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            template,
            arms,
        }
    }

    /// Attempt `j` of an arm.
    pub fn attempt(&self, plan: &ModePlan, j: u64) -> Attempt {
        plan.attempt(self.seed, &self.template, j)
    }

    /// Where an attempt stands: its arm, and its number there; none if the plan does not have it.
    pub fn place(&self, measured: &Measured) -> Option<(usize, u64)> {
        let Measured {
            mode, arm, index, ..
        } = *measured;
        let own = |planned: &PlannedArm| (planned.mode, planned.arm) == (mode, arm);
        let at = self.arms.iter().position(own)?;
        let mut captions = self.arms[at].captions.iter();
        let count = captions.len() as u64;
        let turn = captions.position(|caption| *caption == measured.recipe.caption)?;
        Some((at, index * count + turn as u64))
    }

    /// What is wanted of every arm under a policy, in plan order; `found` are the images that modes have
    /// already, from the pool.
    ///
    /// A mode that has enough has no goal, and no controls: there is nothing to control.
    pub fn goals(&self, policy: &Policy, found: &BTreeMap<ModeId, usize>) -> Vec<Goal> {
        let goals = self.arms.iter().filter_map(|arm| {
            let has = found.get(&arm.mode).copied().unwrap_or_default();
            let lacking = policy.quota.saturating_sub(has);
            let (quota, budget) = if arm.arm.is_control() {
                // Only blank, broken or doubled pictures fail in a control arm.
                (policy.controls, 2 * policy.controls as u64)
            } else {
                (lacking, policy.attempts(lacking))
            };
            (lacking > 0 && quota > 0).then(|| Goal {
                plan: ModePlan {
                    mode: arm.mode,
                    class: arm.class.clone(),
                    arm: arm.arm,
                    captions: arm.captions.clone(),
                    starts: arm.starts.clone(),
                    quota,
                    budget,
                },
                threshold: (!arm.arm.is_control())
                    .then(|| policy.filter.min_alignment.unwrap_or(arm.threshold)),
                filters: filters(&policy.filter, arm.threshold),
            })
        });
        goals.collect()
    }
}
