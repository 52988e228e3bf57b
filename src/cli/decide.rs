//! `hardlight decide`: another quota or threshold for a finished run, without a model.

use std::path::PathBuf;

use super::exit::ExitStatus;
use super::show;
use super::ui::Ui;
use crate::pipeline::redecide::{Change, MinAlignment, redecide, thresholds};
use crate::pipeline::settings::flag::finite;
use crate::pipeline::{Context, Error, page, saved};

/// Decide again which generated images are kept: another quota, another threshold, no model.
///
/// Every attempt of a run stays measured, whatever became of it. So kept images, manifest, summary and
/// contact sheets follow from the new values in seconds. Images of a pool are picked again from where the data
/// lies. Where a larger quota asks for images that nobody made yet, that is said, and `hardlight run` with the
/// same values makes them, as far as the budget of attempts goes.
///
/// Example: `hardlight decide runs/cats --quota 300 --min-alignment 0.8`
#[derive(Debug, clap::Args)]
pub(super) struct DecideCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Images to keep per failure mode [default: as before].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    quota: Option<u32>,

    /// Smallest alignment to keep an image, or `calibrated` for the threshold of each failure mode [default: as
    /// before].
    #[arg(long, value_name = "X", value_parser = min_alignment, allow_negative_numbers = true)]
    min_alignment: Option<MinAlignment>,

    /// Smallest lead of the own class's caption, in cosine [default: as before].
    #[arg(long, value_name = "X", value_parser = finite, allow_negative_numbers = true)]
    class_margin: Option<f64>,

    /// Rejected images to show per failure mode [default: as before].
    #[arg(long, value_name = "N")]
    keep_rejected: Option<usize>,

    /// Print what a few thresholds would keep, and write nothing.
    #[arg(long)]
    show: bool,
}

impl DecideCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self {
            run,
            quota,
            min_alignment,
            class_margin,
            keep_rejected,
            show,
        } = self;
        let layout = saved::layout(&run)?;
        let change = Change {
            quota: quota.map(|quota| quota as usize),
            min_alignment,
            class_margin,
            keep_rejected,
        };
        if show {
            let modes = thresholds(&mut Context::new(ui), &layout, change)?;
            show::thresholds(ui, &modes);
            return Ok(ExitStatus::Success);
        }
        let redecided = redecide(&mut Context::new(ui), &layout, change)?;
        page::write(&layout)?;
        show::decided(ui, &layout, &redecided);
        Ok(ExitStatus::of_run(redecided.complete))
    }
}

fn min_alignment(text: &str) -> Result<MinAlignment, String> {
    match text {
        "calibrated" => Ok(MinAlignment::Calibrated),
        number => finite(number)
            .map(MinAlignment::At)
            .map_err(|expected| format!("{expected}, or `calibrated`")),
    }
}
