//! The entries of a folder, and what each is: a folder, a link to one, an image, or none of these.

use std::fs;
use std::path::{Path, PathBuf};

use super::{EXTENSIONS, UNREAD, UNREAD_IMAGE};
use crate::dataset::DatasetError;

/// One entry of a folder.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) kind: EntryKind,
}

pub(super) enum EntryKind {
    Folder,
    /// A link to a folder.
    Link,
    Image,
    Other(&'static str),
}

/// The entries of a folder but the hidden ones, sorted by name.
pub(super) fn list(folder: &Path) -> Result<Vec<Entry>, DatasetError> {
    let error = |source| DatasetError::List {
        path: folder.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // What macOS puts beside the files of an archive.
        if entry.file_name() == "__MACOSX" {
            continue;
        }
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(DatasetError::NameNotUtf8 { path });
        };
        let kind = kind(&path, entry.file_type().map_err(error)?);
        entries.push(Entry { path, name, kind });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The names of the entries of a folder; of one that cannot be listed, none.
pub(in crate::dataset) fn list_of_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// What an entry is; `own` is its type before links are followed.
fn kind(path: &Path, own: fs::FileType) -> EntryKind {
    let target = if own.is_symlink() {
        match fs::metadata(path) {
            Ok(target) if target.is_dir() => return EntryKind::Link,
            Ok(target) => target.file_type(),
            Err(_) => return EntryKind::Other("is a broken link"),
        }
    } else {
        own
    };
    if target.is_dir() {
        return EntryKind::Folder;
    }
    if !target.is_file() {
        return EntryKind::Other("is a pipe, socket or device");
    }
    let extension = path.extension().and_then(|text| text.to_str());
    match extension.map(str::to_ascii_lowercase) {
        Some(text) if EXTENSIONS.contains(&text.as_str()) => EntryKind::Image,
        Some(text) if UNREAD.contains(&text.as_str()) => EntryKind::Other(UNREAD_IMAGE),
        _ => EntryKind::Other("is not named as an image"),
    }
}

/// Refuses a path that is no folder.
pub(super) fn check_folder(root: &Path) -> Result<(), DatasetError> {
    let path = root.to_owned();
    match fs::metadata(root) {
        Ok(kind) if kind.is_dir() => Ok(()),
        Ok(_) => Err(DatasetError::NotAFolder { path }),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(DatasetError::MissingFolder { path })
        }
        Err(source) => Err(DatasetError::List { path, source }),
    }
}

/// Why a link is passed over that [`leads_back`].
pub(super) const LOOP: &str = "is a link to a folder it lies in";

/// Whether a link leads to one of the folders above it.
pub(super) fn leads_back(entry: &Entry) -> bool {
    if !matches!(entry.kind, EntryKind::Link) {
        return false;
    }
    let parent = entry.path.parent().unwrap_or(Path::new("."));
    match (fs::canonicalize(&entry.path), fs::canonicalize(parent)) {
        (Ok(target), Ok(parent)) => parent.starts_with(target),
        // What cannot be resolved cannot be listed either.
        _ => true,
    }
}
