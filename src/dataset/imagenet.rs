//! ImageNet (ILSVRC 2012) as PyTorch users and Kaggle lay it out: `train/SYNSET/`, `val/`, and
//! perhaps `test/SYNSET/`, at the root or in `ILSVRC/Data/CLS-LOC/`.
//!
//! `val/` has synset folders, or the images flat with `LOC_val_solution.csv`. Classes stand in the
//! order of their synsets, as torchvision numbers them, and are named by a class index:
//! `imagenet_class_index.json` or `LOC_synset_mapping.txt`; without one, by the synset.
//! `ILSVRC2012_validation_ground_truth.txt` is refused: its numbers are defined in a MATLAB file and
//! are not the order of the synsets.
//!
//! Names of several classes (crane, cardigan) have the synset after them.
//!
//! Subsets (Imagenette, Imagewoof) are laid out alike, and Tiny-ImageNet nearly: its `val/images/` is labelled by
//! `val_annotations.txt`, its `test/images/` by nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::folder::{ANNOTATIONS, annotated, empty_class, folders};
use super::records::{self, Location};
use super::{
    Dataset, DatasetError, Example, Layout, LayoutOptions, Passed, Remarks, Split, checks,
    images_below,
};
use crate::io::{self, IoError};

const LAYOUT: Layout = Layout::ImageNet;

/// Where Kaggle's archive has the images.
const KAGGLE: &str = "ILSVRC/Data/CLS-LOC/";

/// The labels of a flat `val/`.
const SOLUTION: &str = "LOC_val_solution.csv";

/// Labels that cannot be read by themselves.
const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";

/// An image and the synset it shows.
struct LabelledImage {
    path: String,
    synset: String,
    split: Split,
    /// Where the synset was read.
    place: String,
}

/// Reads ImageNet.
pub(super) fn read(
    root: &Path,
    options: &LayoutOptions,
    remarks: &mut Remarks,
) -> Result<Dataset, DatasetError> {
    options.no_choice(LAYOUT)?;
    let kaggle = root.join(KAGGLE).is_dir();
    let base = if kaggle { KAGGLE } else { "" };
    let mut found = Vec::new();
    for split in [Split::Train, Split::Val, Split::Test] {
        let folder = format!("{base}{split}");
        if root.join(&folder).is_dir() {
            of_split(root, &folder, split, &mut remarks.passed, &mut found)?;
        }
    }
    if found.is_empty() {
        return Err(DatasetError::NoExamples {
            path: root.join(base),
        });
    }
    let index = match class_index(root)? {
        Some(index) => index,
        None => found
            .iter()
            .map(|image| (image.synset.clone(), image.synset.clone()))
            .collect(),
    };
    let classes = options.classes(LAYOUT, index.values().cloned().collect(), remarks)?;
    let places = classes.place.iter().copied();
    let labels: HashMap<&str, usize> = index.keys().map(String::as_str).zip(places).collect();
    let mut examples = Vec::with_capacity(found.len());
    for image in found {
        let label = labels.get(image.synset.as_str()).copied();
        let label = label.ok_or_else(|| DatasetError::UnknownClass {
            place: image.place,
            column: "synset".to_owned(),
            name: image.synset,
            known: index.keys().cloned().collect(),
        })?;
        examples.push(Example::new(image.path, label, image.split));
    }
    let dataset = Dataset {
        root: root.to_owned(),
        classes: classes.classes,
        examples,
    };
    checks::check(&dataset, |index| {
        let path = dataset.image_path(&dataset.examples[index]);
        path.display().to_string()
    })?;
    Ok(dataset)
}

/// Adds the images of a split's folder.
fn of_split(
    root: &Path,
    folder: &str,
    split: Split,
    passed: &mut Vec<Passed>,
    found: &mut Vec<LabelledImage>,
) -> Result<(), DatasetError> {
    let place = root.join(folder);
    let synsets = folders(&place)?;
    // Tiny-ImageNet's splits without synset folders.
    let tiny = synsets == ["images"];
    if tiny && place.join(ANNOTATIONS).is_file() {
        let list = place.join(ANNOTATIONS).display().to_string();
        let images = annotated(&place, passed)?.into_iter();
        found.extend(images.map(|(path, synset)| LabelledImage {
            path: format!("{folder}/{path}"),
            synset,
            split,
            place: list.clone(),
        }));
        return Ok(());
    }
    if synsets.is_empty() || tiny && split == Split::Test {
        if split == Split::Val {
            return flat(root, folder, passed, found);
        }
        let reason = "has no synset folders, so no labels";
        passed.push(Passed {
            path: place,
            reason,
        });
        return Ok(());
    }
    for synset in synsets {
        let place = place.join(&synset);
        let images = images_below(&place, passed)?;
        if images.is_empty() {
            return Err(empty_class(&place, passed));
        }
        found.extend(images.into_iter().map(|image| LabelledImage {
            path: format!("{folder}/{synset}/{image}"),
            synset: synset.clone(),
            split,
            place: place.display().to_string(),
        }));
    }
    Ok(())
}

/// Adds the images of a `val/` without synset folders, labelled by Kaggle's table.
fn flat(
    root: &Path,
    folder: &str,
    passed: &mut Vec<Passed>,
    found: &mut Vec<LabelledImage>,
) -> Result<(), DatasetError> {
    let table = root.join(SOLUTION);
    if !table.exists() {
        let truth = root.join(GROUND_TRUTH);
        return Err(if truth.exists() {
            DatasetError::Disagreement {
                place: truth.display().to_string(),
                name: folder.to_owned(),
                reason: "cannot be labelled by this file, whose numbers are not the order of the \
                         synsets: sort the images into synset folders, or add LOC_val_solution.csv",
            }
        } else {
            DatasetError::MissingFile {
                root: root.to_owned(),
                layout: LAYOUT,
                names: vec![SOLUTION.to_owned(), format!("{folder}/SYNSET/")],
            }
        });
    }
    let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let images = images_below(&root.join(folder), passed)?;
    let mut images: BTreeMap<String, String> =
        images.into_iter().map(|name| (stem(&name), name)).collect();
    let disagreement = |place: String, name: &str, reason| DatasetError::Disagreement {
        place,
        name: name.to_owned(),
        reason,
    };
    records::for_each(&table, &mut |row| {
        let id = row.required("ImageId")?;
        let boxes = row.required("PredictionString")?;
        let place = row.place.to_string();
        let Some(name) = images.remove(&id) else {
            let reason = "is not in val, or is listed twice";
            return Err(disagreement(place, &id, reason));
        };
        // A synset and its box, perhaps several times.
        let synset = boxes.split_whitespace().next().unwrap_or_default();
        found.push(LabelledImage {
            path: format!("{folder}/{name}"),
            synset: synset.to_owned(),
            split: Split::Val,
            place,
        });
        Ok(())
    })?;
    match images.into_values().next() {
        None => Ok(()),
        Some(name) => {
            let place = table.display().to_string();
            Err(disagreement(
                place,
                &name,
                "is in val and not in this table",
            ))
        }
    }
}

/// The name of every class by its synset, where the data has a class index.
fn class_index(root: &Path) -> Result<Option<BTreeMap<String, String>>, DatasetError> {
    let json = root.join("imagenet_class_index.json");
    let text = root.join("LOC_synset_mapping.txt");
    let names = if json.exists() {
        from_json(&json)?
    } else if text.exists() {
        from_lines(&text)?
    } else {
        return Ok(None);
    };
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<String> = names
        .values()
        .map(|name| name.to_lowercase())
        .filter(|name| !seen.insert(name.clone()))
        .collect();
    let named = names.into_iter().map(|(synset, name)| {
        let name = if twice.contains(&name.to_lowercase()) {
            format!("{name} ({synset})")
        } else {
            name
        };
        (synset, name)
    });
    Ok(Some(named.collect()))
}

/// Keras' index: `{"0": ["n01440764", "tench"], …}`.
fn from_json(path: &Path) -> Result<BTreeMap<String, String>, DatasetError> {
    let text = io::read_to_string(path)?;
    let index: BTreeMap<String, (String, String)> =
        serde_json::from_str(&text).map_err(|source| IoError::Json {
            path: path.to_owned(),
            line: source.line(),
            source,
        })?;
    let names = index.into_values();
    Ok(names
        .map(|(id, name)| (id, name.replace('_', " ")))
        .collect())
}

/// Kaggle's index, a line a class: `n01440764 tench, Tinca tinca`; the first name counts.
fn from_lines(path: &Path) -> Result<BTreeMap<String, String>, DatasetError> {
    let mut names = BTreeMap::new();
    for (text, line) in io::read_to_string(path)?.lines().zip(1..) {
        let Some((synset, words)) = text.trim().split_once(' ') else {
            return Err(DatasetError::BadLine {
                place: Location { path, line }.to_string(),
                expected: "a synset and its names".to_owned(),
            });
        };
        let first = words.split(',').next().unwrap_or(words).trim();
        names.insert(synset.to_owned(), first.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
