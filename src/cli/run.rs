//! `hardlight run` and `detect`: the stages, as far as each command goes.

use super::exit::ExitStatus;
use super::options::RunOptions;
use super::session::{self, Ended, Place, Until};
use super::stages::outputs;
use super::stop::Stop;
use super::ui::Ui;

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
) -> anyhow::Result<ExitStatus> {
    let (out, force_new, settings) = options.settings()?;
    let place = Place::At {
        out: out.clone(),
        force_new,
    };
    Ok(match session::work(place, &settings, until, ui, stop)? {
        Ended::Done(done) => {
            let layout = done.folder.layout();
            outputs::write_summary(&layout.summary(), &outputs::summary(&done))?;
            outputs::paths(ui, &layout, &done);
            done.status
        }
        Ended::Stopped => {
            ui.info(format_args!(
                "stopped; the same command goes on from here ({})",
                out.display()
            ));
            ExitStatus::Stopped
        }
    })
}

impl RunCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> anyhow::Result<ExitStatus> {
        go(self.options, Until::Manifest, ui, stop)
    }
}

impl DetectCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> anyhow::Result<ExitStatus> {
        go(self.options, Until::Directions, ui, stop)
    }
}
