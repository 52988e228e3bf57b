//! ImageFolder: `ROOT/SPLIT/CLASS/…/IMAGE`.
//!
//! Classes are the union over the splits, sorted as strings, as torchvision numbers them. Examples
//! stand in bytewise order of their path, which is their id. An image is a file whose name ends as
//! images' names do; what it really holds is found when it is decoded.
//!
//! Names beginning with a dot are passed over silently; anything else that is no image and no
//! folder is reported. A link to a file counts as the file. A link to a folder is followed where it
//! stands for a split or a class, and nowhere below; one that leads back to a folder it lies in is
//! reported and passed over, so no walk is endless.

mod entries;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use self::entries::{Entry, EntryKind, LOOP, check_folder, leads_back, list};
use super::{Dataset, DatasetError, Example, Split, checks};

/// What the names of images end in, in lower case.
pub(super) const EXTENSIONS: [&str; 9] = [
    "jpg", "jpeg", "jpe", "png", "webp", "bmp", "tif", "tiff", "gif",
];

/// An entry of the folder that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The file or folder.
    pub path: PathBuf,
    /// Why it is not used.
    pub reason: &'static str,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Reads an ImageFolder; entries that are not used are added to `passed`, in path order.
///
/// # Errors
///
/// A missing folder, no split, two folders of one split, an image outside a class folder, an empty
/// split or class, names that are not UTF-8, and the checks of [`Dataset::new`].
pub fn read_folder(root: &Path, passed: &mut Vec<Passed>) -> Result<Dataset, DatasetError> {
    let mut walk = Walk {
        passed,
        found: Vec::new(),
    };
    let splits = split_folders(root, &mut walk)?;
    for (split, name) in &splits {
        let folder = root.join(name);
        let before = walk.found.len();
        for entry in list(&folder)? {
            match entry.kind {
                EntryKind::Folder | EntryKind::Link => {
                    walk.class(&entry, *split, &format!("{name}/{}", entry.name))?;
                }
                EntryKind::Image => return Err(DatasetError::NoClassFolder { path: entry.path }),
                EntryKind::Other(reason) => walk.pass(entry.path, reason),
            }
        }
        if walk.found.len() == before {
            return Err(DatasetError::EmptySplit { path: folder });
        }
    }
    let Walk { mut found, .. } = walk;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    passed.sort_by(|a, b| a.path.cmp(&b.path));
    dataset(root, found)
}

/// Every image below a folder, by its path below it with `/`, in bytewise order; entries that are
/// not used are added to `passed`, in path order.
///
/// # Errors
///
/// A missing folder, one that cannot be listed, and names that are not UTF-8.
pub fn images_below(root: &Path, passed: &mut Vec<Passed>) -> Result<Vec<String>, DatasetError> {
    check_folder(root)?;
    let mut walk = Walk {
        passed,
        found: Vec::new(),
    };
    let mut paths = Vec::new();
    walk.below(root, "", |path| paths.push(path))?;
    paths.sort();
    passed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(paths)
}

/// The names of the folders in a folder, links to folders among them, sorted.
pub(super) fn folders(root: &Path) -> Result<Vec<String>, DatasetError> {
    check_folder(root)?;
    let entries = list(root)?.into_iter();
    let folders = entries.filter(|entry| matches!(entry.kind, EntryKind::Folder | EntryKind::Link));
    Ok(folders.map(|entry| entry.name).collect())
}

/// An image of the folder.
struct FoundImage {
    path: String,
    class: String,
    split: Split,
}

fn dataset(root: &Path, found: Vec<FoundImage>) -> Result<Dataset, DatasetError> {
    let mut indices: BTreeMap<String, usize> =
        found.iter().map(|image| (image.class.clone(), 0)).collect();
    for (index, slot) in indices.values_mut().enumerate() {
        *slot = index;
    }
    let examples = found
        .into_iter()
        .map(|image| Example::new(image.path, indices[&image.class], image.split))
        .collect();
    let dataset = Dataset {
        root: root.to_owned(),
        classes: indices.into_keys().collect(),
        examples,
    };
    checks::check(&dataset, |index| {
        dataset
            .image_path(&dataset.examples[index])
            .display()
            .to_string()
    })?;
    Ok(dataset)
}

/// The folders of the root that are splits, by their order of work.
fn split_folders(
    root: &Path,
    walk: &mut Walk<'_>,
) -> Result<BTreeMap<Split, String>, DatasetError> {
    check_folder(root)?;
    let mut splits = BTreeMap::new();
    let mut folders = Vec::new();
    for entry in list(root)? {
        if !matches!(entry.kind, EntryKind::Folder | EntryKind::Link) {
            walk.pass(entry.path, "lies beside the splits");
            continue;
        }
        folders.push(entry.name.clone());
        let Ok(split) = entry.name.parse::<Split>() else {
            walk.pass(entry.path, "is named after no split");
            continue;
        };
        if leads_back(&entry) {
            walk.pass(entry.path, LOOP);
            continue;
        }
        if let Some(first) = splits.insert(split, entry.name.clone()) {
            return Err(DatasetError::AmbiguousSplit {
                root: root.to_owned(),
                first,
                second: entry.name,
            });
        }
    }
    if splits.is_empty() {
        return Err(DatasetError::NoSplits {
            root: root.to_owned(),
            found: folders,
        });
    }
    Ok(splits)
}

/// The images found so far and the entries passed over.
struct Walk<'a> {
    passed: &'a mut Vec<Passed>,
    found: Vec<FoundImage>,
}

impl Walk<'_> {
    fn pass(&mut self, path: PathBuf, reason: &'static str) {
        self.passed.push(Passed { path, reason });
    }

    /// Takes the images of a class folder; `relative` is its path below the root.
    fn class(&mut self, entry: &Entry, split: Split, relative: &str) -> Result<(), DatasetError> {
        if leads_back(entry) {
            self.pass(entry.path.clone(), LOOP);
            return Ok(());
        }
        let mut paths = Vec::new();
        self.below(&entry.path, &format!("{relative}/"), |path| {
            paths.push(path);
        })?;
        if paths.is_empty() {
            let path = entry.path.clone();
            return Err(DatasetError::EmptyClass { path });
        }
        let found = |path| FoundImage {
            path,
            class: entry.name.clone(),
            split,
        };
        self.found.extend(paths.into_iter().map(found));
        Ok(())
    }

    /// Gives the images below a folder; their paths begin with `prefix`.
    fn below(
        &mut self,
        folder: &Path,
        prefix: &str,
        mut give: impl FnMut(String),
    ) -> Result<(), DatasetError> {
        // Folders still to list, with what the paths in them begin with. Depth costs no stack.
        let mut todo = vec![(folder.to_owned(), prefix.to_owned())];
        while let Some((folder, prefix)) = todo.pop() {
            for entry in list(&folder)? {
                let path = format!("{prefix}{}", entry.name);
                match entry.kind {
                    EntryKind::Folder => todo.push((entry.path, format!("{path}/"))),
                    EntryKind::Link => self.pass(entry.path, "is a link to a folder"),
                    EntryKind::Image => give(path),
                    EntryKind::Other(reason) => self.pass(entry.path, reason),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
