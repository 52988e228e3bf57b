//! Where sampling stands: which attempts come next, and what becomes of their pictures.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use image::RgbImage;

use super::finish::finished;
use super::write::Job;
use super::{Progress, SamplingError};
use crate::embed::ImageEncoder;
use crate::filter::duplicate::KeptImages;
use crate::filter::{Meter, Subject};
use crate::generate::sampling::Queue;
use crate::generate::{Attempt, GeneratedImage, MadeOn, Recipe};
use crate::run::decide::{Fold, Known};
use crate::run::folder::Layout;
use crate::run::ledger::Measured;
use crate::run::plan::{Goal, Plan};

/// What stays the same.
pub(super) struct Work<'a> {
    pub(super) layout: &'a Layout,
    pub(super) plan: &'a Plan,
    pub(super) goals: &'a [Goal],
    pub(super) meters: &'a [Meter<'a>],
    pub(super) encoder: &'a dyn ImageEncoder,
    pub(super) made_on: MadeOn,
}

/// The queue of a run.
pub(super) struct Frontier<'a, 'p> {
    work: Work<'a>,
    known: Known,
    fold: Fold,
    sender: SyncSender<Job>,
    progress: &'p mut dyn FnMut(Progress<'_>),
    /// The present goal.
    goal: usize,
    /// Attempts of it that were decided, or passed by because the quota is met.
    start: u64,
    /// Attempts of the block that is being made.
    block: Vec<Attempt>,
    fresh: u64,
}

impl<'a, 'p> Frontier<'a, 'p> {
    pub(super) fn new(
        work: Work<'a>,
        known: Known,
        pool: KeptImages,
        sender: SyncSender<Job>,
        progress: &'p mut dyn FnMut(Progress<'_>),
    ) -> Self {
        let mut fold = Fold::new(pool);
        if let Some(goal) = work.goals.first() {
            fold.begin(goal);
        }
        Self {
            work,
            known,
            fold,
            sender,
            progress,
            goal: 0,
            start: 0,
            block: Vec::new(),
            fresh: 0,
        }
    }

    /// Decides on attempts, all of which are known.
    fn fold(&mut self, goal: &Goal, attempts: Vec<Attempt>) {
        for attempt in attempts {
            self.start += 1;
            if self.fold.is_met(goal) {
                continue;
            }
            if let Some(measured) = self.known.get(&attempt.id) {
                self.fold.step(goal, measured);
            }
        }
        (self.progress)(Progress {
            plan: &goal.plan,
            goal: self.goal,
            attempted: self.start,
            kept: self.fold.kept(),
            fresh: self.fresh,
        });
    }

    /// Decides on what the block begins with that is known; what is left of it is to be made. A block that was
    /// begun in this batch is made to its end, as if nobody had stopped it; one of another batch, only as
    /// far as the quota asks.
    fn fold_known(&mut self, goal: &Goal) {
        let batch = self.work.made_on.batch;
        let known = |a: &Attempt| self.known.get(&a.id);
        let begun = self
            .block
            .iter()
            .filter_map(known)
            .any(|m| m.made_on.batch == batch);
        let count = self.block.iter().take_while(|a| known(a).is_some()).count();
        let rest = self.block.split_off(count);
        let front = std::mem::replace(&mut self.block, rest);
        if !front.is_empty() {
            self.fold(goal, front);
        }
        if self.fold.is_met(goal) && !begun {
            self.block.clear();
        }
    }

    /// What was measured of the pictures of these attempts.
    fn measure(
        &self,
        attempts: Vec<Attempt>,
        pictures: Vec<GeneratedImage>,
    ) -> Result<Vec<Job>, SamplingError> {
        let Goal { plan, .. } = &self.work.goals[self.goal];
        let finished: Vec<_> = attempts
            .iter()
            .zip(pictures)
            .map(|(attempt, picture)| finished(picture, attempt.recipe.output))
            .collect::<Result<_, _>>()?;
        let images: Vec<RgbImage> = finished.iter().map(|f| f.picture.image.clone()).collect();
        let embeddings = self.work.encoder.encode_images(&images)?;
        let subjects: Vec<Subject<'_>> = finished
            .iter()
            .zip(&attempts)
            .map(|(f, attempt)| Subject {
                image: &f.picture.image,
                finite: f.picture.finite,
                flagged: f.picture.flagged,
                start: attempt.recipe.start.source().map(|image| image.id.as_str()),
            })
            .collect();
        let measures = self.work.meters[self.goal].measure(&subjects, embeddings.view())?;
        let each = attempts.into_iter().zip(finished).zip(measures);
        let jobs = each.map(|((attempt, finished), measures)| {
            let Attempt { id, index, recipe } = attempt;
            let measured = Measured {
                id,
                class: plan.class.clone(),
                mode: plan.mode,
                arm: plan.arm,
                index,
                recipe,
                made_on: self.work.made_on.clone(),
                // The writer's to say.
                sha256: String::new(),
                measures,
            };
            let path: PathBuf = self.work.layout.attempt(&measured);
            Job {
                measured,
                path,
                body: finished.into_body(),
            }
        });
        Ok(jobs.collect())
    }
}

impl Queue for Frontier<'_, '_> {
    type Error = SamplingError;

    fn next(&mut self) -> Result<Option<Vec<Recipe>>, SamplingError> {
        let goals = self.work.goals;
        while let Some(goal) = goals.get(self.goal) {
            if self.fold.is_met(goal) || self.start >= goal.plan.budget {
                (self.goal, self.start) = (self.goal + 1, 0);
                if let Some(next) = goals.get(self.goal) {
                    self.fold.begin(next);
                }
                continue;
            }
            let end = (self.start + self.work.made_on.batch.max(1) as u64).min(goal.plan.budget);
            self.block = (self.start..end)
                .map(|j| self.work.plan.attempt(&goal.plan, j))
                .collect();
            self.fold_known(goal);
            let missing = self
                .block
                .iter()
                .filter(|a| !self.known.contains_key(&a.id));
            let recipes: Vec<Recipe> = missing.map(|a| a.recipe.clone()).collect();
            if !recipes.is_empty() {
                return Ok(Some(recipes));
            }
        }
        Ok(None)
    }

    fn take(
        &mut self,
        recipes: Vec<Recipe>,
        pictures: Vec<GeneratedImage>,
    ) -> Result<(), SamplingError> {
        let goals = self.work.goals;
        let Some(goal) = goals.get(self.goal) else {
            return Ok(());
        };
        let missing = self
            .block
            .iter()
            .filter(|a| !self.known.contains_key(&a.id));
        let attempts: Vec<Attempt> = missing.cloned().collect();
        debug_assert_eq!(attempts.len(), recipes.len());
        for job in self.measure(attempts, pictures)? {
            let measured = Arc::new(job.measured.clone());
            self.known.insert(measured.id.clone(), measured);
            self.fresh += 1;
            self.sender
                .send(job)
                .map_err(|_closed| SamplingError::Writer)?;
        }
        let block = std::mem::take(&mut self.block);
        self.fold(goal, block);
        Ok(())
    }
}
