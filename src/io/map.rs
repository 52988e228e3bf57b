//! Files as memory: pages come from the disk when they are looked at, and take no memory of ours.

use std::path::Path;

use memmap2::Mmap;

use super::{IoError, open};

/// Maps a whole regular file.
///
/// # Errors
///
/// Those of [`open`].
pub(super) fn map(path: &Path) -> Result<Mmap, IoError> {
    let (file, _) = open(path)?;
    // SAFETY: the mapping is only read. A file that is changed under it changes the numbers, and one
    // that is cut ends the process by a signal; both need someone to overwrite inputs during a run.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file) };
    map.map_err(|source| IoError::Read {
        path: path.to_owned(),
        source,
    })
}
