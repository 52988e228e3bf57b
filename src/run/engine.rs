//! The loop: blocks of attempts are sampled, judged, written and noted until quotas are met.
//!
//! Attempts are worked off in fixed blocks of the plan, and a block is finished before the quota is
//! looked at. So the set of attempts made is a function of the plan and of what passes, never of
//! where an earlier process was killed, and a resumed run ends with the same bytes.
//!
//! An image is on disk, synced, before its line enters the ledger; both happen on a thread of their
//! own, so that the sampler does not wait for PNG encoding. What is judged is what is written: an image
//! that leaves as a JPEG is judged as the JPEG's pixels.
//!
//! Whether an image nearly equals one kept before is asked in plan order, within an arm. A resumed run
//! takes the images kept before from their files, whose pixels are those that were judged.

mod decide;
mod error;
mod finish;
mod outcome;
mod shelf;
mod write;

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use image::RgbImage;
use ndarray::Array1;

pub use self::error::EngineError;
pub use self::finish::Finish;
pub use self::outcome::{CONTROL, KEPT, ModeOutcome, REJECTED, SURPLUS};

use self::decide::Work;
use self::finish::Finished;
use self::shelf::Shelf;
use self::write::{Job, write_all};
use super::folder::Layout;
use super::ledger::{Entry, Ledger};
use crate::embed::ImageEncoder;
use crate::filter::duplicate::{Duplicates, Kept, Likeness};
use crate::filter::{Judge, Maker, Verdict};
use crate::generate::{Arm, Attempt, GenerateError, ImageGenerator, ModePlan, Picture};

/// What an entry records of the generator's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Denoising steps.
    pub steps: u32,
    /// Guidance scale.
    pub guidance: f64,
    /// Name of the scheduler.
    pub scheduler: String,
    /// The negative prompt.
    pub negative_prompt: String,
    /// Name of the model.
    pub model: String,
    /// Short name of the run.
    pub run_id: String,
}

/// How far generation is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The plan being worked off.
    pub plan: &'a ModePlan,
    /// Attempts of it that are decided.
    pub attempted: u64,
    /// Images of it that count towards the quota.
    pub kept: usize,
    /// Attempts decided in this process.
    pub fresh: u64,
}

/// How generation ended.
#[derive(Debug)]
pub enum Ended {
    /// Every plan met its quota or spent its budget.
    Done(Vec<ModeOutcome>),
    /// The caller asked to stop; everything decided so far is in the ledger.
    Stopped,
}

/// What goes from plan to plan.
struct Flow<'a> {
    /// Lines of an earlier process that are not met yet, by position.
    known: BTreeMap<u64, Entry>,
    /// What was kept, by arm.
    shelves: BTreeMap<Arm, Shelf>,
    sender: SyncSender<Job>,
    /// Attempts decided in this process.
    fresh: u64,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

/// A picture that was made in this process.
struct Fresh {
    picture: Finished,
    embedding: Array1<f32>,
    verdict: Verdict,
    likeness: Likeness,
}

/// Everything the loop works with.
pub struct Engine<'a> {
    /// Paths of the run folder.
    pub layout: &'a Layout,
    /// Seed of the run.
    pub seed: u64,
    /// Makes pictures.
    pub generator: &'a mut dyn ImageGenerator,
    /// Embeds them.
    pub encoder: &'a dyn ImageEncoder,
    /// What must not be made again.
    pub duplicates: &'a Duplicates<'a>,
    /// Images that are kept already, not by this loop.
    pub kept: Kept,
    /// What to record.
    pub recipe: &'a Recipe,
    /// How images leave.
    pub finish: Finish,
    /// Asked between denoising steps whether to stop.
    pub stop: &'a dyn Fn() -> bool,
}

impl Engine<'_> {
    /// Works off the plans, taking up what the ledger already holds.
    ///
    /// `judges` has a judge for each plan.
    ///
    /// # Errors
    ///
    /// [`EngineError`]. Whatever was decided before is in the ledger: the same call goes on.
    pub fn run(
        mut self,
        plans: &[ModePlan],
        judges: &[Judge],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Ended, EngineError> {
        let path = self.layout.ledger();
        let (ledger, known) = Ledger::open(&path)?;
        let known: BTreeMap<u64, Entry> = known.into_iter().map(|e| (e.attempt, e)).collect();
        // Two batches may wait to be written; beyond that the sampler waits.
        let (sender, receiver) = sync_channel(2 * self.generator.batch().max(1));
        let recipe = self.recipe.clone();
        let writer = thread::spawn(move || write_all(ledger, &receiver, &recipe));
        let mut flow = Flow {
            known,
            shelves: BTreeMap::from([(Arm::Hard, Shelf::new(std::mem::take(&mut self.kept)))]),
            sender,
            fresh: 0,
            progress,
        };
        let mut outcomes = Vec::new();
        let mut ended = Ok(());
        let mut stopped = false;
        for (plan, judge) in plans.iter().zip(judges) {
            match self.work_off(plan, judge, &mut flow) {
                Ok(Some(outcome)) => outcomes.push(outcome),
                Ok(None) => {
                    stopped = true;
                    break;
                }
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
        }
        drop(flow);
        // The writer's own failure is the cause when the channel closed early.
        let hashes = writer.join().map_err(|_panic| EngineError::Writer)??;
        ended?;
        for entry in outcomes
            .iter_mut()
            .flat_map(|outcome: &mut ModeOutcome| &mut outcome.entries)
        {
            if let Some(hash) = hashes.get(&entry.attempt) {
                entry.sha256 = Some(hash.clone());
            }
        }
        Ok(if stopped {
            Ended::Stopped
        } else {
            Ended::Done(outcomes)
        })
    }

    fn work_off(
        &mut self,
        plan: &ModePlan,
        judge: &Judge,
        flow: &mut Flow<'_>,
    ) -> Result<Option<ModeOutcome>, EngineError> {
        let Flow {
            known,
            shelves,
            sender,
            fresh,
            progress,
        } = flow;
        let shelf = shelves.entry(plan.arm).or_default();
        let block = self.generator.batch().max(1) as u64;
        let mut entries: Vec<Entry> = Vec::new();
        let mut work = Work {
            plan,
            judge,
            kept: 0,
            rejected: 0,
        };
        let mut start = 0;
        while start < plan.budget && work.kept < plan.quota {
            let end = (start + block).min(plan.budget);
            let attempts: Vec<Attempt> = (start..end).map(|j| plan.attempt(self.seed, j)).collect();
            let missing: Vec<Attempt> = attempts
                .iter()
                .filter(|a| !known.contains_key(&a.position))
                .cloned()
                .collect();
            let Some(mut made) = self.make(&missing, judge)? else {
                return Ok(None);
            };
            for attempt in &attempts {
                let entry = if let Some(entry) = known.remove(&attempt.position) {
                    if entry.id != attempt.id {
                        return Err(EngineError::ForeignLine {
                            path: self.layout.ledger(),
                            attempt: attempt.position,
                            found: entry.id,
                            expected: attempt.id.clone(),
                        });
                    }
                    if let Some(file) = kept_file(&entry) {
                        shelf.wait(&entry.id, self.layout.root().join(file));
                    }
                    entry
                } else {
                    let Some(picture) = made.remove(&attempt.position) else {
                        return Err(GenerateError::Other {
                            reason: format!(
                                "no picture came back for attempt {}",
                                attempt.position
                            ),
                        }
                        .into());
                    };
                    let job = self.decide(&work, attempt, picture, shelf)?;
                    let entry = job.entry.clone();
                    sender.send(job).map_err(|_closed| EngineError::Writer)?;
                    *fresh += 1;
                    entry
                };
                work.kept += usize::from(entry.status == KEPT || entry.status == CONTROL);
                work.rejected += usize::from(entry.status == REJECTED);
                entries.push(entry);
            }
            progress(Progress {
                plan,
                attempted: end,
                kept: work.kept,
                fresh: *fresh,
            });
            start = end;
        }
        Ok(Some(ModeOutcome {
            entries,
            met: work.kept >= plan.quota,
        }))
    }

    /// Makes and judges pictures, by position; none if asked to stop.
    fn make(
        &mut self,
        attempts: &[Attempt],
        judge: &Judge,
    ) -> Result<Option<BTreeMap<u64, Fresh>>, EngineError> {
        let mut made = BTreeMap::new();
        if attempts.is_empty() {
            return Ok(Some(made));
        }
        let Some(pictures) = self.generator.generate(attempts, self.stop)? else {
            return Ok(None);
        };
        let pictures: Vec<Finished> = pictures
            .into_iter()
            .map(|picture| self.finish.finished(picture))
            .collect::<Result<_, _>>()?;
        let images: Vec<RgbImage> = pictures.iter().map(|p| p.picture.image.clone()).collect();
        let embeddings = self.encoder.encode_images(&images)?;
        let likenesses = self.duplicates.likenesses(embeddings.view());
        let each = attempts.iter().zip(pictures).zip(likenesses);
        for (((attempt, picture), likeness), embedding) in each.zip(embeddings.outer_iter()) {
            let Picture {
                image,
                finite,
                flagged,
            } = &picture.picture;
            let (finite, flagged) = (*finite, *flagged);
            let verdict = judge.judge(image, Maker { finite, flagged }, embedding);
            let embedding = embedding.to_owned();
            let fresh = Fresh {
                picture,
                embedding,
                verdict,
                likeness,
            };
            made.insert(attempt.position, fresh);
        }
        Ok(Some(made))
    }
}

/// The file of an image that later ones are compared with.
fn kept_file(entry: &Entry) -> Option<&str> {
    let kept = entry.status == KEPT || entry.status == CONTROL;
    entry.file.as_deref().filter(|_| kept)
}
