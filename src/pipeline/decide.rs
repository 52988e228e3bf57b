//! Which of the measured images are kept, and where they are shown.

use super::error::Error;
use crate::direction::ModeId;
use crate::run::decide::{self, Decisions, Outcome};
use crate::run::folder::Layout;
use crate::run::gallery;
use crate::run::policy::Policy;
use crate::run::state::State;

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Every attempt that counts, arm by arm.
    pub decisions: Decisions,
    /// Under which policy.
    pub policy: Policy,
}

impl Decided {
    /// The failure arm of a mode.
    pub fn of_mode(&self, mode: ModeId) -> Option<&Outcome> {
        self.decisions.of_mode(mode)
    }
}

/// Decides on what is measured, from the run folder alone, under the policy that it notes; lays out
/// `images/`, `controls/` and `rejected/`, writes `decisions.jsonl` and `ledger.parquet`.
///
/// # Errors
///
/// Of kind input where the folder holds no plan, or a damaged one; those of the disk.
pub fn decide(layout: &Layout) -> Result<Decided, Error> {
    let state = read(layout)?;
    let policy = state.policy;
    write(layout, &state, policy)
}

/// What a run folder holds of its attempts.
pub(super) fn read(layout: &Layout) -> Result<State, Error> {
    State::read(layout)?.ok_or_else(|| {
        Error::input(format!(
            "{} holds no plan: let `hardlight run` with a model work there first",
            layout.root().display()
        ))
    })
}

/// Decides under a policy and writes what follows.
pub(super) fn write(layout: &Layout, state: &State, policy: Policy) -> Result<Decided, Error> {
    let goals = state.goals(&policy);
    let decisions = state.decide(&goals);
    // Before anything is taken away.
    if let Some(image) = gallery::missing(layout, &decisions, policy.keep_rejected) {
        return Err(Error::input(format!(
            "{} is gone, and nothing was changed: `hardlight run` with the same settings makes it again",
            image.display()
        )));
    }
    gallery::lay_out(layout, &decisions, policy.keep_rejected)?;
    let rows = gallery::rows(layout, &decisions, policy.keep_rejected);
    decide::write(&layout.decisions(), &layout.ledger_table(), &rows)?;
    Ok(Decided { decisions, policy })
}
