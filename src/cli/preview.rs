//! `hardlight preview`: contact sheets of a run folder.

use std::path::PathBuf;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::pipeline::{Error, saved};
use crate::preview::{SheetOptions, collect};

/// Draw a contact sheet for each failure mode of a run.
///
/// A sheet shows real mistakes, hard images that are classified correctly, kept generated images, and rejected ones with
/// their reasons. It works while the run is still going.
///
/// Example: `hardlight preview runs/cats --columns 8`
#[derive(Debug, clap::Args)]
pub(super) struct PreviewCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Images per row.
    #[arg(long, value_name = "N", default_value_t = 6)]
    columns: u32,

    /// Longest side of an image, px.
    #[arg(long, value_name = "PX", default_value_t = 160)]
    size: u32,

    /// Real mistakes shown per failure mode.
    #[arg(long, value_name = "N", default_value_t = 12)]
    real: usize,

    /// Kept images shown per failure mode.
    #[arg(long, value_name = "N", default_value_t = 18)]
    kept: usize,

    /// Rejected images shown per failure mode.
    #[arg(long, value_name = "N", default_value_t = 12)]
    rejected: usize,
}

impl PreviewCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self {
            run,
            columns,
            size,
            real,
            kept,
            rejected,
        } = self;
        let layout = saved::layout(&run)?;
        let amounts = collect::Amounts {
            real,
            kept,
            rejected,
        };
        let options = SheetOptions {
            columns,
            cell: size,
        };
        for path in collect::run(&layout, amounts, &options)? {
            ui.say(path.display());
        }
        Ok(ExitStatus::Success)
    }
}
