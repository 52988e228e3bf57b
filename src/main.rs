//! The `hardlight` command; see [`hardlight::cli::start`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hardlight::cli::start(std::env::args_os()))
}
