//! `hardlight manifest`: other weights, and exports read back as their readers would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{FACES, Hardlight, Kept, Work, assert_same, files, results};
use hardlight::dataset::Split;
use hardlight::direction::persist;
use hardlight::io::matrix;
use hardlight::manifest::{Row, Source, read_jsonl};
use serde_json::Value;

/// Kept images a class in the run that generates.
const QUOTA: usize = 2;

/// A world with a finished run `out`, manifest and generated images included.
fn finished() -> Work {
    static ONE: Kept = Kept::new();
    ONE.copy(|| {
        let work = Work::with_world();
        work.on_world("run", "out")
            .clip()
            .model()
            .args(["--grammar", "world"])
            .args(["--steps", "4", "--guidance", "3", "--batch", "3"])
            .args(["--quota", &QUOTA.to_string(), "--budget", "24"])
            .run()
            .exits(0);
        work
    })
}

fn manifest(work: &Work, args: &[&str]) -> Hardlight {
    work.hardlight(["manifest", "out"]).args(args)
}

fn rows(work: &Work) -> Vec<Row> {
    read_jsonl(&work.path("out/manifest/train.jsonl")).unwrap()
}

fn bytes(work: &Work, row: &Row) -> Vec<u8> {
    fs::read(work.path("out").join(&row.root).join(&row.path)).unwrap()
}

/// Label and bytes of every row, in an order of its own.
fn content(work: &Work) -> Vec<(usize, Vec<u8>)> {
    let mut all: Vec<_> = rows(work)
        .iter()
        .map(|row| (row.label, bytes(work, row)))
        .collect();
    all.sort();
    all
}

#[test]
fn an_image_folder_holds_every_image_under_its_class() {
    let work = finished();
    let ran = manifest(&work, &["--export", "imagefolder", "--to", "aug"]);
    let synthetic = rows(&work)
        .iter()
        .filter(|r| r.source == Source::Synthetic)
        .count();
    assert!(synthetic > 0);
    let count = FACES.train + synthetic;
    ran.run().exits(0).says(&[&format!(
        "{count} images in aug, 0 rows of weight 0 left out"
    )]);
    let exported = files(&work.path("aug"));
    let indices: BTreeMap<String, usize> =
        serde_json::from_slice(&exported["class_to_idx.json"]).unwrap();
    // As torchvision does it: folders by name, numbered.
    let folders: BTreeSet<String> = fs::read_dir(work.path("aug/train"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let numbered: BTreeMap<String, usize> = folders.into_iter().zip(0..).collect();
    assert_eq!(indices, numbered);
    let mut found: Vec<(usize, Vec<u8>)> = exported
        .iter()
        .filter_map(|(name, bytes)| {
            let (class, _) = name.strip_prefix("train/")?.split_once('/')?;
            Some((indices[class], bytes.clone()))
        })
        .collect();
    found.sort();
    assert!(found == content(&work));
}

#[test]
fn a_metadata_table_lists_every_image() {
    let work = finished();
    let ran = manifest(&work, &["--export", "hf", "--to", "aug", "--copy"]);
    ran.run().exits(0);
    let text = fs::read_to_string(work.path("aug/train/metadata.jsonl")).unwrap();
    let mut found = Vec::new();
    for (line, row) in text.lines().zip(rows(&work)) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["id"], row.id);
        assert_eq!(line["synthetic"], row.source == Source::Synthetic);
        let file = line["file_name"].as_str().unwrap();
        let bytes = fs::read(work.path("aug/train").join(file)).unwrap();
        found.push((line["label"].as_u64().unwrap() as usize, bytes));
    }
    found.sort();
    assert!(found == content(&work));
    assert_eq!(files(&work.path("aug")).len(), found.len() + 1);
}

#[test]
fn fiftyone_gets_a_label_a_file() {
    let work = finished();
    let ran = manifest(&work, &["--export", "fiftyone", "--to", "aug"]);
    ran.run().exits(0);
    let exported = files(&work.path("aug/train"));
    let table: Value = serde_json::from_slice(&exported["labels.json"]).unwrap();
    assert_eq!(table["classes"], serde_json::json!(["old", "young"]));
    let mut found: Vec<(usize, Vec<u8>)> = exported
        .iter()
        .filter_map(|(name, bytes)| {
            let stem = Path::new(name.strip_prefix("data/")?).file_stem()?;
            let label = table["labels"][stem.to_str()?].as_u64()?;
            Some((label as usize, bytes.clone()))
        })
        .collect();
    found.sort();
    assert!(found == content(&work));
}

#[test]
fn a_shard_is_a_tar_that_tar_reads() {
    let work = finished();
    let ran = manifest(&work, &["--export", "webdataset", "--to", "aug"]);
    ran.run().exits(0);
    fs::create_dir(work.path("unpacked")).unwrap();
    let unpacked = Command::new("tar")
        .args(["-xf", "aug/train-000000.tar", "-C", "unpacked"])
        .current_dir(work.root())
        .status()
        .unwrap();
    assert!(unpacked.success());
    let mut samples: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for (name, bytes) in files(&work.path("unpacked")) {
        let (key, member) = name.split_once('.').unwrap();
        let sample = samples.entry(key.to_owned()).or_default();
        sample.insert(member.to_owned(), bytes);
    }
    // Keys sort as the rows of the manifest do.
    let all = rows(&work);
    assert_eq!(samples.len(), all.len());
    for (sample, row) in samples.values().zip(&all) {
        let members: Vec<&str> = sample.keys().map(String::as_str).collect();
        assert_eq!(members, ["cls", "json", "png"]);
        assert_eq!(sample["cls"], row.label.to_string().as_bytes());
        assert!(sample["png"] == bytes(&work, row), "{}", row.id);
        let facts: Value = serde_json::from_slice(&sample["json"]).unwrap();
        assert_eq!(facts["id"], row.id);
    }
}

#[test]
fn an_export_leaves_the_run_and_a_taken_place_alone() {
    let work = finished();
    let before = results(&work.path("out"));
    for format in ["imagefolder", "hf", "webdataset", "fiftyone"] {
        let args = ["--export", format, "--to", "faces"];
        manifest(&work, &args)
            .run()
            .exits(3)
            .complains(&["faces is there already: give --to a new or an empty folder"]);
        manifest(&work, &["--export", format, "--to", format])
            .run()
            .exits(0);
    }
    assert_same(&before, &results(&work.path("out")));
    let left: Vec<String> = fs::read_dir(work.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".tmp-"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn what_makes_no_sense_together_is_wrong_usage() {
    let work = Work::empty();
    for args in [
        &[] as &[&str],
        &["--export", "hf"],
        &["--to", "x"],
        &["--upweight", "3"],
        &["--weight", "3"],
        &["--subset", "0"],
        &["--upweight", "3", "--weight", "-1"],
        &["--upweight", "3", "--weight", "NaN"],
        &["--export", "coco", "--to", "x"],
    ] {
        manifest(&work, args).run().exits(2).complains(&[]);
    }
    let ran = manifest(&work, &["--subset", "3"]).run();
    ran.exits(3).complains(&["out is no run folder"]);
}

/// Weights of the originals of a class by falling alignment.
fn ranked(rows: &[Row], class: &str) -> Vec<f64> {
    let mut own: Vec<(f64, f64)> = rows
        .iter()
        .filter(|row| row.class == class && row.source == Source::Original)
        .map(|row| (row.alignment.unwrap(), row.weight))
        .collect();
    own.sort_by(|a, b| b.0.total_cmp(&a.0));
    own.into_iter().map(|(_, weight)| weight).collect()
}

#[test]
fn weights_follow_alignment_and_leave_generated_images_alone() {
    let work = finished();
    let before = rows(&work);
    manifest(&work, &["--upweight", "5", "--weight", "2.5"])
        .run()
        .exits(0)
        .says(&[
            "old: the 5 most aligned of ",
            "young: the 5 most aligned of ",
            " originals weigh 2.5",
        ]);
    let heavy = rows(&work);
    for class in ["old", "young"] {
        let weights = ranked(&heavy, class);
        assert_eq!(weights[..5], [2.5; 5]);
        assert!(weights[5..].iter().all(|w| *w == 1.0) && weights.len() > 20);
    }
    let synthetic = |rows: &[Row]| -> Vec<Row> {
        let own = rows.iter().filter(|row| row.source == Source::Synthetic);
        own.cloned().collect()
    };
    assert_eq!(synthetic(&before), synthetic(&heavy));
    // All three encodings were rewritten, which verify compares.
    work.hardlight(["verify", "out"]).run().exits(0);
    manifest(&work, &["--export", "imagefolder", "--to", "aug"])
        .run()
        .exits(3)
        .complains(&["10 rows have another weight than 1, which imagefolder cannot hold"]);
    let half = FACES.train / 4;
    let n = half.to_string();
    manifest(&work, &["--subset", &n, "--export", "hf", "--to", "aug"])
        .run()
        .exits(0)
        .says(&[
            "least aligned of ",
            "originals weigh 0, which leaves them out",
        ]);
    let subset = rows(&work);
    let left = subset.iter().filter(|row| row.weight > 0.0).count();
    for class in ["old", "young"] {
        let weights = ranked(&subset, class);
        assert!(weights[..half].iter().all(|w| *w == 1.0), "{weights:?}");
        assert!(weights[half..].iter().all(|w| *w == 0.0), "{weights:?}");
    }
    let text = fs::read_to_string(work.path("aug/train/metadata.jsonl")).unwrap();
    assert_eq!(text.lines().count(), left);
    // Rows are marked, not removed.
    assert_eq!(before.len(), subset.len());
}

#[test]
fn detection_alone_gives_a_manifest_of_the_originals() {
    let work = Work::with_world();
    work.on_world("detect", "out").clip().run().exits(0);
    manifest(&work, &["--export", "hf", "--to", "aug"])
        .run()
        .exits(3)
        .complains(&["out holds no manifest"]);
    manifest(&work, &["--upweight", "3", "--weight", "4"])
        .run()
        .exits(0);
    let all = rows(&work);
    assert_eq!(all.len(), FACES.train);
    assert!(
        all.iter()
            .all(|row| row.split == Split::Train && row.source == Source::Original)
    );
    assert_eq!(all.iter().filter(|row| row.weight == 4.0).count(), 6);
    let saved = persist::read(&work.path("out")).unwrap();
    let embeddings = work.path("out/embeddings/train.safetensors");
    let (matrix, ids) = matrix::read_keyed(&embeddings).unwrap();
    let x = saved.whitening.apply(matrix.view()).unwrap();
    for (id, x) in ids.unwrap().iter().zip(x.outer_iter()) {
        let row = all.iter().find(|row| row.id == *id).unwrap();
        let own = saved.of_class(row.label).next();
        assert_eq!(row.alignment, Some(own.unwrap().alignment(x)), "{id}");
    }
    work.hardlight(["verify", "out"]).run().exits(0);
}

#[test]
fn a_direction_no_better_than_chance_weighs_nothing() {
    let work = Work::with_world();
    // Nothing is a finding with so many mistakes asked for.
    work.hardlight(["detect", "--out", "out", "--device", "cpu"])
        .args(["--data", "faces", "--predictions", "predictions.csv"])
        .args(["--set", "direction.permutations=19"])
        .args(["--set", "direction.bootstrap=0"])
        .args(["--set", "direction.min_mistakes=1000"])
        .clip()
        .run()
        .exits(0);
    let ran = manifest(&work, &["--subset", "3"]).run().exits(4);
    assert!(
        ran.stderr
            .contains("no class has a direction that is better than chance"),
        "{ran}"
    );
    assert!(!work.path("out/manifest").exists());
}
