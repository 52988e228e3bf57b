//! The loop: blocks of attempts are sampled, judged, written and noted until quotas are met.
//!
//! Attempts are worked off in fixed blocks of the plan, and a block is finished before the quota is
//! looked at. So the set of attempts made is a function of the plan and of what passes, never of
//! where an earlier process was killed, and a resumed run ends with the same bytes.
//!
//! An image is on disk, synced, before its line enters the ledger; both happen on a thread of their
//! own, so that the sampler does not wait for PNG encoding.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use image::RgbImage;

use super::folder::Layout;
use super::ledger::{Decision, Entry, Ledger, LedgerError};
use super::png::{self, DigitalSource, EncodeError, FileFormat, Marks, Parameters};
use crate::embed::resize::{Filter, Kernel, resize};
use crate::embed::{EmbedError, ImageEncoder};
use crate::filter::{Judge, Maker, Reason, Verdict};
use crate::generate::{Arm, Attempt, GenerateError, ImageGenerator, ModePlan, Picture};
use crate::io::{self, IoError};

/// Why generation stopped short.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The generator failed.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A generated image could not be embedded.
    #[error("could not embed a generated image")]
    Embed(#[from] EmbedError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An image could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// An image could not be written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The writing thread died.
    #[error("the thread that writes images died; run the same command again to go on")]
    Writer,
    /// A ledger line belongs to another plan.
    #[error(
        "{}: attempt {attempt} is {found:?} where the plan has {expected:?}: was the ledger copied \
         from another run?",
        path.display()
    )]
    ForeignLine {
        /// The ledger.
        path: PathBuf,
        /// The plan position.
        attempt: u64,
        /// The id in the ledger.
        found: String,
        /// The id in the plan.
        expected: String,
    },
}

impl EngineError {
    /// Whether the disk is full or cannot be written.
    pub fn is_disk(&self) -> bool {
        match self {
            Self::Io(error) => error.is_disk(),
            Self::Ledger(error) => error.is_disk(),
            _ => false,
        }
    }
}

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

/// How images leave the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// Width and height to resize to; none leaves the generator's.
    pub size: Option<(u32, u32)>,
    /// Kind of file.
    pub format: FileFormat,
    /// Rejected images kept per mode, in plan order.
    pub keep_rejected: usize,
}

/// What one plan came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ModeOutcome {
    /// All attempts, in plan order.
    pub entries: Vec<Entry>,
    /// Whether the quota was met.
    pub met: bool,
}

/// Status of an entry whose image counts towards the quota.
pub const KEPT: &str = "kept";
/// Status of an entry that passed after the quota was met.
pub const SURPLUS: &str = "surplus";
/// Status of an entry that failed a filter.
pub const REJECTED: &str = "rejected";
/// Status of an entry of a control arm, which no filter judges.
pub const CONTROL: &str = "control";

impl ModeOutcome {
    /// Entries whose images count towards the quota, in plan order.
    pub fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|e| e.status == KEPT || e.status == CONTROL)
    }

    /// How many attempts failed, by reason.
    pub fn rejected(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for reason in self.entries.iter().filter_map(|e| e.reason.clone()) {
            *counts.entry(reason).or_default() += 1;
        }
        counts
    }
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

/// One image on its way to disk.
struct Job {
    entry: Entry,
    image: Option<(PathBuf, RgbImage)>,
}

/// A judged picture.
#[derive(Clone, Copy)]
struct Made<'a> {
    attempt: &'a Attempt,
    verdict: Verdict,
    picture: &'a Picture,
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
        let mut known: BTreeMap<u64, Entry> = known.into_iter().map(|e| (e.attempt, e)).collect();
        // Two batches may wait to be written; beyond that the sampler waits.
        let (sender, receiver) = sync_channel(2 * self.generator.batch().max(1));
        let recipe = self.recipe.clone();
        let format = self.finish.format;
        let writer = thread::spawn(move || write_all(ledger, &receiver, &recipe, format));
        let mut fresh = 0;
        let mut outcomes = Vec::new();
        let mut ended = Ok(());
        let mut stopped = false;
        for (plan, judge) in plans.iter().zip(judges) {
            match self.work_off(plan, judge, &mut known, &sender, &mut fresh, progress) {
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
        drop(sender);
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
        known: &mut BTreeMap<u64, Entry>,
        sender: &SyncSender<Job>,
        fresh: &mut u64,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<ModeOutcome>, EngineError> {
        let block = self.generator.batch().max(1) as u64;
        let mut entries: Vec<Entry> = Vec::new();
        let (mut kept, mut rejected) = (0, 0);
        let mut start = 0;
        while start < plan.budget && kept < plan.quota {
            let end = (start + block).min(plan.budget);
            let attempts: Vec<Attempt> = (start..end).map(|j| plan.attempt(self.seed, j)).collect();
            let missing: Vec<Attempt> = attempts
                .iter()
                .filter(|a| !known.contains_key(&a.position))
                .cloned()
                .collect();
            let mut made = BTreeMap::new();
            if !missing.is_empty() {
                let Some(pictures) = self.generator.generate(&missing, self.stop)? else {
                    return Ok(None);
                };
                let pictures: Vec<Picture> =
                    pictures.into_iter().map(|p| self.finished(p)).collect();
                let images: Vec<RgbImage> = pictures.iter().map(|p| p.image.clone()).collect();
                let embeddings = self.encoder.encode_images(&images)?;
                for (row, (attempt, picture)) in missing.iter().zip(pictures).enumerate() {
                    let maker = Maker {
                        finite: picture.finite,
                        flagged: picture.flagged,
                    };
                    let verdict = judge.judge(&picture.image, maker, embeddings.row(row));
                    made.insert(attempt.position, (verdict, picture));
                }
            }
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
                    entry
                } else {
                    let Some((verdict, picture)) = made.remove(&attempt.position) else {
                        return Err(GenerateError::Other {
                            reason: format!(
                                "no picture came back for attempt {}",
                                attempt.position
                            ),
                        }
                        .into());
                    };
                    let made = Made {
                        attempt,
                        verdict,
                        picture: &picture,
                    };
                    let (entry, target) = self.entry(plan, judge, made, kept, rejected);
                    let job = Job {
                        entry: entry.clone(),
                        image: target.map(|path| (path, picture.image)),
                    };
                    sender.send(job).map_err(|_closed| EngineError::Writer)?;
                    *fresh += 1;
                    entry
                };
                kept += usize::from(entry.status == KEPT || entry.status == CONTROL);
                rejected += usize::from(entry.status == REJECTED);
                entries.push(entry);
            }
            progress(Progress {
                plan,
                attempted: end,
                kept,
                fresh: *fresh,
            });
            start = end;
        }
        Ok(Some(ModeOutcome {
            entries,
            met: kept >= plan.quota,
        }))
    }

    /// The ledger's line for a picture, and where the picture goes if it is written.
    fn entry(
        &self,
        plan: &ModePlan,
        judge: &Judge,
        made: Made<'_>,
        kept: usize,
        rejected: usize,
    ) -> (Entry, Option<PathBuf>) {
        let Made {
            attempt,
            verdict,
            picture,
        } = made;
        let control = plan.arm != Arm::Hard;
        // Alignment and class are what a control is there to differ in.
        let aims = |r: &Reason| matches!(r, Reason::Alignment | Reason::Class);
        let reason = verdict.reason.filter(|r| !(control && aims(r)));
        let status = match (reason, control) {
            (Some(_), _) => REJECTED,
            (None, _) if kept >= plan.quota => SURPLUS,
            (None, true) => CONTROL,
            (None, false) => KEPT,
        };
        let (width, height) = picture.image.dimensions();
        let target = self.target(plan, attempt, status, rejected);
        let file = target
            .as_deref()
            .and_then(|path| self.layout.relative(path));
        let scores = verdict.scores;
        let entry = Entry {
            attempt: attempt.position,
            id: attempt.id.clone(),
            class: plan.class_name.clone(),
            class_index: plan.class,
            mode: plan.mode,
            arm: plan.arm.name().to_owned(),
            caption: attempt.caption.clone(),
            index: attempt.index,
            seed: attempt.seed,
            status: status.to_owned(),
            alignment: scores.map(|s| s.alignment),
            threshold: (!control).then_some(judge.alignment.threshold),
            class_similarity: scores.map(|s| s.class_similarity),
            class_margin: scores.map(|s| s.class_margin),
            decision: if reason.is_some() {
                Decision::Rejected
            } else {
                Decision::Passed
            },
            reason: reason.map(|r| r.name().to_owned()),
            file,
            sha256: None,
            steps: self.recipe.steps,
            guidance: self.recipe.guidance,
            scheduler: self.recipe.scheduler.clone(),
            negative_prompt: self.recipe.negative_prompt.clone(),
            width,
            height,
        };
        (entry, target)
    }

    /// The picture at the dataset's size: what is judged is what is written.
    fn finished(&self, picture: Picture) -> Picture {
        match self.finish.size {
            Some((w, h)) if picture.image.dimensions() != (w, h) => Picture {
                image: resize(&picture.image, w, h, Filter::Bicubic, Kernel::Pil),
                ..picture
            },
            _ => picture,
        }
    }

    fn target(
        &self,
        plan: &ModePlan,
        attempt: &Attempt,
        status: &str,
        rejected: usize,
    ) -> Option<PathBuf> {
        let name = format!("{}.{}", attempt.id, self.finish.format.extension());
        let (class, mode) = (plan.class_name.as_str(), plan.mode);
        match status {
            KEPT => Some(self.layout.images_dir(class, mode).join(name)),
            CONTROL => Some(
                self.layout
                    .controls_dir(class, mode, plan.arm.name())
                    .join(name),
            ),
            REJECTED if rejected < self.finish.keep_rejected => {
                Some(self.layout.rejected_dir(class, mode).join(name))
            }
            _ => None,
        }
    }
}

/// The writing thread: image first, then its line. Gives the hashes of the files by attempt.
fn write_all(
    mut ledger: Ledger,
    jobs: &Receiver<Job>,
    recipe: &Recipe,
    format: FileFormat,
) -> Result<BTreeMap<u64, String>, EngineError> {
    let mut hashes = BTreeMap::new();
    for Job { mut entry, image } in jobs {
        if let Some((path, image)) = image {
            let bytes = png::encode_matching(&image, format, Some(&marks(&entry, recipe)))?;
            write(&path, &bytes)?;
            let hash = io::sha256_hex(&bytes);
            hashes.insert(entry.attempt, hash.clone());
            entry.sha256 = Some(hash);
        }
        ledger.append(&[entry])?;
    }
    Ok(hashes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    if let Some(folder) = path.parent() {
        io::create_dir_all(folder)?;
    }
    io::write_atomic(path, bytes)
}

fn marks(entry: &Entry, recipe: &Recipe) -> Marks {
    Marks {
        parameters: Parameters {
            caption: entry.caption.clone(),
            negative_prompt: recipe.negative_prompt.clone(),
            steps: recipe.steps,
            scheduler: recipe.scheduler.clone(),
            guidance: recipe.guidance,
            seed: entry.seed,
            width: entry.width,
            height: entry.height,
            model: recipe.model.clone(),
        },
        hardlight: serde_json::json!({
            "schema": 1, "run": recipe.run_id, "id": entry.id, "class": entry.class,
            "mode": entry.mode, "arm": entry.arm, "caption": entry.caption, "index": entry.index,
            "seed": entry.seed, "alignment": entry.alignment,
            "class_similarity": entry.class_similarity,
        }),
        source: DigitalSource::TrainedAlgorithmicMedia,
    }
}
