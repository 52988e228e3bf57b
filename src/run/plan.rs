//! `plan.json`: everything that a run's attempts follow from, but for the policy.
//!
//! With the ledger it is enough to decide again which images are kept, without any model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ledger::Measured;
use super::policy::Policy;
use crate::direction::ModeId;
use crate::filter::{Filter, filters};
use crate::generate::{Arm, Attempt, ModePlan, Recipe};
use crate::io::{self, Classified, ErrorKind, IoError};

/// Version of `plan.json`.
const SCHEMA: u32 = 2;

/// Why a plan could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is no plan of this version.
    #[error("{} is no plan of this version: let `hardlight run` finish on the folder again", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

impl Classified for PlanError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Parse { .. } => ErrorKind::Input,
        }
    }
}

/// What attempts follow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of the file.
    schema: u32,
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

impl Plan {
    /// A plan of these arms; those without captions are left out.
    pub fn new(seed: u64, template: Recipe, mut arms: Vec<PlannedArm>) -> Self {
        arms.retain(|arm| !arm.captions.is_empty());
        Self {
            schema: SCHEMA,
            seed,
            template,
            arms,
        }
    }

    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// [`PlanError`], naming the file.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = io::read_to_string(path)?;
        serde_json::from_str(&text)
            .and_then(|plan: Self| {
                let found = format!("schema {}, expected {SCHEMA}", plan.schema);
                let known = plan.schema == SCHEMA;
                known
                    .then_some(plan)
                    .ok_or_else(|| serde::de::Error::custom(found))
            })
            .map_err(|source| PlanError::Parse {
                path: path.to_owned(),
                source,
            })
    }

    /// Writes the plan.
    ///
    /// # Errors
    ///
    /// [`PlanError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), PlanError> {
        let mut text = serde_json::to_string_pretty(self).map_err(|source| PlanError::Parse {
            path: path.to_owned(),
            source,
        })?;
        text.push('\n');
        Ok(io::write_atomic(path, text.as_bytes())?)
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
