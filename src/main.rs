//! The `hardlight` command; see [`hardlight::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hardlight::cli::run(std::env::args_os()))
}
