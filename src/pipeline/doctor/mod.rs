//! What this machine and libtorch can do, and whether folders of models and runs are sound.

mod folder;
mod machine;

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use tch::Kind;

use self::folder::Compute;
pub use self::folder::Folder;
use super::context::Context;
use super::device::device;
use super::error::Error;
use super::models::locate::locate;
use crate::hub::{HubError, Want};

/// What was found out about the machine and about folders.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// libtorch, devices, memory and what would be used, by name; what is not known is null.
    pub machine: Value,
    /// One a folder, in the order asked.
    pub folders: Vec<Folder>,
}

impl Diagnosis {
    /// Whether every folder is sound.
    pub fn is_sound(&self) -> bool {
        self.folders.iter().all(|folder| folder.sound)
    }
}

/// Looks at the machine and at folders, or ids of the hub, which are fetched unless they are cached.
///
/// A folder that is not sound, or cannot be had, is a finding and no error.
///
/// # Errors
///
/// Of kind stopped.
pub fn examine(context: &mut Context<'_>, given: &[PathBuf]) -> Result<Diagnosis, Error> {
    let (device, kind) = device("auto", "auto")?;
    let machine = machine::look(device, kind);
    let place = Compute { device, kind };
    let (half, safety) = (kind != Kind::Float, false);
    let mut folders = Vec::new();
    for given in given {
        match locate(context, given, Want::Any { half, safety }) {
            Err(HubError::Stopped) => return Err(HubError::Stopped.into()),
            found => folders.push(Folder::look(given, found, place)),
        }
    }
    Ok(Diagnosis { machine, folders })
}
