//! Every setting that chooses from data, at every reader: it reaches it or is refused.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;

use super::*;
use crate::pipeline::Recorder;
use crate::pipeline::settings::Settings;

/// A reader by the settings that choose it, and two of its own class names.
const READERS: [(&str, &[&str], [&str; 2]); 9] = [
    ("folder", &["data.root=\"folder\""], ["cat", "dog"]),
    (
        "table",
        &["data.root=\"folder\"", "data.table=\"t.csv\""],
        ["cat", "dog"],
    ),
    (
        "celeba",
        &[
            "data.root=\"celeba\"",
            "data.dataset=\"celeba\"",
            "data.label=\"Smiling\"",
        ],
        ["no Smiling", "Smiling"],
    ),
    (
        "chestxray14",
        &[
            "data.root=\"chest\"",
            "data.dataset=\"chestxray14\"",
            "data.label=\"Edema\"",
        ],
        ["no Edema", "Edema"],
    ),
    (
        "imagenet",
        &["data.root=\"folder\"", "data.dataset=\"imagenet\""],
        ["cat", "dog"],
    ),
    (
        "cifar10",
        &["data.root=\"cifar10\"", "data.dataset=\"cifar10\""],
        ["cat", "dog"],
    ),
    (
        "cifar100",
        &["data.root=\"cifar100\"", "data.dataset=\"cifar100\""],
        ["cat", "dog"],
    ),
    (
        "webdataset",
        &["data.root=\"shards\"", "data.dataset=\"webdataset\""],
        ["cat", "dog"],
    ),
    (
        "hf",
        &["data.root=\"hf\"", "data.dataset=\"hf\""],
        ["cat", "dog"],
    ),
];

/// Small data in every layout, two examples of each class a split.
#[allow(clippy::too_many_lines, reason = "a few lines a layout")]
fn everything() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let splits = ["train", "val", "test"];
    let mut table = "path,label,split\n".to_owned();
    let mut attributes = "6\nMale Smiling\n".to_owned();
    let mut partition = String::new();
    let mut entries =
        "Image Index,Finding Labels,Patient ID,Patient Gender,View Position\n".to_owned();
    let mut lists = [String::new(), String::new(), String::new()];
    for (number, split) in splits.iter().enumerate() {
        let mut shard = tar::Builder::new(Vec::new());
        for (label, class) in ["cat", "dog"].iter().enumerate() {
            let path = format!("{split}/{class}/1.png");
            write(&format!("folder/{path}"), b"");
            writeln!(table, "{path},{class},{split}").unwrap();
            let image = format!("{}.jpg", 2 * number + label);
            let sign = 2 * label as i32 - 1;
            writeln!(attributes, "{image} 1 {sign}").unwrap();
            writeln!(partition, "{image} {number}").unwrap();
            let finding = ["No Finding", "Edema"][label];
            writeln!(entries, "{image},{finding},{label},F,PA").unwrap();
            writeln!(lists[number], "{image}").unwrap();
            write(&format!("chest/images/{image}"), b"");
            let json = format!("{{\"label\": {class:?}, \"kind\": \"pet\"}}");
            for (end, bytes) in [("png", &b"image"[..]), ("json", json.as_bytes())] {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                shard
                    .append_data(&mut header, format!("{label}.{end}"), bytes)
                    .unwrap();
            }
        }
        write(&format!("shards/{split}.tar"), &shard.into_inner().unwrap());
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("image", Arc::new(BinaryArray::from(vec![&b"a"[..], b"b"]))),
            ("label", Arc::new(StringArray::from(vec!["cat", "dog"]))),
            ("kind", Arc::new(StringArray::from(vec!["pet", "pet"]))),
            ("split", Arc::new(StringArray::from(vec![*split, *split]))),
            ("number", Arc::new(Int64Array::from(vec![0, 1]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let bytes = crate::io::parquet::encode(&batch, &[]).unwrap();
        write(&format!("hf/{split}.parquet"), &bytes);
    }
    write("t.csv", table.as_bytes());
    write("celeba/list_attr_celeba.txt", attributes.as_bytes());
    write("celeba/list_eval_partition.txt", partition.as_bytes());
    write("celeba/img_align_celeba/x", b"");
    write("chest/Data_Entry_2017.csv", entries.as_bytes());
    write(
        "chest/train_val_list.txt",
        format!("{}{}", lists[0], lists[1]).as_bytes(),
    );
    write("chest/val_list.txt", lists[1].as_bytes());
    write("chest/test_list.txt", lists[2].as_bytes());
    let records = |labels: &[&[u8]]| {
        let mut bytes = Vec::new();
        for labels in labels {
            bytes.extend_from_slice(labels);
            bytes.extend_from_slice(&[7; 3072]);
        }
        bytes
    };
    for batch in 1..=5 {
        write(
            &format!("cifar10/data_batch_{batch}.bin"),
            &records(&[&[0], &[1]]),
        );
    }
    write("cifar10/test_batch.bin", &records(&[&[0], &[1]]));
    write("cifar10/batches.meta.txt", b"cat\ndog\n");
    let both: Vec<&[u8]> = [&[0_u8, 0][..], &[0, 1]].repeat(5);
    write("cifar100/train.bin", &records(&both));
    write("cifar100/test.bin", &records(&[&[0, 0], &[0, 1]]));
    write("cifar100/fine_label_names.txt", b"cat\ndog\n");
    write("cifar100/coarse_label_names.txt", b"pets\n");
    root
}

/// The data of these settings, or the text of the error.
fn with(root: &Path, settings: &[&str], more: &[&str]) -> Result<Dataset, String> {
    let place = |setting: &&str| {
        let paths = ["data.root=\"", "data.table=\""];
        let found = paths
            .iter()
            .find_map(|key| Some((key, setting.strip_prefix(key)?)));
        match found {
            Some((key, rest)) => format!("{key}{}/{rest}", root.display()),
            None => (*setting).to_owned(),
        }
    };
    let all: Vec<String> = settings.iter().chain(more).map(place).collect();
    let checked = Settings::read(None, &all).unwrap().check().unwrap();
    let mut recorder = Recorder::default();
    let read = read_data(&mut Context::new(&mut recorder), &checked);
    read.map_err(|error| format!("{error:#}"))
}

/// The classes that examples are of, by id.
fn named(data: &Dataset) -> BTreeMap<String, String> {
    let examples = data.examples().iter();
    let name = |e: &dataset::Example| data.classes()[e.label].clone();
    examples.map(|e| (e.id.clone(), name(e))).collect()
}

#[test]
fn every_setting_reaches_every_reader_or_is_refused() {
    let root = everything();
    for (reader, settings, [first, second]) in READERS {
        let own = with(root.path(), settings, &[]).unwrap_or_else(|e| panic!("{reader}: {e}"));
        // Another order of the classes, with one more: the same images are of the same classes.
        let order = format!("data.classes=[\"fox\", {second:?}, {first:?}]");
        let turned =
            with(root.path(), settings, &[&order]).unwrap_or_else(|e| panic!("{reader}: {e}"));
        assert_eq!(turned.classes(), ["fox", second, first], "{reader}");
        assert_eq!(named(&turned), named(&own), "{reader}");
        // Names that are not the data's.
        for names in [
            "[\"x\"]",
            &format!("[{first:?}, \"x\"]"),
            "[\"x\", \"y\", \"z\"]",
        ] {
            let error = with(root.path(), settings, &[&format!("data.classes={names}")]);
            let error = error.expect_err(reader);
            assert!(error.contains("class"), "{reader}: {error}");
        }
        for (setting, takes) in [
            ("data.label=\"nonsense\"", &[][..]),
            ("data.group=\"nonsense\"", &["webdataset"]),
            ("data.check_paths=false", &["table", "hf"]),
        ] {
            let read = with(root.path(), settings, &[setting]);
            if takes.contains(&reader) {
                read.unwrap_or_else(|e| panic!("{reader}: {e}"));
            } else {
                let error = read.expect_err(&format!("{reader}: {setting}"));
                let name = setting.split(['.', '=']).nth(1).unwrap();
                assert!(
                    error.contains(name) || error.contains("nonsense"),
                    "{reader}: {error}"
                );
            }
        }
    }
}

#[test]
fn published_classes_may_be_renamed_in_their_order() {
    let root = everything();
    for (reader, settings, [first, _]) in READERS {
        let renamed = with(
            root.path(),
            settings,
            &["data.classes=[\"Katze\", \"Hund\"]"],
        );
        let has_names_of_its_own = ["celeba", "chestxray14", "imagenet", "cifar10", "cifar100"];
        if has_names_of_its_own.contains(&reader) {
            let own = with(root.path(), settings, &[]).unwrap();
            let renamed = renamed.unwrap();
            let labels = |data: &Dataset| -> Vec<usize> {
                data.examples().iter().map(|e| e.label).collect()
            };
            assert_eq!(
                (labels(&own), own.classes()[0].as_str()),
                (labels(&renamed), first),
                "{reader}"
            );
        } else {
            assert!(renamed.is_err(), "{reader}");
        }
    }
}

#[test]
fn a_choice_reaches_the_readers_that_have_it() {
    let root = everything();
    for (reader, choice) in [
        ("celeba", "data.label=\"Male\""),
        ("chestxray14", "data.label=\"Mass\""),
        ("cifar100", "data.label=\"coarse\""),
        ("webdataset", "data.label=\"kind\""),
        ("hf", "data.label=\"kind\""),
        ("celeba", "data.group=\"Male\""),
        ("chestxray14", "data.group=\"View Position\""),
        ("cifar100", "data.group=\"coarse\""),
        ("webdataset", "data.group=\"kind\""),
        ("hf", "data.group=\"kind\""),
    ] {
        let (_, settings, _) = READERS.iter().find(|one| one.0 == reader).unwrap();
        let own = with(root.path(), settings, &[]).unwrap();
        let chosen =
            with(root.path(), settings, &[choice]).unwrap_or_else(|e| panic!("{reader}: {e}"));
        assert_ne!(own, chosen, "{reader}: {choice}");
    }
}

#[test]
fn a_split_that_folders_contradict_is_refused_unless_they_do_not_count() {
    let root = everything();
    let table = root.path().join("t.csv");
    let text = fs::read_to_string(&table).unwrap();
    fs::write(
        &table,
        text.replacen("val/cat/1.png,cat,val", "val/cat/1.png,cat,train", 1),
    )
    .unwrap();
    let (_, settings, _) = READERS[1];
    let error = with(root.path(), settings, &[]).unwrap_err();
    assert!(
        error.contains("line 4: its split is \"train\"") && error.contains("check_paths"),
        "{error}"
    );
    let data = with(root.path(), settings, &["data.check_paths=false"]).unwrap();
    assert_eq!(data.of_split(Split::Train).count(), 3);
}

#[test]
fn splits_of_other_classes_are_said() {
    let root = everything();
    fs::create_dir_all(root.path().join("folder/val/images")).unwrap();
    fs::write(root.path().join("folder/val/images/1.png"), "").unwrap();
    let settings = format!("data.root=\"{}/folder\"", root.path().display());
    let checked = Settings::read(None, &[settings]).unwrap().check().unwrap();
    let mut recorder = Recorder::default();
    read_data(&mut Context::new(&mut recorder), &checked).unwrap();
    let said = recorder.warnings().join("\n");
    assert!(
        said.contains("classes of val are not those of train: it has \"images\""),
        "{said}"
    );
}
