//! The run folder: who it belongs to, with which settings, and where everything in it lies.
//!
//! `run.json` makes a folder ours and holds the settings as resolved. A folder that holds anything
//! else and no `run.json` is foreign and never touched. The same settings continue a run; others
//! are refused with what differs, because every file in the folder follows from the settings.

mod layout;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lock::{self, FolderLock, LockError};
use super::settings_diff::{self, Change};
use crate::io::{Classified, ErrorKind, IoError};

pub use layout::{Layout, slug};

/// Version of `run.json`.
pub const SCHEMA: u32 = 1;

/// Names of what a run writes, which a new run with other settings moves out of the way. The
/// embeddings stay: they are keyed by their content.
const RESULTS: &[&str] = &[
    "captions.parquet",
    "controls",
    "data",
    "directions.json",
    "directions.safetensors",
    "evaluate.json",
    "images",
    "ledger.jsonl",
    "ledger.parquet",
    "manifest",
    "pool.json",
    "previews",
    "rejected",
    "report",
    "report.json",
    "retraining.json",
    "run.log",
    "skipped.jsonl",
    "summary.json",
];

/// Folders in which a killed command can leave temporary files.
const FOLDERS: &[&str] = &[
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

/// The most changed settings that a message lists.
const MAX_LISTED: usize = 30;

/// Why a folder cannot be used for a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] IoError),

    /// Another command works there.
    #[error(transparent)]
    Lock(LockError),

    /// The path is not a folder.
    #[error("{} is not a folder: choose another path for the run", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },

    /// There are files that are not from a run.
    #[error(
        "{} holds {found:?} and no run.json, so it is not a run folder: choose a new or an empty \
         one", .path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The first of its entries, in bytewise order.
        found: String,
    },

    /// `run.json` cannot be understood.
    #[error("{} is damaged: restore it, or choose another folder", .path.display())]
    Damaged {
        /// The `run.json`.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },

    /// A later version made the folder.
    #[error(
        "{} has schema {found}, this version reads up to {SCHEMA}: use hardlight {version}, which \
         wrote it", .path.display()
    )]
    Newer {
        /// The `run.json`.
        path: PathBuf,
        /// Its schema.
        found: u64,
        /// The version of hardlight it names.
        version: String,
    },

    /// The folder holds a run with other settings.
    #[error(
        "{} holds a run with other settings: choose another folder, or start anew with \
         --force-new{}", .path.display(), list(.changes)
    )]
    Settings {
        /// The folder.
        path: PathBuf,
        /// What differs, from the folder's to the present settings, sorted by key.
        changes: Vec<Change>,
    },
}

impl Classified for FolderError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Lock(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

impl From<LockError> for FolderError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Io(error) => Self::Io(error),
            held @ LockError::Held { .. } => Self::Lock(held),
        }
    }
}

/// Changes, each on its own line, after a line break.
fn list(changes: &[Change]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for change in changes.iter().take(MAX_LISTED) {
        let _ = write!(text, "\n  {change}");
    }
    if let Some(more) = changes.len().checked_sub(MAX_LISTED + 1) {
        let _ = write!(text, "\n  and {} more", more + 1);
    }
    text
}

/// What `run.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    schema: u64,
    hardlight: String,
    run_id: String,
    settings: Value,
    /// Facts that results do not follow from.
    #[serde(default)]
    facts: Map<String, Value>,
}

/// What of any version's `run.json` tells whether it can be read.
#[derive(Deserialize)]
struct Version {
    schema: u64,
    #[serde(default)]
    hardlight: String,
}

/// A folder that one run has to itself, until this is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    record: Record,
    lock: FolderLock,
    resumed: bool,
    cleaned: usize,
}

impl RunFolder {
    /// Opens a run folder for work, or makes one, and locks it.
    ///
    /// `settings` is all that results follow from: the settings as resolved and the fingerprints of
    /// the models. With `force_new`, the results of an earlier run in the folder, whatever its
    /// settings, are moved to `former/N` before; nothing is ever deleted but the temporary files of
    /// killed commands.
    ///
    /// # Errors
    ///
    /// - [`FolderError::NotAFolder`], [`FolderError::Foreign`]: nothing was touched.
    /// - [`FolderError::Lock`] if another command works there.
    /// - [`FolderError::Settings`], [`FolderError::Damaged`], [`FolderError::Newer`].
    /// - [`FolderError::Io`].
    pub fn open_or_create(
        path: &Path,
        settings: &Value,
        force_new: bool,
    ) -> Result<Self, FolderError> {
        RunFolder::claim(path, force_new)?.open(settings)
    }

    /// Locks a folder for a run without saying yet which: the embedded world is drawn into it before
    /// its settings are known.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::open_or_create`], but for those about settings.
    pub fn claim(path: &Path, force_new: bool) -> Result<Claim, FolderError> {
        inspect(path)?;
        crate::io::create_dir_all(path)?;
        let lock = FolderLock::acquire(path)?;
        // Another command may have worked here since.
        let ours = inspect(path)?;
        let cleaned = clean(path)?;
        if ours && force_new {
            set_aside(path)?;
        }
        Ok(Claim {
            path: path.to_owned(),
            lock,
            resume: ours && !force_new,
            cleaned,
        })
    }

    /// Notes a fact that results do not follow from (device, library versions) in `run.json`,
    /// in place of an earlier one of that name.
    ///
    /// # Errors
    ///
    /// [`FolderError::Io`].
    pub fn note(&mut self, name: &str, fact: Value) -> Result<(), FolderError> {
        if self.record.facts.get(name) == Some(&fact) {
            return Ok(());
        }
        self.record.facts.insert(name.to_owned(), fact);
        self.write_record()
    }

    fn write_record(&self) -> Result<(), FolderError> {
        let path = self.path.join("run.json");
        let damaged = |source| FolderError::Damaged {
            path: path.clone(),
            source,
        };
        let mut text = serde_json::to_vec_pretty(&self.record).map_err(damaged)?;
        text.push(b'\n');
        Ok(crate::io::write_atomic(&path, &text)?)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A short name of the run, which follows from its settings alone: 16 hexadecimal digits.
    pub fn run_id(&self) -> &str {
        &self.record.run_id
    }

    /// Whether the folder held this run before.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// How many temporary files of killed commands were removed on opening.
    pub fn cleaned(&self) -> usize {
        self.cleaned
    }

    /// Whether other commands are really kept out: false on a file system without locks.
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }

    /// The paths in the folder.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.path)
    }
}

/// A folder locked for a run whose settings are not known yet.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    lock: FolderLock,
    resume: bool,
    cleaned: usize,
}

impl Claim {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on with the run that the folder holds, or begins one.
    ///
    /// # Errors
    ///
    /// - [`FolderError::Settings`], [`FolderError::Damaged`], [`FolderError::Newer`].
    /// - [`FolderError::Io`].
    pub fn open(self, settings: &Value) -> Result<RunFolder, FolderError> {
        let Self {
            path,
            lock,
            resume,
            cleaned,
        } = self;
        if resume {
            let record = read_record(&path.join("run.json"))?;
            // The settings go through text too, for numbers that text changes in the last digit.
            let now =
                serde_json::from_str(&settings.to_string()).unwrap_or_else(|_| settings.clone());
            let changes = settings_diff::diff(&record.settings, &now);
            if !changes.is_empty() {
                return Err(FolderError::Settings { path, changes });
            }
            return Ok(RunFolder {
                path,
                record,
                lock,
                resumed: true,
                cleaned,
            });
        }
        let record = Record {
            schema: u64::from(SCHEMA),
            hardlight: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: run_id(settings),
            settings: settings.clone(),
            facts: Map::new(),
        };
        let folder = RunFolder {
            path,
            record,
            lock,
            resumed: false,
            cleaned,
        };
        folder.write_record()?;
        Ok(folder)
    }
}

/// Whether a folder holds a run already; an error if it holds something else.
fn inspect(path: &Path) -> Result<bool, FolderError> {
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
            // The embedded world is drawn before the settings are written.
            || name == "data" && entry.file_type().is_ok_and(|kind| kind.is_dir())
            || name.starts_with(TEMPORARY) && entry.file_type().is_ok_and(|kind| kind.is_file());
        if !(begun && own) {
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

/// Removes what killed commands left: temporary files in the folders we write to.
fn clean(root: &Path) -> Result<usize, IoError> {
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
fn set_aside(root: &Path) -> Result<(), IoError> {
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

/// The settings that a folder's run was made with, as its `run.json` has them: for commands that only
/// read.
///
/// # Errors
///
/// [`FolderError::Io`], [`FolderError::Damaged`], [`FolderError::Newer`].
pub fn read_settings(layout: &Layout) -> Result<Value, FolderError> {
    read_record(&layout.run_json()).map(|record| record.settings)
}

fn read_record(path: &Path) -> Result<Record, FolderError> {
    let damaged = |source| FolderError::Damaged {
        path: path.to_owned(),
        source,
    };
    let text = crate::io::read(path)?;
    let version: Version = serde_json::from_slice(&text).map_err(damaged)?;
    if version.schema > u64::from(SCHEMA) {
        let path = path.to_owned();
        let (found, version) = (version.schema, version.hardlight);
        return Err(FolderError::Newer {
            path,
            found,
            version,
        });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

/// A hash of the settings that the order of their keys does not change.
fn run_id(settings: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    for (key, value) in settings_diff::flatten(settings) {
        // Lengths first, so that no two trees run into the same bytes.
        for part in [key, value.to_string()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests;
