//! The ledger: one line for every generation attempt, appended as the run goes.
//!
//! A line is the JSON of an [`Entry`] between two fields of the envelope, `schema` first and
//! `checksum` last; the envelope is the same in every version:
//!
//! ```text
//! {"schema":1,"attempt":0,…,"checksum":"5f2c9a01b7d4e863"}
//! ```
//!
//! The checksum is the first 8 bytes of the BLAKE3 hash of the line without its `checksum` field.
//! Lines are synced before [`Ledger::append`] returns, so an attempt the caller was told about
//! survives a power cut. What a cut can leave is a damaged last line: it is removed when the ledger
//! is opened, and its attempt made again. Damage anywhere else is an error.

pub mod table;

use std::collections::{BTreeMap, btree_map};
use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::io::{Classified, ErrorKind, IoError};

/// Version of an [`Entry`]; lines of a later one are refused.
pub const SCHEMA: u32 = 1;

/// What stands between an entry and its checksum.
const SEAL: &str = ",\"checksum\":\"";

/// Hexadecimal digits of a checksum.
const DIGITS: usize = 16;

/// Whether an image may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It passed every filter.
    Passed,
    /// It did not; [`Entry::reason`] says why.
    Rejected,
}

/// One attempt: what was asked for, what came out, what was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the plan; unique.
    pub attempt: u64,
    /// Name of its files; unique.
    pub id: String,
    /// Name of the class.
    pub class: String,
    /// Index of the class.
    pub class_index: usize,
    /// Failure mode within the class.
    pub mode: u32,
    /// Which captions it comes from: `hard`, `neutral`, `easy`.
    pub arm: String,
    /// The caption.
    pub caption: String,
    /// How often this caption was attempted before.
    pub index: u64,
    /// Seed of the noise.
    pub seed: u64,
    /// What became of the generation itself.
    pub status: String,
    /// Alignment with the mode's direction; larger is harder.
    pub alignment: Option<f64>,
    /// The alignment it had to reach.
    pub threshold: Option<f64>,
    /// Cosine with the own class's reference caption.
    pub class_similarity: Option<f64>,
    /// That cosine less the largest with another class's.
    pub class_margin: Option<f64>,
    /// Cosine with the nearest training image.
    pub nearest_train_similarity: Option<f64>,
    /// Whether it may be used.
    pub decision: Decision,
    /// The first filter it failed.
    pub reason: Option<String>,
    /// Id of the image that it is a near-duplicate of, where that is the reason.
    pub duplicate_of: Option<String>,
    /// Path of the image in the run folder, with `/`; none when it was not written.
    pub file: Option<String>,
    /// SHA-256 of that file, in hexadecimal.
    pub sha256: Option<String>,
    /// Denoising steps.
    pub steps: u32,
    /// Guidance scale.
    pub guidance: f64,
    /// Name of the scheduler.
    pub scheduler: String,
    /// The negative prompt; empty for none.
    pub negative_prompt: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Entry {
    /// The first number without a JSON form, by its field's name.
    fn non_finite(&self) -> Option<(&'static str, f64)> {
        [
            ("alignment", self.alignment),
            ("threshold", self.threshold),
            ("class_similarity", self.class_similarity),
            ("class_margin", self.class_margin),
            ("nearest_train_similarity", self.nearest_train_similarity),
            ("guidance", Some(self.guidance)),
        ]
        .into_iter()
        .find_map(|(field, value)| Some((field, value.filter(|value| !value.is_finite())?)))
    }
}

/// A line as it is written, less its checksum.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// The part of a line that every version has.
#[derive(Deserialize)]
struct Envelope {
    schema: u32,
}

/// Why the ledger could not be read or added to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Reading, writing or syncing failed.
    #[error(transparent)]
    Io(#[from] IoError),

    /// A line that is not the last is damaged.
    #[error(
        "{}, line {line}: damaged, {reason}: restore the file from a copy, or remove it and every \
         line after this one", .path.display()
    )]
    Corrupt {
        /// The ledger.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A line is whole, but not an entry.
    #[error("{}, line {line}: not an entry of schema {SCHEMA}", .path.display())]
    Entry {
        /// The ledger.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },

    /// A line was written by a later version.
    #[error(
        "{}, line {line}: schema {found}, this version reads up to {SCHEMA}: use the version of \
         hardlight that wrote it", .path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// Its schema.
        found: u32,
    },

    /// Two lines are about the same attempt.
    #[error(
        "{}, line {line}: {what} {value} stands on line {first} already", .path.display()
    )]
    Duplicate {
        /// The ledger.
        path: PathBuf,
        /// One-based line of the second.
        line: usize,
        /// One-based line of the first.
        first: usize,
        /// `attempt` or `id`.
        what: &'static str,
        /// The value they share.
        value: String,
    },

    /// A number has no JSON form.
    #[error("attempt {attempt}: {field} is {value}: give no value, and the reason")]
    NonFinite {
        /// The attempt.
        attempt: u64,
        /// The field.
        field: &'static str,
        /// NaN or an infinity.
        value: f64,
    },

    /// An earlier append failed, so what the disk holds is not known.
    #[error("{} is closed, because an earlier write to it failed: open it again", .path.display())]
    Closed {
        /// The ledger.
        path: PathBuf,
    },
}

impl Classified for LedgerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Closed { .. } => ErrorKind::Disk,
            _ => ErrorKind::Input,
        }
    }
}

/// A damaged end of a ledger, left by a process or machine that stopped while writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// One-based number of the damaged line.
    pub line: usize,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, bytes } = self;
        write!(
            f,
            "the last line of the ledger (line {line}, {bytes} bytes) was not written to its end; \
             it is left out and its attempt made again"
        )
    }
}

/// An open ledger, ready for more lines.
///
/// There is one writer at a time: who opens it holds the run folder's lock.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    seen: Seen,
    torn: Option<TornTail>,
    /// Length of what is known to be whole; none after a failed write.
    whole: Option<u64>,
}

impl Ledger {
    /// Opens or creates a ledger, and gives what it holds, in the order it was written.
    ///
    /// A damaged last line is removed; [`Ledger::torn`] tells.
    ///
    /// # Errors
    ///
    /// - [`LedgerError::Corrupt`] at the first damaged line that is not the last.
    /// - [`LedgerError::Newer`], [`LedgerError::Entry`], [`LedgerError::Duplicate`].
    /// - [`LedgerError::Io`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>), LedgerError> {
        let failed = |source| IoError::Write {
            path: path.to_owned(),
            source,
        };
        if !path.try_exists().map_err(failed)? {
            // Also syncs the folder, so that the file itself survives a power cut.
            crate::io::write_atomic(path, b"")?;
        }
        let content = Content::read(path)?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        if content.torn.is_some() {
            file.set_len(content.whole).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        let ledger = Self {
            path: path.to_owned(),
            file,
            seen: content.seen,
            torn: content.torn,
            whole: Some(content.whole),
        };
        Ok((ledger, content.entries))
    }

    /// The damaged last line that was removed on opening.
    pub fn torn(&self) -> Option<TornTail> {
        self.torn
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds entries and waits until the disk has them.
    ///
    /// Files that entries name must be on the disk before.
    ///
    /// # Errors
    ///
    /// - [`LedgerError::NonFinite`], [`LedgerError::Duplicate`]: nothing was written.
    /// - [`LedgerError::Io`]: the lines may or may not be on the disk. A failed sync cannot be
    ///   repeated (the system may have dropped the data), so the ledger takes no more.
    /// - [`LedgerError::Closed`] after that.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        let Some(whole) = self.whole else {
            let path = self.path.clone();
            return Err(LedgerError::Closed { path });
        };
        let mut bytes = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some((field, value)) = entry.non_finite() {
                return Err(LedgerError::NonFinite {
                    attempt: entry.attempt,
                    field,
                    value,
                });
            }
            encode(entry, &mut bytes).map_err(|source| LedgerError::Entry {
                path: self.path.clone(),
                line: self.seen.lines() + index + 1,
                source,
            })?;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.seen.add_all(entries, &self.path)?;
        self.whole = None;
        let written = self.file.write_all(&bytes);
        if let Err(source) = written.and_then(|()| self.file.sync_data()) {
            // Takes half a line away where the disk still allows it; if not, opening will.
            let _ = self.file.set_len(whole);
            let path = self.path.clone();
            return Err(IoError::Write { path, source }.into());
        }
        self.whole = Some(whole + bytes.len() as u64);
        Ok(())
    }
}

/// Reads a ledger without changing it; a damaged last line is left out and told.
///
/// # Errors
///
/// Those of [`Ledger::open`].
pub fn read(path: &Path) -> Result<(Vec<Entry>, Option<TornTail>), LedgerError> {
    let content = Content::read(path)?;
    Ok((content.entries, content.torn))
}

/// What a ledger holds.
struct Content {
    entries: Vec<Entry>,
    seen: Seen,
    torn: Option<TornTail>,
    /// Bytes before the damaged line.
    whole: u64,
}

impl Content {
    fn read(path: &Path) -> Result<Self, LedgerError> {
        let bytes = crate::io::read(path)?;
        let mut content = Self {
            entries: Vec::new(),
            seen: Seen::default(),
            torn: None,
            whole: 0,
        };
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').peekable();
        let mut line = 0;
        while let Some(bytes) = lines.next() {
            line += 1;
            let text = match unseal(bytes) {
                Ok(text) => text,
                Err(_) if lines.peek().is_none() => {
                    let bytes = bytes.len() as u64;
                    content.torn = Some(TornTail { line, bytes });
                    break;
                }
                Err(reason) => {
                    let path = path.to_owned();
                    return Err(LedgerError::Corrupt { path, line, reason });
                }
            };
            let entry = decode(&text, path, line)?;
            content.seen.add(&entry, path)?;
            content.entries.push(entry);
            content.whole += bytes.len() as u64;
        }
        Ok(content)
    }
}

/// The line of every attempt and id, to find those that come twice.
#[derive(Debug, Default)]
struct Seen {
    attempts: BTreeMap<u64, usize>,
    ids: BTreeMap<String, usize>,
}

impl Seen {
    fn lines(&self) -> usize {
        self.attempts.len()
    }

    /// Adds the entry of the next line.
    fn add(&mut self, entry: &Entry, path: &Path) -> Result<(), LedgerError> {
        let line = self.lines() + 1;
        let duplicate = |first, what, value| LedgerError::Duplicate {
            path: path.to_owned(),
            line,
            first,
            what,
            value,
        };
        let attempt = match self.attempts.entry(entry.attempt) {
            btree_map::Entry::Vacant(vacant) => vacant,
            btree_map::Entry::Occupied(first) => {
                let value = entry.attempt.to_string();
                return Err(duplicate(*first.get(), "attempt", value));
            }
        };
        match self.ids.entry(entry.id.clone()) {
            btree_map::Entry::Vacant(vacant) => vacant.insert(line),
            btree_map::Entry::Occupied(first) => {
                return Err(duplicate(*first.get(), "id", entry.id.clone()));
            }
        };
        attempt.insert(line);
        Ok(())
    }

    /// Adds all entries or, on an error, none.
    fn add_all(&mut self, entries: &[Entry], path: &Path) -> Result<(), LedgerError> {
        for (index, entry) in entries.iter().enumerate() {
            if let Err(error) = self.add(entry, path) {
                for added in &entries[..index] {
                    self.attempts.remove(&added.attempt);
                    self.ids.remove(&added.id);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Writes the line of an entry.
fn encode(entry: &Entry, bytes: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let schema = SCHEMA;
    let text = serde_json::to_string(&Line { schema, entry })?;
    let sum = checksum(text.as_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..text.len() - 1]);
    bytes.extend_from_slice(SEAL.as_bytes());
    bytes.extend_from_slice(sum.as_bytes());
    bytes.extend_from_slice(b"\"}\n");
    Ok(())
}

/// Takes the checksum off a line, if it is right.
fn unseal(line: &[u8]) -> Result<Vec<u8>, &'static str> {
    let line = line
        .strip_suffix(b"\n")
        .ok_or("it does not end with a line break")?;
    let missing = "it does not end with a checksum";
    let line = line.strip_suffix(b"\"}").ok_or(missing)?;
    let at = line.len().checked_sub(DIGITS).ok_or(missing)?;
    let (line, found) = line.split_at(at);
    let line = line.strip_suffix(SEAL.as_bytes()).ok_or(missing)?;
    let mut text = line.to_vec();
    text.push(b'}');
    if checksum(&text).as_bytes() != found {
        return Err("its checksum is another one");
    }
    Ok(text)
}

/// Parses a line whose checksum is right.
fn decode(text: &[u8], path: &Path, line: usize) -> Result<Entry, LedgerError> {
    let failed = |source| LedgerError::Entry {
        path: path.to_owned(),
        line,
        source,
    };
    let Envelope { schema } = serde_json::from_slice(text).map_err(failed)?;
    if schema > SCHEMA {
        let path = path.to_owned();
        let found = schema;
        return Err(LedgerError::Newer { path, line, found });
    }
    serde_json::from_slice(text).map_err(failed)
}

/// The checksum of a line.
fn checksum(text: &[u8]) -> String {
    blake3::hash(text).to_hex()[..DIGITS].to_owned()
}

#[cfg(test)]
mod tests;
