//! Files: atomic writes, reads that name their path, image decoding, matrices, JSON lines.
//!
//! ```text
//! bytes ──write_atomic──▶ temp file in the same folder ─▶ fsync ─▶ rename ─▶ fsync(folder)
//! ```
//!
//! A reader sees the old file or the new one, never half of one, also after a power cut. What
//! comes in is treated as hostile: sizes are capped, offsets checked before anything is allocated,
//! pipes and devices refused. Every [`IoError`] names its path; [`IoError::is_disk`] tells a full
//! or read-only disk from bad input.
//!
//! Not here: what a data set is ([`crate::dataset`]).

mod error;
pub mod image;
pub mod json_file;
pub mod jsonl;
mod kind;
mod map;
pub mod matrix;
pub mod parquet;
pub mod source;

pub use error::IoError;
pub use json_file::{JsonFile, JsonFileError};
pub use kind::{Classified, ErrorKind};

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Writes a file so that its readers never see a part of it.
///
/// The file's mode is 0644 less the umask. The parent folder must exist; an existing file, or
/// symbolic link, of that name is replaced.
///
/// # Errors
///
/// [`IoError::Write`] if any step fails; the old file is then untouched unless only the last step,
/// the sync of the folder, failed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    let error = |source| IoError::Write {
        path: path.to_owned(),
        source,
    };
    let folder = parent(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    #[cfg(unix)]
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    #[cfg(unix)]
    builder.permissions(mode);
    let mut file = builder.tempfile_in(folder).map_err(error)?;
    file.write_all(bytes).map_err(error)?;
    file.as_file().sync_all().map_err(error)?;
    file.persist(path).map_err(|failed| error(failed.error))?;
    sync_folder(folder).map_err(error)
}

/// Makes the entries of a folder (a file just created or renamed there) survive a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder; their rename is already as safe as it gets.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// The folder a path is in, `.` for a bare name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Reads a whole regular file.
///
/// # Errors
///
/// - [`IoError::NotAFile`] for a folder, pipe, socket or device.
/// - [`IoError::Read`] if the operating system refuses.
pub fn read(path: &Path) -> Result<Vec<u8>, IoError> {
    read_at_most(path, u64::MAX)
}

/// Reads a whole regular file of at most `limit` bytes.
///
/// # Errors
///
/// Those of [`read`], and [`IoError::TooLarge`], before anything is read.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, IoError> {
    let (file, bytes) = open(path)?;
    if bytes > limit {
        return Err(IoError::TooLarge {
            path: path.to_owned(),
            bytes,
            limit,
        });
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // One byte over the limit tells a file that grew while it was read.
    let count = file
        .take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|source| IoError::Read {
            path: path.to_owned(),
            source,
        })?;
    if count as u64 > limit {
        return Err(IoError::TooLarge {
            path: path.to_owned(),
            bytes: count as u64,
            limit,
        });
    }
    Ok(content)
}

/// Opens a regular file, and gives its size in bytes.
///
/// # Errors
///
/// [`IoError::NotAFile`], [`IoError::Read`], [`IoError::LfsPointer`].
pub(crate) fn open(path: &Path) -> Result<(File, u64), IoError> {
    let error = |source| IoError::Read {
        path: path.to_owned(),
        source,
    };
    // Before opening: to open a pipe without a writer waits for ever.
    let kind = fs::metadata(path).map_err(error)?;
    if !kind.is_file() {
        return Err(IoError::NotAFile {
            path: path.to_owned(),
            found: if kind.is_dir() {
                "a folder"
            } else {
                "a pipe, socket or device"
            },
        });
    }
    let mut file = File::open(path).map_err(error)?;
    if is_lfs_pointer(&mut file, kind.len()).map_err(error)? {
        return Err(IoError::LfsPointer {
            path: path.to_owned(),
        });
    }
    Ok((file, kind.len()))
}

/// Whether a file is what Git LFS leaves in its place where it was not fetched; it is at its begin afterwards.
///
/// Source: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>: text below 1024 bytes, the version first.
pub(crate) fn is_lfs_pointer(file: &mut File, bytes: u64) -> io::Result<bool> {
    const BEGIN: &[u8] = b"version https://git-lfs.github.com/spec/";
    if !(BEGIN.len() as u64..1024).contains(&bytes) {
        return Ok(false);
    }
    let mut begin = [0; BEGIN.len()];
    file.read_exact(&mut begin)?;
    file.rewind()?;
    Ok(begin == BEGIN)
}

/// Reads a whole UTF-8 text file; a byte order mark is left out.
///
/// # Errors
///
/// Those of [`read`], and [`IoError::NotUtf8`].
pub fn read_to_string(path: &Path) -> Result<String, IoError> {
    let mut text = String::from_utf8(read(path)?).map_err(|error| IoError::NotUtf8 {
        path: path.to_owned(),
        line: None,
        source: error.utf8_error(),
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// Creates a folder and its parents; one that exists already is fine.
///
/// # Errors
///
/// [`IoError::Write`].
pub fn create_dir_all(path: &Path) -> Result<(), IoError> {
    fs::create_dir_all(path).map_err(|source| IoError::Write {
        path: path.to_owned(),
        source,
    })
}

/// SHA-256 as 64 lower-case hexadecimal digits, as `sha256sum` prints it.
///
/// # Examples
///
/// ```
/// let digest = hardlight::io::sha256_hex(b"abc");
/// assert!(digest.starts_with("ba7816bf") && digest.len() == 64);
/// ```
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// [`sha256_hex`] of a file, of which little is in memory at a time.
///
/// # Errors
///
/// [`IoError::NotAFile`], [`IoError::Read`].
pub fn sha256_of(path: &Path) -> Result<String, IoError> {
    let (mut file, _) = open(path)?;
    let mut hasher = Sha256::new();
    let mut part = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut part).map_err(|source| IoError::Read {
            path: path.to_owned(),
            source,
        })?;
        if count == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&part[..count]);
    }
}

/// A hash of what some files of a folder hold, by name: 16 hexadecimal digits.
///
/// A file that is absent counts as absent, which differs from empty. Changes whenever a byte of a
/// file does; the folder's place and the files' dates do not matter.
///
/// # Errors
///
/// [`IoError::Read`], naming the file.
pub fn fingerprint(dir: &Path, files: &[&str]) -> Result<String, IoError> {
    let mut hasher = blake3::Hasher::new();
    for name in files {
        let path = dir.join(name);
        hasher.update(name.as_bytes());
        if path.is_file() {
            let mut one = blake3::Hasher::new();
            let file = File::open(&path).map_err(|source| IoError::Read {
                path: path.clone(),
                source,
            })?;
            one.update_reader(file).map_err(|source| IoError::Read {
                path: path.clone(),
                source,
            })?;
            hasher.update(b"\x01").update(one.finalize().as_bytes());
        } else {
            hasher.update(b"\x00");
        }
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

#[cfg(test)]
mod tests;
