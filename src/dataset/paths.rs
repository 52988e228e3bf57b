//! Paths as tables have them: with either slash, absolute, in another form of the same letters.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::classes::{Classes, composed};
use super::{Contradiction, Dataset, DatasetError, Remarks, Split, checks};

/// A path with `/`, without empty parts and single dots; an absolute one stays absolute.
pub(super) fn clean(given: &str) -> String {
    if given.contains("://") {
        return given.to_owned();
    }
    // No slash of the other kind stands in a path with both.
    let given = if given.contains('/') && !is_drive(given) {
        given.to_owned()
    } else {
        given.replace('\\', "/")
    };
    let parts = given.split('/').filter(|part| !matches!(*part, "" | "."));
    let plain = parts.collect::<Vec<_>>().join("/");
    if given.starts_with('/') {
        format!("/{plain}")
    } else {
        plain
    }
}

/// Whether a path is absolute, here or on Windows.
pub(super) fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || is_drive(path)
}

fn is_drive(path: &str) -> bool {
    matches!(
        path.as_bytes(),
        [b'a'..=b'z' | b'A'..=b'Z', b':', b'/' | b'\\', ..]
    )
}

/// What a folder is called in absolute paths, as it is given and with its links followed; each ends in `/`.
pub(super) fn prefixes(root: &Path) -> Vec<String> {
    let places = [std::path::absolute(root), fs::canonicalize(root)];
    let texts = places.into_iter().flatten();
    let mut prefixes: Vec<String> = texts
        .filter_map(|path| Some(format!("{}/", clean(path.to_str()?))))
        .collect();
    prefixes.dedup();
    prefixes
}

/// Makes paths of a table relative to the root.
pub(super) struct Paths<'a> {
    root: &'a Path,
    roots: Vec<String>,
    /// What absolute paths of another machine begin with, told from the first.
    elsewhere: Option<String>,
    backslashes: bool,
    /// Names in folders by their composed form, of folders that were looked into.
    listed: HashMap<PathBuf, HashMap<String, String>>,
}

impl<'a> Paths<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self {
            root,
            roots: prefixes(root),
            elsewhere: None,
            backslashes: false,
            listed: HashMap::new(),
        }
    }

    /// A path below the root, as the file is called there.
    pub(super) fn plain(
        &mut self,
        given: &str,
        place: impl Fn() -> String,
    ) -> Result<String, DatasetError> {
        let mut path = clean(given);
        self.backslashes |= given.contains('\\') && !path.contains('\\');
        if is_absolute(&path) {
            path = self.below(&path).unwrap_or(path);
        }
        checks::path(&path, place)?;
        if !path.is_ascii()
            && let Some(found) = self.on_disk(&path)
        {
            return Ok(found);
        }
        Ok(path)
    }

    /// What of an absolute path is below the root.
    fn below(&mut self, path: &str) -> Option<String> {
        let known = self.roots.iter().chain(&self.elsewhere);
        for prefix in known {
            if let Some(rest) = path.strip_prefix(prefix.as_str()) {
                return Some(rest.to_owned());
            }
        }
        if self.elsewhere.is_some() {
            return None;
        }
        // The longest end of it that is a file here.
        let slashes = path.match_indices('/').map(|(at, _)| at + 1);
        let at = slashes
            .filter(|at| *at < path.len())
            .find(|at| self.root.join(&path[*at..]).is_file())?;
        self.elsewhere = Some(path[..at].to_owned());
        Some(path[at..].to_owned())
    }

    /// The path of a file whose name is the same in composed form; none if the path itself is there, or none is.
    fn on_disk(&mut self, path: &str) -> Option<String> {
        if self.root.join(path).exists() {
            return None;
        }
        let mut found = String::new();
        for part in path.split('/') {
            let folder = self.root.join(&found);
            let names = self.listed.entry(folder).or_insert_with_key(|folder| {
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
                names.map(|name| (composed(&name), name)).collect()
            });
            let name = names.get(&composed(part))?;
            if !found.is_empty() {
                found.push('/');
            }
            found.push_str(name);
        }
        Some(found)
    }

    /// Says how paths were read.
    pub(super) fn say(&self, table: &Path, remarks: &mut Remarks) {
        let table = table.display();
        if self.backslashes {
            remarks.take(format!("{table}: backslashes in paths are read as /"));
        }
        if let Some(prefix) = &self.elsewhere {
            remarks.take(format!(
                "{table}: what begins with {prefix} is taken for what lies in {}",
                self.root.display()
            ));
        }
    }
}

/// Holds the columns of a table against the folders in its paths.
///
/// A folder named after a split or a class that is not the row's is a contradiction. A split whose name no
/// path has a folder for was cut from another (val from train, mostly), which is said. A folder counts as that
/// of a class where all paths have one there.
pub(super) fn check_folders(
    dataset: &Dataset,
    place: impl Fn(usize) -> String,
    remarks: &mut Remarks,
) -> Result<(), DatasetError> {
    let classes = Classes::new(dataset.classes());
    let (named, levels) = named_folders(dataset, &classes);
    let mut moved: HashMap<(Split, Split), usize> = HashMap::new();
    for (index, example) in dataset.examples().iter().enumerate() {
        let parts = folders(&example.path);
        let contradiction = |column, said: &str, folder: &str| Contradiction::OfPath {
            place: place(index),
            column,
            said: said.to_owned(),
            path: example.path.clone(),
            folder: folder.to_owned(),
        };
        let splits: Vec<(&String, Split)> = parts
            .iter()
            .filter_map(|part| Some((part, part.parse().ok()?)))
            .collect();
        match splits.first() {
            Some((folder, of_folder)) if splits.iter().all(|(_, s)| *s != example.split) => {
                if named.contains(&example.split) {
                    return Err(contradiction("split", example.split.name(), folder).into());
                }
                *moved.entry((*of_folder, example.split)).or_default() += 1;
            }
            _ => {}
        }
        let of_class = parts.iter().zip(&levels).filter(|(_, level)| **level);
        let of_class: Vec<&String> = of_class.map(|(part, _)| part).collect();
        let own = |part: &&&String| classes.of_name(part) == Some(example.label);
        if let (Some(folder), None) = (of_class.first(), of_class.iter().find(own)) {
            let label = &dataset.classes()[example.label];
            return Err(contradiction("label", label, folder).into());
        }
    }
    let mut moved: Vec<((Split, Split), usize)> = moved.into_iter().collect();
    moved.sort_unstable();
    for ((folder, split), count) in moved {
        remarks.doubt(format!(
            "{count} examples of split {split} lie in a folder named {folder}, and there is none named {split}: were \
             they cut from {folder}? The classifier must not have been trained on val and test"
        ));
    }
    Ok(())
}

/// The folders that a path leads through.
fn folders(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.split('/').map(composed).collect();
    parts.pop();
    parts
}

/// The splits that folders are named after; and, by depth, whether all paths have the name of a class there.
fn named_folders(dataset: &Dataset, classes: &Classes<'_>) -> (Vec<Split>, Vec<bool>) {
    let mut named: Vec<Split> = Vec::new();
    let mut levels: Option<Vec<bool>> = None;
    for example in dataset.examples() {
        let parts = folders(&example.path);
        for split in parts.iter().filter_map(|part| part.parse().ok()) {
            if !named.contains(&split) {
                named.push(split);
            }
        }
        let is_class: Vec<bool> = parts
            .iter()
            .map(|part| classes.of_name(part).is_some())
            .collect();
        let levels = levels.get_or_insert_with(|| is_class.clone());
        levels.truncate(is_class.len());
        for (level, is) in levels.iter_mut().zip(is_class) {
            *level &= is;
        }
    }
    (named, levels.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dataset::Example;

    #[test]
    fn slashes_of_both_kinds_and_dots() {
        for (given, wanted) in [
            ("./a//b.png", "a/b.png"),
            ("val\\cat\\1.png", "val/cat/1.png"),
            (".\\val\\1.png", "val/1.png"),
            ("C:\\data\\val\\1.png", "C:/data/val/1.png"),
            ("C:/data\\val/1.png", "C:/data/val/1.png"),
            ("/data//val/1.png", "/data/val/1.png"),
            // A name of this system.
            ("val/a\\b.png", "val/a\\b.png"),
            ("https://example.org//a", "https://example.org//a"),
        ] {
            assert_eq!(clean(given), wanted);
        }
    }

    #[test]
    fn absolute_paths_are_those_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("val/cafe\u{301}")).unwrap();
        for name in ["val/1.png", "val/2.png", "val/cafe\u{301}/3.png"] {
            fs::write(root.join(name), "").unwrap();
        }
        let mut paths = Paths::new(root);
        let mut plain = |given: &str| paths.plain(given, || "row".to_owned());
        let own = root.join("val/1.png");
        assert_eq!(plain(own.to_str().unwrap()).unwrap(), "val/1.png");
        // Of another machine: told from the first, and alike from then on.
        assert_eq!(plain("D:\\me\\cats\\val\\1.png").unwrap(), "val/1.png");
        assert_eq!(plain("D:\\me\\cats\\val\\9.png").unwrap(), "val/9.png");
        for bad in [
            "/etc/passwd",
            "D:\\you\\cats\\val\\1.png",
            "../x.png",
            "..\\x.png",
        ] {
            let error = plain(bad).unwrap_err();
            assert!(
                matches!(error, DatasetError::BadPath { .. }),
                "{bad}: {error:?}"
            );
        }
        // Another form of the same letters.
        assert_eq!(
            plain("val/caf\u{e9}/3.png").unwrap(),
            "val/cafe\u{301}/3.png"
        );
        assert_eq!(plain("val/caf\u{e9}/4.png").unwrap(), "val/caf\u{e9}/4.png");
    }

    /// What is said of examples of these paths, labels and splits; classes are cat and dog.
    fn checked(rows: &[(&str, usize, Split)]) -> Result<Vec<String>, String> {
        let examples = rows
            .iter()
            .map(|(path, label, split)| Example::new((*path).to_owned(), *label, *split));
        let classes = ["cat", "dog"].map(str::to_owned).to_vec();
        let data = Dataset::new(PathBuf::new(), classes, examples.collect()).unwrap();
        let mut remarks = Remarks::default();
        let place = |index| format!("line {}", index + 2);
        check_folders(&data, place, &mut remarks).map_err(|error| error.to_string())?;
        Ok(remarks.doubts)
    }

    #[test]
    fn a_folder_of_another_split_or_class_is_a_contradiction() {
        let good = ("train/cat/1.png", 0, Split::Train);
        let error = checked(&[good, ("val/cat/1.png", 0, Split::Train)]).unwrap_err();
        assert!(
            error.starts_with("line 3: its split is \"train\"") && error.contains("\"val\""),
            "{error}"
        );
        let error = checked(&[good, ("train/dog/2.png", 0, Split::Train)]).unwrap_err();
        assert!(
            error.starts_with("line 3: its label is \"cat\"") && error.contains("\"dog\""),
            "{error}"
        );
        assert_eq!(
            checked(&[good, ("train/dog/2.png", 1, Split::Train)]),
            Ok(vec![])
        );
    }

    #[test]
    fn a_split_without_a_folder_was_cut_from_another() {
        let said = checked(&[
            ("train/1.png", 0, Split::Train),
            ("train/2.png", 0, Split::Val),
            ("test/1.png", 1, Split::Test),
        ]);
        let said = said.unwrap();
        assert!(
            said[0].starts_with("1 examples of split val lie in a folder named train"),
            "{said:?}"
        );
    }

    #[test]
    fn a_folder_that_is_no_class_for_all_says_nothing_of_classes() {
        let rows = [
            ("cat/train/1.png", 0, Split::Train),
            ("dog/train/1.png", 0, Split::Train),
            ("kennel/train/1.png", 1, Split::Train),
        ];
        assert_eq!(checked(&rows), Ok(vec![]));
    }
}
