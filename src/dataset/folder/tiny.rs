//! Tiny-ImageNet's val, whose images lie in one folder with their labels in a list.
//!
//! Source: `tiny-imagenet-200.zip` of Stanford's `CS231n`: `val/images/val_0.JPEG`, and in `val/val_annotations.txt`
//! a line an image, `val_0.JPEG<TAB>n03444034<TAB>` and a box. `test/images/` has no labels.

use std::collections::BTreeSet;
use std::path::Path;

use super::entries::list;
use super::{EntryKind, FoundImage, Walk};
use crate::dataset::records::Location;
use crate::dataset::{DatasetError, Passed, Split, images_below};
use crate::io;

/// The name of the list.
pub(in crate::dataset) const ANNOTATIONS: &str = "val_annotations.txt";

/// The folder of the images.
const IMAGES: &str = "images";

/// The images of a split that is laid out so; none for another.
pub(super) fn of_split(
    folder: &Path,
    name: &str,
    split: Split,
    walk: &mut Walk<'_>,
) -> Result<Option<Vec<FoundImage>>, DatasetError> {
    let entries = list(folder)?;
    let is_folder = |kind: &EntryKind| matches!(kind, EntryKind::Folder | EntryKind::Link);
    let mut folders = entries.iter().filter(|entry| is_folder(&entry.kind));
    let only = folders.next().is_some_and(|entry| entry.name == IMAGES) && folders.next().is_none();
    if !only {
        return Ok(None);
    }
    if folder.join(ANNOTATIONS).is_file() {
        let images = annotated(folder, walk.passed)?;
        let found = images.into_iter().map(|(path, class)| FoundImage {
            path: format!("{name}/{path}"),
            class,
            split,
        });
        return Ok(Some(found.collect()));
    }
    // Its test, beside a val with labels.
    let beside = folder
        .parent()
        .map(|root| root.join("val").join(ANNOTATIONS));
    if split == Split::Test && beside.is_some_and(|list| list.is_file()) {
        let reason = "has images without labels";
        walk.pass(folder.join(IMAGES), reason);
        return Ok(Some(Vec::new()));
    }
    Ok(None)
}

/// The images of a folder with a list, by their paths below it, each with its label.
///
/// # Errors
///
/// Lines that are no name and label, names that are listed twice or are not there, and images that are not listed.
pub(in crate::dataset) fn annotated(
    folder: &Path,
    passed: &mut Vec<Passed>,
) -> Result<Vec<(String, String)>, DatasetError> {
    let list = folder.join(ANNOTATIONS);
    let listed = images_below(&folder.join(IMAGES), passed)?;
    let mut images: BTreeSet<String> = listed.into_iter().collect();
    let mut found = Vec::with_capacity(images.len());
    for (text, line) in io::read_to_string(&list)?.lines().zip(1..) {
        let place = || Location { path: &list, line }.to_string();
        let mut cells = text.split_whitespace();
        let (name, class) = match (cells.next(), cells.next()) {
            (None, _) => continue,
            (Some(name), Some(class)) => (name, class),
            (Some(_), None) => {
                return Err(DatasetError::BadLine {
                    place: place(),
                    expected: "the name of an image and its class".to_owned(),
                });
            }
        };
        if !images.remove(name) {
            return Err(DatasetError::Disagreement {
                place: place(),
                name: name.to_owned(),
                reason: "is not in images/, or is listed twice",
            });
        }
        found.push((format!("{IMAGES}/{name}"), class.to_owned()));
    }
    match images.into_iter().next() {
        None => Ok(found),
        Some(name) => Err(DatasetError::Disagreement {
            place: list.display().to_string(),
            name,
            reason: "is in images/ and not in this list",
        }),
    }
}
