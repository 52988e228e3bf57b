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
use std::io::{self, Read as _, Write as _};
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
/// [`IoError::NotAFile`], [`IoError::Read`].
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
    Ok((File::open(path).map_err(error)?, kind.len()))
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
mod tests {
    use std::io::ErrorKind as Kind;

    use super::*;

    #[test]
    fn a_fingerprint_follows_content_alone() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let of = |dir: &Path| fingerprint(dir, &["x", "y"]).unwrap();
        let absent = of(a.path());
        fs::write(a.path().join("x"), "").unwrap();
        let empty = of(a.path());
        assert_ne!(absent, empty);
        fs::write(b.path().join("x"), "").unwrap();
        assert_eq!(empty, of(b.path()));
        fs::write(b.path().join("y"), "1").unwrap();
        assert_ne!(empty, of(b.path()));
    }

    #[test]
    fn a_write_replaces_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_written_file_can_be_read_by_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("a"), folder.path().join("b"));
        write_atomic(&ours, b"").unwrap();
        // What the umask of this process leaves of an ordinary file tells what to expect.
        fs::write(&plain, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&ours), mode(&plain) & 0o644);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("x"), b"").unwrap();
        let error = write_atomic(&path, b"new").unwrap_err();
        assert!(matches!(error, IoError::Write { .. }), "{error:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(path.join("x").exists());
    }

    #[test]
    fn wrong_paths_are_not_disk_trouble_and_full_disks_are() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such/a.txt");
        let error = write_atomic(&missing, b"").unwrap_err();
        assert!(!error.is_disk(), "{error:?}");
        assert_eq!(error.path(), missing);
        assert!(!read(&missing).unwrap_err().is_disk());

        let file = folder.path().join("file");
        write_atomic(&file, b"").unwrap();
        let error = create_dir_all(&file.join("below")).unwrap_err();
        assert!(!error.is_disk(), "{error:?}");

        for kind in [
            Kind::StorageFull,
            Kind::ReadOnlyFilesystem,
            Kind::PermissionDenied,
            Kind::QuotaExceeded,
            Kind::FileTooLarge,
        ] {
            let path = file.clone();
            let source = kind.into();
            assert!(IoError::Write { path, source }.is_disk(), "{kind:?}");
            let path = file.clone();
            let source = kind.into();
            assert!(!IoError::Read { path, source }.is_disk(), "{kind:?}");
        }
    }

    #[test]
    fn folders_and_pipes_are_refused_without_hanging() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err();
        let found = "a folder";
        assert!(matches!(error, IoError::NotAFile { found: f, .. } if f == found));
        #[cfg(unix)]
        {
            let socket = folder.path().join("socket");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            let error = read(&socket).unwrap_err();
            assert!(matches!(error, IoError::NotAFile { .. }), "{error:?}");
        }
    }

    #[test]
    fn the_size_limit_is_inclusive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"12345").unwrap();
        assert_eq!(read_at_most(&path, 5).unwrap(), b"12345");
        let error = read_at_most(&path, 4).unwrap_err();
        assert!(
            matches!(
                error,
                IoError::TooLarge {
                    bytes: 5,
                    limit: 4,
                    ..
                }
            ),
            "{error:?}"
        );
    }

    #[test]
    fn text_loses_its_mark_and_must_be_utf8() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"\xef\xbb\xbfa\n").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "a\n");
        write_atomic(&path, b"a\xff").unwrap();
        let error = read_to_string(&path).unwrap_err();
        assert!(matches!(error, IoError::NotUtf8 { .. }), "{error:?}");
    }

    #[test]
    fn sha256_of_the_standard_example() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
