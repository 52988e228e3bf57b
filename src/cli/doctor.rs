//! `hardlight doctor`: what this machine and libtorch can do, and whether folders are sound.

mod folder;
mod machine;

use std::path::PathBuf;

use serde_json::{Value, json};
use tch::Kind;

use self::folder::{Folder, Place};
use super::exit::ExitStatus;
use super::stop::Stop;
use super::ui::Ui;
use crate::hub::{HubError, Want};
use crate::pipeline::device::device;
use crate::pipeline::models::locate::locate;
use crate::pipeline::{Context, Error};

/// Print libtorch, devices and what would be used; with folders, whether they are sound.
///
/// A folder is a Diffusers pipeline, a CLIP, a `hardlight-cnn` classifier or a run; for the first two a
/// Hugging Face id does as well, and is fetched unless it is cached. Its configs, and
/// names, shapes and element types of its weights are checked as when it is opened, but no weight is
/// read. Attention kernels are libtorch's own answer: `flash` and `memory-efficient` never hold all
/// scores at once, `math` does.
///
/// Exit code 0 if all is sound, 3 if a folder is not.
///
/// Example: `hardlight doctor models/sd15 models/clip`
#[derive(Debug, clap::Args)]
pub(super) struct DoctorCommand {
    /// Folders to look at, or ids on the Hugging Face hub.
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
        let (device, kind) = device("auto", "auto")?;
        let machine = machine::look(device, kind);
        let place = Place { device, kind };
        let (half, safety) = (kind != Kind::Float, false);
        let check = stop.check();
        let mut folders = Vec::new();
        for given in &given {
            // What cannot be had is a finding about this one; the others are looked at all the same.
            let mut context = Context::stopped_by(ui, &check);
            match locate(&mut context, given, Want::Any { half, safety }) {
                Err(HubError::Stopped) => return Err(HubError::Stopped.into()),
                found => folders.push(Folder::look(given, found, place)),
            }
        }
        if json {
            let report = json!({ "machine": machine, "folders": folders });
            ui.say(format_args!("{report:#}"));
        } else {
            for (name, value) in machine.as_object().into_iter().flatten() {
                line(ui, name, value);
            }
            for folder in &folders {
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
        }
        Ok(if folders.iter().all(|folder| folder.sound) {
            ExitStatus::Success
        } else {
            ExitStatus::BadInput
        })
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
