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

//!
//! `SPLIT/images/` with the labels in `SPLIT/val_annotations.txt` is Tiny-ImageNet's val, and read as such.

mod entries;
mod tiny;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use self::entries::{Entry, EntryKind, LOOP, check_folder, leads_back, list};
use super::classes::{Classes, composed};
use super::labels::Labels;
use super::{Dataset, DatasetError, Example, Remarks, Split, checks};

pub(super) use self::entries::list_of_names;
pub(super) use self::tiny::{ANNOTATIONS, annotated};

/// What the names of images end in, in lower case.
pub(super) const EXTENSIONS: [&str; 14] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif", "ppm", "pgm", "pbm",
    "pnm",
];

/// What the names of images end in that are not read, in lower case.
pub(super) const UNREAD: [&str; 12] = [
    "avif", "heic", "heif", "jxl", "jp2", "j2k", "svg", "dcm", "tga", "ico", "psd", "npy",
];

/// Why an entry is passed over that is one of these.
const UNREAD_IMAGE: &str = "is in a format that is not read: convert it to PNG or JPEG";

/// An entry of the folder that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The file or folder.
    pub path: PathBuf,
    /// Why it is not used.
    pub reason: &'static str,
}

impl Passed {
    /// Whether it is an image by its name, of a format that is not read.
    pub fn is_unread_image(&self) -> bool {
        self.reason == UNREAD_IMAGE
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Reads an ImageFolder. `classes` are the names in the classifier's order, all of the folder's among them; it
/// may have more. Entries that are not used are added to `remarks`, in path order.
///
/// # Errors
///
/// A missing folder, no split, two folders of one split, an image outside a class folder, an empty
/// split or class, a class that `classes` lacks, names that are not UTF-8, and the checks of [`Dataset::new`].
pub fn read_folder(
    root: &Path,
    classes: Option<&[String]>,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    let mut walk = Walk {
        passed: &mut remarks.passed,
        found: Vec::new(),
    };
    let splits = split_folders(root, &mut walk)?;
    let mut annotated = Vec::new();
    for (split, name) in &splits {
        let folder = root.join(name);
        if let Some(of_split) = tiny::of_split(&folder, name, *split, &mut walk)? {
            annotated.push(folder);
            walk.found.extend(of_split);
            continue;
        }
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
            return Err(other_form(root).unwrap_or(DatasetError::EmptySplit { path: folder }));
        }
    }
    let Walk { found, .. } = walk;
    remarks.passed.sort_by(|a, b| a.path.cmp(&b.path));
    for folder in annotated {
        remarks.take(format!(
            "{}: images are labelled by {ANNOTATIONS}, as Tiny-ImageNet has it",
            folder.display()
        ));
    }
    dataset(root, found, classes, remarks)
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

/// The data set of the images that were found, in bytewise order of their paths.
fn dataset(
    root: &Path,
    mut found: Vec<FoundImage>,
    given: Option<&[String]>,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let mut missing: BTreeMap<String, usize> = BTreeMap::new();
    found.retain(|image| {
        let keep = !Labels::is_missing(&image.class, given);
        if !keep {
            *missing.entry(image.class.clone()).or_default() += 1;
        }
        keep
    });
    for (class, count) in missing {
        remarks.doubt(format!(
            "{count} images lie in folders named {class:?}, which says that their label is not known, and are passed \
             over; if it is the name of a class, list it with the others in data.classes"
        ));
    }
    let mut own: Vec<String> = found.iter().map(|image| image.class.clone()).collect();
    own.sort();
    own.dedup();
    let names = given.map_or(own, <[String]>::to_vec);
    let classes = Classes::new(&names);
    let mut examples = Vec::with_capacity(found.len());
    for image in found {
        let label = classes.of_name(&image.class);
        let label = label.ok_or_else(|| DatasetError::UnknownClass {
            place: root.join(&image.path).display().to_string(),
            column: "folder".to_owned(),
            name: image.class,
            known: names.clone(),
        })?;
        examples.push(Example::new(image.path, label, image.split));
    }
    if examples.is_empty() {
        return Err(DatasetError::NoExamples {
            path: root.to_owned(),
        });
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes: names,
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
        let is_split = |name: &String| name.parse::<Split>().is_ok();
        let below = folders.iter().find(|name| {
            let inner = list_of_names(&root.join(name));
            inner.iter().any(is_split)
        });
        let below = below.map(|name| root.join(name));
        let none = DatasetError::NoSplits {
            root: root.to_owned(),
            below,
            found: folders,
        };
        return Err(other_form(root).unwrap_or(none));
    }
    Ok(splits)
}

/// The error for a class without images that are read; what it has instead is said.
pub(super) fn empty_class(folder: &Path, passed: &[Passed]) -> DatasetError {
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    for passed in passed
        .iter()
        .filter(|passed| passed.path.starts_with(folder))
    {
        let extension = passed.path.extension().and_then(|text| text.to_str());
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        *unread.entry(extension).or_default() += 1;
    }
    let most = unread.into_iter().max_by_key(|(_, count)| *count);
    DatasetError::EmptyClass {
        path: folder.to_owned(),
        found: most.map(|(extension, count)| {
            let named = if extension.is_empty() {
                "files without an ending".to_owned()
            } else {
                format!(".{extension} files")
            };
            format!("{count} {named}, which are not read")
        }),
    }
}

/// The error for a folder, or folders in it, of files that another reader takes, or that none takes.
pub(super) fn other_form(root: &Path) -> Option<DatasetError> {
    const FORMS: [(&str, &str, &str); 3] = [
        (
            ".arrow",
            "Arrow files, as save_to_disk writes them",
            "write each split as Parquet, load_from_disk(DIR)[\"train\"].to_parquet(\"train.parquet\"), and give \
             --dataset hf",
        ),
        (
            ".parquet",
            "Parquet files",
            "give --dataset hf, or one file as --table",
        ),
        (".tar", "tar files", "give --dataset webdataset"),
    ];
    let mut names = list_of_names(root);
    let inner = names.clone().into_iter();
    names.extend(inner.flat_map(|name| list_of_names(&root.join(name))));
    let found = |end: &str| {
        names
            .iter()
            .any(|name| name.to_ascii_lowercase().ends_with(end))
    };
    let (_, found, remedy) = FORMS.into_iter().find(|(end, ..)| found(end))?;
    Some(DatasetError::OtherForm {
        path: root.to_owned(),
        found: found.to_owned(),
        remedy,
    })
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
            return Err(empty_class(&entry.path, self.passed));
        }
        let found = |path| FoundImage {
            path,
            class: composed(&entry.name),
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
