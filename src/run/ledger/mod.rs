//! The ledger: one line for every attempt, with what was measured of it, appended as the run goes.
//!
//! A line is the JSON of a [`Measured`] between two fields of the envelope, `schema` first and `checksum`
//! last; the envelope is the same in every version:
//!
//! ```text
//! {"schema":3,"id":"9f…",…,"checksum":"5f2c9a01b7d4e863"}
//! ```
//!
//! The checksum is the first 8 bytes of the BLAKE3 hash of the line without its `checksum` field.
//! Lines are synced before [`Ledger::append`] returns, so an attempt the caller was told about
//! survives a power cut. What a cut can leave is a damaged last line: it is removed when the ledger
//! is opened, and its attempt made again. Damage anywhere else is an error.
//!
//! Whether an image is kept is not in the ledger: that is decided from its lines
//! ([`decide`](mod@crate::run::decide)), as often as the policy changes.

mod error;
mod line;
mod measured;

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use self::error::LedgerError;
pub use self::measured::Measured;

use self::line::{decode, encode, unseal};
use crate::generate::AttemptId;
use crate::io::IoError;

/// Version of a line; others are refused.
pub const SCHEMA: u32 = 3;

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
    /// - [`LedgerError::Schema`], [`LedgerError::Line`], [`LedgerError::Duplicate`].
    /// - [`LedgerError::Io`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Measured>), LedgerError> {
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
    pub fn append(&mut self, entries: &[Measured]) -> Result<(), LedgerError> {
        let Some(whole) = self.whole else {
            let path = self.path.clone();
            return Err(LedgerError::Closed { path });
        };
        let mut bytes = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some((field, value)) = entry.non_finite() {
                let id = entry.id.clone();
                return Err(LedgerError::NonFinite { id, field, value });
            }
            encode(entry, &mut bytes).map_err(|source| LedgerError::Line {
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
pub fn read(path: &Path) -> Result<(Vec<Measured>, Option<TornTail>), LedgerError> {
    let content = Content::read(path)?;
    Ok((content.entries, content.torn))
}

/// Writes a whole ledger in place of what is there, in this order.
///
/// # Errors
///
/// [`LedgerError::Io`]; the old ledger is then untouched.
pub fn write(path: &Path, entries: &[&Measured]) -> Result<(), LedgerError> {
    let mut bytes = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        encode(entry, &mut bytes).map_err(|source| LedgerError::Line {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
    }
    Ok(crate::io::write_atomic(path, &bytes)?)
}

/// What a ledger holds.
struct Content {
    entries: Vec<Measured>,
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
            content.seen.add(&entry.id, path)?;
            content.entries.push(entry);
            content.whole += bytes.len() as u64;
        }
        Ok(content)
    }
}

/// The line of every id, to find those that come twice.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeMap<AttemptId, usize>,
}

impl Seen {
    fn lines(&self) -> usize {
        self.ids.len()
    }

    /// Adds the attempt of the next line.
    fn add(&mut self, id: &AttemptId, path: &Path) -> Result<(), LedgerError> {
        let line = self.lines() + 1;
        if let Some(&first) = self.ids.get(id) {
            return Err(LedgerError::Duplicate {
                path: path.to_owned(),
                line,
                first,
                id: id.clone(),
            });
        }
        self.ids.insert(id.clone(), line);
        Ok(())
    }

    /// Adds all attempts or, on an error, none.
    fn add_all(&mut self, entries: &[Measured], path: &Path) -> Result<(), LedgerError> {
        for (index, entry) in entries.iter().enumerate() {
            if let Err(error) = self.add(&entry.id, path) {
                for added in &entries[..index] {
                    self.ids.remove(&added.id);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
