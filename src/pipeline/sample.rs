//! Images from the top failure captions, and from neutral and easy ones where controls are asked for:
//! made and measured, not yet decided on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::captions::Captioned;
use super::context::{Context, Job};
use super::detect::Detected;
use super::embed::Embedded;
use super::error::Error;
use super::measure::{self, duplicates, meter};
use super::models::Generator;
use super::policy::policy;
use super::pool::Pooled;
use super::reporter::Stage;
use super::starts;
use crate::caption::CaptionKind;
use crate::dataset::{Split, Usable};
use crate::direction::{Direction, ModeId};
use crate::embed::ImageEncoder;
use crate::filter::Meter;
use crate::filter::class::ZeroShot;
use crate::filter::duplicate::KeptImages;
use crate::generate::Arm;
use crate::generate::recipe::Output;
use crate::generate::sampling::Ended;
use crate::io::JsonFile as _;
use crate::run::plan::{Goal, Plan, PlannedArm};
use crate::run::sampling::{Progress, Sampler};
use crate::run::typical_image::typical_image;

/// What sampling came to: everything that was asked for is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// What attempts follow from, as `plan.json` has it.
    pub plan: Plan,
    /// Attempts made by this call.
    pub fresh: u64,
}

/// Makes and measures what lacks of the quotas after the pool gave its part; writes `plan.json`,
/// `attempts/` and `ledger.jsonl`.
///
/// # Errors
///
/// Those of the generator and the disk; of kind stopped if asked to stop.
pub fn sample(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    (detected, captioned, pooled): (&Detected, &Captioned, Option<&Pooled>),
    generator: &mut Generator,
    encoder: &dyn ImageEncoder,
) -> Result<Sampled, Error> {
    let begun = Instant::now();
    let plan = plan(context, job, embedded, (detected, captioned), generator)?;
    plan.write(&job.layout.plan())?;
    let found = pooled.map(|pooled| pooled.record.found());
    let goals = plan.goals(&policy(job.settings), &found.unwrap_or_default());
    if goals.is_empty() && !plan.arms.is_empty() && pooled.is_some() {
        context.info("the pool meets every quota: no image is generated");
    }
    let options = job.settings.filter.duplicate;
    let mut duplicates = duplicates(context, options, embedded.pictures());
    if job.settings.generate.strategies.image() > 0.0 {
        let split = job.settings.generate.starts.split();
        if let Some(known) = measure::starts(embedded.pictures(), split) {
            duplicates = duplicates.with_starts(known);
        }
    }
    let zero_shot = ZeroShot::new(captioned.references.view());
    let meters = goals
        .iter()
        .map(|goal| {
            let direction = detected.fitted.get(goal.plan.mode).ok_or_else(|| {
                Error::input(format!("class {} has no direction", goal.plan.class))
            })?;
            let whitening = &detected.whitening;
            Ok(meter(whitening, direction, Some(&zero_shot), &duplicates))
        })
        .collect::<Result<Vec<Meter<'_>>, Error>>()?;
    let sampler = Sampler {
        layout: &job.layout,
        plan: &plan,
        goals: &goals,
        meters: &meters,
        encoder,
        pool: pooled.map_or_else(KeptImages::default, |pooled| pooled.record.earlier()),
    };
    let fresh = run(context, sampler, &goals, generator)?;
    for caption in generator.images.truncated() {
        context.warn(format_args!(
            "longer than the model reads, and cut: {caption:?}"
        ));
    }
    context.took("generate", begun);
    Ok(Sampled { plan, fresh })
}

/// Works the goals off, and tells how far it is; gives the attempts made.
fn run(
    context: &mut Context<'_>,
    sampler: Sampler<'_>,
    goals: &[Goal],
    generator: &mut Generator,
) -> Result<u64, Error> {
    let images = generator.images.as_mut();
    context.note(format_args!("batches of {}", images.made_on().batch));
    let total: usize = goals.iter().map(|goal| goal.plan.quota).sum();
    let mut stage = Stage::begin(context.reporter, "images", total, "kept");
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    let mut made = 0;
    let ended = sampler.run(images, context.stop, &mut |progress: Progress<'_>| {
        let Progress {
            plan,
            goal,
            attempted,
            fresh,
            ..
        } = progress;
        kept.insert(goal, progress.kept);
        made = fresh;
        let done = kept.values().sum();
        if fresh == 0 {
            stage.resumed_from(done);
        }
        stage.set(
            done,
            &format!(
                "({} {}, {attempted} attempts)",
                plan.mode.named(&plan.class),
                plan.arm
            ),
        );
    })?;
    if ended == Ended::Stopped {
        return Err(Error::stopped());
    }
    stage.end();
    Ok(made)
}

/// The failure arm of every mode that is acted on, each followed by its controls: from the captions that real
/// images confirm, and where none is confirmed from all hard ones, with a warning and behind all others.
fn plan(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    (detected, captioned): (&Detected, &Captioned),
    generator: &mut Generator,
) -> Result<Plan, Error> {
    let data = embedded.usable();
    let images = generator.images.as_mut();
    starts::check(context, job, embedded, images)?;
    let (mut arms, mut last) = (Vec::new(), Vec::new());
    let modes = detected.acted_on(job.settings.generate.force);
    tell_several(context, data, &modes, job.settings.generate.quota);
    let modes: BTreeSet<ModeId> = modes.iter().map(|direction| direction.id).collect();
    for (direction, captions) in detected.fitted.directions.iter().zip(&captioned.modes) {
        if !modes.contains(&direction.id) {
            continue;
        }
        let ModeId { class, mode } = direction.id;
        let class = &data.classes()[class];
        let mut hard = captions.confirmed();
        let mut to = &mut arms;
        if hard.is_empty() {
            hard = captions.of(CaptionKind::Hard);
            to = &mut last;
            if !hard.is_empty() {
                context.warn(format_args!(
                    "class {class}, failure mode {mode}: real images confirm none of its {} hard captions; images are made from \
                     them all the same, behind all others: look at some before training on them, or give other captions \
                     (--grammar)",
                    hard.len()
                ));
            }
        }
        let found = (embedded, detected);
        let starts = starts::starts(context, job, found, direction, images)?;
        for (arm, captions, starts) in [
            (Arm::Hard, hard, starts),
            (Arm::Neutral, vec![captions.reference.clone()], None),
            (Arm::Easy, captions.of(CaptionKind::Easy), None),
        ] {
            to.push(PlannedArm {
                mode: direction.id,
                class: class.clone(),
                arm,
                captions,
                starts,
                threshold: direction.threshold,
            });
        }
    }
    arms.extend(last);
    let mut template = images.template().clone();
    if let Some(output) = output(context, job, data)? {
        template.output = output;
    }
    Ok(Plan::new(job.settings.seed, template, arms))
}

/// Says of classes with several failure modes that each has a quota of its own.
fn tell_several(context: &mut Context<'_>, data: Usable<'_>, modes: &[&Direction], quota: usize) {
    for class in modes.chunk_by(|a, b| a.id.class == b.id.class) {
        if class.len() > 1 {
            let name = &data.classes()[class[0].id.class];
            context.info(format_args!(
                "{name} has {} failure modes, and each has the quota of {quota} images",
                class.len()
            ));
        }
    }
}

/// How images leave where they are to leave as the data set's own.
fn output(
    context: &mut Context<'_>,
    job: &Job<'_>,
    data: Usable<'_>,
) -> Result<Option<Output>, Error> {
    if !job.settings.filter.match_dataset {
        return Ok(None);
    }
    let images: Vec<_> = data
        .of_split(Split::Train)
        .map(|(_, e)| data.dataset().image(e))
        .collect();
    let Some(look) = typical_image(&images)? else {
        return Ok(None);
    };
    let ((width, height), format) = (look.size, look.format);
    context.info(format_args!(
        "images are written as the training set's: {width} x {height} px, {}",
        format.extension()
    ));
    if look.same_size < look.seen {
        context.warn(format_args!(
            "{} of {} training images looked at have another size than {width} x {height} px",
            look.seen - look.same_size,
            look.seen
        ));
    }
    Ok(Some(Output {
        width,
        height,
        format,
    }))
}
