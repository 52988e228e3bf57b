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
    let error = super::read(tree(&[flat]).path(), &options, &mut Remarks::default()).unwrap_err();
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
