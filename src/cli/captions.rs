//! `hardlight captions`: the stages as far as captions, or what a grammar makes.

use std::path::PathBuf;

use serde_json::json;

use super::exit::ExitStatus;
use super::options::{RunOptions, SettingOptions};
use super::run;
use super::stop::Stop;
use super::ui::Ui;
use crate::pipeline::listing::{ClassCaptions, Listing};
use crate::pipeline::order::Until;
use crate::pipeline::settings::CheckedSettings;
use crate::pipeline::{Context, Error};

/// Directions and the captions that describe them; nothing is generated.
///
/// With --list, what a grammar makes, and nothing else: no models, no run folder. Example:
///
/// `hardlight captions --out runs/cats --data data/cats --predictions val.csv --clip clip-vit-b32`
///
/// `hardlight captions --list --grammar cifar100 --classes whale,rose`
#[derive(Debug, clap::Args)]
pub(super) struct CaptionsCommand {
    /// Print the grammar's captions, CLASS TAB CAPTION a line, and end.
    #[arg(long)]
    list: bool,

    /// Classes to list [default: those of the data, else those that the grammar names].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "list")]
    classes: Vec<String>,

    /// List as JSON, an object with class, kind and caption a line.
    #[arg(long, requires = "list")]
    json: bool,

    /// Folder for everything the run writes; the same command on it goes on where it was.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,

    /// Move an earlier run in --out aside (to former/N) and start anew.
    #[arg(long)]
    force_new: bool,

    #[command(flatten)]
    settings: SettingOptions,
}

impl CaptionsCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let Self {
            list,
            classes,
            json,
            out,
            force_new,
            settings,
        } = self;
        match out {
            Some(out) if !list => {
                let options = RunOptions {
                    out,
                    force_new,
                    settings,
                };
                run::go(options, Until::Captions, ui, stop)
            }
            _ => print(&settings.settings()?, classes, json, ui),
        }
    }
}

/// Prints the captions of classes.
fn print(
    settings: &CheckedSettings,
    classes: Vec<String>,
    as_json: bool,
    ui: &mut Ui,
) -> Result<ExitStatus, Error> {
    let listing = Listing::open(&mut Context::new(ui), settings, classes)?;
    let mut total = 0;
    for of_class in listing.iter() {
        let ClassCaptions {
            class,
            reference,
            captions,
        } = of_class?;
        total += captions.len();
        ui.info(format_args!(
            "{class}: {} captions, compared with {reference:?}",
            captions.len()
        ));
        let lines = captions.iter().map(|caption| {
            if as_json {
                let kind = if *caption == reference {
                    "neutral"
                } else {
                    "other"
                };
                json!({"class": class, "kind": kind, "caption": caption}).to_string()
            } else {
                format!("{class}\t{caption}")
            }
        });
        if !Ui::lines(lines) {
            return Ok(ExitStatus::Success);
        }
    }
    ui.info(format_args!(
        "{} classes, {total} captions",
        listing.classes()
    ));
    Ok(ExitStatus::Success)
}
