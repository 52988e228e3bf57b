use std::fs;

use super::*;

/// A copy with three images; `nested` as the authors' download is.
fn copy(nested: bool) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folders = if nested {
        ["Anno", "Eval", "Img"]
    } else {
        ["", "", ""]
    };
    let [anno, eval, img] = folders.map(|name| root.path().join(name));
    fs::create_dir_all(img.join("img_align_celeba")).unwrap();
    for folder in [&anno, &eval] {
        fs::create_dir_all(folder).unwrap();
    }
    let attributes = "3\nBlond_Hair Male Smiling \n\
                      000001.jpg -1  1  1\n000002.jpg  1 -1 -1\n000003.jpg  1  1 -1\n";
    fs::write(anno.join("list_attr_celeba.txt"), attributes).unwrap();
    let partition = "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n";
    fs::write(eval.join("list_eval_partition.txt"), partition).unwrap();
    root
}

fn options(label: &str, group: &str) -> LayoutOptions {
    LayoutOptions {
        label: Some(label.to_owned()),
        group: Some(group.to_owned()),
        ..LayoutOptions::default()
    }
}

#[test]
fn an_attribute_is_the_label_and_another_the_group() {
    for (nested, path) in [
        (false, "img_align_celeba/000001.jpg"),
        (true, "Img/img_align_celeba/000001.jpg"),
    ] {
        let root = copy(nested);
        let data = read(
            root.path(),
            &options("Blond_Hair", "Male"),
            &mut Remarks::default(),
        )
        .unwrap();
        assert_eq!(data.classes, ["no Blond Hair", "Blond Hair"]);
        let rows: Vec<_> = data
            .examples
            .iter()
            .map(|e| (e.id.as_str(), e.label, e.split, e.group.as_deref().unwrap()))
            .collect();
        assert_eq!(
            rows,
            [
                ("000001.jpg", 0, Split::Train, "Male"),
                ("000002.jpg", 1, Split::Val, "no Male"),
                ("000003.jpg", 1, Split::Test, "Male"),
            ]
        );
        assert_eq!(data.examples[0].path, path);
    }
}

#[test]
fn classes_may_be_named_and_choices_must_be_there() {
    let root = copy(false);
    let mut options = options("Male", "Smiling");
    options.classes = Some(["woman", "man"].map(str::to_owned).to_vec());
    let data = read(root.path(), &options, &mut Remarks::default()).unwrap();
    assert_eq!(data.classes, ["woman", "man"]);
    options.classes = Some(vec!["man".to_owned()]);
    let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
    assert!(matches!(
        error,
        DatasetError::ClassCount {
            found: 1,
            expected: 2,
            ..
        }
    ));
    options.group = Some("Tall".to_owned());
    let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
    assert!(
        matches!(&error, DatasetError::UnknownChoice { option: "group", known, .. } if known.len() == 3),
        "{error:?}"
    );
    options.label = None;
    let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
    assert!(
        error.to_string().contains("Blond_Hair, Male, Smiling"),
        "{error}"
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a line a fault")]
fn faults_name_the_line() {
    let options = options("Male", "Smiling");
    let faulty = |name: &str, from: &str, to: &str| {
        let root = copy(false);
        let path = root.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        read(root.path(), &options, &mut Remarks::default())
            .unwrap_err()
            .to_string()
    };
    for (name, from, to, words) in [
        (
            "list_attr_celeba.txt",
            "1 -1 -1",
            "1 0 -1",
            "line 4, column \"Male\": \"0\" is not 1 or -1",
        ),
        (
            "list_attr_celeba.txt",
            "1 -1 -1",
            "1 -1",
            "line 4: expected a file name and 3 attributes",
        ),
        (
            "list_attr_celeba.txt",
            "3\n",
            "4\n",
            "line 1: expected as many images as the list has, 3",
        ),
        (
            "list_attr_celeba.txt",
            "3\n",
            "three\n",
            "line 1: expected the number of images",
        ),
        (
            "list_attr_celeba.txt",
            "000002.jpg",
            "9.jpg",
            "line 4: \"9.jpg\" is not in list_eval_partition.txt",
        ),
        (
            "list_eval_partition.txt",
            "jpg 1",
            "jpg 3",
            "line 2: expected a file name and 0, 1 or 2",
        ),
        (
            "list_eval_partition.txt",
            "000002",
            "000001",
            "line 2: \"000001.jpg\" is listed twice",
        ),
    ] {
        let text = faulty(name, from, to);
        assert!(text.contains(words) && text.contains(name), "{text}");
    }
    let root = copy(false);
    fs::remove_file(root.path().join("list_eval_partition.txt")).unwrap();
    let error = read(root.path(), &options, &mut Remarks::default()).unwrap_err();
    assert!(
        matches!(error, DatasetError::MissingFile { .. }),
        "{error:?}"
    );
}

#[test]
fn kaggles_archive_is_read_as_the_authors_is() {
    let (own, kaggle) = (copy(false), tempfile::tempdir().unwrap());
    // As torchvision has it, in a folder of its own.
    let folder = kaggle.path().join("celeba");
    fs::create_dir_all(folder.join("img_align_celeba/img_align_celeba")).unwrap();
    let attributes = "image_id,Blond_Hair,Male,Smiling\r\n000001.jpg,-1,1,1\r\n\
                      000002.jpg,1,-1,-1\r\n000003.jpg,1,1,-1\r\n";
    fs::write(folder.join("list_attr_celeba.csv"), attributes).unwrap();
    let partition = "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n";
    fs::write(folder.join("list_eval_partition.csv"), partition).unwrap();
    let options = options("Blond_Hair", "Male");
    let read =
        |root: &tempfile::TempDir| read(root.path(), &options, &mut Remarks::default()).unwrap();
    let (own, kaggle) = (read(&own), read(&kaggle));
    let rows = |data: &Dataset| -> Vec<_> {
        let rows = data.examples.iter();
        rows.map(|e| (e.id.clone(), e.label, e.split, e.group.clone()))
            .collect()
    };
    assert_eq!(
        (rows(&own), own.classes),
        (rows(&kaggle), kaggle.classes.clone())
    );
    assert_eq!(
        kaggle.examples[0].path,
        "img_align_celeba/img_align_celeba/000001.jpg"
    );
    let shown = attributes.replace("image_id", "id");
    fs::write(folder.join("list_attr_celeba.csv"), shown).unwrap();
    let error = super::read(&folder, &options, &mut Remarks::default()).unwrap_err();
    assert!(
        error.to_string().contains("line 1: expected image_id"),
        "{error}"
    );
}

#[test]
fn the_classes_may_stand_in_the_classifiers_order() {
    let root = copy(false);
    let mut options = options("Blond_Hair", "Male");
    options.classes = Some(["Blond Hair", "no Blond Hair"].map(str::to_owned).to_vec());
    let data = read(root.path(), &options, &mut Remarks::default()).unwrap();
    let labels: Vec<usize> = data.examples.iter().map(|e| e.label).collect();
    assert_eq!(
        (data.classes[0].as_str(), labels),
        ("Blond Hair", vec![1, 0, 0])
    );
}

#[test]
fn an_image_outside_the_folder_is_refused() {
    let root = copy(false);
    for name in ["list_attr_celeba.txt", "list_eval_partition.txt"] {
        let path = root.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("000002", "../000002")).unwrap();
    }
    let error = read(
        root.path(),
        &options("Male", "Smiling"),
        &mut Remarks::default(),
    )
    .unwrap_err();
    assert!(
        matches!(&error, DatasetError::BadPath { place, .. } if place.ends_with("line 4")),
        "{error:?}"
    );
}
