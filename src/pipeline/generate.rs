//! Images from the top failure captions, and from neutral and easy ones where controls are asked for.

use std::time::Instant;

use super::captions::{Captioned, ModeCaptions};
use super::context::{Context, Job};
use super::data::Data;
use super::detect::Detected;
use super::embed::Embedded;
use super::error::Error;
use super::judge::{duplicates, judge};
use super::models::Generator;
use super::pool::{Pooled, shortfall};
use super::reporter::Stage;
use crate::caption::Kind;
use crate::dataset::Split;
use crate::direction::{Direction, ModeId};
use crate::embed::ImageEncoder;
use crate::filter::Judge;
use crate::generate::plan::lay_out;
use crate::generate::{Arm, ModePlan};
use crate::image_file::FileFormat;
use crate::run::engine::{Ended, Engine, Finish, ModeOutcome, Progress, Recipe};
use crate::run::ledger::table;
use crate::run::look::look;
use crate::run::settings::Settings;

/// What generation came to, plan by plan.
pub struct Generated {
    /// What was planned, arm by arm.
    pub plans: Vec<ModePlan>,
    /// One a plan.
    pub outcomes: Vec<ModeOutcome>,
    /// Hash of the diffusion model.
    pub fingerprint: String,
}

impl Generated {
    /// The plans of an arm with what they came to.
    pub fn of(&self, arm: Arm) -> impl Iterator<Item = (&ModePlan, &ModeOutcome)> {
        self.plans
            .iter()
            .zip(&self.outcomes)
            .filter(move |(plan, _)| plan.arm == arm)
    }

    /// The failure arm of a mode.
    pub fn of_mode(&self, class: &str, mode: u32) -> Option<(&ModePlan, &ModeOutcome)> {
        let mut hard = self.of(Arm::Hard);
        hard.find(|(plan, _)| plan.class_name == class && plan.mode == mode)
    }
}

/// Generates what the pool did not give; writes images and the ledger.
///
/// # Errors
///
/// Of kind disk or device where images cannot be written or made; of kind stopped, with what is done in
/// the ledger.
pub fn generate(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    (detected, captioned, pooled): (&Detected, &Captioned, Option<&Pooled>),
    generator: &mut Generator,
    encoder: &dyn ImageEncoder,
) -> Result<Generated, Error> {
    let begun = Instant::now();
    let settings = job.settings;
    let fingerprint = generator.fingerprint.clone();
    let classes = &embedded.data.dataset.classes;
    let mut plans = plans(settings, detected, captioned, pooled, classes);
    if pooled.is_some_and(Pooled::meets_all) {
        context.info("the pool meets every quota: no image is generated");
        return Ok(Generated {
            plans: Vec::new(),
            outcomes: Vec::new(),
            fingerprint,
        });
    }
    lay_out(&mut plans);
    let judges = judges(settings, &plans, detected, captioned)?;
    let duplicates = duplicates(context, job, embedded);
    let finish = finish(context, job, &embedded.data)?;
    let recipe = Recipe {
        steps: u32::try_from(settings.generate.steps).unwrap_or(u32::MAX),
        guidance: settings.generate.guidance,
        scheduler: generator.scheduler.clone(),
        negative_prompt: settings.generate.negative_prompt.clone(),
        model: generator.name.clone(),
        run_id: job.run_id.clone(),
    };
    let images = generator.images.as_mut();
    context.note(format_args!("batches of {}", images.batch()));
    let total: usize = plans.iter().map(|plan| plan.quota).sum();
    let mut stage = Stage::begin(context.reporter, "images", total, "kept");
    let ended = {
        let engine = Engine {
            layout: &job.layout,
            seed: settings.seed,
            generator: images,
            encoder,
            duplicates: &duplicates,
            kept: pooled.map(|pooled| pooled.kept.clone()).unwrap_or_default(),
            recipe: &recipe,
            finish,
            stop: context.stop,
        };
        let mut kept = vec![0; plans.len()];
        engine.run(&plans, &judges, &mut |progress: Progress<'_>| {
            let Some(at) = plans.iter().position(|plan| plan == progress.plan) else {
                return;
            };
            kept[at] = progress.kept.min(progress.plan.quota);
            let done = kept.iter().sum();
            if progress.fresh == 0 {
                stage.resumed_from(done);
            }
            let Progress {
                plan, attempted, ..
            } = progress;
            stage.set(
                done,
                &format!("({} {}, {attempted} attempts)", plan.class_name, plan.arm),
            );
        })?
    };
    let Ended::Done(outcomes) = ended else {
        return Err(Error::stopped());
    };
    stage.end();
    for caption in images.truncated() {
        context.warn(format_args!(
            "longer than the model reads, and cut: {caption:?}"
        ));
    }
    let entries: Vec<_> = outcomes
        .iter()
        .flat_map(|o| o.entries.iter().cloned())
        .collect();
    table::write(&job.layout.root().join("ledger.parquet"), &entries)?;
    context.took("generate", begun);
    Ok(Generated {
        plans,
        outcomes,
        fingerprint,
    })
}

/// The failure arm of every direction worth it, each followed by its controls.
fn plans(
    settings: &Settings,
    detected: &Detected,
    captioned: &Captioned,
    pooled: Option<&Pooled>,
    classes: &[String],
) -> Vec<ModePlan> {
    let g = &settings.generate;
    let mut plans = Vec::new();
    for (direction, captions) in detected.fitted.directions.iter().zip(&captioned.modes) {
        if !(detected.is_usable(direction) || g.force) {
            continue;
        }
        let lacking = shortfall(settings, pooled, &classes[direction.id.class], direction);
        if lacking == 0 {
            // Without images from failure captions there is nothing to control.
            continue;
        }
        let mut add = |arm, captions: Vec<String>, quota: usize, budget: u64| {
            if !captions.is_empty() && quota > 0 {
                plans.push(ModePlan {
                    class: direction.id.class,
                    class_name: classes[direction.id.class].clone(),
                    mode: direction.id.mode,
                    arm,
                    captions,
                    quota,
                    budget,
                    first: 0,
                });
            }
        };
        let ModeCaptions { reference, .. } = captions;
        add(
            Arm::Hard,
            captions.of(Kind::Hard),
            lacking,
            g.attempts(lacking),
        );
        // Only blank or broken pictures fail in a control arm.
        let spare = 2 * g.controls as u64;
        add(Arm::Neutral, vec![reference.clone()], g.controls, spare);
        add(Arm::Easy, captions.of(Kind::Easy), g.controls, spare);
    }
    plans
}

fn judges(
    settings: &Settings,
    plans: &[ModePlan],
    detected: &Detected,
    captioned: &Captioned,
) -> Result<Vec<Judge>, Error> {
    let of = |plan: &ModePlan| -> Option<&Direction> {
        let id = ModeId::new(plan.class, plan.mode);
        detected.fitted.get(id)
    };
    plans
        .iter()
        .map(|plan| {
            let direction = of(plan).ok_or_else(|| {
                Error::input(format!("class {} has no direction", plan.class_name))
            })?;
            let references = captioned.references.view();
            Ok(judge(settings, detected, direction, Some(references)))
        })
        .collect()
}

/// How images leave: as the data set's own where that is asked for.
fn finish(context: &mut Context<'_>, job: &Job<'_>, data: &Data) -> Result<Finish, Error> {
    let filter = &job.settings.filter;
    let mut finish = Finish {
        size: None,
        format: FileFormat::Png,
        keep_rejected: filter.keep_rejected,
    };
    if !filter.match_dataset {
        return Ok(finish);
    }
    let dataset = &data.dataset;
    let images: Vec<_> = dataset
        .of_split(Split::Train)
        .map(|(_, e)| dataset.image(e))
        .collect();
    if let Some(look) = look(&images)? {
        let ((w, h), format) = (look.size, look.format);
        finish.size = Some(look.size);
        finish.format = format;
        context.info(format_args!(
            "images are written as the training set's: {w} x {h} px, {}",
            format.extension()
        ));
        if look.same_size < look.seen {
            context.warn(format_args!(
                "{} of {} training images looked at have another size than {w} x {h} px",
                look.seen - look.same_size,
                look.seen
            ));
        }
    }
    Ok(finish)
}
