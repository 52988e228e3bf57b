//! Deciding again on a finished run, without any model: another quota, another threshold.

use super::decide::{Decided, read, write};
use super::error::Error;
use super::manifest::synthetic_rows;
use crate::direction::ModeId;
use crate::generate::Arm;
use crate::io::{self, JsonFile as _};
use crate::manifest::{self, Row, Source};
use crate::preview::{SheetOptions, collect};
use crate::report::Summary;
use crate::run::folder::{FolderError, Layout, RunFolder};
use crate::run::lock::FolderLock;
use crate::run::policy::Policy;
use crate::run::state::State;

/// What is to be otherwise than before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Change {
    /// Images to keep per failure mode.
    pub quota: Option<usize>,
    /// Smallest alignment.
    pub min_alignment: Option<f64>,
    /// Smallest lead of the own class's reference caption, in cosine.
    pub class_margin: Option<f64>,
    /// Rejected images that are shown per failure mode.
    pub keep_rejected: Option<usize>,
}

impl Change {
    /// The policy after the change.
    pub fn of(&self, policy: Policy) -> Policy {
        let mut policy = policy;
        policy.quota = self.quota.unwrap_or(policy.quota);
        policy.keep_rejected = self.keep_rejected.unwrap_or(policy.keep_rejected);
        policy.filter.min_alignment = self.min_alignment.or(policy.filter.min_alignment);
        policy.filter.class_margin = self.class_margin.unwrap_or(policy.filter.class_margin);
        policy
    }
}

/// Decides anew on everything that a run has measured, and writes the folders of images, the tables, the
/// manifest, the summary and the contact sheets again. The policy is noted: `hardlight run` with the same
/// settings goes on from it.
///
/// # Errors
///
/// Of kind input where the folder holds no finished run; of kind usage where images came from a pool, which
/// were picked under the former policy.
pub fn redecide(layout: &Layout, change: Change) -> Result<Decided, Error> {
    let lock = FolderLock::acquire(layout.root()).map_err(FolderError::from)?;
    let state = read(layout)?;
    let policy = change.of(state.policy);
    if state.pool.is_some() && policy != state.policy {
        return Err(Error::usage(
            "this run took images from its pool, and they were picked under the former policy: give the \
             same settings to `hardlight run`, which picks again and generates only what lacks",
        ));
    }
    let table = layout.manifest_dir().join("train.jsonl");
    if !table.is_file() {
        return Err(Error::input(format!(
            "the run in {} has not ended: give its command again first, or look with --show",
            layout.root().display()
        )));
    }
    let former = manifest::read_jsonl(&table)?;
    let decided = write(layout, &state, policy)?;
    RunFolder::set_policy(layout, &policy)?;
    let clip = former.iter().find_map(|row| row.clip_fingerprint.clone());
    let mut rows: Vec<Row> = former
        .into_iter()
        .filter(|row| row.source != Source::Synthetic)
        .collect();
    rows.extend(synthetic_rows(layout, &decided, clip.as_deref()));
    io::create_dir_all(&layout.manifest_dir())?;
    manifest::write_all(&layout.manifest_dir(), &rows)?;
    summarise(layout, &decided)?;
    collect::run(
        layout,
        collect::Amounts::default(),
        &SheetOptions::default(),
    )?;
    drop(lock);
    Ok(decided)
}

/// The summary with what was decided now.
fn summarise(layout: &Layout, decided: &Decided) -> Result<(), Error> {
    let path = layout.summary();
    if !path.is_file() {
        return Ok(());
    }
    let mut summary = Summary::read(&path)?;
    for entry in &mut summary.classes {
        let Some(outcome) = decided.of_mode(entry.mode.id()) else {
            continue;
        };
        entry.attempted = outcome.decided.len();
        entry.kept = outcome.kept().count();
        entry.quota_met = Some(outcome.met);
        entry.rejected = outcome.rejected();
    }
    Ok(summary.write(&path)?)
}

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
pub struct AtThreshold {
    /// The smallest alignment.
    pub alignment: f64,
    /// Whether it is the present one.
    pub present: bool,
    /// Images that pass all filters, of all that are measured.
    pub passing: usize,
    /// Images kept, up to the quota.
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
/// Of kind input where the folder holds no plan, or a damaged one.
pub fn thresholds(layout: &Layout, change: Change) -> Result<Vec<Thresholds>, Error> {
    let state = read(layout)?;
    let policy = change.of(state.policy);
    let goals = state.goals(&policy);
    let hard = goals.iter().filter(|goal| goal.plan.arm == Arm::Hard);
    Ok(hard
        .map(|goal| {
            let id = goal.plan.mode;
            let mut alignments: Vec<f64> = of_mode(&state, id).collect();
            let measured = alignments.len();
            let mut tried: Vec<(f64, bool)> = TRIED
                .iter()
                .map(|&share| (crate::direction::quantile(&mut alignments, share), false))
                .filter(|(alignment, _)| alignment.is_finite())
                .collect();
            tried.extend(goal.threshold.map(|threshold| (threshold, true)));
            tried.sort_by(|a, b| a.0.total_cmp(&b.0));
            let rows = tried.iter().map(|&(alignment, present)| {
                let row = at(&state, &policy, id, alignment);
                AtThreshold { present, ..row }
            });
            Thresholds {
                class: goal.plan.class.clone(),
                mode: id,
                measured,
                rows: rows.collect(),
            }
        })
        .collect())
}

/// The measured alignments of a mode's failure arm.
fn of_mode(state: &State, mode: ModeId) -> impl Iterator<Item = f64> {
    let own = state.known.values();
    own.filter(move |m| m.mode == mode && m.arm == Arm::Hard)
        .filter_map(|m| m.measures.alignment)
}

/// What a mode would keep at one threshold.
fn at(state: &State, policy: &Policy, mode: ModeId, alignment: f64) -> AtThreshold {
    let kept_with = |quota: usize| {
        let mut policy = *policy;
        policy.quota = quota;
        policy.budget = u64::MAX;
        policy.filter.min_alignment = Some(alignment);
        let goals = state.goals(&policy);
        let decisions = state.decide(&goals);
        let outcome = decisions.of_mode(mode);
        outcome.map_or(0, |outcome| outcome.kept().count())
    };
    let (passing, kept) = (kept_with(usize::MAX), kept_with(policy.quota));
    AtThreshold {
        alignment,
        present: false,
        passing,
        kept,
        met: kept >= policy.quota,
    }
}
