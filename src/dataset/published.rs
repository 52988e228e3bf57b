//! What the readers of published layouts share: names of classes, of splits, of files.

use std::path::{Path, PathBuf};

use super::{DatasetError, Layout, Split};

/// What images without and with an attribute are called: words, as captions say them.
pub(super) fn absent_present(attribute: &str) -> [String; 2] {
    let words = attribute.replace('_', " ");
    [format!("no {words}"), words]
}

/// The split that a path names: the first of its words that is one's name.
pub(super) fn split_of(path: &str) -> Option<Split> {
    let mut words = path.split(['/', '-', '_', '.']);
    words.find_map(|word| word.parse().ok())
}

/// The first of some files or folders that is there.
pub(super) fn first_of(
    root: &Path,
    layout: Layout,
    names: &[&str],
) -> Result<PathBuf, DatasetError> {
    let mut places = names.iter().map(|name| root.join(name));
    places
        .find(|place| place.exists())
        .ok_or_else(|| DatasetError::MissingFile {
            root: root.to_owned(),
            layout,
            names: names.iter().map(|&name| name.to_owned()).collect(),
        })
}
