//! The thread that writes images and ledger lines.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use super::SamplingError;
use super::finish::{Body, marks};
use crate::io::{self, IoError};
use crate::run::ledger::{Ledger, Measured};

/// One image on its way to disk.
pub(super) struct Job {
    pub(super) measured: Measured,
    pub(super) path: PathBuf,
    pub(super) body: Body,
}

/// The writing thread: image first, then its line.
pub(super) fn write_all(mut ledger: Ledger, jobs: &Receiver<Job>) -> Result<(), SamplingError> {
    for job in jobs {
        let Job {
            mut measured,
            path,
            body,
        } = job;
        let marks = marks(&measured.id, &measured.recipe, &measured.made_on);
        let bytes = body.encode(measured.recipe.output.format, &marks)?;
        write(&path, &bytes)?;
        measured.sha256 = io::sha256_hex(&bytes);
        ledger.append(&[measured])?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    if let Some(folder) = path.parent() {
        io::create_dir_all(folder)?;
    }
    io::write_atomic(path, bytes)
}
