//! The run folder: who it belongs to, with which settings, and where everything in it lies.
//!
//! `run.json` makes a folder ours. It holds three things: the *identity*, which is everything that results
//! follow from, by content (hashes of data and models, settings that change an embedding, a direction, a
//! caption, a pixel); the *policy* (how many images, which are kept); and the *settings* as given, with
//! paths, for people and for commands that read the inputs again.
//!
//! A folder that holds anything else and no `run.json` is foreign and never touched. The same identity
//! continues a run, whatever its policy and wherever its inputs lie now; another is refused with what
//! differs.

mod layout;

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::lock::{self, FolderLock, LockError};
use super::policy::Policy;
use super::record::RunRecord;
use super::settings_diff::{self, Change};
use crate::io::{Classified, ErrorKind, IoError, JsonFile as _, JsonFileError};

pub use layout::{Layout, slug};

/// Names of what a run writes, which a new run with other settings moves out of the way. The
/// embeddings stay: they are keyed by their content.
const RESULTS: &[&str] = &[
    "attempts",
    "captions.parquet",
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

    /// `run.json` cannot be understood, or another version wrote it.
    #[error(transparent)]
    Record(JsonFileError),

    /// The folder holds another run.
    #[error(
        "{} holds another run: choose another folder, or start anew with --force-new (embeddings \
         stay); what differs:{}", .path.display(), list(.changes)
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs, from the folder's to the present identity, sorted by key.
        changes: Vec<Change>,
    },
}

impl Classified for FolderError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) | Self::Lock(LockError::Io(error)) => error.kind(),
            Self::Record(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}

impl From<JsonFileError> for FolderError {
    fn from(error: JsonFileError) -> Self {
        match error {
            JsonFileError::Io(error) => Self::Io(error),
            other => Self::Record(other),
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

/// A folder that one run has to itself, until this is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    record: RunRecord,
    lock: FolderLock,
    /// None for a new run.
    changed: Option<Changed>,
    cleaned: usize,
}

impl RunFolder {
    /// Opens a run folder for work, or makes one, and locks it.
    ///
    /// With `force_new`, the results of an earlier run in the folder, whatever it was, are moved to
    /// `former/N` before; nothing is ever deleted but the temporary files of killed commands.
    ///
    /// # Errors
    ///
    /// - [`FolderError::NotAFolder`], [`FolderError::Foreign`]: nothing was touched.
    /// - [`FolderError::Lock`] if another command works there.
    /// - [`FolderError::OtherRun`], [`FolderError::Record`].
    /// - [`FolderError::Io`].
    pub fn open_or_create(path: &Path, told: &Told, force_new: bool) -> Result<Self, FolderError> {
        RunFolder::claim(path, force_new)?.open(told)
    }

    /// Locks a folder for a run without saying yet which: the embedded world is drawn into it before
    /// its settings are known.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::open_or_create`], but for those about what the run is.
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
        Ok(self.record.write(&self.path.join("run.json"))?)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A short name of the run, which follows from its identity alone: 16 hexadecimal digits.
    pub fn run_id(&self) -> &str {
        &self.record.run_id
    }

    /// Whether the folder held this run before.
    pub fn is_resumed(&self) -> bool {
        self.changed.is_some()
    }

    /// What is told otherwise than before; none for a new run.
    pub fn changed(&self) -> Option<&Changed> {
        self.changed.as_ref()
    }

    /// Notes another policy, for a decision that is taken without the rest of the run.
    ///
    /// # Errors
    ///
    /// [`FolderError::Io`].
    pub fn set_policy(layout: &Layout, policy: &Policy) -> Result<(), FolderError> {
        let path = layout.run_json();
        let mut record = RunRecord::read(&path)?;
        record.decide_by(policy);
        Ok(record.write(&path)?)
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

/// What a run is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What results follow from, by content.
    pub identity: Value,
    /// How many images are wanted, and which are kept.
    pub policy: Policy,
    /// Settings as given.
    pub settings: Value,
}

/// A folder locked for a run that is not known yet.
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

    /// Goes on with the run that the folder holds, or begins one. What is told besides the identity is
    /// noted in place of what was told before.
    ///
    /// # Errors
    ///
    /// - [`FolderError::OtherRun`], [`FolderError::Record`].
    /// - [`FolderError::Io`].
    pub fn open(self, told: &Told) -> Result<RunFolder, FolderError> {
        let Self {
            path,
            lock,
            resume,
            cleaned,
        } = self;
        let file = path.join("run.json");
        let (mut record, mut identity) = if resume {
            let record = RunRecord::read(&file)?;
            // The identity goes through text too, for numbers that text changes in the last digit.
            let text = told.identity.to_string();
            let now = serde_json::from_str(&text).unwrap_or_else(|_| told.identity.clone());
            let (mut old, mut new) = (record.identity.clone(), now.clone());
            forget_unknown(&mut old, &mut new);
            let changes = settings_diff::diff(&old, &new);
            if !changes.is_empty() {
                return Err(FolderError::OtherRun { path, changes });
            }
            (Some(record), now)
        } else {
            (None, told.identity.clone())
        };
        if let Some(record) = &record {
            fill(&mut identity, &record.identity);
        }
        let before = record.as_ref();
        let now = RunRecord {
            schema: RunRecord::SCHEMA,
            hardlight: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: before.map_or_else(|| run_id(&identity), |record| record.run_id.clone()),
            identity,
            policy: told.policy,
            settings: told.settings.clone(),
            facts: before
                .map(|record| record.facts.clone())
                .unwrap_or_default(),
        };
        let changed = record.as_ref().map(|record| Changed {
            policy: settings_diff::diff(&value(&record.policy), &value(&now.policy)),
        });
        let same = record.take().is_some_and(|record| record.is_as(&now));
        let folder = RunFolder {
            path,
            record: now,
            lock,
            changed,
            cleaned,
        };
        if !same {
            folder.write_record()?;
        }
        Ok(folder)
    }
}

/// What is told now and was not when the run was worked on before.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// What differs in the policy, sorted by key.
    pub policy: Vec<Change>,
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

/// The settings that a folder's run was last given, as its `run.json` has them: for commands that read
/// its inputs again.
///
/// # Errors
///
/// [`FolderError::Io`], [`FolderError::Record`].
pub fn read_settings(layout: &Layout) -> Result<Value, FolderError> {
    Ok(RunRecord::read(&layout.run_json())?.settings)
}

/// The policy of a folder's run.
///
/// # Errors
///
/// [`FolderError::Io`], [`FolderError::Record`].
pub fn read_policy(layout: &Layout) -> Result<Policy, FolderError> {
    Ok(RunRecord::read(&layout.run_json())?.policy)
}

/// What one of two commands does not know goes with anything: both forget it.
fn forget_unknown(a: &mut Value, b: &mut Value) {
    if a.is_null() || b.is_null() {
        (*a, *b) = (Value::Null, Value::Null);
    } else if let (Value::Object(a), Value::Object(b)) = (a, b) {
        for (key, a) in a {
            if let Some(b) = b.get_mut(key) {
                forget_unknown(a, b);
            }
        }
    }
}

/// Puts what was known before in place of what is not known now.
fn fill(now: &mut Value, before: &Value) {
    match (now, before) {
        (now, before) if now.is_null() => *now = before.clone(),
        (Value::Object(now), Value::Object(before)) => {
            for (key, before) in before {
                fill(now.entry(key.clone()).or_insert(Value::Null), before);
            }
        }
        _ => {}
    }
}

/// A policy as a tree, to be compared key by key.
fn value(policy: &Policy) -> Value {
    serde_json::to_value(policy).unwrap_or_default()
}

/// A hash of the identity that the order of their keys does not change.
fn run_id(identity: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    for (key, value) in settings_diff::flatten(identity) {
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
