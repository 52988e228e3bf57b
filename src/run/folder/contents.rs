//! What lies in a folder before a run works in it: whether that is a run's, what killed commands left,
//! and the results of an earlier run, which are moved out of the way.

use std::fs;
use std::io;
use std::path::Path;

use super::FolderError;
use crate::io::IoError;
use crate::run::lock;

/// Names of what a run writes, which a new run with other settings moves out of the way. The
/// embeddings stay: they are keyed by their content.
const RESULTS: &[&str] = &[
    "attempts",
    "captions.parquet",
    "classifier",
    "controls",
    "data",
    "decisions.jsonl",
    "directions.json",
    "directions.safetensors",
    "evaluate.json",
    "images",
    "ledger.jsonl",
    "ledger.parquet",
    "manifest",
    "plan.json",
    "pool.json",
    "previews",
    "rejected",
    "report",
    "report.html",
    "report.json",
    "retraining.json",
    "run.log",
    "skipped.jsonl",
    "summary.json",
];

/// Folders in which a killed command can leave temporary files.
const FOLDERS: &[&str] = &[
    "attempts",
    "controls",
    "embeddings",
    "images",
    "manifest",
    "previews",
    "rejected",
    "report",
];

/// How the names of temporary files begin; see [`crate::io::write_atomic`].
const TEMPORARY: &str = ".tmp-";

/// Whether a folder holds a run already; an error if it holds something else.
pub(super) fn inspect(path: &Path) -> Result<bool, FolderError> {
    let failed = |source| IoError::Read {
        path: path.to_owned(),
        source,
    };
    let kind = match fs::metadata(path) {
        Ok(kind) => kind,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        // Something on the way to it is a file.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let path = path.to_owned();
            return Err(FolderError::NotAFolder { path });
        }
        Err(error) => return Err(failed(error).into()),
    };
    if !kind.is_dir() {
        let path = path.to_owned();
        return Err(FolderError::NotAFolder { path });
    }
    if path.join("run.json").is_file() {
        return Ok(true);
    }
    // A command killed before it wrote run.json leaves its lock, and perhaps a temporary file.
    let begun = lock::is_ours(&path.join(lock::FILE_NAME));
    let mut foreign = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let own = name == lock::FILE_NAME
            // The demo's data and classifier are made before the settings are written.
            || ["classifier", "data"].contains(&name.as_str()) && entry.file_type().is_ok_and(|kind| kind.is_dir())
            || name.starts_with(TEMPORARY) && entry.file_type().is_ok_and(|kind| kind.is_file());
        // Embeddings that were copied here from another run are what this one need not make.
        if !(begun && own || name == "embeddings" && are_embeddings(&entry.path())) {
            foreign.push(name);
        }
    }
    match foreign.into_iter().min() {
        Some(found) => {
            let path = path.to_owned();
            Err(FolderError::Foreign { path, found })
        }
        None => Ok(false),
    }
}

/// Whether a folder holds matrices with their keys, and nothing else.
fn are_embeddings(folder: &Path) -> bool {
    let is_one = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            entry.file_type().is_ok_and(|kind| kind.is_file())
                && (name.ends_with(".safetensors") || name.ends_with(".keys.json"))
        })
    };
    fs::read_dir(folder).is_ok_and(|entries| entries.into_iter().all(is_one))
}

/// Removes what killed commands left: temporary files in the folders we write to.
pub(super) fn clean(root: &Path) -> Result<usize, IoError> {
    let mut count = clean_files(root, false)?;
    for name in FOLDERS {
        let folder = root.join(name);
        // Not through a link: what it leads to is not ours.
        if fs::symlink_metadata(&folder).is_ok_and(|kind| kind.is_dir()) {
            count += clean_files(&folder, true)?;
        }
    }
    Ok(count)
}

fn clean_files(folder: &Path, deep: bool) -> Result<usize, IoError> {
    let failed = |source| IoError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut count = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if kind.is_dir() && deep {
            count += clean_files(&path, true)?;
        } else if kind.is_file() && entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_file(&path).map_err(|source| IoError::Write { path, source })?;
            count += 1;
        }
    }
    Ok(count)
}

/// Moves the results of the run that a folder holds to `former/N`.
///
/// `run.json` is copied, not moved: a folder must never be without it, or it would be foreign to
/// the next command if this one is killed.
pub(super) fn set_aside(root: &Path) -> Result<(), IoError> {
    let mut number = 1;
    while root.join("former").join(number.to_string()).exists() {
        number += 1;
    }
    let former = root.join("former").join(number.to_string());
    crate::io::create_dir_all(&former)?;
    let record = crate::io::read(&root.join("run.json"))?;
    crate::io::write_atomic(&former.join("run.json"), &record)?;
    for name in RESULTS {
        let (from, to) = (root.join(name), former.join(name));
        match fs::rename(&from, to) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(IoError::Write { path: from, source });
            }
            _ => {}
        }
    }
    Ok(())
}
