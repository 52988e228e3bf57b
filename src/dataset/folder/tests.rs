use std::fs;

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
    read_folder(folder.path(), None, &mut Remarks::default())
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
    let mut remarks = Remarks::default();
    let data = read_folder(folder.path(), None, &mut remarks).unwrap();
    let passed = remarks.passed;
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
fn what_torchvision_reads_is_read_and_what_is_not_is_named() {
    let folder = tree(&[
        "val/cat/1.ppm",
        "val/cat/2.PGM",
        "val/dog/3.jfif",
        "val/dog/4.avif",
        "val/__MACOSX/x",
    ]);
    let mut remarks = Remarks::default();
    let data = read_folder(folder.path(), None, &mut remarks).unwrap();
    assert_eq!((data.examples.len(), data.classes.len()), (3, 2));
    assert!(
        remarks.passed[0]
            .reason
            .contains("a format that is not read"),
        "{remarks:?}"
    );
    let error = read(&tree(&[
        "val/cat/1.avif",
        "val/cat/2.avif",
        "val/cat/x.txt",
    ]))
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("2 .avif files, which are not read"),
        "{error}"
    );
    for (path, words) in [
        ("train/data-00000-of-00001.arrow", "save_to_disk"),
        ("data/train-00000-of-00001.parquet", "--dataset hf"),
        ("train/000000.tar", "--dataset webdataset"),
    ] {
        let error = read(&tree(&[path])).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = read(&tree(&["pets/val/cat/1.png"])).unwrap_err();
    assert!(error.to_string().contains("/pets"), "{error}");
}

#[test]
fn classes_may_be_given_and_must_have_all_of_the_folders() {
    let folder = tree(&["val/cat/1.png", "val/dog/2.png"]);
    let with = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let data = read_folder(folder.path(), Some(&names), &mut Remarks::default())?;
        Ok::<_, DatasetError>(
            data.examples
                .iter()
                .map(|e| e.label)
                .collect::<Vec<usize>>(),
        )
    };
    assert_eq!(with(&["dog", "cat"]).unwrap(), [1, 0]);
    assert_eq!(with(&["fox", "dog", "cat"]).unwrap(), [2, 1]);
    for names in [&["x"][..], &["dog"], &["Katze", "Hund"]] {
        let error = with(names).unwrap_err();
        assert!(
            matches!(&error, DatasetError::UnknownClass { name, .. } if name == "cat"),
            "{error:?}"
        );
    }
}

#[test]
fn one_class_in_two_forms_of_its_letters_is_one() {
    let folder = tree(&["train/caf\u{e9}/1.png", "val/cafe\u{301}/2.png"]);
    let data = read(&folder).unwrap();
    assert_eq!(data.classes, ["caf\u{e9}"]);
    assert!(data.examples.iter().all(|e| data.image_path(e).exists()));
}

#[test]
fn folders_that_say_that_a_label_is_not_known_are_passed_over() {
    let folder = tree(&["val/-1/1.png", "val/cat/2.png", "val/nan/3.png"]);
    let mut remarks = Remarks::default();
    let data = read_folder(folder.path(), None, &mut remarks).unwrap();
    assert_eq!(
        (data.classes, remarks.doubts.len()),
        (vec!["cat".to_owned()], 2)
    );
    let given = ["-1", "cat", "nan"].map(str::to_owned);
    let data = read_folder(folder.path(), Some(&given), &mut Remarks::default()).unwrap();
    assert_eq!(data.examples.len(), 3);
}

#[test]
fn missing_folders_and_files_are_named() {
    let folder = tree(&["file"]);
    let missing = folder.path().join("none");
    let error = read_folder(&missing, None, &mut Remarks::default()).unwrap_err();
    assert!(matches!(&error, DatasetError::MissingFolder { path } if *path == missing));
    assert!(error.to_string().contains("none"));
    let error =
        read_folder(&folder.path().join("file"), None, &mut Remarks::default()).unwrap_err();
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
        matches!(&error, DatasetError::EmptyClass { path, .. } if *path == dog),
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
fn ids_may_differ_in_case_and_not_in_the_form_of_letters_alone() {
    let data = read(&tree(&["val/cat/A.PNG", "val/cat/a.png"])).unwrap();
    assert_eq!(data.examples.len(), 2);
    let error = read(&tree(&["val/cat/caf\u{e9}.jpg", "val/cat/cafe\u{301}.jpg"])).unwrap_err();
    let DatasetError::DuplicateId { first, second, .. } = error else {
        panic!("{error:?}");
    };
    assert!(first.ends_with("cafe\u{301}.jpg") && second.ends_with("caf\u{e9}.jpg"));
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

    let mut remarks = Remarks::default();
    let data = read_folder(folder.path(), None, &mut remarks).unwrap();
    let passed = remarks.passed;
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
