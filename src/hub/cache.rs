//! One repository in the cache, in the layout that Python reads and writes.
//!
//! ```text
//! CACHE/models--org--name/refs/REVISION            the commit of a branch or tag
//!                         snapshots/COMMIT/FILE    relative link to the blob
//!                         blobs/HASH               content; may be a link into CACHE/blobs
//!                         blobs/HASH.incomplete    what has arrived so far
//!                         .no_exist/COMMIT/FILE    empty: that commit has no such file
//! CACHE/.locks/models--org--name/HASH.lock         held while the blob is written
//! ```
//!
//! A file is there if its link in `snapshots/` leads to one, by however many links: a blob is never
//! looked for, and never written through.
//!
//! Source: `huggingface_hub` 2.4, `file_download.py` and `utils/_shared_blobs.py`.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::id::is_commit;
use super::{HubError, Id, Watch};
use crate::io::{self, IoError};

/// How often to look whether another process is done with a blob.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A repository's folder in the cache.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    locks: PathBuf,
}

impl Cache {
    pub(super) fn new(cache: &Path, id: &Id) -> Self {
        let name = format!("models--{}", id.name().replace('/', "--"));
        Self {
            folder: cache.join(&name),
            locks: cache.join(".locks").join(name),
        }
    }

    /// The commit of a revision, as far as the cache knows it.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let text = io::read_to_string(&self.folder.join("refs").join(revision)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    pub(super) fn has(&self, commit: &str, file: &str) -> bool {
        self.snapshot(commit).join(file).is_file()
    }

    /// Whether it is known that the commit has no such file.
    pub(super) fn knows_absent(&self, commit: &str, file: &str) -> bool {
        self.absent(commit, file).is_file()
    }

    fn absent(&self, commit: &str, file: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit).join(file)
    }

    /// The files of a snapshot.
    pub(super) fn files(&self, commit: &str) -> BTreeSet<String> {
        let root = self.snapshot(commit);
        let mut found = BTreeSet::new();
        let mut open = vec![root.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                // A link to a folder is none of the hub's.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(path);
                } else if path.is_file()
                    && let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str)
                {
                    found.insert(name.replace('\\', "/"));
                }
            }
        }
        found
    }

    pub(super) fn blob(&self, hash: &str) -> PathBuf {
        self.folder.join("blobs").join(hash)
    }

    /// Waits until no other process writes the blob, and keeps others out as long as the file lives.
    ///
    /// Where the file system has no locks, or only pretends to, two processes may write into the
    /// same file; the hash then tells that it is spoilt.
    pub(super) fn lock(&self, hash: &str, watch: &mut dyn Watch) -> Result<File, HubError> {
        io::create_dir_all(&self.locks)?;
        let path = self.locks.join(format!("{hash}.lock"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(|e| written(&path, e))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
            }
            if watch.stopped() {
                return Err(HubError::Stopped);
            }
            if !told {
                watch.warn("another process fetches the same file: waiting for it");
                told = true;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Makes `snapshots/COMMIT/FILE` lead to a blob.
    pub(super) fn link(&self, commit: &str, file: &str, hash: &str) -> Result<(), HubError> {
        let path = self.snapshot(commit).join(file);
        if path.is_file() {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            io::create_dir_all(folder)?;
        }
        // One that leads nowhere: its blob was deleted.
        if path.is_symlink() {
            fs::remove_file(&path).map_err(|e| written(&path, e))?;
        }
        let up = "../".repeat(1 + file.split('/').count());
        let target = PathBuf::from(format!("{up}blobs/{hash}"));
        match make_link(&target, &self.blob(hash), &path) {
            // Another process was faster.
            Err(_) if path.is_file() => Ok(()),
            made => made.map_err(|e| written(&path, e)),
        }
    }

    /// Notes that the commit has no such file.
    pub(super) fn note_absent(&self, commit: &str, file: &str) -> Result<(), HubError> {
        let path = self.absent(commit, file);
        if path.exists() {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            io::create_dir_all(folder)?;
        }
        Ok(io::write_atomic(&path, b"")?)
    }

    /// Notes the commit of a branch or tag.
    pub(super) fn note_commit(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        let known = self.commit(revision);
        if known.as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        if let Some(folder) = path.parent() {
            io::create_dir_all(folder)?;
        }
        Ok(io::write_atomic(&path, commit.as_bytes())?)
    }
}

/// A write that failed.
pub(super) fn written(path: &Path, source: std::io::Error) -> HubError {
    let path = path.to_path_buf();
    IoError::Write { path, source }.into()
}

#[cfg(unix)]
fn make_link(target: &Path, _blob: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Without links the snapshot holds the file itself, as Python has it there.
#[cfg(not(unix))]
fn make_link(_target: &Path, blob: &Path, path: &Path) -> std::io::Result<()> {
    fs::rename(blob, path)
}
