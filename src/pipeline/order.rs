//! One run: its settings, its folder, its data, and the stages in their order.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::captions::{self, Captioned};
use super::context::{Context, Job};
use super::detect::{self, Detected};
use super::device::device;
use super::error::Error;
use super::generate::{self, Generated};
use super::inputs::{self, Inputs, Until};
use super::manifest;
use super::outputs;
use super::pool::{self, Pooled};
use crate::run::folder::{Claim, RunFolder};
use crate::run::settings::Settings;

/// What a run came to, as far as it went.
pub(crate) struct Finished {
    /// Locked as long as this lives.
    pub(crate) folder: RunFolder,
    pub(crate) inputs: Inputs,
    pub(crate) detected: Detected,
    pub(crate) captioned: Option<Captioned>,
    /// There if a pool was asked for.
    pub(crate) pooled: Option<Pooled>,
    pub(crate) generated: Option<Generated>,
    /// Images asked for per failure mode.
    pub(crate) quota: usize,
    /// Seconds by stage.
    pub(crate) seconds: BTreeMap<&'static str, f64>,
    /// Whether all that was asked for came out; else nothing was found or kept, or a quota is unmet.
    pub(crate) complete: bool,
}

/// The folder of a run, before its settings are known to fit.
pub(crate) enum Target {
    /// Not touched before all inputs were opened and checked.
    At { out: PathBuf, force_new: bool },
    /// Locked already, with the embedded world in it.
    Claimed(Claim),
}

/// Works a run folder off as far as `until`, but for `summary.json`, which is the caller's to write
/// last.
///
/// # Errors
///
/// Those of the rooms, as they come; of kind stopped if asked to stop.
pub(crate) fn run(
    context: &mut Context<'_>,
    settings: &Settings,
    target: Target,
    until: Until,
) -> Result<Finished, Error> {
    let (device, kind) = device(&settings.generate.device, &settings.generate.dtype)?;
    if until >= Until::Captions || settings.data.pool.is_some() {
        captions::check(&settings.captions)?;
    }
    let mut inputs = inputs::open(context, settings, until, device, kind)?;
    let identity = inputs.identity(settings, device, kind);
    let claim = match target {
        Target::At { out, force_new } => RunFolder::claim(&out, force_new)?,
        Target::Claimed(claim) => claim,
    };
    let mut folder = claim.open(&identity)?;
    folder.note("device", format!("{device:?}").into())?;
    folder.note("hardlight", env!("CARGO_PKG_VERSION").into())?;
    let layout = folder.layout();
    context.reporter.log_to(&layout.log())?;
    if folder.is_resumed() {
        let path = folder.path().display();
        context.info(format_args!(
            "{path} holds this run already: going on where it was"
        ));
    }
    if !folder.is_locked() {
        context.warn("this file system has no locks: do not start a second command on the folder");
    }
    let job = Job {
        settings,
        layout,
        run_id: folder.run_id().to_owned(),
    };
    let detected = detect::detect(context, &job, &mut inputs)?;
    let pooled = match settings.data.pool {
        Some(_) => Some(pool::pool(context, &job, &inputs, &detected)?),
        None => None,
    };
    let captioned = if until >= Until::Captions {
        captions::describe(context, &job, &inputs, &detected)?
    } else {
        None
    };
    let generated = match &captioned {
        Some(captioned) if until >= Until::Manifest && inputs.pipeline.is_some() => {
            let pooled = pooled.as_ref();
            let inputs = &mut inputs;
            let generated =
                generate::generate(context, &job, inputs, &detected, captioned, pooled)?;
            Some(generated)
        }
        _ => None,
    };
    if pooled.is_some() || generated.is_some() {
        manifest::manifest(context, &job, &inputs, pooled.as_ref(), generated.as_ref())?;
    }
    outputs::previews(context, &job)?;
    let wanted = until >= Until::Manifest;
    let complete = outputs::complete(&detected, pooled.as_ref(), generated.as_ref(), wanted);
    Ok(Finished {
        folder,
        inputs,
        detected,
        captioned,
        pooled,
        generated,
        quota: settings.generate.quota,
        seconds: context.seconds.clone(),
        complete,
    })
}
