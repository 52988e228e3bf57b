//! Real images from the pool, before any are generated; `pool.json`.

use std::time::Instant;

use ndarray::{Array2, ArrayView2};

use super::captions;
use super::context::{Context, Job};
use super::detect::Detected;
use super::embed::{Embedded, Pictures};
use super::error::Error;
use super::measure::{duplicates, meter};
use super::policy::policy;
use crate::dataset::Split;
use crate::direction::{Direction, Whitening};
use crate::embed::TextEncoder;
use crate::filter::class::ZeroShot;
use crate::filter::duplicate::KeptImages;
use crate::io::{self, JsonFile as _};
use crate::run::policy::Policy;
use crate::run::pool::{Picked, Pool, PoolRecord, Wanted, pick};

/// What the pool gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// As `pool.json` has it.
    pub record: PoolRecord,
}

impl Pooled {
    /// What it gave for a direction; none for one that is not acted on.
    pub fn of(&self, direction: &Direction) -> Option<&Picked> {
        self.record.of(direction.id)
    }
}

/// Picks the hardest images of the pool for every mode that is acted on; writes `pool.json`, and what images
/// were held against, so that another policy picks again without a model.
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
    let (settings, data) = (job.settings, &embedded.data);
    if !embedded.parts.contains_key(&Split::Pool) {
        return Err(no_pool());
    }
    let references = captions::references(settings, data, texts)?;
    match &references {
        Some(references) => {
            io::create_dir_all(&job.layout.embeddings_dir())?;
            let (path, classes) = (job.layout.references(), data.dataset.classes());
            io::matrix::write_safetensors(&path, "embeddings", references.view(), classes)?;
        }
        None => context.info(
            "the pool's images are not looked at by zero-shot CLIP, for directions are not in CLIP's \
             space: their labels are taken as they are",
        ),
    }
    let source = Source {
        pictures: embedded.pictures(),
        whitening: &detected.whitening,
        directions: detected.acted_on(settings.generate.force),
        references: references.as_ref().map(Array2::view),
    };
    let policy = policy(settings);
    let record = source.pick(context, &policy)?;
    for picked in &record.modes {
        context.info(said(picked, policy.quota));
    }
    if record.modes.is_empty() {
        context
            .warn("nothing is taken from the pool: no class has a direction that may be acted on");
    }
    record.write(&job.layout.pool())?;
    context.took("pool", begun);
    Ok(Pooled { record })
}

fn no_pool() -> Error {
    Error::input(
        "the data has no pool split: put the images to choose from in pool/CLASS, or give their rows the \
         split pool; or leave out --pool",
    )
}

/// What images are picked from, and what they are measured by.
pub(super) struct Source<'a> {
    /// The data's images, the pool's among them.
    pub(super) pictures: Pictures<'a>,
    /// Of the run's space.
    pub(super) whitening: &'a Whitening,
    /// Those that are acted on.
    pub(super) directions: Vec<&'a Direction>,
    /// Embeddings of the classes' reference captions; none where the space has no captions in it.
    pub(super) references: Option<ArrayView2<'a, f32>>,
}

impl Source<'_> {
    /// Picks as a policy wants it.
    pub(super) fn pick(
        &self,
        context: &mut Context<'_>,
        policy: &Policy,
    ) -> Result<PoolRecord, Error> {
        let pictures = self.pictures;
        let part = pictures.parts.get(&Split::Pool).ok_or_else(no_pool)?;
        let zero_shot = self.references.map(ZeroShot::new);
        let duplicates = duplicates(context, policy.filter.duplicate, pictures);
        let wanted = self.directions.iter().map(|direction| {
            let meter = meter(self.whitening, direction, zero_shot.as_ref(), &duplicates);
            Wanted::new(meter, policy)
        });
        let pool = Pool {
            dataset: pictures.dataset,
            ids: &part.ids,
            matrix: part.view(),
            exif: pictures.exif,
        };
        let modes: Vec<Wanted<'_>> = wanted.collect();
        let record = pick(
            pool,
            &modes,
            policy,
            &mut KeptImages::default(),
            context.stop,
        )?;
        record.ok_or_else(Error::stopped)
    }
}

/// What a mode got, and why not more.
fn said(picked: &Picked, quota: usize) -> String {
    let Picked {
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
        "{}: {} of {quota} images from the pool's {of_class}{rest}",
        picked.mode_id().named(&picked.class),
        picks.len()
    )
}
