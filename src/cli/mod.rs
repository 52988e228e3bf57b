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
mod report;
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

/// Finds where an image classifier fails, and makes the training images that mend it.
///
/// Start with `hardlight demo --out runs/demo`, then `hardlight init > hardlight.toml` for your own.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Cli {
    /// No progress on the terminal; errors and results still show.
    #[arg(long, short, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoCommand),
    Run(run::RunCommand),
    Detect(run::DetectCommand),
    Captions(captions::CaptionsCommand),
    Evaluate(evaluate::EvaluateCommand),
    Score(score::ScoreCommand),
    Generate(generate::GenerateCommand),
    Fetch(fetch::FetchCommand),
    Embed(embed::EmbedCommand),
    Init(init::InitCommand),
    Decide(decide::DecideCommand),
    Manifest(manifest::ManifestCommand),
    Preview(preview::PreviewCommand),
    Report(report::ReportCommand),
    Verify(verify::VerifyCommand),
    Doctor(doctor::DoctorCommand),
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
}

impl Command {
    /// Whether it looks between its steps if it should stop; the others are over soon, or lose nothing.
    fn asks_to_stop(&self) -> bool {
        !matches!(
            self,
            Self::Evaluate(_)
                | Self::Init(_)
                | Self::Decide(_)
                | Self::Manifest(_)
                | Self::Preview(_)
                | Self::Report(_)
                | Self::Verify(_)
                | Self::Completions(_)
                | Self::Man(_)
        )
    }
}

impl Command {
    /// Runs a command that computes nothing with libtorch; gives back any other.
    ///
    /// What is called from here is linked into the binary that starts without libtorch.
    fn run_light(self, ui: &mut Ui) -> Result<Result<ExitStatus, Error>, Self> {
        Ok(match self {
            Self::Evaluate(command) => command.run(ui),
            Self::Init(command) => command.run(ui),
            Self::Decide(command) => command.run(ui),
            Self::Manifest(command) => command.run(ui),
            Self::Preview(command) => command.run(ui),
            Self::Report(command) => command.run(ui),
            Self::Verify(command) => command.run(ui),
            Self::Completions(command) => Ok(command.run()),
            Self::Man(command) => command.run(ui),
            other => return Err(other),
        })
    }
}

/// What the small binary does: help, versions, wrong usage and commands without libtorch by itself, all else by
/// becoming the engine. Gives the exit code.
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let Cli { quiet, command } = Cli::parse_from(&arguments);
    let mut ui = Ui::new(quiet);
    if command.asks_to_stop() {
        return engine::become_it(&mut ui, &arguments);
    }
    let stop = match Stop::at_once() {
        Ok(stop) => stop,
        Err(error) => return no_signals(&mut ui, error),
    };
    match command.run_light(&mut ui) {
        Ok(result) => code(&mut ui, &stop, result),
        Err(_) => engine::become_it(&mut ui, &arguments),
    }
}

/// Parses the arguments, of which the first is the command's name, runs the command, prints what went wrong, and
/// gives the exit code. Arguments that are none, and `--help`, end the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let Cli { quiet, command } = Cli::parse_from(arguments);
    let mut ui = Ui::new(quiet);
    let installed = if command.asks_to_stop() {
        Stop::install(quiet)
    } else {
        Stop::at_once()
    };
    let stop = match installed {
        Ok(stop) => stop,
        Err(error) => return no_signals(&mut ui, error),
    };
    let result = command
        .run_light(&mut ui)
        .unwrap_or_else(|command| match command {
            Command::Demo(command) => command.run(&mut ui, &stop),
            Command::Run(command) => command.run(&mut ui, &stop),
            Command::Detect(command) => command.run(&mut ui, &stop),
            Command::Captions(command) => command.run(&mut ui, &stop),
            Command::Score(command) => command.run(&mut ui, &stop),
            Command::Generate(command) => command.run(&mut ui, &stop),
            Command::Fetch(command) => command.run(&mut ui, &stop),
            Command::Embed(command) => command.run(&mut ui, &stop),
            Command::Doctor(command) => command.run(&mut ui, &stop),
            // Run above.
            Command::Evaluate(_)
            | Command::Init(_)
            | Command::Decide(_)
            | Command::Manifest(_)
            | Command::Preview(_)
            | Command::Report(_)
            | Command::Verify(_)
            | Command::Completions(_)
            | Command::Man(_) => Ok(ExitStatus::Success),
        });
    code(&mut ui, &stop, result)
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
