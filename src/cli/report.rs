//! `hardlight report`: a run as one page, to read and to send.

use std::path::PathBuf;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::pipeline::{Error, page, saved};

/// Write a run as one HTML page that needs nothing else: to read, to print, to send.
///
/// What fails and how often, captions with what real images say of them, mistakes, kept images, warnings, plots,
/// and what retraining did where `hardlight evaluate` compared two models. `run`, `detect`, `captions`, `decide` and
/// `demo` write it too.
///
/// Example: `hardlight report runs/cats --out cats.html`
#[derive(Debug, clap::Args)]
pub(super) struct ReportCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Where the page goes [default: report.html in the run folder].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl ReportCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self { run, out } = self;
        let layout = saved::layout(&run)?;
        let path = out.unwrap_or_else(|| layout.page());
        ui.say(page::write_to(&layout, &path)?.display());
        Ok(ExitStatus::Success)
    }
}
