//! The other binary, which has libtorch: a gigabyte of libraries, loaded before `main`.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::pipeline::Error;

/// Its file, beside this one.
const NAME: &str = "hardlight-engine";

/// Names another file in its place.
const VARIABLE: &str = "HARDLIGHT_ENGINE";

/// Runs the engine with these arguments in place of this process; gives the exit code where that is not possible.
pub(super) fn become_it(ui: &mut Ui, arguments: &[OsString]) -> u8 {
    let ended = path().and_then(|path| {
        let mut command = Command::new(&path);
        command.args(arguments.get(1..).unwrap_or_default());
        replace(command).map_err(|error| {
            Error::other(error).context(format!(
                "could not start {}, the part of hardlight that computes: copy or install both files together",
                path.display()
            ))
        })
    });
    ended.unwrap_or_else(|error| {
        ui.error(&error);
        ExitStatus::Failure.into()
    })
}

fn path() -> Result<PathBuf, Error> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Ok(path.into());
    }
    let own = std::env::current_exe().and_then(|path| path.canonicalize());
    let own =
        own.map_err(|error| Error::other(error).context("could not tell where this program lies"))?;
    Ok(own.with_file_name(format!("{NAME}{}", std::env::consts::EXE_SUFFIX)))
}

/// Under the same process id, so that signals and exit codes are the engine's.
#[cfg(unix)]
fn replace(mut command: Command) -> io::Result<u8> {
    use std::os::unix::process::CommandExt as _;

    Err(command.arg0("hardlight").exec())
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> io::Result<u8> {
    let status = command.status()?;
    Ok(status.code().map_or(1, |code| code.clamp(0, 255) as u8))
}
