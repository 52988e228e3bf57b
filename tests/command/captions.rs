//! `hardlight captions`: what a grammar makes, and captions on a small world held against real images.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::Work;
use crate::evaluate::write_predictions;
use arrow::array::{Array as _, Float64Array, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

const GRAMMAR: &str = r#"reference = "a photo of a(n) {class}"
templates = ["a photo of a(n) {look} {class}"]
[slots]
look = ["", "old"]
"#;

/// Some of what the world's captions say.
const FACES: &str = r#"reference = "a photo of a(n) {class} person"
templates = ["a photo of a(n) {class} {noun} {with}"]
[slots]
noun = ["person", "man", "woman"]
with = ["", "with glasses", "with a hat", "with a smile", "with grey hair"]
"#;

mod list {
    use super::*;

    #[test]
    fn classes_and_captions_to_stdout_counts_to_stderr() {
        let work = Work::empty();
        work.write("g.toml", GRAMMAR);
        let ran = work
            .hardlight([
                "captions",
                "--list",
                "--grammar",
                "g.toml",
                "--classes",
                "owl,dog",
            ])
            .run()
            .exits(0);
        let expected = "owl\ta photo of an owl\nowl\ta photo of an old owl\n\
                        dog\ta photo of a dog\ndog\ta photo of an old dog\n";
        assert_eq!(ran.stdout, expected);
        assert!(
            ran.stderr
                .contains("owl: 2 captions, compared with \"a photo of an owl\"")
        );
        assert!(ran.stderr.contains("2 classes, 4 captions"), "{ran}");
        let names: Vec<_> = fs::read_dir(work.root()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing was written");
        let ran = work
            .hardlight([
                "captions",
                "--list",
                "--json",
                "--grammar",
                "g.toml",
                "--classes",
                "owl",
            ])
            .run()
            .exits(0);
        let lines: Vec<Value> = ran
            .stdout
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines[0]["kind"], "neutral");
        assert_eq!(lines[1]["caption"], "a photo of an old owl");
    }

    #[test]
    fn classes_are_those_of_the_data_or_of_the_grammar() {
        let work = Work::empty();
        work.write("data/val/sea_lion/1.png", "").parent().unwrap();
        work.write("data/val/ox/1.png", "");
        work.write("g.toml", GRAMMAR);
        let ran = work
            .hardlight([
                "captions",
                "--list",
                "--grammar",
                "g.toml",
                "--data",
                "data",
            ])
            .run()
            .exits(0);
        assert!(ran.stdout.contains("ox\ta photo of an old ox\n"), "{ran}");
        assert!(
            ran.stdout.contains("sea_lion\ta photo of a sea lion\n"),
            "{ran}"
        );
        let ran = work
            .hardlight(["captions", "--list", "--grammar", "cifar100"])
            .run()
            .exits(0);
        let classes: BTreeSet<&str> = ran
            .stdout
            .lines()
            .map(|l| l.split('\t').next().unwrap())
            .collect();
        assert_eq!(classes.len(), 120);
        work.hardlight(["captions", "--list"])
            .run()
            .exits(2)
            .complains(&["general.toml names no classes", "--classes"]);
        work.hardlight(["captions", "--classes", "a"])
            .run()
            .exits(2);
        work.hardlight(["captions"]).run().exits(2);
    }

    #[test]
    fn faults_name_file_line_and_column() {
        let work = Work::empty();
        work.write("g.toml", GRAMMAR.replace("{look}", "{lok}"));
        work.hardlight([
            "captions",
            "--list",
            "--grammar",
            "g.toml",
            "--classes",
            "a",
        ])
        .run()
        .exits(3)
        .complains(&["g.toml, line 2, column 31: {lok} is no slot", "[\"look\"]"]);
        work.write(
            "h.toml",
            format!("{GRAMMAR}[classes.dog]\nnoun = [\"x\"]\n"),
        );
        work.hardlight(["captions", "--list", "--grammar", "h.toml"])
            .run()
            .exits(3)
            .complains(&[
                "h.toml, line 6, column 1: not a grammar",
                "unknown field `noun`",
            ]);
        work.write(
            "w.toml",
            format!("{GRAMMAR}[classes.dog]\nnouns = {{ synset = \"dog.n.01\" }}\n"),
        );
        let list = ["captions", "--list", "--grammar", "w.toml"];
        work.hardlight(list)
            .run()
            .exits(3)
            .complains(&["w.toml, line 6, column 20: ", "--wordnet DIR"]);
        work.hardlight(list)
            .args(["--wordnet", "nowhere"])
            .run()
            .exits(3)
            .complains(&["nowhere/index.noun"]);
        // A WordNet of one noun.
        let line = "00000000 05 n 02 dog 0 domestic_dog 0 000 | barks  \n";
        work.write("dict/data.noun", line);
        work.write("dict/index.noun", "dog n 1 0 1 0 00000000  \n");
        let ran = work
            .hardlight(list)
            .args(["--wordnet", "dict"])
            .run()
            .exits(0);
        assert!(
            ran.stdout.contains("dog\ta photo of an old domestic dog\n"),
            "{ran}"
        );
        work.write("dict/data.noun", line.replace(" n 02", " n 09"));
        work.hardlight(list)
            .args(["--set", "captions.wordnet=dict"])
            .run()
            .exits(3)
            .complains(&[
                "w.toml, line 6, column 20",
                "data.noun, byte 0: expected a word",
            ]);
    }

    #[test]
    fn a_reader_that_has_enough_may_close_the_pipe() {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hardlight"))
            .args(["captions", "--list", "--grammar", "imagenet"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "n01440764\ta photo of a tench\n");
        drop(reader);
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success(), "{stderr}");
        assert!(!stderr.contains("1000 classes"), "it went on: {stderr}");
    }
}

#[test]
fn captions_are_held_against_real_images() {
    let work = Work::with_world();
    // The whole minority is wrong and nobody else, and few captions are looked at: for the hardest of the world's
    // 620, ten of ten wrong among 60 images is what chance shows in one class of seven.
    write_predictions(&work, "predictions.csv", |minority, _, _| minority);
    work.write("faces.toml", FACES);
    let ran = work
        .on_world("captions", "out")
        .clip()
        .args(["--grammar", "faces.toml", "--captions-per-class", "3"])
        .run()
        .exits(0);
    let report: Value =
        serde_json::from_slice(&fs::read(work.path("out/report.json")).unwrap()).unwrap();
    let captions = &report["captions"];
    assert_eq!(
        (&captions["judged_on"], &captions["verdict_on"]),
        (&"test".into(), &"val".into())
    );
    let modes = captions["modes"].as_array().unwrap();
    assert_eq!(modes.len(), 2);
    for (mode, word) in modes.iter().zip([" woman", " man"]) {
        assert_eq!(mode["val"]["images"], 60);
        assert_eq!(mode["hard"].as_array().unwrap().len(), 3);
        let hard = &mode["hard"][0];
        assert!(hard["caption"].as_str().unwrap().contains(word), "{mode}");
        for one in mode["hard"].as_array().unwrap() {
            let p = one["p_value"].as_f64().unwrap();
            let says = if p < 0.05 { "confirmed" } else { "unclear" };
            assert_eq!(one["verdict"], says, "{mode}");
        }
        assert_eq!(hard["verdict"], "confirmed", "{mode}");
        assert_eq!(hard["val"]["images"], 10);
        let accuracy = |one: &Value| one["judged"]["accuracy"].as_f64().unwrap();
        assert!(accuracy(hard) < accuracy(mode), "{mode}");
        assert!(accuracy(&mode["easy"][0]) > accuracy(mode), "{mode}");
        assert_eq!(mode["easy"][0]["verdict"], "not confirmed");
        assert_eq!(mode["neutral"].as_array().unwrap().len(), 1);
        let sentence = mode["sentence"].as_str().unwrap();
        assert!(ran.stdout.contains(sentence), "{ran}");
        assert!(sentence.contains("% of 10 wrong, against"), "{sentence}");
    }
    ran.says(&[
        "of all 60: ",
        "confirmed (p 0.",
        "accuracy on the test images nearest to the hardest caption",
    ]);

    let csv = fs::read_to_string(work.path("out/report/captions.csv")).unwrap();
    // 3 hard, 3 easy, 1 neutral a class, each on val and test.
    assert_eq!(csv.lines().count(), 1 + 2 * 7 * 2, "{csv}");
    let confirmed = |l: &&str| {
        l.starts_with("old,0,") && l.contains(",hard,") && l.contains(",confirmed,val,10,")
    };
    assert!(csv.lines().any(|l| confirmed(&l)), "{csv}");
    parquet_has_verdicts_of_used_captions(&work.path("out/captions.parquet"));
}

fn parquet_has_verdicts_of_used_captions(path: &Path) {
    let file = fs::File::open(path).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let (mut rows, mut verdicts, mut merged) = (0, 0, 0);
    for batch in batches {
        let batch = batch.unwrap();
        let text = |name: &str| {
            batch
                .column_by_name(name)
                .unwrap()
                .as_any()
                .downcast_ref::<StringArray>()
                .unwrap()
                .clone()
        };
        let (kind, verdict, dropped) = (text("kind"), text("verdict"), text("dropped"));
        let accuracy = batch.column_by_name("val_accuracy").unwrap();
        let accuracy = accuracy.as_any().downcast_ref::<Float64Array>().unwrap();
        rows += batch.num_rows();
        for row in 0..batch.num_rows() {
            let is_used = kind.value(row) != "other";
            assert_eq!(verdict.is_valid(row), is_used, "{}", kind.value(row));
            assert_eq!(accuracy.is_valid(row), is_used);
            verdicts += usize::from(is_used);
            merged +=
                usize::from(dropped.is_valid(row) && dropped.value(row).starts_with("near-equal"));
        }
    }
    assert_eq!(verdicts, 14);
    assert_eq!(rows, 30);
    assert!(
        merged < 5,
        "{merged} merged: the threshold is for near-equal ones"
    );
}
