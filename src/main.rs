//! The `hardlight` command; see [`hardlight::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    hardlight::cli::main()
}
