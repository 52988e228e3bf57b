//! One run: its settings, its folder, its data, and the stages in their order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use super::captions::{self, Captioned};
use super::context::{Context, Job};
use super::data::Data;
use super::decide::{Decided, decide};
use super::detect::{self, Detected};
use super::embed::{Embedded, embed};
use super::error::Error;
use super::identity::identity;
use super::manifest;
use super::models::Models;
use super::outputs;
use super::policy::policy;
use super::pool::{self, Pooled};
use super::sample::sample;
use super::settings::CheckedSettings;
use crate::dataset::Dataset;
use crate::embed::TextEncoder;
use crate::run::folder::{Claim, RunFolder, Told};
use crate::run::ledger;

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Directions and the detection report.
    Directions,
    /// Captions that describe them.
    Captions,
    /// Images from them, and the manifest.
    Manifest,
}

/// The folder of a run, before its settings are known to fit.
#[derive(Debug)]
pub enum Target {
    /// Not touched before all inputs were opened and checked.
    At {
        /// The folder.
        out: PathBuf,
        /// Whether an earlier run in it is moved aside.
        force_new: bool,
    },
    /// Locked already, perhaps with the data in it.
    Claimed(Claim),
}

impl Target {
    /// A folder that is new, or holds the same run.
    pub fn at(out: impl Into<PathBuf>) -> Self {
        Self::At {
            out: out.into(),
            force_new: false,
        }
    }
}

/// What a run came to, as far as it went.
pub struct Finished {
    /// Locked as long as this lives.
    pub folder: RunFolder,
    /// The data and its embeddings.
    pub embedded: Embedded,
    /// Directions and how strong they are.
    pub detected: Detected,
    /// There if the run went so far, and had CLIP.
    pub captioned: Option<Captioned>,
    /// There if a pool was asked for.
    pub pooled: Option<Pooled>,
    /// There if the run went so far, and had a model that draws.
    pub decided: Option<Decided>,
    /// Images asked for per failure mode.
    pub quota: usize,
    /// Seconds by stage.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Whether all that was asked for came out; else nothing was found or kept, or a quota is unmet.
    pub complete: bool,
}

impl Finished {
    /// The examples.
    pub fn dataset(&self) -> &Dataset {
        self.embedded.dataset()
    }

    /// Whether images were attempted for any failure mode.
    pub fn made_any(&self) -> bool {
        let decided = self.decided.as_ref();
        decided.is_some_and(|decided| !decided.decisions.outcomes.is_empty())
    }

    /// Notes the seconds since `begun` as those of a stage.
    pub fn took(&mut self, stage: &'static str, begun: Instant) {
        self.seconds.insert(stage, begun.elapsed().as_secs_f64());
    }
}

/// Opens what the settings name and works a run folder off as far as `until`, but for `summary.json`,
/// which is the caller's to write last.
///
/// # Errors
///
/// Those of the stages, as they come; of kind stopped if asked to stop.
#[cfg(feature = "torch")]
pub fn run(
    context: &mut Context<'_>,
    settings: &CheckedSettings,
    target: Target,
    until: Until,
) -> Result<Finished, Error> {
    // Cheap to refuse, so before any file is read.
    super::device::device(&settings.generate.device, &settings.generate.dtype)?;
    check(settings, until)?;
    let data = super::data::open(context, settings)?;
    let mut models = Models::open(context, settings, &data, until >= Until::Manifest)?;
    run_with(context, settings, target, until, data, &mut models)
}

/// What can be refused before any data is read.
#[cfg(feature = "torch")]
fn check(settings: &CheckedSettings, until: Until) -> Result<(), Error> {
    if until >= Until::Captions || settings.data.pool.is_some() {
        captions::check(&settings.captions)?;
    }
    Ok(())
}

/// [`run`] with data and models that are open already; models may be stand-ins.
///
/// # Errors
///
/// Those of the stages, as they come; of kind stopped if asked to stop.
pub fn run_with(
    context: &mut Context<'_>,
    settings: &CheckedSettings,
    target: Target,
    until: Until,
    data: Data,
    models: &mut Models,
) -> Result<Finished, Error> {
    let folder = claim(context, settings, target, &data, models)?;
    let job = Job {
        settings,
        layout: folder.layout(),
        run_id: folder.run_id().to_owned(),
    };
    // Hours may pass before it is needed.
    if job.layout.ledger().is_file() {
        ledger::read(&job.layout.ledger())?;
    }
    let embedded = embed(context, &job, data, models)?;
    let detected = detect::detect(context, &job, &embedded, models)?;
    let texts = models.clip.as_deref().map(|clip| clip as &dyn TextEncoder);
    let pooled = match settings.data.pool {
        Some(_) => Some(pool::pool(context, &job, &embedded, &detected, texts)?),
        None => None,
    };
    let captioned = if until >= Until::Captions {
        captions::caption(context, &job, &embedded, &detected, texts)?
    } else {
        None
    };
    let decided = match (&captioned, &models.clip, &mut models.generator) {
        (Some(captioned), Some(clip), Some(generator)) if until >= Until::Manifest => {
            let found = (&detected, captioned, pooled.as_ref());
            let clip = clip.as_ref();
            sample(context, &job, &embedded, found, generator, clip)?;
            Some(decide(&job.layout)?)
        }
        _ => None,
    };
    if pooled.is_some() || decided.is_some() {
        let added = (pooled.as_ref(), decided.as_ref());
        manifest::manifest(context, &job, &embedded, models, added)?;
    }
    outputs::previews(context, &job)?;
    let wanted = until >= Until::Manifest;
    let complete = outputs::complete(&detected, pooled.as_ref(), decided.as_ref(), wanted);
    Ok(Finished {
        folder,
        embedded,
        detected,
        captioned,
        pooled,
        decided,
        quota: settings.generate.quota,
        seconds: context.seconds.clone(),
        complete,
    })
}

/// Takes the run folder, or goes on with the run that it holds.
fn claim(
    context: &mut Context<'_>,
    settings: &CheckedSettings,
    target: Target,
    data: &Data,
    models: &Models,
) -> Result<RunFolder, Error> {
    let told = Told {
        identity: identity(settings, data, models)?,
        policy: policy(settings),
        settings: serde_json::to_value(settings).map_err(Error::other)?,
    };
    let claim = match target {
        Target::At { out, force_new } => RunFolder::claim(&out, force_new)?,
        Target::Claimed(claim) => claim,
    };
    let mut folder = claim.open(&told)?;
    folder.note("device", models.place.device.clone().into())?;
    folder.note("hardlight", env!("CARGO_PKG_VERSION").into())?;
    context.reporter.log_to(&folder.layout().log())?;
    if folder.is_resumed() {
        let path = folder.path().display();
        context.info(format_args!(
            "{path} holds this run already: going on where it was"
        ));
    }
    for change in folder.changed().iter().flat_map(|changed| &changed.policy) {
        context.info(format_args!("another policy than before: {change}"));
    }
    if !folder.is_locked() {
        context.warn("this file system has no locks: do not start a second command on the folder");
    }
    Ok(folder)
}
