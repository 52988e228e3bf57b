//! `hardlight completions`: a shell's own script that completes commands, options and their values.

use clap_complete::Shell;

use super::exit::ExitStatus;
use super::ui::Ui;

/// Print a completion script for your shell.
///
/// Example: `hardlight completions bash > ~/.local/share/bash-completion/completions/hardlight`
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsCommand {
    /// Your shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsCommand {
    pub(super) fn run(self) -> ExitStatus {
        let Self { shell } = self;
        // A closed pipe is the reader's way of saying enough.
        Ui::lines([script(shell).trim_end().to_owned()]);
        ExitStatus::Success
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = super::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in crate::cli::command().get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "no {name} for {shell}");
            }
            assert!(script.contains("--min-alignment") || script.contains("min-alignment"));
        }
    }
}
