//! What the readers of published layouts share: names of classes, of splits, of files.

use std::path::{Path, PathBuf};

use super::{Contradiction, DatasetError, Layout, Split};

/// What images without and with an attribute are called: words, as captions say them.
pub(super) fn absent_present(attribute: &str) -> [String; 2] {
    let words = attribute.replace('_', " ");
    [format!("no {words}"), words]
}

/// The split that a path below `root` names: its file's own name says it, else the folder that it is in, else the
/// one above; none if none of them does.
///
/// A name says a split where one of its words is a split's name. Words are what stands between other characters
/// than letters, as `datasets` takes them (`NON_WORDS_CHARS` in `data_files.py` at 4.0): `train2017` says train,
/// `latest-000.tar` says nothing.
///
/// # Errors
///
/// [`Contradiction::Splits`] for a name with the names of two splits, where no name below it says one.
pub(super) fn split_of(root: &Path, path: &str) -> Result<Option<Split>, DatasetError> {
    for name in path.rsplit('/') {
        let words = name.split(|c: char| !c.is_alphabetic());
        let mut splits = words.filter_map(|word| word.parse::<Split>().ok());
        let Some(first) = splits.next() else {
            continue;
        };
        return match splits.find(|split| *split != first) {
            None => Ok(Some(first)),
            Some(second) => Err(Contradiction::Splits {
                place: root.display().to_string(),
                name: name.to_owned(),
                first: first.to_string(),
                second: second.to_string(),
            }
            .into()),
        };
    }
    Ok(None)
}

/// The folder of a data set: the one that was given, or the one of this name in it, as torchvision's loaders have
/// it.
pub(super) fn inner(root: &Path, name: &str, is_there: impl Fn(&Path) -> bool) -> PathBuf {
    let below = root.join(name);
    if !is_there(root) && is_there(&below) {
        return below;
    }
    root.to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_next_to_the_file_says_the_split() {
        let root = Path::new("/data");
        for (path, wanted) in [
            ("val_and_test/test-000000.tar", Some(Split::Test)),
            ("train_val_test/000-val.tar", Some(Split::Val)),
            ("train/test/000000.tar", Some(Split::Test)),
            ("validation/pets-000000.tar", Some(Split::Val)),
            ("data/train-00000-of-00002.parquet", Some(Split::Train)),
            ("coco/train2017.tar", Some(Split::Train)),
            ("training set/0.tar", Some(Split::Train)),
            ("latest-000.tar", None),
            ("contest/trainer-0.tar", None),
            ("trainval.tar", None),
        ] {
            assert_eq!(split_of(root, path).unwrap(), wanted, "{path}");
        }
        for path in [
            "train_val.tar",
            "train_val_test/000.tar",
            "val-test/pets.tar",
        ] {
            let error = split_of(root, path).unwrap_err();
            assert!(
                matches!(&error, DatasetError::Contradiction(two) if matches!(**two, Contradiction::Splits { .. })),
                "{path}: {error:?}"
            );
        }
        assert_eq!(
            split_of(root, "train-training.tar").unwrap(),
            Some(Split::Train)
        );
    }
}
