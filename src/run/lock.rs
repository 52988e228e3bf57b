//! The lock of a run folder: one command at a time works there.
//!
//! The lock is the kernel's, on the open file, so it ends with the process, also with `kill -9`; the
//! file stays. Its text only says whom to look for. It is a courtesy: results do not depend on it,
//! because two writers of one item write equal bytes.

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::io::{Classified, ErrorKind, IoError};

/// The file's name in a run folder.
pub const FILE_NAME: &str = ".lock";

/// How the text of every lock of ours begins.
const MARK: &str = "hardlight";

/// The most of a lock's text that is read, in bytes.
const MAX_BYTES: u64 = 1024;

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another command works there.
    #[error(
        "{} is in use by {owner}: wait until it ends, or choose another folder", .folder.display()
    )]
    Held {
        /// The run folder.
        folder: PathBuf,
        /// Who says it has the lock.
        owner: String,
    },

    /// The lock could not be opened or written.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl Classified for LockError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Held { .. } => ErrorKind::Input,
        }
    }
}

/// A lock on a run folder, held until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    held: bool,
}

impl FolderLock {
    /// Locks an existing folder, without waiting.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] naming the owner, and [`LockError::Io`].
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(FILE_NAME);
        let failed = |source| {
            LockError::Io(IoError::Write {
                path: path.clone(),
                source,
            })
        };
        // A link would have us empty a file elsewhere.
        if fs::symlink_metadata(&path).is_ok_and(|kind| !kind.is_file()) {
            let found = "a folder, link, pipe or device";
            return Err(IoError::NotAFile { path, found }.into());
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let held = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                let folder = folder.to_owned();
                let owner = owner(&file);
                return Err(LockError::Held { folder, owner });
            }
            Err(TryLockError::Error(error)) if has_no_locks(&error) => false,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        };
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        file.write_all(introduction().as_bytes()).map_err(failed)?;
        Ok(Self { file, held })
    }

    /// Whether others are really kept out: false on a file system without locks.
    pub fn is_held(&self) -> bool {
        self.held
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file unlocks it anyway; nobody can be told of a failure here.
        let _ = self.file.unlock();
    }
}

/// Whether a file is a lock that an earlier command of ours left, or just made.
pub(super) fn is_ours(path: &Path) -> bool {
    let regular = fs::symlink_metadata(path).is_ok_and(|kind| kind.is_file());
    let text = || File::open(path).and_then(|file| text(&file));
    regular && text().is_ok_and(|text| text.is_empty() || text.starts_with(MARK))
}

/// Some network file systems have no locks. Working without one is safe, refusing to work is not
/// helpful.
fn has_no_locks(error: &io::Error) -> bool {
    /// `ENOLCK` on Linux, which has no `ErrorKind`.
    const NO_LOCKS: i32 = 37;
    error.kind() == io::ErrorKind::Unsupported
        || cfg!(target_os = "linux") && error.raw_os_error() == Some(NO_LOCKS)
}

/// Who we are, for those who find the folder locked.
fn introduction() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| env::var("HOSTNAME"))
        .or_else(|_| env::var("COMPUTERNAME"))
        .unwrap_or_default();
    let host = match host.trim() {
        "" => "an unnamed host",
        host => host,
    };
    let command: Vec<_> = env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let pid = std::process::id();
    let command = command.join(" ");
    format!("{MARK}: process {pid} on {host}, command: {command}\n")
}

/// Who has the lock, as far as its text tells.
fn owner(file: &File) -> String {
    // The owner writes its text after taking the lock, so it may be missing for a moment.
    let text = text(file).unwrap_or_default();
    match text.trim() {
        "" => "another process".to_owned(),
        // It is printed: no control characters.
        text => text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    }
}

/// The text of a lock, cut at a sensible length.
fn text(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::acquire(folder.path()).unwrap();
        assert!(first.is_held());
        let LockError::Held { owner, .. } = FolderLock::acquire(folder.path()).unwrap_err() else {
            panic!("locked twice");
        };
        let pid = std::process::id();
        assert!(
            owner.starts_with(&format!("hardlight: process {pid} on ")),
            "{owner}"
        );
        drop(first);
        FolderLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn the_text_of_an_earlier_owner_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "hardlight: ".repeat(200)).unwrap();
        let _lock = FolderLock::acquire(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), introduction());
    }

    #[test]
    fn what_is_printed_has_no_control_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "hardlight: \x1b[2J\nx").unwrap();
        assert_eq!(owner(&File::open(&path).unwrap()), "hardlight:  [2J x");
        fs::write(&path, "").unwrap();
        assert_eq!(owner(&File::open(&path).unwrap()), "another process");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("precious");
        fs::write(&target, "text").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join(FILE_NAME)).unwrap();
        let error = FolderLock::acquire(folder.path()).unwrap_err();
        assert!(
            matches!(error, LockError::Io(IoError::NotAFile { .. })),
            "{error:?}"
        );
        assert_eq!(fs::read_to_string(&target).unwrap(), "text");
    }

    #[test]
    fn a_killed_owner_leaves_no_lock() {
        // This test binary runs itself, takes the lock in the child and kills the child.
        const FOLDER: &str = "HARDLIGHT_TEST_LOCK_FOLDER";
        if let Some(folder) = env::var_os(FOLDER) {
            let _lock = FolderLock::acquire(Path::new(&folder)).unwrap();
            // Ends when the parent closes the pipe, or kills this process.
            println!("locked");
            let _ = io::stdin().read_to_end(&mut Vec::new());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let name = std::thread::current().name().unwrap().to_owned();
        let mut child = std::process::Command::new(env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(FOLDER, folder.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.as_mut().unwrap();
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(b"locked") && stdout.read(&mut byte).unwrap() == 1 {
            said.push(byte[0]);
        }
        let LockError::Held { owner, .. } = FolderLock::acquire(folder.path()).unwrap_err() else {
            panic!("locked twice");
        };
        assert!(
            owner.contains(&format!("process {} ", child.id())),
            "{owner}"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        FolderLock::acquire(folder.path()).unwrap();
    }
}
