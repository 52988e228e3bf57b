//! `hardlight verify`: a run folder checked against itself.

use std::path::PathBuf;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::pipeline::verify::{Problem, verify};
use crate::pipeline::{Error, saved};

/// Check that no file of a run is missing or damaged.
///
/// Checks ledger checksums, the hash of every image and the three manifests, and that reports, directions, captions,
/// embeddings and contact sheets can be read. Prints one problem per line. Exit code 0 if all is sound, 3 if not.
///
/// Example: `hardlight verify runs/cats`
#[derive(Debug, clap::Args)]
pub(super) struct VerifyCommand {
    /// The run folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Print every problem, not only the first 20.
    #[arg(long)]
    all: bool,
}

/// Problems shown unless all are asked for: one wrong folder damages every image in it.
const SHOWN: usize = 20;

impl VerifyCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self { run, all } = self;
        let layout = saved::layout(&run)?;
        let report = verify(&layout)?;
        let shown = if all { usize::MAX } else { SHOWN };
        for Problem { what, problem } in report.problems.iter().take(shown) {
            ui.say(format_args!("{what}: {problem}"));
        }
        if let Some(more @ 1..) = report.problems.len().checked_sub(shown) {
            ui.say(format_args!("… and {more} more (--all)"));
        }
        ui.say(format_args!(
            "{} ledger lines, {} manifest rows, {} files hashed, {} others read, {} problem{}",
            report.entries,
            report.rows,
            report.hashed,
            report.read,
            report.problems.len(),
            if report.problems.len() == 1 { "" } else { "s" }
        ));
        Ok(if report.problems.is_empty() {
            ExitStatus::Success
        } else {
            ExitStatus::BadInput
        })
    }
}
