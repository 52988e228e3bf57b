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

mod contents;
mod error;
mod identity;
mod layout;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::contents::{clean, inspect, set_aside};
use self::identity::{fill, forget_unknown, run_id};
use super::lock::FolderLock;
use super::policy::Policy;
use super::record::RunRecord;
use super::settings_diff::{self, Change};
use crate::io::JsonFile as _;

pub use error::FolderError;
pub use layout::Layout;

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

/// A policy as a tree, to be compared key by key.
fn value(policy: &Policy) -> Value {
    serde_json::to_value(policy).unwrap_or_default()
}

#[cfg(test)]
mod tests;
