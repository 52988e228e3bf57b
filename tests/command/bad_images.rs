//! Images that are missing, truncated, corrupt or absurdly large: fatal, or passed over and listed.

use std::fs;

use crate::common::{Hardlight, Work, assert_same, files, results};
use hardlight::io::matrix::write_safetensors;
use image::ImageFormat;
use serde_json::Value;

/// The small world as a table over `faces/`, four of whose images cannot be used; ids and reasons.
struct Broken {
    work: Work,
    bad: [(String, &'static str); 4],
}

impl Broken {
    fn new() -> Self {
        Self::of(Work::with_world(), true)
    }

    fn of(work: Work, damaged: bool) -> Self {
        let truth = fs::read_to_string(work.path("truth.csv")).unwrap();
        let of = |split: &str, at: usize| {
            let mut lines = truth
                .lines()
                .skip(1)
                .filter(|l| l.split(',').nth(2) == Some(split));
            lines.nth(at).unwrap().split(',').next().unwrap().to_owned()
        };
        let bad = [
            (of("train", 3), "the file is empty"),
            (of("train", 9), "100000 x 100000 pixels"),
            (of("val", 5), "truncated JPEG"),
            (of("test", 2), "No such file"),
        ];
        let broken = Self { work, bad };
        if damaged {
            (0..4).for_each(|at| broken.damage(at));
        }
        broken
    }

    fn damage(&self, at: usize) {
        let path = self.work.path("faces").join(&self.bad[at].0);
        match at {
            0 => fs::write(path, "").unwrap(),
            1 => fs::write(path, huge()).unwrap(),
            2 => {
                let mut jpeg = std::io::Cursor::new(Vec::new());
                let image = image::open(&path).unwrap().into_rgb8();
                image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
                let jpeg = jpeg.into_inner();
                fs::write(path, &jpeg[..jpeg.len() * 2 / 3]).unwrap();
            }
            _ => fs::remove_file(path).unwrap(),
        }
    }

    fn command(&self, command: &str, table: &str, predictions: &str, out: &str) -> Hardlight {
        let data = ["--data", "faces", "--predictions", predictions];
        let few = ["direction.permutations=19", "direction.bootstrap=0"];
        self.work
            .hardlight([command, "--out", out, "--table", table])
            .args(data)
            .args([
                "--device", "cpu", "--force", "--set", few[0], "--set", few[1],
            ])
            .clip()
    }

    fn detect(&self, out: &str) -> Hardlight {
        self.command("detect", "truth.csv", "predictions.csv", out)
    }

    /// A table without the rows of some images.
    fn without(&self, from: &str, ids: &[&str], to: &str) {
        let text = fs::read_to_string(self.work.path(from)).unwrap();
        let named = |line: &str| ids.iter().any(|id| line.starts_with(&format!("{id},")));
        let lines = text.lines().filter(|line| !named(line));
        let lines: Vec<&str> = lines.collect();
        self.work.write(to, lines.join("\n") + "\n");
    }

    fn ids(&self) -> Vec<&str> {
        self.bad.iter().map(|(id, _)| id.as_str()).collect()
    }

    /// What `detect` finds on a table that never had these rows.
    fn clean(&self, ids: &[&str], out: &str) {
        self.without("truth.csv", ids, "clean.csv");
        self.without("predictions.csv", ids, "clean-predictions.csv");
        self.command("detect", "clean.csv", "clean-predictions.csv", out)
            .run()
            .exits(0);
    }

    /// Directions, alignments and embeddings are those of another run.
    #[track_caller]
    fn same(&self, a: &str, b: &str) {
        for name in ["directions.json", "directions.safetensors"] {
            let of = |out: &str| fs::read(self.work.path(out).join(name)).unwrap();
            assert!(of(a) == of(b), "{name} of {a} and {b}");
        }
        let embeddings = |out: &str| files(&self.work.path(out).join("embeddings"));
        assert_same(&embeddings(a), &embeddings(b));
        let judged = |out: &str| {
            let text = fs::read_to_string(self.work.path(out).join("report.json")).unwrap();
            let report: Value = serde_json::from_str(&text).unwrap();
            report["classes"].clone()
        };
        assert_eq!(judged(a), judged(b));
    }

    fn skipped(&self, out: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.work.path(out).join("skipped.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A PNG whose header announces 100,000 x 100,000 pixels.
fn huge() -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend([100_000_u32.to_be_bytes(), 100_000_u32.to_be_bytes()].concat());
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(13_u32.to_be_bytes());
    png.extend(&header);
    png.extend(crc(&header).to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    png
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn a_bad_image_is_fatal_unless_it_is_passed_over() {
    let broken = Broken::new();
    broken.detect("a").run().exits(3).complains(&[
        &broken.bad[0].0,
        "the file is empty",
        "--on-bad-image skip",
    ]);
    // Who met one may go on another way, in the same folder.
    let ran = broken
        .detect("a")
        .args(["--on-bad-image", "skip", "--max-bad", "4"])
        .run()
        .exits(0);
    let warning = "warning: 4 of 240 images cannot be used and were passed over";
    assert!(ran.stderr.contains(warning), "{ran}");
    let rows = broken.skipped("a");
    assert_eq!(rows.len(), 4);
    for (row, (id, reason)) in rows.iter().zip(&broken.bad) {
        assert_eq!(
            (&row["id"], &row["path"]),
            (&Value::from(id.as_str()), &Value::from(id.as_str()))
        );
        assert!(id.starts_with(row["split"].as_str().unwrap()), "{row}");
        assert!(row["member"].is_null(), "{row}");
        let said = row["reason"].as_str().unwrap();
        assert!(said.contains(reason) && !said.contains("faces"), "{said}");
    }
    for (name, key) in [
        ("report.json", "skipped_images"),
        ("summary.json", "skipped"),
    ] {
        let text = fs::read_to_string(broken.work.path("a").join(name)).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json[key], 4, "{name}");
        let first = &json["warnings"][0];
        let text = first["text"].as_str().or(first.as_str()).unwrap();
        assert!(text.starts_with("4 of 240"), "{json}");
    }
    let ids = broken.ids();
    broken.clean(&ids, "clean");
    broken.same("a", "clean");
    assert!(!broken.work.path("clean/skipped.jsonl").exists());

    // The same command again changes nothing; a mended image is taken.
    let again = || {
        let skip = ["--on-bad-image", "skip", "--max-bad", "2%"];
        broken.detect("a").args(skip).run().exits(0);
    };
    again();
    let before = results(&broken.work.path("a"));
    again();
    assert_same(&before, &results(&broken.work.path("a")));
    let good = "train/old";
    let path = broken.work.path("faces");
    let good = files(&path.join(good))
        .into_values()
        .find(|bytes| bytes.len() > 200)
        .unwrap();
    fs::write(path.join(&broken.bad[0].0), good).unwrap();
    again();
    assert_eq!(broken.skipped("a").len(), 3);
    fs::remove_dir_all(broken.work.path("clean")).unwrap();
    broken.clean(&ids[1..], "clean");
    broken.same("a", "clean");
}

#[test]
fn a_compared_matrix_without_ids_loses_their_rows_too() {
    let broken = Broken::new();
    let table = fs::read_to_string(broken.work.path("truth.csv")).unwrap();
    let n = table.lines().count() - 1;
    let rows = ndarray::Array2::from_shape_fn((n, 3), |(i, j)| (((i + 1) * (j + 7)) as f32).sin());
    let path = broken.work.path("other.safetensors");
    write_safetensors(&path, "embeddings", rows.view(), &[]).unwrap();
    broken
        .detect("a")
        .args(["--on-bad-image", "skip", "--max-bad", "4"])
        .args(["--space", "clip,other.safetensors"])
        .run()
        .exits(0);
    let text = fs::read_to_string(broken.work.path("a/report.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["skipped_images"], 4);
    assert_eq!(json["spaces"].as_array().unwrap().len(), 2);
}

#[test]
fn over_the_limit_the_first_are_named() {
    let broken = Broken::new();
    // 1 % of 240 images is 2.4, so 3.
    for limit in [&[][..], &["--max-bad", "3"]] {
        broken
            .detect("a")
            .args(["--on-bad-image", "skip"])
            .args(limit)
            .run()
            .exits(3)
            .complains(&[
                "more than 3 of 240 images cannot be used",
                &format!("{}: the file is empty", broken.bad[0].0),
                &broken.bad[3].0,
                "--max-bad",
            ]);
    }
    assert!(!broken.work.path("a/skipped.jsonl").exists());
    let refused = |limit: &str| {
        let args = broken
            .detect("a")
            .args(["--on-bad-image", "skip", "--max-bad", limit]);
        args.run().exits(2)
    };
    assert!(refused("few").stderr.contains("use a count such as 100"));
    let set = ["--set", "data.max_bad=200%"];
    broken
        .detect("a")
        .args(set)
        .run()
        .exits(2)
        .complains(&["200%", "use a count"]);
    let set = ["--set", "data.on_bad_image=ignore"];
    broken
        .detect("a")
        .args(set)
        .run()
        .exits(2)
        .complains(&["ignore"]);
}

#[test]
#[allow(
    clippy::too_many_lines,
    reason = "one run folder, by one command after the other"
)]
fn what_is_passed_over_is_in_no_manifest_and_mended_too_late() {
    let broken = Broken::new();
    let skip = ["--on-bad-image", "skip", "--max-bad", "4"];
    let run = || {
        broken
            .command("run", "truth.csv", "predictions.csv", "a")
            .model()
            .args([
                "--grammar",
                "world",
                "--steps",
                "2",
                "--guidance",
                "1",
                "--batch",
                "2",
            ])
            .args([
                "--quota",
                "2",
                "--min-alignment=-1000",
                "--set",
                "filter.class_margin=-2",
            ])
            .args(["--set", "filter.min_deviation=0", "--match-dataset"])
            .args(skip)
            .run()
    };
    run().exits(0);
    let ids = || -> Vec<String> {
        let text = fs::read_to_string(broken.work.path("a/manifest/train.jsonl")).unwrap();
        let rows = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let rows = rows.filter(|row| row["source"] == "original");
        rows.map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let without = |ids: &[String]| {
        assert_eq!(ids.len(), 58);
        assert!(
            broken.bad.iter().all(|(bad, _)| !ids.contains(bad)),
            "{ids:?}"
        );
    };
    without(&ids());
    broken.work.hardlight(["verify", "a"]).run().exits(0);
    // Commands that read the data again leave it out too.
    let predictions = ["--before", "predictions.csv", "--after", "predictions.csv"];
    broken
        .work
        .hardlight(["evaluate", "a"])
        .args(predictions)
        .run()
        .exits(0);
    let heavier = ["manifest", "a", "--upweight", "5", "--weight", "2"];
    broken.work.hardlight(heavier).run().exits(0);
    without(&ids());

    let before = results(&broken.work.path("a"));
    fs::write(broken.work.path("faces").join(&broken.bad[0].0), png()).unwrap();
    run().exits(3).complains(&[
        &broken.bad[0].0,
        "can be used now, and could not",
        "--force-new",
    ]);
    broken.damage(0);
    fs::remove_file(broken.work.path("a/evaluate.json")).unwrap();
    run().exits(0);
    let after = results(&broken.work.path("a"));
    let ledger = |of: &std::collections::BTreeMap<String, Vec<u8>>| of["ledger.jsonl"].clone();
    assert!(ledger(&before) == ledger(&after));
}

#[test]
fn beside_given_embeddings_too() {
    let broken = Broken::of(Work::with_world(), false);
    let embed = [
        "embed",
        "--images",
        "faces",
        "--out",
        "e.safetensors",
        "--device",
        "cpu",
    ];
    broken.work.hardlight(embed).clip().run().exits(0);
    (0..4).for_each(|at| broken.damage(at));
    let run = |more: &[&str]| {
        broken
            .command("run", "truth.csv", "predictions.csv", "a")
            .model()
            .args([
                "--embeddings",
                "e.safetensors",
                "--grammar",
                "world",
                "--steps",
                "2",
            ])
            .args([
                "--match-dataset",
                "--guidance",
                "1",
                "--quota",
                "1",
                "--min-alignment=-1000",
            ])
            .args([
                "--set",
                "filter.class_margin=-2",
                "--set",
                "filter.min_deviation=0",
            ])
            .args(more)
            .run()
    };
    run(&["--on-bad-image", "skip", "--max-bad", "4"]).exits(0);
    assert_eq!(broken.skipped("a").len(), 4);
    let text = fs::read_to_string(broken.work.path("a/manifest/train.jsonl")).unwrap();
    assert_eq!(text.matches("\"original\"").count(), 58);
    assert!(broken.ids().iter().all(|id| !text.contains(id)));
    run(&["--on-bad-image", "skip", "--max-bad", "3"])
        .exits(3)
        .complains(&["more than 3 of 240"]);
}

/// A small picture.
fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(64, 64, image::Rgb([90, 60, 30]));
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn a_classifier_passes_them_over_too() {
    let broken = Broken::new();
    let model = crate::common::weights("classifier");
    let run = |table: &str, out: &str| {
        let args = broken
            .work
            .hardlight(["detect", "--out", out, "--table", table, "--data", "faces"]);
        args.args(["--device", "cpu", "--classifier", model.to_str().unwrap()])
            .args(["--on-bad-image", "skip", "--max-bad", "4"])
            .args([
                "--set",
                "direction.permutations=19",
                "--set",
                "direction.bootstrap=0",
            ])
            .run()
            .exits(0)
    };
    let ran = run("truth.csv", "a");
    let warning = "warning: 4 of 240 images cannot be used";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{ran}");
    let of: Vec<_> = broken
        .skipped("a")
        .iter()
        .map(|row| row["split"].clone())
        .collect();
    assert_eq!(
        of,
        ["val", "test", "train", "train"],
        "in the order in which they were met"
    );
    broken.without("truth.csv", &broken.ids(), "clean.csv");
    run("clean.csv", "b");
    broken.same("a", "b");
}
