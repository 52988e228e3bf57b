//! `hardlight init`: a commented settings file.

use std::path::PathBuf;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::io;
use crate::pipeline::Error;
use crate::pipeline::settings;

/// Write a settings file with every key, its default and an explanation.
///
/// Example: `hardlight init --out hardlight.toml`
#[derive(Debug, clap::Args)]
pub(super) struct InitCommand {
    /// Output file [default: the terminal].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Replace an existing file.
    #[arg(long)]
    force: bool,
}

impl InitCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self { out, force } = self;
        match out {
            None => ui.say(settings::template().trim_end()),
            Some(path) if path.exists() && !force => {
                let text = format!("{} is there already: --force replaces it", path.display());
                return Err(Error::input(text));
            }
            Some(path) => {
                io::write_atomic(&path, settings::template().as_bytes())?;
                ui.info(format_args!("wrote {}", path.display()));
            }
        }
        Ok(ExitStatus::Success)
    }
}
