//! `hardlight run` and `detect`: the stages, as far as each command goes.

use std::path::Path;

use super::exit::ExitStatus;
use super::options::RunOptions;
use super::show;
use super::stop::Stop;
use super::ui::Ui;
use crate::io::ErrorKind;
use crate::pipeline::order::{self, Target, Until};
use crate::pipeline::{Context, Error, outputs, page};
use crate::report::JsonFile as _;

/// Everything: directions, captions, images, filters, manifest, previews.
///
/// Without a diffusion model it ends after the captions, without CLIP after the directions. Example:
///
/// `hardlight run --out runs/cats --data data/cats --predictions val.csv --clip clip-vit-b32 --model sd-1.5`
#[derive(Debug, clap::Args)]
pub(super) struct RunCommand {
    #[command(flatten)]
    options: RunOptions,
}

/// Directions and the detection report; nothing is generated.
///
/// Example: `hardlight detect --out runs/cats --data data/cats --predictions val.csv --clip clip-vit-b32`
#[derive(Debug, clap::Args)]
pub(super) struct DetectCommand {
    #[command(flatten)]
    options: RunOptions,
}

/// Works the stages off as far as `until`.
pub(super) fn go(
    options: RunOptions,
    until: Until,
    ui: &mut Ui,
    stop: &Stop,
) -> Result<ExitStatus, Error> {
    let (out, force_new, settings) = options.settings()?;
    let target = Target::At {
        out: out.clone(),
        force_new,
    };
    let check = stop.check();
    let mut context = Context::stopped_by(ui, &check);
    match order::run(&mut context, &settings, target, until) {
        Ok(finished) => {
            show::table(ui, &finished);
            outputs::summary(&finished).write(&finished.folder.layout().summary())?;
            page::write(&finished.folder.layout())?;
            show::paths(ui, &finished);
            if let Some(decided) = &finished.decided {
                show::lacking(ui, &decided.decisions.outcomes);
            }
            Ok(ExitStatus::of_run(finished.complete))
        }
        Err(error) if error.kind() == ErrorKind::Stopped => Ok(stopped(ui, &out)),
        Err(error) => Err(error),
    }
}

/// Says how a run that was stopped goes on.
pub(super) fn stopped(ui: &mut Ui, out: &Path) -> ExitStatus {
    ui.info(format_args!(
        "stopped; the same command goes on from here ({})",
        out.display()
    ));
    ExitStatus::Stopped
}

impl RunCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        go(self.options, Until::Manifest, ui, stop)
    }
}

impl DetectCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        go(self.options, Until::Directions, ui, stop)
    }
}
