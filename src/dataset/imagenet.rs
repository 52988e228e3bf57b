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
mod tests {
    use std::fs;

    use super::*;

    const MAPPING: &str = "n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n";

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn read(root: &tempfile::TempDir) -> Result<Dataset, DatasetError> {
        super::read(
            root.path(),
            &LayoutOptions::default(),
            &mut Remarks::default(),
        )
    }

    fn rows(data: &Dataset) -> Vec<(&str, usize, Split)> {
        let rows = data.examples.iter();
        rows.map(|e| (e.path.as_str(), e.label, e.split)).collect()
    }

    #[test]
    fn synset_folders_and_a_class_index() {
        let json = r#"{"0": ["n01440764", "tench"], "1": ["n02012849", "great_crane"]}"#;
        let root = tree(&[
            ("train/n02012849/n02012849_1.JPEG", ""),
            ("val/n01440764/ILSVRC2012_val_00000001.JPEG", ""),
            ("imagenet_class_index.json", json),
        ]);
        let data = read(&root).unwrap();
        assert_eq!(data.classes, ["tench", "great crane"]);
        assert_eq!(
            rows(&data),
            [
                ("train/n02012849/n02012849_1.JPEG", 1, Split::Train),
                ("val/n01440764/ILSVRC2012_val_00000001.JPEG", 0, Split::Val),
            ]
        );
        let root = tree(&[("train/n1/a.JPEG", ""), ("val/n0/b.JPEG", "")]);
        assert_eq!(read(&root).unwrap().classes, ["n0", "n1"]);
    }

    /// Kaggle's archive with a flat val; the label of its second image and the table's last line.
    fn kaggle(second: &str, last: &str) -> tempfile::TempDir {
        let table = format!(
            "ImageId,PredictionString\nILSVRC2012_val_00000002,{second} 1 2 3 4 \n\
             ILSVRC2012_val_00000001,n02012849 1 2 3 4 n02012849 5 6 7 8 \n{last}"
        );
        tree(&[
            ("ILSVRC/Data/CLS-LOC/train/n03126707/a.JPEG", ""),
            ("ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG", ""),
            ("ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000002.JPEG", ""),
            ("ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG", ""),
            ("LOC_val_solution.csv", &table),
            ("LOC_synset_mapping.txt", MAPPING),
        ])
    }

    #[test]
    fn a_flat_val_is_labelled_by_its_table() {
        let root = kaggle("n01440764", "");
        let mut remarks = Remarks::default();
        let data = super::read(root.path(), &LayoutOptions::default(), &mut remarks).unwrap();
        let passed = remarks.passed;
        assert_eq!(
            data.classes,
            ["tench", "crane (n02012849)", "crane (n03126707)"]
        );
        let val = |n| format!("ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_0000000{n}.JPEG");
        assert_eq!(
            rows(&data),
            [
                (
                    "ILSVRC/Data/CLS-LOC/train/n03126707/a.JPEG",
                    2,
                    Split::Train
                ),
                (val(2).as_str(), 0, Split::Val),
                (val(1).as_str(), 1, Split::Val),
            ]
        );
        assert!(passed[0].path.ends_with("test") && passed[0].reason.contains("no labels"));
    }

    #[test]
    fn faults_name_the_row() {
        let error = read(&kaggle("n9", "")).unwrap_err();
        assert!(
            matches!(&error, DatasetError::UnknownClass { place, name, .. }
                if place.ends_with("LOC_val_solution.csv, line 2") && name == "n9"),
            "{error:?}"
        );
        let text = read(&kaggle("n01440764", "x,n1 1 2 3 4\n")).unwrap_err();
        assert!(
            text.to_string().contains("line 4: \"x\" is not in val"),
            "{text}"
        );
        let root = kaggle("n01440764", "");
        fs::write(root.path().join("ILSVRC/Data/CLS-LOC/val/x.JPEG"), "").unwrap();
        let text = read(&root).unwrap_err().to_string();
        assert!(
            text.contains("\"x.JPEG\" is in val and not in this table"),
            "{text}"
        );
    }

    #[test]
    fn tiny_imagenets_val_is_labelled_by_its_list() {
        let list = "val_0.JPEG\tn02\t0\t0\t62\t62\r\nval_1.JPEG\tn01\t0\t0\t62\t62\r\n";
        let files = [
            ("train/n01/images/n01_0.JPEG", ""),
            ("train/n02/images/n02_0.JPEG", ""),
            ("train/n02/n02_boxes.txt", ""),
            ("val/images/val_0.JPEG", ""),
            ("val/images/val_1.JPEG", ""),
            ("val/val_annotations.txt", list),
            ("test/images/test_0.JPEG", ""),
        ];
        let root = tree(&files);
        let wanted = [
            ("train/n01/images/n01_0.JPEG", 0, Split::Train),
            ("train/n02/images/n02_0.JPEG", 1, Split::Train),
            ("val/images/val_0.JPEG", 1, Split::Val),
            ("val/images/val_1.JPEG", 0, Split::Val),
        ];
        let data = read(&root).unwrap();
        assert_eq!(
            (data.classes.clone(), rows(&data)),
            (vec!["n01".to_owned(), "n02".to_owned()], wanted.to_vec())
        );
        let mut remarks = Remarks::default();
        let folder = super::super::read_folder(root.path(), None, &mut remarks).unwrap();
        assert_eq!(
            (folder.classes.clone(), rows(&folder)),
            (data.classes, wanted.to_vec())
        );
        assert!(
            remarks.taken[0].contains("val_annotations.txt"),
            "{remarks:?}"
        );
        assert!(
            remarks
                .passed
                .iter()
                .any(|p| p.path.ends_with("test/images")),
            "{remarks:?}"
        );
        fs::write(root.path().join("val/images/val_2.JPEG"), "").unwrap();
        let error = read(&root).unwrap_err().to_string();
        assert!(
            error.contains("\"val_2.JPEG\" is in images/ and not in this list"),
            "{error}"
        );
    }

    #[test]
    fn labels_that_do_not_say_their_class_are_refused() {
        let flat = ("val/a.JPEG", "");
        let error = read(&tree(&[flat])).unwrap_err();
        assert!(
            matches!(error, DatasetError::MissingFile { .. }),
            "{error:?}"
        );
        let text = read(&tree(&[flat, (GROUND_TRUTH, "490\n")])).unwrap_err();
        assert!(
            text.to_string().contains("not the order of the synsets"),
            "{text}"
        );
        let error = read(&tree(&[("notes.txt", "")])).unwrap_err();
        assert!(
            matches!(error, DatasetError::NoExamples { .. }),
            "{error:?}"
        );
        let options = LayoutOptions {
            group: Some("x".to_owned()),
            ..LayoutOptions::default()
        };
        let error =
            super::read(tree(&[flat]).path(), &options, &mut Remarks::default()).unwrap_err();
        assert!(
            matches!(
                error,
                DatasetError::NoChoice {
                    option: "group",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
