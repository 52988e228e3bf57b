//! One picture: kept or not, why, and where it goes.

use std::path::PathBuf;

use super::shelf::Shelf;
use super::write::Job;
use super::{CONTROL, Engine, EngineError, Fresh, KEPT, REJECTED, SURPLUS, kept_file};
use crate::filter::duplicate::{Found, Thumbnail};
use crate::filter::{Judge, Reason};
use crate::generate::{Arm, Attempt, ModePlan};
use crate::run::ledger::{Decision, Entry};

/// What is decided of a picture.
struct Decided {
    reason: Option<Reason>,
    duplicate_of: Option<String>,
}

/// What stays the same and what has become of a plan so far.
pub(super) struct Work<'a> {
    pub(super) plan: &'a ModePlan,
    pub(super) judge: &'a Judge,
    pub(super) kept: usize,
    pub(super) rejected: usize,
}

impl Engine<'_> {
    /// The ledger's line for a picture, and the picture if it is written.
    pub(super) fn decide(
        &self,
        work: &Work<'_>,
        attempt: &Attempt,
        fresh: Fresh,
        shelf: &mut Shelf,
    ) -> Result<Job, EngineError> {
        let control = work.plan.arm != Arm::Hard;
        // Alignment and class are what a control is there to differ in.
        let aims = |r: &Reason| matches!(r, Reason::Alignment | Reason::Class);
        let mut decided = Decided {
            reason: fresh.verdict.reason.filter(|r| !(control && aims(r))),
            duplicate_of: None,
        };
        let mut thumbnail = None;
        if decided.reason.is_none() {
            let of_it = Thumbnail::of(&fresh.picture.picture.image);
            if let Some(Found { against, id }) = self.duplicate(&fresh, &of_it, shelf)? {
                decided.reason = Some(against.reason());
                decided.duplicate_of = Some(id);
            }
            thumbnail = Some(of_it);
        }
        let entry = self.entry(work, attempt, &fresh, decided);
        if let Some(thumbnail) = thumbnail.filter(|_| kept_file(&entry).is_some()) {
            shelf.add(entry.id.clone(), fresh.embedding.view(), thumbnail);
        }
        let image = entry
            .file
            .as_ref()
            .map(|file| (self.layout.root().join(file), fresh.picture.into_body()));
        Ok(Job { entry, image })
    }

    /// What a picture nearly equals, if anything.
    fn duplicate(
        &self,
        fresh: &Fresh,
        thumbnail: &Thumbnail,
        shelf: &mut Shelf,
    ) -> Result<Option<Found>, EngineError> {
        let duplicates = self.duplicates;
        if let Some(found) = duplicates.of_known(&fresh.likeness, thumbnail)? {
            return Ok(Some(found));
        }
        if !duplicates.options().kept {
            return Ok(None);
        }
        let kept = shelf.filled(self.encoder)?;
        Ok(duplicates.of_kept(fresh.embedding.view(), thumbnail, kept))
    }

    /// The ledger's line for a picture.
    fn entry(&self, work: &Work<'_>, attempt: &Attempt, fresh: &Fresh, decided: Decided) -> Entry {
        let Work {
            plan,
            judge,
            kept,
            rejected,
        } = work;
        let Decided {
            reason,
            duplicate_of,
        } = decided;
        let control = plan.arm != Arm::Hard;
        let status = match (reason, control) {
            (Some(_), _) => REJECTED,
            (None, _) if *kept >= plan.quota => SURPLUS,
            (None, true) => CONTROL,
            (None, false) => KEPT,
        };
        let (width, height) = fresh.picture.picture.image.dimensions();
        let target = self.target(plan, attempt, status, *rejected);
        let scores = fresh.verdict.scores;
        Entry {
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
            class_similarity: scores.and_then(|s| s.class_similarity),
            class_margin: scores.and_then(|s| s.class_margin),
            nearest_train_similarity: fresh.likeness.nearest_train,
            decision: if reason.is_some() {
                Decision::Rejected
            } else {
                Decision::Passed
            },
            reason: reason.map(|r| r.name().to_owned()),
            duplicate_of,
            file: target.and_then(|path| self.layout.relative(&path)),
            sha256: None,
            steps: self.recipe.steps,
            guidance: self.recipe.guidance,
            scheduler: self.recipe.scheduler.clone(),
            negative_prompt: self.recipe.negative_prompt.clone(),
            width,
            height,
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
