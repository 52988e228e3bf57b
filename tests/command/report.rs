//! The detection report from the user's own embeddings: its figures against a count of their own, and every
//! doubt on data that is made to deserve it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use crate::common::{Hardlight, Work};
use hardlight::io::matrix::write_safetensors;
use ndarray::{Array1, Array2, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use serde_json::Value;

const DIMS: usize = 24;
const CLASSES: [&str; 2] = ["cat", "dog"];

/// A class that only one test has examples of.
const OWL: usize = 2;

/// What is known of a made-up example.
#[derive(Clone)]
struct Made {
    id: String,
    split: &'static str,
    label: usize,
    prediction: usize,
    confidence: f32,
    night: bool,
}

/// Made-up examples and their embeddings. The classifier fails at night, which is rare in train.
struct Data {
    examples: Vec<Made>,
    embeddings: Array2<f32>,
}

impl Data {
    /// `nights` is the share of night in train and in the other splits, `flips` that of wrong labels.
    fn new(nights: [f64; 2], flips: f64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let sizes = [("train", 600), ("val", 400), ("test", 300), ("pool", 60)];
        let mut examples = Vec::new();
        let mut rows = Vec::new();
        for (split, n) in sizes {
            for i in 0..n {
                let class = i % 2;
                let share = nights[usize::from(split != "train")];
                // Exact shares, in an order that has nothing to do with the classes.
                let night = ((i / 2 * 7) % 20) < (20.0 * share).round() as usize;
                let mut row: Vec<f32> = (0..DIMS).map(|_| rng.gen_range(-1.0..1.0)).collect();
                row[4 * class..4 * class + 4]
                    .iter_mut()
                    .for_each(|v| *v += 2.0);
                if night {
                    row[16..20].iter_mut().for_each(|v| *v += 1.5);
                }
                let fails = rng.gen_bool(if night { 0.6 } else { 0.05 });
                let flipped = rng.gen_bool(flips);
                examples.push(Made {
                    id: format!("{split}-{i:03}"),
                    split,
                    label: if flipped { 1 - class } else { class },
                    prediction: if fails { 1 - class } else { class },
                    confidence: rng.gen_range(0.5..1.0),
                    night,
                });
                rows.extend(row);
            }
        }
        let embeddings = Array2::from_shape_vec((examples.len(), DIMS), rows).unwrap();
        Self {
            examples,
            embeddings,
        }
    }

    fn usual() -> Self {
        Self::new([0.1, 0.5], 0.0)
    }

    fn written(&self) -> Work {
        let work = Work::empty();
        let mut table = "id,path,label,split,prediction,confidence,group\n".to_owned();
        for e in &self.examples {
            let name = |class: usize| CLASSES.get(class).unwrap_or(&"owl");
            let (label, said) = (name(e.label), name(e.prediction));
            let group = if e.night { "night" } else { "day" };
            let said = if e.split == "train" { "" } else { said };
            let sure = if e.split == "train" {
                String::new()
            } else {
                e.confidence.to_string()
            };
            writeln!(
                table,
                "{},{}.png,{label},{},{said},{sure},{group}",
                e.id, e.id, e.split
            )
            .unwrap();
        }
        work.write("table.csv", table);
        write_safetensors(
            &work.path("own.safetensors"),
            "e",
            self.embeddings.view(),
            &[],
        )
        .unwrap();
        work
    }
}

fn detect(work: &Work, spaces: &[&str]) -> Hardlight {
    let mut command = work
        .hardlight(["detect", "--out", "out", "--table", "table.csv"])
        .args(["--set", "direction.permutations=99"])
        .args(["--set", "direction.bootstrap=0"]);
    for space in spaces {
        command = command.args(["--space", space]);
    }
    command
}

fn report(work: &Work) -> Value {
    serde_json::from_slice(&fs::read(work.path("out/report.json")).unwrap()).unwrap()
}

fn list<'a>(of: &'a Value, key: &str) -> &'a Vec<Value> {
    of[key].as_array().unwrap()
}

/// The kinds of warnings by class; those of no class under "".
fn kinds(report: &Value) -> BTreeSet<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = list(report, "warnings").iter();
    all.map(|w| (text(&w["class"]), text(&w["kind"]))).collect()
}

fn barred(report: &Value) -> BTreeMap<String, Vec<String>> {
    let all = list(report, "classes").iter();
    all.map(|class| {
        let kinds = list(class, "barred").iter();
        let kinds = kinds.map(|k| k.as_str().unwrap().to_owned()).collect();
        (class["class"].as_str().unwrap().to_owned(), kinds)
    })
    .collect()
}

/// A CSV as texts by column.
fn csv(work: &Work, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(work.path("out/report").join(name)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// Alignments of one split's examples by their directions' files, from the formulas.
fn scores(work: &Work, data: &Data, split: &str) -> Vec<(Made, f64)> {
    let bytes = fs::read(work.path("out/directions.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let read = |name: &str| -> Array1<f64> {
        let tensor = tensors.tensor(name).unwrap();
        let words = tensor.data().chunks_exact(8);
        words
            .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let (mean, deviation) = (read("mean"), read("deviation"));
    let mut scored = Vec::new();
    for (e, row) in data.examples.iter().zip(data.embeddings.outer_iter()) {
        if e.split == split {
            let z = (&row.mapv(f64::from) - &mean) / &deviation;
            let w = read(&format!("{}.0.w", e.label));
            let b = read(&format!("{}.0.scalars", e.label))[1];
            let decision = w.dot(&z) / z.dot(&z).sqrt() + b;
            scored.push((e.clone(), -decision / w.dot(&w).sqrt()));
        }
    }
    scored
}

fn share(of: &[(Made, f64)], is: impl Fn(&Made) -> bool) -> f64 {
    of.iter().filter(|(e, ..)| is(e)).count() as f64 / of.len() as f64
}

fn near(a: &Value, b: f64) {
    let a = a.as_f64().unwrap();
    assert!((a - b).abs() < 1e-9, "{a} {b}");
}

fn wrong(e: &Made) -> bool {
    e.label != e.prediction
}

/// The figures of a ranking by alignment, against a count.
#[allow(clippy::too_many_lines, reason = "a count for every figure")]
fn counted(figures: &Value, own: &[(Made, f64)]) {
    let mut hard = own.to_vec();
    hard.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap());
    let mut unsure = own.to_vec();
    unsure.sort_by(|a, b| a.0.confidence.partial_cmp(&b.0.confidence).unwrap());
    let nights = own.iter().filter(|(e, ..)| e.night).count();
    let error = share(own, wrong);
    near(&figures["model_accuracy"], 1.0 - error);
    near(&figures["minority_base"], nights as f64 / own.len() as f64);
    let expected: Vec<usize> = [10, 25, 50, 100]
        .into_iter()
        .filter(|k| *k <= own.len())
        .collect();
    let at = list(figures, "at");
    assert_eq!(
        at.iter()
            .map(|h| h["k"].as_u64().unwrap() as usize)
            .collect::<Vec<_>>(),
        expected
    );
    let hardest = &figures["hardest"];
    assert_eq!(
        hardest["k"].as_u64().unwrap() as usize,
        (own.len() / 5).min(50)
    );
    for head in at.iter().chain([&figures["at_minority"], hardest]) {
        let k = head["k"].as_u64().unwrap() as usize;
        near(&head["direction"], share(&hard[..k], wrong));
        near(&head["lift"], share(&hard[..k], wrong) / error);
        near(&head["least_confidence"], share(&unsure[..k], wrong));
        near(&head["minority"], share(&hard[..k], |e| e.night));
        near(
            &head["least_confidence_minority"],
            share(&unsure[..k], |e| e.night),
        );
    }
    assert_eq!(
        figures["at_minority"]["k"].as_u64().unwrap() as usize,
        nights
    );
    let n = hard.len();
    for (t, accuracy) in list(figures, "decile_accuracy").iter().enumerate() {
        near(
            accuracy,
            1.0 - share(&hard[t * n / 10..(t + 1) * n / 10], wrong),
        );
    }
    let cell = |w: bool, flag: bool| {
        let hits = own
            .iter()
            .filter(|(e, a)| wrong(e) == w && (*a > 0.0) == flag);
        hits.count() as u64
    };
    let cells = [
        cell(true, true),
        cell(true, false),
        cell(false, true),
        cell(false, false),
    ];
    let got: Vec<u64> = list(figures, "confusion")
        .iter()
        .map(|c| c.as_u64().unwrap())
        .collect();
    assert_eq!(got, cells);
}

#[test]
fn figures_are_those_of_a_count_from_the_files() {
    let data = Data::usual();
    let work = data.written();
    let ran = detect(&work, &["own.safetensors"]).run().exits(0);
    ran.says(&[
        "val: 400 examples",
        "out of fold",
        "test: 300 examples",
        "pool: 60 examples",
        "share of the minority among the K most aligned",
        "cat on the failure side of its direction: ",
    ]);
    let report = report(&work);
    assert_eq!(barred(&report)["cat"], [""; 0], "{:?}", kinds(&report));
    assert_eq!(barred(&report)["dog"], [""; 0], "{:?}", kinds(&report));
    let splits = list(&report, "splits");
    let names: Vec<&str> = splits
        .iter()
        .map(|s| s["split"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["val", "test", "pool"]);
    let folds: Vec<bool> = splits
        .iter()
        .map(|s| s["out_of_fold"].as_bool().unwrap())
        .collect();
    assert_eq!(folds, [true, false, false]);
    for split in &splits[1..] {
        let name = split["split"].as_str().unwrap();
        let all = scores(&work, &data, name);
        near(&split["model_accuracy"], 1.0 - share(&all, wrong));
        for class in [None, Some(0), Some(1)] {
            let mut own: Vec<_> = all.clone();
            own.retain(|(e, ..)| class.is_none_or(|class| e.label == class));
            let figures = match class {
                None => &split["overall"],
                Some(class) => &split["classes"][class],
            };
            counted(figures, &own);
        }
        // The failure is at night, and alignment finds it where confidence, which is noise here, does not.
        let head = &split["overall"]["at"][1];
        if name == "test" {
            assert!(head["lift"].as_f64().unwrap() > 1.4, "{head}");
            assert!(head["minority"].as_f64().unwrap() > 0.9, "{head}");
        }
    }
}

#[test]
fn tables_say_what_report_json_says() {
    let work = Data::usual().written();
    detect(&work, &["own.safetensors"]).run().exits(0);
    let report = report(&work);
    let number = |text: &str| text.parse::<f64>().unwrap();
    let mut heads = 0;
    let rows = csv(&work, "classes.csv");
    assert_eq!(rows.len(), 9, "three splits of two classes and all");
    for row in &rows {
        let mut splits = list(&report, "splits").iter();
        let split = splits
            .find(|s| s["split"] == row["split"].as_str())
            .unwrap();
        let mut classes = list(split, "classes").iter();
        let figures = classes
            .find(|c| c["class"] == row["class"].as_str())
            .unwrap_or(&split["overall"]);
        assert_eq!(row["out_of_fold"], split["out_of_fold"].to_string());
        for (column, key) in [
            ("model_accuracy", "model_accuracy"),
            ("svm_accuracy", "svm_accuracy"),
            ("svm_balanced_accuracy", "svm_balanced_accuracy"),
            ("minority_share", "minority_base"),
        ] {
            assert_eq!(
                Some(number(&row[column])),
                figures[key].as_f64(),
                "{column}"
            );
        }
        assert_eq!(row["mistakes_flagged"], figures["confusion"][0].to_string());
        heads += list(figures, "at").len() + 1;
    }
    assert_eq!(csv(&work, "heads.csv").len(), heads);
    assert_eq!(csv(&work, "deciles.csv").len(), 90);
    assert_eq!(
        csv(&work, "warnings.csv").len(),
        list(&report, "warnings").len()
    );
    let names: Vec<String> = crate::common::files(&work.path("out/report"))
        .into_keys()
        .collect();
    assert_eq!(
        names,
        [
            "classes.csv",
            "deciles.csv",
            "duplicates.csv",
            "heads.csv",
            "label_errors.csv",
            "modes.csv",
            "warnings.csv"
        ]
    );
}

#[test]
fn a_val_as_skewed_as_train_is_said_and_bars_the_class() {
    let work = Data::new([0.1, 0.1], 0.0).written();
    let ran = detect(&work, &["own.safetensors"]).run();
    let words = "group night is rare in val (10.0 %) as it is in train (10.0 %)";
    assert!(ran.stderr.contains(words), "{ran}");
    assert!(
        ran.stderr
            .contains("nothing is generated from it unless forced"),
        "{ran}"
    );
    let report = report(&work);
    for class in CLASSES {
        assert!(barred(&report)[class].contains(&"skewed_groups".to_owned()));
    }
    let mut all = list(&report, "warnings").iter();
    let warning = all.find(|w| w["kind"] == "skewed_groups").unwrap();
    assert_eq!(
        (&warning["numbers"]["group"], &warning["bars"]),
        (&"night".into(), &true.into())
    );
    near(&warning["numbers"]["val_share"], 0.1);
    // For scripts, as before: the same in words.
    let summary: Value =
        serde_json::from_slice(&fs::read(work.path("out/summary.json")).unwrap()).unwrap();
    assert_eq!(summary["warnings"][0], list(&report, "warnings")[0]["text"]);
}

#[test]
fn a_class_as_rare_in_val_as_in_a_strongly_skewed_train_is_said() {
    let mut data = Data::usual();
    // One train and val example in a hundred becomes an owl; with three classes a third would be even.
    for i in (0..data.examples.len()).step_by(100) {
        let e = &mut data.examples[i];
        (e.label, e.prediction) = (OWL, OWL);
    }
    let work = data.written();
    let ran = detect(&work, &["own.safetensors"]).run().exits(0);
    let words =
        "class owl is rare in val (1.00 %) as it is in train (1.00 %, an even share is 33.33 %)";
    assert!(ran.stderr.contains(words), "{ran}");
    let report = report(&work);
    let skewed: Vec<_> = kinds(&report)
        .into_iter()
        .filter(|(_, kind)| kind == "skewed_class")
        .collect();
    assert_eq!(skewed, [("owl".to_owned(), "skewed_class".to_owned())]);
}

#[test]
fn examples_of_train_in_val_and_test_are_counted_named_and_bar_their_class() {
    let mut data = Data::usual();
    // 24 cats of val and one dog of test are train's, number by number.
    let first = |split: &str| data.examples.iter().position(|e| e.split == split).unwrap();
    let (val, test) = (first("val"), first("test"));
    for i in 0..24 {
        let row = data.embeddings.row(2 * i).to_owned();
        data.embeddings.row_mut(val + 2 * i).assign(&row);
    }
    let row = data.embeddings.row(1).to_owned();
    data.embeddings.slice_mut(s![test + 1, ..]).assign(&row);
    let work = data.written();
    let ran = detect(&work, &["own.safetensors"]).run();
    for words in [
        "24 of val are in train, 1 of test are in train, 0 of test are in val",
        "val-000 = train-000, val-002 = train-002",
        "class cat: 24 of its 200 examples in val (",
    ] {
        assert!(ran.stderr.contains(words), "no {words:?} in {ran}");
    }
    let report = report(&work);
    assert!(barred(&report)["cat"].contains(&"duplicates".to_owned()));
    assert!(
        !barred(&report)["dog"].contains(&"duplicates".to_owned()),
        "one is an accident"
    );
    assert_eq!(report["duplicates"]["count"], 25);
    let rows = csv(&work, "duplicates.csv");
    assert_eq!(rows.len(), 25);
    let last = &rows[24];
    assert_eq!(
        (
            last["id"].as_str(),
            last["also"].as_str(),
            last["same"].as_str()
        ),
        ("test-001", "train-001", "embedding")
    );
}

#[test]
fn flipped_labels_are_named_and_not_taken_for_a_failure() {
    // Where the classifier hardly fails, one label in ten is wrong.
    let mut data = Data::new([0.5, 0.5], 0.1);
    for e in &mut data.examples {
        let (_, number) = e.id.split_once('-').unwrap();
        e.prediction = number.parse::<usize>().unwrap() % 2;
        e.confidence = 0.9;
    }
    let truth = |e: &Made| e.prediction;
    let flipped: BTreeSet<&str> = data
        .examples
        .iter()
        .filter(|e| matches!(e.split, "val" | "test") && e.label != truth(e))
        .map(|e| e.id.as_str())
        .collect();
    let work = data.written();
    let ran = detect(&work, &["own.safetensors"]).run();
    assert!(ran.stderr.contains("are likely label errors"), "{ran}");
    assert!(
        ran.stdout.contains("mistakes are likely label errors"),
        "{ran}"
    );
    let report = report(&work);
    for class in CLASSES {
        assert!(
            barred(&report)[class].contains(&"label_errors".to_owned()),
            "{:?}",
            kinds(&report)
        );
    }
    let found: BTreeSet<String> = csv(&work, "label_errors.csv")
        .into_iter()
        .map(|row| {
            assert_ne!(row["label"], row["likely"]);
            row["id"].clone()
        })
        .collect();
    let hits = found
        .iter()
        .filter(|id| flipped.contains(id.as_str()))
        .count() as f64;
    let (precision, recall) = (hits / found.len() as f64, hits / flipped.len() as f64);
    assert!(precision > 0.95 && recall > 0.8, "{precision} {recall}");
    let check = &report["label_errors"];
    assert_eq!(list(check, "examples").len(), found.len());
    assert_eq!(check["among"][0]["split"], "train");
    assert_eq!(check["among"][0]["used"], 600);
}

#[test]
fn spaces_are_compared_side_by_side_and_are_part_of_the_run() {
    let data = Data::usual();
    let work = data.written();
    // A space without the trait: there the failure cannot be seen.
    let blind = data.embeddings.slice(s![.., ..16]).to_owned();
    write_safetensors(&work.path("blind.npz.safetensors"), "e", blind.view(), &[]).unwrap();
    let spaces = ["own.safetensors,blind.npz.safetensors"];
    let ran = detect(&work, &spaces).run().exits(0);
    let ran = ran.says(&["spaces side by side, on test", "blind.npz.safetensors"]);
    assert!(
        !ran.stderr.contains("class cat"),
        "the run's own space is sound: {ran}"
    );
    let report = report(&work);
    let all = list(&report, "spaces");
    let names: Vec<&Value> = all.iter().map(|s| &s["space"]).collect();
    assert_eq!(names, ["own.safetensors", "blind.npz.safetensors"]);
    for class in 0..2 {
        let of = |space: usize, key: &str| all[space]["classes"][class][key].clone();
        assert_eq!(of(0, "cv_score"), report["classes"][class]["cv_score"]);
        assert_eq!(of(0, "finding"), true);
        let score = |space| of(space, "cv_score").as_f64().unwrap();
        assert!(score(0) > score(1) + 0.1, "{} {}", score(0), score(1));
        let head = |space: usize| all[space]["classes"][class]["judged"]["at"][1].clone();
        assert!(head(0)["lift"].as_f64() > head(1)["lift"].as_f64());
        assert!(head(0)["minority"].as_f64() > head(1)["minority"].as_f64());
    }
    let rows = csv(&work, "classes.csv");
    let of = |space: &str| rows.iter().filter(|row| row["space"] == space).count();
    assert_eq!((of("own.safetensors"), of("blind.npz.safetensors")), (9, 9));

    // The same again changes nothing; other spaces, or another matrix, are another run.
    let before = crate::common::results(&work.path("out"));
    detect(&work, &["own.safetensors", "blind.npz.safetensors"])
        .run()
        .exits(0);
    crate::common::assert_same(&before, &crate::common::results(&work.path("out")));
    let ran = detect(&work, &["own.safetensors"]).run().exits(3);
    ran.complains(&["embedding.compared"]);
    write_safetensors(
        &work.path("blind.npz.safetensors"),
        "e",
        (&blind * 2.0).view(),
        &[],
    )
    .unwrap();
    let ran = detect(&work, &spaces).run().exits(3);
    ran.complains(&["embedding.compared"]);
    let twice = ["own.safetensors", "own.safetensors"];
    let ran = detect(&work, &twice).run().exits(2);
    ran.complains(&["the space own.safetensors is given twice"]);
}

#[test]
fn nothing_is_generated_from_a_barred_class() {
    let work = Work::with_world();
    // Old faces of test are train's, file by file.
    let faces = |split: &str| {
        let folder = work.path("faces").join(split).join("old");
        let mut paths: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    };
    for (from, to) in faces("train").iter().zip(faces("test")) {
        fs::copy(from, to).unwrap();
    }
    let ran = work
        .hardlight(["run", "--out", "out", "--data", "faces"])
        .args(["--predictions", "predictions.csv", "--device", "cpu"])
        .args(["--set", "direction.permutations=99"])
        .args(["--set", "direction.bootstrap=0"])
        .args(["--grammar", "world", "--steps", "2", "--guidance", "3"])
        .args(["--quota", "1", "--budget", "2", "--batch", "2"])
        .clip()
        .model()
        .run();
    let report = report(&work);
    assert_eq!(barred(&report)["old"], ["duplicates"], "{ran}");
    assert_eq!(barred(&report)["young"], [""; 0], "{ran}");
    assert!(report["classes"][0]["finding"].as_bool().unwrap(), "{ran}");
    assert!(
        csv(&work, "duplicates.csv")
            .iter()
            .all(|row| row["same"] == "file")
    );
    let attempts = crate::common::decisions(&work.path("out"));
    let classes: BTreeSet<String> = attempts.iter().map(|e| e["class"].to_string()).collect();
    assert_eq!(classes, BTreeSet::from(["\"young\"".to_owned()]));
}
