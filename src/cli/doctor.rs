//! `hardlight doctor`: what this machine and libtorch can do, and whether folders are sound.

use std::path::PathBuf;

use serde_json::Value;

use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::pipeline::doctor::{self, Folder};
use crate::pipeline::{Context, Error};

/// Check this machine (libtorch, devices) and, if given, model and run folders.
///
/// A folder may be a Diffusers pipeline, a CLIP, a `hardlight-cnn` classifier or a run. Instead of the first two you
/// can give a Hugging Face id, which is downloaded unless it is cached. Configs, and the names, shapes and types of all
/// weights are checked, but no weights are read. Attention kernels are reported by libtorch: `flash` and
/// `memory-efficient` save memory, `math` does not.
///
/// Exit code 0 if all is sound, 3 if a folder is not.
///
/// Example: `hardlight doctor models/sd15 models/clip`
#[derive(Debug, clap::Args)]
pub(super) struct DoctorCommand {
    /// Folders to check, or ids on the Hugging Face hub.
    #[arg(value_name = "DIR|ID")]
    folders: Vec<PathBuf>,

    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl DoctorCommand {
    pub(super) fn run(self, ui: &mut Ui, stop: &Stop) -> Result<ExitStatus, Error> {
        let Self {
            folders: given,
            json,
        } = self;
        let check = stop.check();
        let diagnosis = doctor::examine(&mut Context::stopped_by(ui, &check), &given)?;
        if json {
            let report = serde_json::to_value(&diagnosis).map_err(Error::other)?;
            ui.say(format_args!("{report:#}"));
        } else {
            for (name, value) in diagnosis.machine.as_object().into_iter().flatten() {
                line(ui, name, value);
            }
            for folder in &diagnosis.folders {
                say(ui, folder);
            }
        }
        Ok(if diagnosis.is_sound() {
            ExitStatus::Success
        } else {
            ExitStatus::BadInput
        })
    }
}

fn say(ui: &mut Ui, folder: &Folder) {
    ui.say(format_args!("\n{}", folder.title()));
    for (name, value) in &folder.parts {
        line(ui, name, value);
    }
    for value in &folder.attention {
        line(ui, "attention", value);
    }
    for problem in &folder.problems {
        line(ui, "problem", &problem.as_str().into());
    }
}

/// What is known, on a line; of a list, a line each.
fn line(ui: &mut Ui, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(each) => each.iter().for_each(|value| line(ui, name, value)),
        value => ui.say(format_args!("{name:<26} {}", plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let known = map.iter().filter(|(_, value)| !value.is_null());
            let all: Vec<_> = known
                .map(|(name, value)| format!("{name} {}", plain(value)))
                .collect();
            all.join(", ")
        }
        other => other.to_string(),
    }
}
