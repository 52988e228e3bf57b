//! What a run folder holds of its attempts, enough to decide again without a model.

use std::collections::BTreeMap;

use super::decide::{self, Decisions, Known};
use super::folder::{FolderError, Layout, read_policy};
use super::ledger::{self, LedgerError, TornTail};
use super::plan::{Goal, Plan};
use super::policy::Policy;
use super::pool::PoolRecord;
use super::sampling::by_id;
use crate::direction::ModeId;
use crate::filter::duplicate::KeptImages;
use crate::io::{Classified, ErrorKind, JsonFile as _, JsonFileError};

/// Why the state of a run could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The plan is damaged.
    #[error(transparent)]
    Plan(JsonFileError),
    /// The ledger is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// `run.json` is damaged.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What was picked from the pool cannot be read.
    #[error(transparent)]
    Pool(JsonFileError),
}

impl StateError {
    /// The file of the run folder that is damaged.
    pub fn file(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan.json",
            Self::Ledger(_) => "ledger.jsonl",
            Self::Folder(_) => "run.json",
            Self::Pool(_) => "pool.json",
        }
    }
}

impl Classified for StateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Plan(error) | Self::Pool(error) => error.kind(),
            Self::Ledger(error) => error.kind(),
            Self::Folder(error) => error.kind(),
        }
    }
}

/// The state of a run.
#[derive(Debug)]
pub struct State {
    /// What attempts follow from.
    pub plan: Plan,
    /// How many images are wanted, and which are kept.
    pub policy: Policy,
    /// What was measured.
    pub known: Known,
    /// A last line of the ledger that was not written to its end.
    pub torn: Option<TornTail>,
    /// What was picked from the pool, where there is one.
    pub pool: Option<PoolRecord>,
}

impl State {
    /// Reads what a folder holds; none where nothing was planned yet.
    ///
    /// # Errors
    ///
    /// [`StateError`], naming the file.
    pub fn read(layout: &Layout) -> Result<Option<Self>, StateError> {
        if !layout.plan().is_file() {
            return Ok(None);
        }
        let plan = Plan::read(&layout.plan()).map_err(StateError::Plan)?;
        let policy = read_policy(layout)?;
        let (lines, torn) = if layout.ledger().is_file() {
            ledger::read(&layout.ledger())?
        } else {
            (Vec::new(), None)
        };
        Ok(Some(Self {
            plan,
            policy,
            known: by_id(lines),
            torn,
            pool: read_pool(layout)?,
        }))
    }

    /// What is wanted under a policy.
    pub fn goals(&self, policy: &Policy) -> Vec<Goal> {
        let found = self
            .pool
            .as_ref()
            .map(PoolRecord::found)
            .unwrap_or_default();
        self.plan.goals(policy, &found)
    }

    /// Decides on every attempt that counts.
    pub fn decide(&self, goals: &[Goal]) -> Decisions {
        let earlier = self
            .pool
            .as_ref()
            .map(PoolRecord::earlier)
            .unwrap_or_default();
        decide::decide(&self.plan, goals, &self.known, earlier)
    }
}

/// What a run took from the pool; none if it has none.
///
/// # Errors
///
/// [`StateError::Pool`].
pub fn read_pool(layout: &Layout) -> Result<Option<PoolRecord>, StateError> {
    let path = layout.pool();
    if !path.is_file() {
        return Ok(None);
    }
    PoolRecord::read(&path).map(Some).map_err(StateError::Pool)
}

impl PoolRecord {
    /// How many images every mode has.
    pub fn found(&self) -> BTreeMap<ModeId, usize> {
        let modes = self.modes.iter();
        modes
            .map(|picked| (picked.mode_id(), picked.picks.len()))
            .collect()
    }

    /// The picked images, for generated ones to be compared with.
    pub fn earlier(&self) -> KeptImages {
        let mut earlier = KeptImages::default();
        for pick in self.modes.iter().flat_map(|picked| &picked.picks) {
            if let Some(descriptor) = &pick.descriptor {
                earlier.add(&pick.id, descriptor);
            }
        }
        earlier
    }
}
