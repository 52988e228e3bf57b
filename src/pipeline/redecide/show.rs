//! What a few thresholds would keep.

use super::picker::Picker;
use super::{Change, MinAlignment};
use crate::direction::{ModeId, quantile};
use crate::generate::Arm;
use crate::pipeline::context::Context;
use crate::pipeline::decide::read;
use crate::pipeline::error::Error;
use crate::run::folder::Layout;
use crate::run::plan::PlannedArm;
use crate::run::policy::Policy;
use crate::run::state::State;

/// What a mode would keep at some thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// Name of the class.
    pub class: String,
    /// The failure mode.
    pub mode: ModeId,
    /// Attempts that are measured.
    pub measured: usize,
    /// A threshold each, rising.
    pub rows: Vec<AtThreshold>,
}

/// What a mode would keep at a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is so or not, whatever the others are"
)]
pub struct AtThreshold {
    /// The smallest alignment.
    pub alignment: f64,
    /// Whether it is the calibrated threshold.
    pub calibrated: bool,
    /// Whether it is the one that the run folder is decided by now.
    pub present: bool,
    /// Whether it is the one that was asked for.
    pub asked: bool,
    /// Images that the pool would give; none without a pool.
    pub pool: Option<usize>,
    /// Generated images that pass all filters, of all that are measured.
    pub passing: usize,
    /// Generated images kept, up to what the pool leaves of the quota.
    pub kept: usize,
    /// Whether the quota would be met.
    pub met: bool,
}

/// Shares of the measured images below the thresholds that are tried.
const TRIED: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 0.9];

/// What a few thresholds would keep; writes nothing.
///
/// # Errors
///
/// Of kind usage for a policy that no run takes; of kind input where the folder holds no plan, or a damaged
/// one, or a pool whose images changed or are gone.
pub fn thresholds(
    context: &mut Context<'_>,
    layout: &Layout,
    change: Change,
) -> Result<Vec<Thresholds>, Error> {
    let state = read(layout)?;
    let picker = match &state.pool {
        Some(record) => Some(Picker::open(context, layout, record)?),
        None => None,
    };
    let mut tried = Tried {
        policy: change.checked(state.policy)?,
        state,
        picker,
    };
    let arms = tried.state.plan.arms.clone();
    let hard = arms.iter().filter(|arm| arm.arm == Arm::Hard);
    hard.map(|arm| {
        Ok(Thresholds {
            class: arm.class.clone(),
            mode: arm.mode,
            measured: of_mode(&tried.state, arm.mode).count(),
            rows: tried.rows(context, arm, change.min_alignment)?,
        })
    })
    .collect()
}

/// The measured attempts of a mode's failure arm, by their alignments.
fn of_mode(state: &State, mode: ModeId) -> impl Iterator<Item = Option<f64>> {
    let own = state.known.values();
    own.filter(move |m| m.mode == mode && m.arm == Arm::Hard)
        .map(|m| m.measures.alignment)
}

/// A run on which thresholds are tried.
struct Tried {
    state: State,
    /// The policy that is asked for, but for the threshold.
    policy: Policy,
    picker: Option<Picker>,
}

impl Tried {
    /// Thresholds of a mode, rising: some that parts of its images reach, the calibrated one, the
    /// present one and the one that is asked for.
    fn rows(
        &mut self,
        context: &mut Context<'_>,
        arm: &PlannedArm,
        asked: Option<MinAlignment>,
    ) -> Result<Vec<AtThreshold>, Error> {
        let own = self.state.policy.filter.min_alignment;
        let present = own.unwrap_or(arm.threshold);
        let asked = asked.map(|asked| match asked {
            MinAlignment::Calibrated => arm.threshold,
            MinAlignment::At(alignment) => alignment,
        });
        let mut alignments: Vec<f64> = of_mode(&self.state, arm.mode).flatten().collect();
        let mut tried: Vec<f64> = TRIED
            .iter()
            .map(|&share| quantile(&mut alignments, share))
            .filter(|alignment| alignment.is_finite())
            .chain([present, arm.threshold])
            .chain(asked)
            .collect();
        tried.sort_by(f64::total_cmp);
        tried.dedup();
        let rows = tried.into_iter().map(|alignment| {
            Ok(AtThreshold {
                calibrated: alignment.total_cmp(&arm.threshold).is_eq(),
                present: alignment.total_cmp(&present).is_eq(),
                asked: asked.is_some_and(|asked| alignment.total_cmp(&asked).is_eq()),
                ..self.at(context, arm.mode, alignment)?
            })
        });
        rows.collect()
    }

    /// What a mode would keep at one threshold.
    fn at(
        &mut self,
        context: &mut Context<'_>,
        mode: ModeId,
        alignment: f64,
    ) -> Result<AtThreshold, Error> {
        let mut policy = self.policy;
        policy.filter.min_alignment = Some(alignment);
        if let Some(picker) = &self.picker {
            self.state.pool = Some(picker.pick(context, &policy)?);
        }
        let record = self.state.pool.as_ref().and_then(|record| record.of(mode));
        let pool = record.map(|picked| picked.picks.len());
        let kept = self.kept(mode, &policy);
        let passing = Policy {
            quota: usize::MAX,
            budget: u64::MAX,
            ..policy
        };
        Ok(AtThreshold {
            alignment,
            calibrated: false,
            present: false,
            asked: false,
            pool,
            passing: self.kept(mode, &passing),
            kept,
            met: kept + pool.unwrap_or_default() >= policy.quota,
        })
    }

    fn kept(&self, mode: ModeId, policy: &Policy) -> usize {
        let decisions = self.state.decide(&self.state.goals(policy));
        let outcome = decisions.of_mode(mode);
        outcome.map_or(0, |outcome| outcome.kept().count())
    }
}
