//! Real images from the pool, before any are generated; `pool.json`.

use std::time::Instant;

use super::captions;
use super::context::{Context, Job};
use super::detect::Detected;
use super::embed::Embedded;
use super::error::Error;
use super::measure::{duplicates, meter};
use super::policy::policy;
use crate::dataset::Split;
use crate::direction::Direction;
use crate::embed::TextEncoder;
use crate::filter::class::ZeroShot;
use crate::filter::duplicate::KeptImages;
use crate::filter::filters;
use crate::io;
use crate::run::pool::{Picked, Pool, Record, Wanted, pick};

/// What the pool gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// As `pool.json` has it.
    pub record: Record,
}

impl Pooled {
    /// What it gave for a direction; none for one that is not acted on.
    pub fn of(&self, direction: &Direction) -> Option<&Picked> {
        self.record.of(direction.id)
    }
}

/// Picks the hardest images of the pool for every direction worth it; writes `pool.json`.
///
/// # Errors
///
/// Of kind input where the data has no pool; of kind stopped.
pub fn pool(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    detected: &Detected,
    texts: Option<&dyn TextEncoder>,
) -> Result<Pooled, Error> {
    let begun = Instant::now();
    let settings = job.settings;
    let Embedded { data, parts, .. } = embedded;
    let Some(part) = parts.get(&Split::Pool) else {
        let text = "the data has no pool split: put the images to choose from in pool/CLASS, or give \
                    their rows the split pool; or leave out --pool";
        return Err(Error::input(text.to_owned()));
    };
    let references = captions::references(settings, data, texts)?;
    if references.is_none() {
        context.info(
            "the pool's images are not looked at by zero-shot CLIP, for directions are not in CLIP's \
             space: their labels are taken as they are",
        );
    }
    let zero_shot = references.map(|references| ZeroShot::new(references.view()));
    let duplicates = duplicates(context, job, embedded);
    let policy = policy(settings);
    let wanted: Vec<Wanted<'_>> = detected
        .fitted
        .directions
        .iter()
        .filter(|direction| detected.is_usable(direction) || settings.generate.force)
        .map(|direction| Wanted {
            mode: direction.id,
            meter: meter(detected, direction, zero_shot.as_ref(), &duplicates),
            threshold: policy.filter.min_alignment.unwrap_or(direction.threshold),
            filters: filters(&policy.filter, direction.threshold),
        })
        .collect();
    let pool = Pool {
        dataset: &data.dataset,
        ids: &part.ids,
        matrix: part.view(),
        exif: data.exif,
    };
    let quota = settings.generate.quota;
    let mut kept = KeptImages::default();
    let Some(record) = pick(pool, &wanted, quota, &mut kept, context.stop)? else {
        return Err(Error::stopped());
    };
    for picked in &record.modes {
        context.info(said(picked, quota));
    }
    if record.modes.is_empty() {
        context
            .warn("nothing is taken from the pool: no class has a direction that may be acted on");
    }
    let json = serde_json::to_string_pretty(&record).map_err(Error::other)?;
    io::write_atomic(&job.layout.pool(), format!("{json}\n").as_bytes())?;
    context.took("pool", begun);
    Ok(Pooled { record })
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
