//! Real images from the pool, before any are generated; `pool.json`.

use super::captions;
use super::detect::Detected;
use super::inputs::Inputs;
use super::judge::{duplicates, judge};
use crate::cli::exit::InputError;
use crate::cli::session::Context;
use crate::dataset::Split;
use crate::direction::Direction;
use crate::filter::Judge;
use crate::filter::duplicate::Kept;
use crate::io;
use crate::run::pool::{Picked, Pool, Record, pick};
use crate::run::settings::Settings;

/// What the pool gave.
pub(in crate::cli) struct Pooled {
    pub(in crate::cli) record: Record,
    /// Its images, for generated ones to be compared with.
    pub(in crate::cli) kept: Kept,
}

impl Pooled {
    /// What it gave for a direction; none for one that is not acted on.
    pub(in crate::cli) fn of(&self, class: &str, direction: &Direction) -> Option<&Picked> {
        self.record.of(class, direction.id.mode)
    }

    /// Whether no mode lacks an image.
    pub(in crate::cli) fn meets_all(&self) -> bool {
        let Record { quota, modes, .. } = &self.record;
        !modes.is_empty() && modes.iter().all(|picked| picked.picks.len() >= *quota)
    }
}

/// What lacks of a direction's quota.
pub(in crate::cli) fn shortfall(
    settings: &Settings,
    pooled: Option<&Pooled>,
    class: &str,
    direction: &Direction,
) -> usize {
    let picked = pooled.and_then(|pooled| pooled.of(class, direction));
    let found = picked.map_or(0, |picked| picked.picks.len());
    settings.generate.quota.saturating_sub(found)
}

/// Picks the hardest images of the pool for every direction worth it; none if asked to stop.
pub(in crate::cli) fn pool(
    context: &mut Context<'_>,
    inputs: &Inputs,
    detected: &Detected,
) -> anyhow::Result<Option<Pooled>> {
    let begun = context.ui.seconds();
    let settings = context.settings;
    let Some(part) = detected.parts.get(&Split::Pool) else {
        let text = "the data has no pool split: put the images to choose from in pool/CLASS, or give \
                    their rows the split pool; or leave out --pool";
        return Err(InputError(text.to_owned()).into());
    };
    let references = captions::references(settings, inputs)?;
    if references.is_none() {
        context.ui.info(
            "the pool's images are not looked at by zero-shot CLIP, for directions are not in CLIP's \
             space: their labels are taken as they are",
        );
    }
    let judges: Vec<Judge> = detected
        .fitted
        .directions
        .iter()
        .filter(|direction| detected.is_usable(direction) || settings.generate.force)
        .map(|direction| {
            let references = references.as_ref().map(ndarray::ArrayBase::view);
            judge(settings, detected, direction, references)
        })
        .collect();
    let duplicates = duplicates(context, inputs, detected);
    let mut kept = Kept::default();
    let pool = Pool {
        dataset: &inputs.dataset,
        rows: &part.rows,
        matrix: part.view(),
        exif: inputs.exif,
    };
    let stop = || context.stop.asked();
    let quota = settings.generate.quota;
    let Some(record) = pick(pool, &judges, quota, &duplicates, &mut kept, &stop)? else {
        return Ok(None);
    };
    for picked in &record.modes {
        context.ui.info(said(picked, quota));
    }
    if record.modes.is_empty() {
        context
            .ui
            .warn("nothing is taken from the pool: no class has a direction that may be acted on");
    }
    let json = serde_json::to_string_pretty(&record)?;
    io::write_atomic(&context.layout.pool(), format!("{json}\n").as_bytes())?;
    context.seconds.insert("pool", context.ui.seconds() - begun);
    Ok(Some(Pooled { record, kept }))
}

/// What a mode got, and why not more.
fn said(picked: &Picked, quota: usize) -> String {
    let Picked {
        class,
        of_class,
        picks,
        rejected,
        left,
        ..
    } = picked;
    let mut parts: Vec<String> = rejected
        .iter()
        .map(|(reason, count)| format!("{count} for {reason}"))
        .collect();
    if *left > 0 {
        parts.push(format!("{left} not needed"));
    }
    let rest = if parts.is_empty() {
        String::new()
    } else {
        format!("; left out: {}", parts.join(", "))
    };
    format!(
        "{class}: {} of {quota} images from the pool's {of_class}{rest}",
        picks.len()
    )
}
