//! What is written for each reader, and what is refused. `tests/command/export.rs` has the command;
//! `tests/oracle/readers.py` asks the readers themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

/// A folder with a `run` and `data` beside it, and the rows of a manifest.
struct Made {
    dir: tempfile::TempDir,
    rows: Vec<Row>,
    classes: Vec<String>,
}

impl Made {
    /// A row an image: label and path below the data. Its bytes are its path's.
    fn new(classes: &[&str], images: &[(usize, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = Vec::new();
        for &(label, path) in images {
            let file = dir.path().join("data").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, path).unwrap();
            let (id, root) = (path.to_owned(), "../data".to_owned());
            rows.push(Row {
                label,
                class: classes[label].to_owned(),
                sha256: Some(io::sha256_hex(path.as_bytes())),
                ..Row::new(id, path.to_owned(), root, Source::Original)
            });
        }
        fs::create_dir(dir.path().join("run")).unwrap();
        Self {
            dir,
            rows,
            classes: classes.iter().map(|&c| c.to_owned()).collect(),
        }
    }

    fn cats_and_dogs() -> Self {
        Self::new(
            &["cat", "dog"],
            &[(1, "a.v1/x.one.JPEG"), (0, "b/x.jpg"), (0, "b/ü ÿ.jpg")],
        )
    }

    fn to(&self) -> PathBuf {
        self.dir.path().join("deep/out")
    }

    fn export(&self, format: Format) -> Result<Exported, ExportError> {
        let run = self.dir.path().join("run");
        export(&run, &self.rows, &self.classes, format, &self.to(), false)
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        fn add(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    add(root, &path, found);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                    found.insert(name.replace('\\', "/"), fs::read(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        add(&self.to(), &self.to(), &mut found);
        found
    }

    /// Refused, with nothing left behind.
    fn refused(&self, format: Format) -> ExportError {
        let error = self.export(format).unwrap_err();
        let parent = self.dir.path().join("deep");
        assert!(
            !parent.exists() || fs::read_dir(parent).unwrap().next().is_none(),
            "{error:?}"
        );
        error
    }
}

const ALL: [Format; 4] = [
    Format::ImageFolder,
    Format::Hf,
    Format::WebDataset,
    Format::FiftyOne,
];

fn names(files: &BTreeMap<String, Vec<u8>>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

#[test]
fn an_image_folder_has_class_folders_alone_below_its_root() {
    let made = Made::cats_and_dogs();
    let exported = made.export(Format::ImageFolder).unwrap();
    assert_eq!((exported.images, exported.left_out), (3, 0));
    assert_eq!(exported.notes, Vec::<String>::new());
    let files = made.files();
    assert_eq!(
        names(&files),
        [
            "class_to_idx.json",
            "train/cat/00000001-x.jpg",
            "train/cat/00000002-___.jpg",
            "train/dog/00000000-x_one.jpg",
        ]
    );
    assert_eq!(files["train/dog/00000000-x_one.jpg"], b"a.v1/x.one.JPEG");
    let indices: Value = serde_json::from_slice(&files["class_to_idx.json"]).unwrap();
    assert_eq!(indices, serde_json::json!({"cat": 0, "dog": 1}));
}

#[test]
fn folders_carry_the_index_where_names_have_another_order() {
    let classes = ["zebra", "ant", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let paths: Vec<String> = (0..11).map(|i| format!("{i}.png")).collect();
    let images: Vec<(usize, &str)> = paths.iter().map(String::as_str).enumerate().collect();
    let made = Made::new(&classes, &images);
    let exported = made.export(Format::ImageFolder).unwrap();
    assert!(exported.notes[0].contains("INDEX-CLASS"));
    let mut folders: Vec<String> = fs::read_dir(made.to().join("train"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort_unstable();
    let indices: BTreeMap<String, usize> =
        serde_json::from_slice(&fs::read(made.to().join("class_to_idx.json")).unwrap()).unwrap();
    // What torchvision does: sort, and number.
    for (index, folder) in folders.iter().enumerate() {
        assert_eq!(indices[folder], index);
        assert_eq!(*folder, format!("{index:02}-{}", classes[index]));
    }
}

#[test]
fn an_image_folder_is_refused_where_torchvision_would_see_another_data_set() {
    let gif = Made::new(&["cat"], &[(0, "x.gif")]);
    let error = gif.refused(Format::ImageFolder);
    assert!(
        matches!(&error, ExportError::Row { row: 1, .. }),
        "{error:?}"
    );
    gif.export(Format::Hf).unwrap();

    let gap = Made::new(&["ant", "bee", "cat"], &[(0, "0.png"), (2, "2.png")]);
    let error = gap.refused(Format::ImageFolder);
    assert!(
        matches!(&error, ExportError::MissingClass { split: "train", class } if class == "bee"),
        "{error:?}"
    );
    gap.export(Format::FiftyOne).unwrap();
}

#[test]
fn every_metadata_line_has_the_same_keys_and_types() {
    let mut made = Made::cats_and_dogs();
    made.rows[1].caption = Some("a photo of a cat".to_owned());
    made.rows[1].source = Source::Synthetic;
    made.rows[1].weight = 2.5;
    made.rows[2].split = Split::Val;
    made.export(Format::Hf).unwrap();
    let files = made.files();
    assert_eq!(
        names(&files),
        [
            "train/images/00000000-x_one.jpg",
            "train/images/00000001-x.jpg",
            "train/metadata.jsonl",
            "validation/images/00000002-___.jpg",
            "validation/metadata.jsonl",
        ]
    );
    let mut shapes = Vec::new();
    let mut seen = Vec::new();
    for name in ["train/metadata.jsonl", "validation/metadata.jsonl"] {
        for line in std::str::from_utf8(&files[name]).unwrap().lines() {
            let object: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            let shape: Vec<(String, &str)> = object
                .iter()
                .map(|(key, value)| {
                    let kind = match value {
                        Value::String(_) => "text",
                        Value::Bool(_) => "bool",
                        Value::Number(n) if n.is_f64() => "real",
                        Value::Number(_) => "whole",
                        _ => "other",
                    };
                    (key.clone(), kind)
                })
                .collect();
            assert!(shape.iter().all(|(key, kind)| {
                *kind != "other" && (key == "file_name" || !key.ends_with("file_name"))
            }));
            shapes.push(shape);
            seen.push((object["label"].clone(), object["synthetic"].clone()));
        }
    }
    assert!(shapes.iter().all(|shape| *shape == shapes[0]));
    let expected = [(1, false), (0, true), (0, false)].map(|(l, s)| (l.into(), s.into()));
    assert_eq!(seen, expected);
}

/// The members of a tar by our own reading of POSIX: name and content, in order.
fn members(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    assert_eq!(tar.len() % 512, 0);
    let mut members = Vec::new();
    let mut rest = tar;
    while rest[0] != 0 {
        let (header, body) = rest.split_at(512);
        let text = |range: std::ops::Range<usize>| {
            let field = &header[range];
            let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
            std::str::from_utf8(&field[..end]).unwrap().to_owned()
        };
        let octal = |range| u64::from_str_radix(text(range).trim(), 8).unwrap();
        let blank = (0..512).map(|i| {
            u64::from(if (148..156).contains(&i) {
                b' '
            } else {
                header[i]
            })
        });
        assert_eq!(octal(148..155), blank.sum::<u64>());
        assert_eq!((text(257..263), &header[156]), ("ustar".to_owned(), &b'0'));
        assert_eq!(
            (octal(136..148), octal(108..116), octal(116..124)),
            (0, 0, 0)
        );
        let size = octal(124..136) as usize;
        members.push((text(0..100), body[..size].to_vec()));
        rest = &body[size.next_multiple_of(512)..];
    }
    assert!(rest.len() >= 1024 && rest.iter().all(|&b| b == 0));
    members
}

#[test]
fn samples_lie_together_with_the_same_members_and_keys() {
    let made = Made::cats_and_dogs();
    let exported = made.export(Format::WebDataset).unwrap();
    assert_eq!(exported.notes, Vec::<String>::new());
    let files = made.files();
    assert_eq!(names(&files), ["train-000000.tar"]);
    let members = members(&files["train-000000.tar"]);
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let samples = ["00000000-x_one", "00000001-x", "00000002-___"];
    let expected: Vec<String> = samples
        .iter()
        .flat_map(|key| ["jpg", "cls", "json"].map(|e| format!("{key}.{e}")))
        .collect();
    assert_eq!(names, expected);
    for (sample, row) in members.chunks(3).zip(&made.rows) {
        assert_eq!(sample[0].1, row.path.as_bytes());
        assert_eq!(sample[1].1, row.label.to_string().as_bytes());
        let facts: serde_json::Map<String, Value> = serde_json::from_slice(&sample[2].1).unwrap();
        assert_eq!(facts["id"], row.id.as_str());
        assert!(facts.values().all(|value| !value.is_null()));
    }
}

#[test]
fn a_full_shard_is_followed_by_another_and_none_is_empty() {
    let made = Made::new(
        &["cat"],
        &[(0, "0.png"), (0, "1.png"), (0, "2.png"), (0, "3.png")],
    );
    let run = made.dir.path().join("run");
    let splits = items(&run, &made.rows, &made.classes).unwrap();
    for (limit, expected) in [
        (1, vec![1, 1, 1, 1]),
        (4000, vec![2, 2]),
        (u64::MAX, vec![4]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        webdataset::write(folder.path(), &splits, limit).unwrap();
        let found: Vec<usize> = (0..fs::read_dir(folder.path()).unwrap().count())
            .map(|i| folder.path().join(format!("train-{i:06}.tar")))
            .map(|path| members(&fs::read(path).unwrap()).len() / 3)
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn images_of_several_kinds_have_one_name_and_their_own_bytes() {
    let made = Made::new(&["cat"], &[(0, "0.png"), (0, "1.jpg"), (0, "2.WebP")]);
    let exported = made.export(Format::WebDataset).unwrap();
    assert!(exported.notes[0].contains("several kinds (jpg, png, webp)"));
    let members = members(&made.files()["train-000000.tar"]);
    assert_eq!(members[0], ("00000000-0.jpg".to_owned(), b"0.png".to_vec()));
    assert_eq!(members[6].0, "00000002-2.jpg");
}

#[test]
fn shards_are_the_same_bytes_each_time() {
    let [a, b] = [(); 2].map(|()| {
        let made = Made::cats_and_dogs();
        made.export(Format::WebDataset).unwrap();
        made.files()
    });
    assert_eq!(a, b);
}

#[test]
fn a_shard_never_holds_bytes_that_are_not_the_manifests() {
    let made = Made::cats_and_dogs();
    fs::write(made.dir.path().join("data/b/x.jpg"), "other").unwrap();
    let error = made.refused(Format::WebDataset);
    assert!(matches!(error, ExportError::Changed { .. }), "{error:?}");
}

#[test]
fn fiftyone_finds_every_file_in_its_table() {
    let made = Made::cats_and_dogs();
    made.export(Format::FiftyOne).unwrap();
    let files = made.files();
    let table: Value = serde_json::from_slice(&files["train/labels.json"]).unwrap();
    assert_eq!(
        table,
        serde_json::json!({
            "classes": ["cat", "dog"],
            "labels": {"00000000-x_one": 1, "00000001-x": 0, "00000002-___": 0},
        })
    );
    for stem in table["labels"].as_object().unwrap().keys() {
        assert!(files.contains_key(&format!("train/data/{stem}.jpg")));
    }
}

#[test]
fn rows_of_weight_0_are_left_out() {
    for format in ALL {
        let mut made = Made::cats_and_dogs();
        made.rows[2].weight = 0.0;
        // It need not even be there.
        fs::remove_file(made.dir.path().join("data/b/ü ÿ.jpg")).unwrap();
        let exported = made.export(format).unwrap();
        assert_eq!((exported.images, exported.left_out), (2, 1), "{format:?}");
        made.rows.iter_mut().for_each(|row| row.weight = 0.0);
        fs::remove_dir_all(made.to()).unwrap();
        assert!(matches!(made.refused(format), ExportError::Empty));
    }
}

#[test]
fn weights_are_refused_where_they_would_be_lost() {
    for format in ALL {
        let mut made = Made::cats_and_dogs();
        made.rows[2].weight = 2.0;
        match format {
            Format::Hf | Format::WebDataset => {
                made.export(format).unwrap();
            }
            _ => {
                let error = made.refused(format);
                assert!(
                    matches!(error, ExportError::Weights { weighted: 1, .. }),
                    "{error:?}"
                );
            }
        }
    }
}

#[test]
fn rows_that_cannot_be_exported_are_named() {
    type Change = fn(&mut Row);
    let bad: [(Change, &str); 4] = [
        (|row| row.label = 1, "is not the index of its class"),
        (
            |row| row.class = "cow".to_owned(),
            "is not the index of its class",
        ),
        (
            |row| row.split = Split::Pool,
            "no reader knows a split named pool",
        ),
        (|row| row.path = "b".to_owned(), "is not a file"),
    ];
    for (change, expected) in bad {
        for format in ALL {
            let mut made = Made::cats_and_dogs();
            change(&mut made.rows[1]);
            let error = made.refused(format).to_string();
            assert!(
                error.starts_with("manifest row 2 (\"b/x.jpg\")") && error.contains(expected),
                "{error}"
            );
        }
    }
    let mut made = Made::cats_and_dogs();
    made.rows[0].path = "gone.jpg".to_owned();
    assert!(matches!(
        made.refused(Format::Hf),
        ExportError::Io(IoError::Read { .. })
    ));
}

#[test]
fn only_a_new_or_an_empty_folder_is_written_to() {
    let made = Made::cats_and_dogs();
    fs::create_dir_all(made.to()).unwrap();
    made.export(Format::Hf).unwrap();
    let before = made.files();
    let error = made.export(Format::ImageFolder).unwrap_err();
    assert!(matches!(error, ExportError::Taken { .. }), "{error:?}");
    assert_eq!(made.files(), before);
    fs::remove_dir_all(made.to()).unwrap();
    fs::write(made.to(), "a file").unwrap();
    let error = made.export(Format::Hf).unwrap_err();
    assert!(matches!(error, ExportError::Taken { .. }), "{error:?}");
    assert_eq!(fs::read(made.to()).unwrap(), b"a file");
}

#[cfg(unix)]
#[test]
fn images_are_hard_links_unless_copies_are_asked_for() {
    use std::os::unix::fs::{MetadataExt as _, symlink};
    let made = Made::cats_and_dogs();
    let data = made.dir.path().join("data/b");
    fs::rename(data.join("x.jpg"), data.join("real.jpg")).unwrap();
    symlink("real.jpg", data.join("x.jpg")).unwrap();
    let inode = |path: &Path| fs::symlink_metadata(path).unwrap().ino();
    let image = made.to().join("train/images/00000001-x.jpg");
    made.export(Format::Hf).unwrap();
    assert_eq!(inode(&image), inode(&data.join("real.jpg")));
    fs::remove_dir_all(made.to()).unwrap();
    let run = made.dir.path().join("run");
    export(
        &run,
        &made.rows,
        &made.classes,
        Format::Hf,
        &made.to(),
        true,
    )
    .unwrap();
    assert_ne!(inode(&image), inode(&data.join("real.jpg")));
    assert_eq!(fs::read(&image).unwrap(), b"b/x.jpg");
    // As open to others as any new folder is.
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let new = made.dir.path().join("new");
    fs::create_dir(&new).unwrap();
    assert_eq!(mode(&made.to()), mode(&new));
}

/// What a tar, a batch of CIFAR and a Parquet hold: the file, the member's name, the bytes that count as
/// the image's, and what its name in an export ends in.
fn containers(data: &Path) -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let png = |value: u8| {
        let picture = image::RgbImage::from_pixel(2, 2, image::Rgb([value, 0, 0]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let mut tar = tar::Builder::new(fs::File::create(data.join("train-0.tar")).unwrap());
    for (name, bytes) in [("x/1.png", png(1)), ("x/2.png", png(2))] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    tar.finish().unwrap();
    let records: Vec<u8> = [7_u8, 8]
        .iter()
        .flat_map(|value| std::iter::once(0).chain([*value; 3072]))
        .collect();
    fs::write(data.join("test_batch.bin"), records).unwrap();
    let images = arrow::array::BinaryArray::from_iter_values([png(3), png(4)]);
    let column: arrow::array::ArrayRef = std::sync::Arc::new(images);
    let batch = arrow::record_batch::RecordBatch::try_from_iter([("image", column)]).unwrap();
    let parquet = crate::io::parquet::encode(&batch, &[]).unwrap();
    fs::write(data.join("train-0.parquet"), parquet).unwrap();
    vec![
        ("train-0.tar", "x/2.png", png(2), "2.png"),
        ("test_batch.bin", "1", vec![8; 3072], "test_batch_1.png"),
        ("train-0.parquet", "1", png(4), "train_0_1.png"),
    ]
}

/// Cats and dogs of which one row each lies in another container.
fn contained() -> Made {
    let mut made = Made::cats_and_dogs();
    for (path, member, bytes, _) in containers(&made.dir.path().join("data")) {
        let (id, root) = (format!("{path}/{member}"), "../data".to_owned());
        made.rows.push(Row {
            member: Some(member.to_owned()),
            class: "cat".to_owned(),
            sha256: Some(io::sha256_hex(&bytes)),
            ..Row::new(id, path.to_owned(), root, Source::Original)
        });
    }
    made
}

#[test]
fn images_inside_larger_files_are_taken_out() {
    for format in ALL {
        let made = contained();
        made.export(format).unwrap();
        let files = match format {
            Format::WebDataset => members(&made.files()["train-000000.tar"])
                .into_iter()
                .collect(),
            _ => made.files(),
        };
        let data = tempfile::tempdir().unwrap();
        for (number, (path, _, bytes, end)) in (3..).zip(containers(data.path())) {
            let mut name = format!("{number:08}-{end}");
            if format == Format::WebDataset {
                // Beside the JPEGs of the others.
                name = name.replace("png", "jpg");
            }
            let found = files.iter().find(|(path, _)| path.ends_with(&name));
            let (_, found) = found.unwrap_or_else(|| panic!("no {name} in {:?}", files.keys()));
            if path == "test_batch.bin" {
                let pixels = io::image::decode_rgb(found, Exif::Ignore).unwrap();
                assert_eq!(pixels.dimensions(), (32, 32));
                assert!(pixels.pixels().all(|pixel| pixel.0 == [8; 3]));
            } else {
                assert_eq!(*found, bytes, "{name}");
            }
        }
    }
}

#[test]
fn a_member_that_is_gone_or_another_is_refused() {
    for (row, path) in [
        (3, "train-0.tar"),
        (4, "test_batch.bin"),
        (5, "train-0.parquet"),
    ] {
        for format in ALL {
            let mut made = contained();
            made.rows[row].sha256 = Some("0".repeat(64));
            let error = made.refused(format);
            assert!(matches!(error, ExportError::Changed { .. }), "{error:?}");
            made.rows[row].member = Some("2".to_owned());
            let error = made.refused(format).to_string();
            assert!(error.contains(path), "{error}");
        }
    }
}
