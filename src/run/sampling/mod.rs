//! Making and measuring attempts until the quotas of a plan are met.
//!
//! Attempts are worked off in fixed blocks of the plan, and a block is finished before the quota is
//! looked at. So the set of attempts made is a function of plan and policy, never of where an earlier
//! process was killed. What is in the ledger already is not made again, whatever policy it was made
//! under.
//!
//! An image is on disk, synced, before its line enters the ledger; both happen on a thread of their
//! own, so that the sampler does not wait for PNG encoding. What is measured is what is written: an image
//! that leaves as a JPEG is measured by the JPEG's pixels.
//!
//! In the end the lines of the ledger are put into plan order, so that its bytes do not tell how often
//! the run was interrupted or its quota raised.

mod error;
mod finish;
mod frontier;
mod write;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

pub use self::error::SamplingError;
pub use self::finish::{file, marks};

use self::frontier::Frontier;
use self::write::write_all;
use super::decide::Known;
use super::folder::Layout;
use super::ledger::{self, Ledger, Measured};
use super::plan::{Goal, Plan};
use crate::embed::ImageEncoder;
use crate::filter::Meter;
use crate::filter::duplicate::KeptImages;
use crate::generate::sampling::{Ended, sample};
use crate::generate::{ImageGenerator, ModePlan};

/// How far sampling is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The arm being worked off.
    pub plan: &'a ModePlan,
    /// Its place among the goals.
    pub goal: usize,
    /// Attempts of it that are decided.
    pub attempted: u64,
    /// Images of it that count towards the quota.
    pub kept: usize,
    /// Attempts made in this process.
    pub fresh: u64,
}

/// Everything that sampling works with.
pub struct Sampler<'a> {
    /// Paths of the run folder.
    pub layout: &'a Layout,
    /// What attempts follow from.
    pub plan: &'a Plan,
    /// What is wanted.
    pub goals: &'a [Goal],
    /// Who measures; one a goal.
    pub meters: &'a [Meter<'a>],
    /// Embeds images.
    pub encoder: &'a dyn ImageEncoder,
    /// Real images that were taken before.
    pub pool: KeptImages,
}

impl Sampler<'_> {
    /// Makes what lacks, taking up what the ledger holds.
    ///
    /// # Errors
    ///
    /// [`SamplingError`]. Whatever was measured before is in the ledger: the same call goes on.
    pub fn run(
        self,
        generator: &mut dyn ImageGenerator,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Ended, SamplingError> {
        let Self {
            layout,
            plan,
            goals,
            meters,
            encoder,
            pool,
        } = self;
        let (ledger, known) = open(layout)?;
        let made_on = generator.made_on();
        // Two batches may wait to be written; beyond that the sampler waits.
        let (sender, receiver) = sync_channel(2 * made_on.batch.max(1));
        let writer = thread::spawn(move || write_all(ledger, &receiver));
        let mut frontier = Frontier::new(
            frontier::Work {
                layout,
                plan,
                goals,
                meters,
                encoder,
                made_on,
            },
            known,
            pool,
            sender,
            progress,
        );
        let ended = sample(generator, &mut frontier, stop);
        drop(frontier);
        // The writer's own failure is the cause when the channel closed early.
        writer.join().map_err(|_panic| SamplingError::Writer)??;
        let ended = ended?;
        if ended == Ended::Done {
            sort(layout, plan)?;
        }
        Ok(ended)
    }
}

/// Opens the ledger. A line whose image is gone or damaged is taken out: its attempt is made again.
fn open(layout: &Layout) -> Result<(Ledger, Known), SamplingError> {
    let path = layout.ledger();
    let (ledger, mut lines) = Ledger::open(&path)?;
    let is_there = |line: &Measured| {
        let sha256 = crate::io::sha256_of(&layout.attempt(line));
        sha256.is_ok_and(|sha256| sha256 == line.sha256)
    };
    if lines.iter().all(is_there) {
        return Ok((ledger, by_id(lines)));
    }
    lines.retain(is_there);
    ledger::write(&path, &lines.iter().collect::<Vec<_>>())?;
    let (ledger, lines) = Ledger::open(&path)?;
    Ok((ledger, by_id(lines)))
}

/// Lines by attempt.
pub fn by_id(lines: Vec<Measured>) -> Known {
    let each = lines.into_iter();
    each.map(|line| (line.id.clone(), Arc::new(line))).collect()
}

/// Puts the lines of the ledger into plan order, whatever is wanted now; those that the plan does not have come
/// last, by id.
fn sort(layout: &Layout, plan: &Plan) -> Result<(), SamplingError> {
    let path = layout.ledger();
    let (lines, _) = ledger::read(&path)?;
    let place = |line: &Measured| plan.place(line).unwrap_or((usize::MAX, u64::MAX));
    let mut sorted: Vec<&Measured> = lines.iter().collect();
    sorted.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.id.cmp(&b.id)));
    if sorted.iter().zip(&lines).all(|(a, b)| a.id == b.id) {
        return Ok(());
    }
    Ok(ledger::write(&path, &sorted)?)
}

#[cfg(test)]
mod tests;
