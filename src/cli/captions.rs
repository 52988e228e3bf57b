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

/// Find failures and describe them in captions; generate nothing.
///
/// With --list, only print the captions that a grammar makes. That needs no models and no run folder. Example:
///
/// `hardlight captions --out runs/cats --data data/cats --predictions predictions.csv --clip
/// openai/clip-vit-large-patch14`
///
/// `hardlight captions --list --grammar cifar100 --classes whale,rose`
#[derive(Debug, clap::Args)]
pub(super) struct CaptionsCommand {
    /// Print the grammar's captions and exit: one per line, as class, tab, caption.
    #[arg(long)]
    list: bool,

    /// Classes to list [default: those of the data, else those that the grammar names].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "list")]
    classes: Vec<String>,

    /// With --list, print one JSON object per line, with class, kind and caption.
    #[arg(long, requires = "list")]
    json: bool,

    /// Run folder: everything is written here, and the same command continues an interrupted run.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,

    /// Start again: move an earlier run in --out to former/N, and keep its embeddings.
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
