//! What `hardlight` becomes where it computes: the same command line, linked with libtorch.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hardlight::cli::run(std::env::args_os()))
}
