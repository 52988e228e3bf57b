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

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

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
                Kind::Folder | Kind::Link => {
                    walk.class(&entry, *split, &format!("{name}/{}", entry.name))?;
                }
                Kind::Image => return Err(DatasetError::NoClassFolder { path: entry.path }),
                Kind::Other(reason) => walk.pass(entry.path, reason),
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
    let folders = entries.filter(|entry| matches!(entry.kind, Kind::Folder | Kind::Link));
    Ok(folders.map(|entry| entry.name).collect())
}

/// An image of the folder.
struct Found {
    path: String,
    class: String,
    split: Split,
}

fn dataset(root: &Path, found: Vec<Found>) -> Result<Dataset, DatasetError> {
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
        if !matches!(entry.kind, Kind::Folder | Kind::Link) {
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

fn check_folder(root: &Path) -> Result<(), DatasetError> {
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

const LOOP: &str = "is a link to a folder it lies in";

/// Whether a link leads to one of the folders above it.
fn leads_back(entry: &Entry) -> bool {
    if !matches!(entry.kind, Kind::Link) {
        return false;
    }
    let parent = entry.path.parent().unwrap_or(Path::new("."));
    match (fs::canonicalize(&entry.path), fs::canonicalize(parent)) {
        (Ok(target), Ok(parent)) => parent.starts_with(target),
        // What cannot be resolved cannot be listed either.
        _ => true,
    }
}

/// One entry of a folder.
struct Entry {
    path: PathBuf,
    name: String,
    kind: Kind,
}

enum Kind {
    Folder,
    /// A link to a folder.
    Link,
    Image,
    Other(&'static str),
}

/// The images found so far and the entries passed over.
struct Walk<'a> {
    passed: &'a mut Vec<Passed>,
    found: Vec<Found>,
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
        let found = |path| Found {
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
                    Kind::Folder => todo.push((entry.path, format!("{path}/"))),
                    Kind::Link => self.pass(entry.path, "is a link to a folder"),
                    Kind::Image => give(path),
                    Kind::Other(reason) => self.pass(entry.path, reason),
                }
            }
        }
        Ok(())
    }
}

/// The entries of a folder but the hidden ones, sorted by name.
fn list(folder: &Path) -> Result<Vec<Entry>, DatasetError> {
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

/// What an entry is; `own` is its type before links are followed.
fn kind(path: &Path, own: fs::FileType) -> Kind {
    let target = if own.is_symlink() {
        match fs::metadata(path) {
            Ok(target) if target.is_dir() => return Kind::Link,
            Ok(target) => target.file_type(),
            Err(_) => return Kind::Other("is a broken link"),
        }
    } else {
        own
    };
    if target.is_dir() {
        return Kind::Folder;
    }
    if !target.is_file() {
        return Kind::Other("is a pipe, socket or device");
    }
    let extension = path.extension().and_then(|text| text.to_str());
    match extension.map(str::to_ascii_lowercase) {
        Some(text) if EXTENSIONS.contains(&text.as_str()) => Kind::Image,
        _ => Kind::Other("is not named as an image"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with an empty file at each path.
    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        folder
    }

    fn read(folder: &tempfile::TempDir) -> Result<Dataset, DatasetError> {
        read_folder(folder.path(), &mut Vec::new())
    }

    #[test]
    fn classes_are_the_sorted_union_and_examples_in_byte_order() {
        let folder = tree(&[
            "validation/dog/b.jpg",
            "train/cat/deep/er/z.PNG",
            "train/cat/a.jpg",
            "train/Zebra/1.jpeg",
            "test/ant/1.webp",
        ]);
        let data = read(&folder).unwrap();
        assert_eq!(data.classes, ["Zebra", "ant", "cat", "dog"]);
        let rows: Vec<_> = data
            .examples
            .iter()
            .map(|e| (e.path.as_str(), e.label, e.split))
            .collect();
        assert_eq!(
            rows,
            [
                ("test/ant/1.webp", 1, Split::Test),
                ("train/Zebra/1.jpeg", 0, Split::Train),
                ("train/cat/a.jpg", 2, Split::Train),
                ("train/cat/deep/er/z.PNG", 2, Split::Train),
                ("validation/dog/b.jpg", 3, Split::Val),
            ]
        );
        assert!(
            data.examples
                .iter()
                .all(|e| e.id == e.path && e.prediction.is_none())
        );
        assert!(data.image_path(&data.examples[0]).exists());
    }

    #[test]
    fn hidden_entries_are_silent_and_others_reported() {
        let folder = tree(&[
            ".git/x.jpg",
            "README.md",
            "extra/cat/1.jpg",
            "val/.DS_Store",
            "val/notes.txt",
            "val/cat/.hidden.jpg",
            "val/cat/1.jpg",
            "val/cat/Thumbs.db",
        ]);
        let mut passed = Vec::new();
        let data = read_folder(folder.path(), &mut passed).unwrap();
        assert_eq!(data.examples.len(), 1);
        let names: Vec<_> = passed
            .iter()
            .map(|p| {
                p.path
                    .strip_prefix(folder.path())
                    .unwrap()
                    .to_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(
            names,
            ["README.md", "extra", "val/cat/Thumbs.db", "val/notes.txt"]
        );
    }

    #[test]
    fn missing_folders_and_files_are_named() {
        let folder = tree(&["file"]);
        let missing = folder.path().join("none");
        let error = read_folder(&missing, &mut Vec::new()).unwrap_err();
        assert!(matches!(&error, DatasetError::MissingFolder { path } if *path == missing));
        assert!(error.to_string().contains("none"));
        let error = read_folder(&folder.path().join("file"), &mut Vec::new()).unwrap_err();
        assert!(
            matches!(error, DatasetError::NotAFolder { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn a_folder_without_splits_says_what_it_has() {
        let folder = tree(&["cat/1.jpg", "dog/1.jpg"]);
        let error = read(&folder).unwrap_err();
        assert!(
            matches!(&error, DatasetError::NoSplits { found, .. } if found == &["cat", "dog"]),
            "{error:?}"
        );
        assert!(matches!(
            read(&tree(&[])).unwrap_err(),
            DatasetError::NoSplits { .. }
        ));
    }

    #[test]
    fn two_folders_of_one_split_are_an_error() {
        let error = read(&tree(&["val/a/1.jpg", "valid/a/1.jpg"])).unwrap_err();
        let DatasetError::AmbiguousSplit { first, second, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!((first.as_str(), second.as_str()), ("val", "valid"));
    }

    #[test]
    fn empty_classes_and_splits_are_errors() {
        let folder = tree(&["train/cat/1.jpg", "train/dog/notes.txt"]);
        let error = read(&folder).unwrap_err();
        let dog = folder.path().join("train/dog");
        assert!(
            matches!(&error, DatasetError::EmptyClass { path } if *path == dog),
            "{error:?}"
        );

        let folder = tree(&["train/cat/1.jpg", "val/.keep"]);
        let error = read(&folder).unwrap_err();
        let val = folder.path().join("val");
        assert!(
            matches!(&error, DatasetError::EmptySplit { path } if *path == val),
            "{error:?}"
        );
    }

    #[test]
    fn an_image_outside_a_class_is_an_error() {
        let error = read(&tree(&["train/1.jpg"])).unwrap_err();
        assert!(
            matches!(error, DatasetError::NoClassFolder { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn ids_equal_but_for_case_are_an_error_naming_both() {
        let error = read(&tree(&["val/cat/A.jpg", "val/cat/a.jpg"])).unwrap_err();
        let DatasetError::DuplicateId { first, second, .. } = error else {
            panic!("{error:?}");
        };
        assert!(first.ends_with("A.jpg") && second.ends_with("a.jpg"));
    }

    #[cfg(unix)]
    #[test]
    fn loops_pipes_and_broken_links_are_passed_over() {
        use std::os::unix::fs::symlink;
        let folder = tree(&["val/cat/1.jpg", "elsewhere/2.jpg"]);
        let at = |path: &str| folder.path().join(path);
        symlink("..", at("val/cat/loop")).unwrap();
        symlink(".", at("val/self")).unwrap();
        symlink("none", at("val/cat/broken.jpg")).unwrap();
        symlink("b.jpg", at("val/cat/a.jpg")).unwrap();
        symlink("a.jpg", at("val/cat/b.jpg")).unwrap();
        symlink(at("elsewhere/2.jpg"), at("val/cat/linked.jpg")).unwrap();
        symlink(at("elsewhere"), at("val/dog")).unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(at("val/cat/pipe.jpg"))
            .status();
        assert!(pipe.unwrap().success());

        let mut passed = Vec::new();
        let data = read_folder(folder.path(), &mut passed).unwrap();
        let paths: Vec<_> = data.examples.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(
            paths,
            ["val/cat/1.jpg", "val/cat/linked.jpg", "val/dog/2.jpg"]
        );
        let names: Vec<_> = passed
            .iter()
            .map(|p| {
                p.path
                    .strip_prefix(folder.path())
                    .unwrap()
                    .to_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(
            names,
            [
                "elsewhere",
                "val/cat/a.jpg",
                "val/cat/b.jpg",
                "val/cat/broken.jpg",
                "val/cat/loop",
                "val/cat/pipe.jpg",
                "val/self",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_text_are_refused() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tree(&["val/cat/1.jpg"]);
        let name = std::ffi::OsStr::from_bytes(b"\xff.jpg");
        fs::write(folder.path().join("val/cat").join(name), b"").unwrap();
        let error = read(&folder).unwrap_err();
        assert!(
            matches!(error, DatasetError::NameNotUtf8 { .. }),
            "{error:?}"
        );
    }
}
