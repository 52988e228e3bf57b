//! One run: its settings, its folder, its data, and the stages in their order.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::exit::ExitStatus;
use super::options;
use super::stages::captions::{self, Captioned};
use super::stages::detect::{self, Detected};
use super::stages::generate::{self, Generated};
use super::stages::inputs::{self, Inputs};
use super::stages::manifest;
use super::stages::outputs;
use super::stages::pool::{self, Pooled};
use super::stop::Stop;
use super::ui::Ui;
use crate::run::folder::{Claim, Layout, RunFolder};
use crate::run::settings::Settings;

/// How far a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Until {
    Directions,
    Captions,
    Manifest,
}

/// What every stage sees.
pub(super) struct Context<'a> {
    pub(super) ui: &'a mut Ui,
    pub(super) stop: &'a Stop,
    pub(super) settings: &'a Settings,
    pub(super) layout: Layout,
    pub(super) run_id: String,
    /// Seconds by stage.
    pub(super) seconds: BTreeMap<&'static str, f64>,
}

/// What a run came to, as far as it went.
pub(super) struct Done {
    /// Locked as long as this lives.
    pub(super) folder: RunFolder,
    pub(super) inputs: Inputs,
    pub(super) detected: Detected,
    pub(super) captioned: Option<Captioned>,
    /// There if a pool was asked for.
    pub(super) pooled: Option<Pooled>,
    pub(super) generated: Option<Generated>,
    /// Images asked for per failure mode.
    pub(super) quota: usize,
    pub(super) seconds: BTreeMap<&'static str, f64>,
    pub(super) status: ExitStatus,
}

/// Why there is nothing to go on with.
pub(super) enum Ended {
    Done(Box<Done>),
    Stopped,
}

/// The folder of a run, before its settings are known to fit.
pub(super) enum Place {
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
/// Those of the rooms, as they come; [`super::exit::of`] finds the exit code.
pub(super) fn work(
    place: Place,
    settings: &Settings,
    until: Until,
    ui: &mut Ui,
    stop: &Stop,
) -> anyhow::Result<Ended> {
    let (device, kind) = options::device(&settings.generate.device, &settings.generate.dtype)?;
    if until >= Until::Captions || settings.data.pool.is_some() {
        captions::check(&settings.captions)?;
    }
    let mut inputs = inputs::open(settings, until, device, kind, ui, stop)?;
    let identity = inputs.identity(settings, device, kind);
    let claim = match place {
        Place::At { out, force_new } => RunFolder::claim(&out, force_new)?,
        Place::Claimed(claim) => claim,
    };
    let mut folder = claim.open(&identity)?;
    folder.note("device", format!("{device:?}").into())?;
    folder.note("hardlight", env!("CARGO_PKG_VERSION").into())?;
    let layout = folder.layout();
    ui.log_to(&layout.log())?;
    if folder.is_resumed() {
        let path = folder.path().display();
        ui.info(format_args!(
            "{path} holds this run already: going on where it was"
        ));
    }
    if !folder.is_locked() {
        ui.warn("this file system has no locks: do not start a second command on the folder");
    }
    let mut context = Context {
        ui,
        stop,
        settings,
        layout,
        run_id: folder.run_id().to_owned(),
        seconds: BTreeMap::new(),
    };
    let Some(detected) = detect::detect(&mut context, &mut inputs)? else {
        return Ok(Ended::Stopped);
    };
    let pooled = match settings.data.pool {
        Some(_) => match pool::pool(&mut context, &inputs, &detected)? {
            Some(pooled) => Some(pooled),
            None => return Ok(Ended::Stopped),
        },
        None => None,
    };
    let captioned = if until >= Until::Captions {
        captions::describe(&mut context, &inputs, &detected)?
    } else {
        None
    };
    let generated = match &captioned {
        Some(captioned) if until >= Until::Manifest && inputs.pipeline.is_some() => {
            let pooled = pooled.as_ref();
            match generate::generate(&mut context, &mut inputs, &detected, captioned, pooled)? {
                Some(generated) => Some(generated),
                None => return Ok(Ended::Stopped),
            }
        }
        _ => None,
    };
    if pooled.is_some() || generated.is_some() {
        manifest::manifest(&mut context, &inputs, pooled.as_ref(), generated.as_ref())?;
    }
    outputs::previews(&mut context)?;
    let wanted = until >= Until::Manifest;
    let status = outputs::status(&detected, pooled.as_ref(), generated.as_ref(), wanted);
    let seconds = context.seconds;
    let done = Done {
        folder,
        inputs,
        detected,
        captioned,
        pooled,
        generated,
        quota: settings.generate.quota,
        seconds,
        status,
    };
    outputs::table(ui, &done);
    Ok(Ended::Done(Box::new(done)))
}
