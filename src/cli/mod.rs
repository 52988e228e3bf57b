//! The command line: one `XCommand` a file, dispatch and exit codes here, terminal text in `ui`.
//!
//! Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 incomplete (nothing found or kept, or a quota
//! unmet), 5 device lost, 6 disk, 130 and 143 stopped by a signal, 1 anything else.
//!
//! Two binaries: [`start`] is the small one's, which every user calls; [`run`] is the engine's, which has libtorch.
//!
//! May import every room; only the binaries import this one.

mod captions;
mod completions;
mod decide;
mod demo;
mod doctor;
mod embed;
mod engine;
mod evaluate;
mod exit;
mod fetch;
mod generate;
mod init;
mod man;
mod manifest;
mod options;
mod preview;
mod run;
mod score;
mod show;
mod stop;
mod ui;
mod verify;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::exit::ExitStatus;
use self::stop::Stop;
use self::ui::Ui;
use crate::pipeline::Error;

/// Finds where an image classifier fails, and makes training images for those cases.
///
/// Start with `hardlight demo --out runs/demo`. For your own data, write a settings file with `hardlight init`.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Cli {
    /// Show no progress; errors and results still appear.
    #[arg(long, short, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one, and it is moved once"
)]
enum Command {
    #[command(flatten)]
    Computing(ComputingCommand),
    #[command(flatten)]
    Plain(PlainCommand),
}

/// The commands that need libtorch, or may. They look between their steps if they should stop.
#[derive(Debug, Subcommand)]
enum ComputingCommand {
    Demo(demo::DemoCommand),
    Run(run::RunCommand),
    Detect(run::DetectCommand),
    Captions(captions::CaptionsCommand),
    Score(score::ScoreCommand),
    Generate(generate::GenerateCommand),
    Fetch(fetch::FetchCommand),
    Embed(embed::EmbedCommand),
    Doctor(doctor::DoctorCommand),
}

/// The commands without libtorch: what they call is linked into the binary that starts without it. They are over soon,
/// or lose nothing.
#[derive(Debug, Subcommand)]
enum PlainCommand {
    Evaluate(evaluate::EvaluateCommand),
    Init(init::InitCommand),
    Decide(decide::DecideCommand),
    Manifest(manifest::ManifestCommand),
    Preview(preview::PreviewCommand),
    Verify(verify::VerifyCommand),
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
}

impl ComputingCommand {
    fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        match self {
            Self::Demo(command) => command.run(ui, stop),
            Self::Run(command) => command.run(ui, stop),
            Self::Detect(command) => command.run(ui, stop),
            Self::Captions(command) => command.run(ui, stop),
            Self::Score(command) => command.run(ui, stop),
            Self::Generate(command) => command.run(ui, stop),
            Self::Fetch(command) => command.run(ui, stop),
            Self::Embed(command) => command.run(ui, stop),
            Self::Doctor(command) => command.run(ui, stop),
        }
    }
}

impl PlainCommand {
    fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        match self {
            Self::Evaluate(command) => command.run(ui),
            Self::Init(command) => command.run(ui),
            Self::Decide(command) => command.run(ui),
            Self::Manifest(command) => command.run(ui),
            Self::Preview(command) => command.run(ui),
            Self::Verify(command) => command.run(ui),
            Self::Completions(command) => Ok(command.run()),
            Self::Man(command) => command.run(ui),
        }
    }
}

/// What the small binary does: help, versions, wrong usage and commands without libtorch by itself, all else by
/// becoming the engine. Gives the exit code.
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let Cli { quiet, command } = Cli::parse_from(&arguments);
    let mut ui = Ui::new(quiet);
    match command {
        Command::Plain(command) => plain(command, &mut ui),
        Command::Computing(_) => engine::become_it(&mut ui, &arguments),
    }
}

/// Parses the arguments, of which the first is the command's name, runs the command, prints what went wrong, and
/// gives the exit code. Arguments that are none, and `--help`, end the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let Cli { quiet, command } = Cli::parse_from(arguments);
    let mut ui = Ui::new(quiet);
    match command {
        Command::Plain(command) => plain(command, &mut ui),
        Command::Computing(command) => match Stop::install(quiet) {
            Ok(stop) => {
                let result = command.run(&mut ui, &stop);
                code(&mut ui, &stop, result)
            }
            Err(error) => no_signals(&mut ui, error),
        },
    }
}

fn plain(command: PlainCommand, ui: &mut Ui) -> u8 {
    match Stop::at_once() {
        Ok(stop) => {
            let result = command.run(ui);
            code(ui, &stop, result)
        }
        Err(error) => no_signals(ui, error),
    }
}

fn no_signals(ui: &mut Ui, error: std::io::Error) -> u8 {
    ui.error(&Error::other(error).context("could not listen for signals"));
    ExitStatus::Failure.into()
}

/// The exit code of a command that ended so, whose error is printed.
fn code(ui: &mut Ui, stop: &Stop, result: Result<ExitStatus, Error>) -> u8 {
    match result {
        Ok(ExitStatus::Stopped) => stop.status().into(),
        Ok(status) => status.into(),
        Err(error) => {
            ui.error(&error);
            match ExitStatus::from(error.kind()) {
                ExitStatus::Stopped => stop.status().into(),
                status => status.into(),
            }
        }
    }
}

/// The command line's definition, for tests and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use clap::error::ErrorKind;

    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }

    #[test]
    fn no_flag_takes_a_number_that_is_none() {
        let mut seen = 0;
        for command in super::command().get_subcommands() {
            for arg in command.get_arguments() {
                let Some(flag) = arg.get_long() else { continue };
                if arg.get_value_parser().type_id() != TypeId::of::<f64>() {
                    continue;
                }
                seen += 1;
                for bad in ["nan", "inf", "-inf"] {
                    let name = command.get_name();
                    let line = ["hardlight", name, &format!("--{flag}={bad}")];
                    let error = super::command().try_get_matches_from(line).unwrap_err();
                    assert_eq!(
                        error.kind(),
                        ErrorKind::ValueValidation,
                        "{line:?}: {error}"
                    );
                    assert!(error.to_string().contains(flag), "{line:?}: {error}");
                }
            }
        }
        assert!(
            seen >= 5,
            "{seen} flags take numbers: does this test still find them?"
        );
    }
}
