//! Scores in place of predictions: the threshold is chosen on val and holds for test.

use std::fmt::Write as _;
use std::fs;

use crate::common::{Hardlight, Work};
use serde_json::Value;

/// Patients; every fourth is of val where 8 divides its number, else of train or test.
const PATIENTS: usize = 320;

/// Whether a patient has the finding, and the score that a classifier gives it.
fn patient(i: usize) -> (bool, f64) {
    let finding = i.is_multiple_of(3);
    let noise = ((i * 7919) % 101) as f64 / 101.0;
    let score = if finding {
        0.15 + 0.5 * noise
    } else {
        0.35 * noise
    };
    (finding, (score * 1e4).round() / 1e4)
}

/// ChestX-ray14 in small, `scores.csv` by id, and embeddings by row.
fn chest() -> Work {
    let work = Work::empty();
    let mut table =
        "Image Index,Finding Labels,Patient ID,Patient Gender,View Position\n".to_owned();
    let (mut train, mut test) = (String::new(), String::new());
    let mut scores = "id,score\n".to_owned();
    let mut rows = Vec::new();
    for i in 1..=PATIENTS {
        let name = format!("{i:08}_000.png");
        let (finding, score) = patient(i);
        let said = if finding { "Mass|Nodule" } else { "No Finding" };
        writeln!(table, "{name},{said},{i},M,PA").unwrap();
        let list = if i % 5 == 0 { &mut test } else { &mut train };
        writeln!(list, "{name}").unwrap();
        if i % 5 == 0 || i % 8 == 0 {
            writeln!(scores, "{name},{score}").unwrap();
        }
        work.write(&format!("chest/images/{name}"), "");
        rows.extend((0..6).map(|j| ((i * (j + 3) * 31) % 17) as f32));
    }
    work.write("chest/Data_Entry_2017.csv", table);
    work.write("chest/train_val_list.txt", train);
    work.write("chest/test_list.txt", test);
    work.write("scores.csv", scores);
    let matrix = ndarray::Array2::from_shape_vec((PATIENTS, 6), rows).unwrap();
    ndarray_npy::write_npy(work.path("space.npy"), &matrix).unwrap();
    work
}

fn detect(work: &Work, out: &str) -> Hardlight {
    work.hardlight([
        "detect",
        "--out",
        out,
        "--dataset",
        "chestxray14",
        "--root",
        "chest",
    ])
    .args([
        "--finding",
        "Mass",
        "--space",
        "space.npy",
        "--device",
        "cpu",
    ])
    .args([
        "--set",
        "direction.permutations=19",
        "--set",
        "direction.bootstrap=0",
    ])
}

/// F1 of a threshold on val, by counting.
fn f1(threshold: f64) -> f64 {
    let val = (1..=PATIENTS)
        .filter(|i| i % 5 != 0 && i % 8 == 0)
        .map(patient);
    let (mut both, mut either) = (0, 0);
    for (finding, score) in val {
        let predicted = score >= threshold;
        both += usize::from(finding && predicted);
        either += usize::from(finding) + usize::from(predicted);
    }
    2.0 * both as f64 / either as f64
}

#[test]
fn chestxray14_takes_the_threshold_of_highest_f1_on_val() {
    let work = chest();
    let ran = detect(&work, "a")
        .args(["--predictions", "scores.csv"])
        .run()
        .exits(0);
    assert!(ran.stderr.contains("score threshold 0."), "{ran}");
    let text = fs::read_to_string(work.path("a/report.json")).unwrap();
    let found: Value = serde_json::from_str(&text).unwrap();
    let found = &found["score_threshold"];
    assert_eq!(
        (&found["by"], &found["class"]),
        (&Value::from("f1"), &Value::from("Mass"))
    );
    let threshold = found["threshold"].as_f64().unwrap();
    let best = (1..10_000)
        .map(|t| f1(f64::from(t) / 1e4))
        .fold(0.0, f64::max);
    assert!(
        (found["f1"].as_f64().unwrap() - best).abs() < 1e-9,
        "{found} {best}"
    );
    assert!((f1(threshold - 1e-6) - best).abs() < 1e-9, "{found}");
    // Of the highest, the smallest.
    assert!(
        f1(threshold - 2e-4) < best
            || !(1..=PATIENTS).any(|i| {
                let (_, score) = patient(i);
                i % 8 == 0
                    && i % 5 != 0
                    && (score - threshold).abs() < 2e-4
                    && score < threshold - 1e-5
            })
    );

    // The same as predictions at that threshold, on val and on test.
    let mut text = "id,prediction\n".to_owned();
    for i in (1..=PATIENTS).filter(|i| i % 5 == 0 || i % 8 == 0) {
        let said = if patient(i).1 >= threshold - 1e-6 {
            "Mass"
        } else {
            "no Mass"
        };
        writeln!(text, "{i:08}_000.png,{said}").unwrap();
    }
    work.write("predictions.csv", text);
    detect(&work, "b")
        .args(["--predictions", "predictions.csv"])
        .run()
        .exits(0);
    let of = |out: &str| fs::read(work.path(out).join("directions.json")).unwrap();
    assert!(of("a") == of("b"));

    // A number in place of the rule is another run.
    let given = ["--predictions", "scores.csv", "--score-threshold", "0.25"];
    detect(&work, "a")
        .args(given)
        .run()
        .exits(3)
        .complains(&["data.score_threshold"]);
    let ran = detect(&work, "c").args(given).run().exits(0);
    assert!(ran.stderr.contains("score threshold 0.25 (given)"), "{ran}");
}

#[test]
fn scores_need_a_rule_and_two_classes() {
    let work = Work::empty();
    let table = |classes: [&str; 3], cell: &str| {
        let mut text = "path,label,split,score\n".to_owned();
        for i in 0..12 {
            writeln!(text, "{i}.png,{},val,{cell}", classes[i % 3]).unwrap();
        }
        work.write("table.csv", text);
    };
    let matrix = ndarray::Array2::from_shape_fn((12, 3), |(i, j)| ((i * 5 + j) % 7) as f32);
    ndarray_npy::write_npy(work.path("space.npy"), &matrix).unwrap();
    let detect = |more: &[&str]| {
        let args = work.hardlight(["detect", "--out", "a", "--table", "table.csv"]);
        args.args(["--space", "space.npy"]).args(more).run()
    };
    table(["a", "b", "a"], "0.5");
    detect(&[])
        .exits(2)
        .complains(&["12 examples have a score", "--score-threshold f1"]);
    table(["a", "b", "c"], "0.5");
    detect(&["--score-threshold", "f1"])
        .exits(3)
        .complains(&["scores are for 2 classes, the data has 3"]);
    table(["a", "b", "a"], "inf");
    detect(&["--score-threshold", "f1"])
        .exits(3)
        .complains(&["table.csv, line 2", "a finite number"]);
    table(["a", "b", "a"], "");
    detect(&["--score-threshold", "f1"])
        .exits(3)
        .complains(&["no example has a score"]);
    table(["a", "b", "a"], "0.5");
    detect(&["--score-threshold", "f2"]).exits(2);
}
