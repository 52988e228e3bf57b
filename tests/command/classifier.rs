//! The user's classifier as TorchScript: what torch and torchvision compute
//! (`tests/oracle/golden/classifier.py`), and what is refused.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Hardlight, Work, files, weights};
use hardlight::classifier::Script;
use hardlight::embed::ImageEncoder as _;
use hardlight::pipeline::settings::Data;
use hardlight::run::features::{Analysed, Logits};
use image::{Rgb, RgbImage};
use serde_json::Value;
use tch::Device;

/// The same network on the same processor: sums are made in another order at most.
const LOGIT: f64 = 1e-5;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/classifier")
        .join(name)
}

/// The picture of a number; the formula of `classifier.py`.
fn picture(i: u32) -> RgbImage {
    RgbImage::from_fn(10 + i % 7, 9 + i % 5, |x, y| {
        let value =
            |c: u32| i * 53 + x * (7 + i % 3) + y * (11 + i % 5) + c * 67 + (x * y * i) % 31;
        Rgb([0, 1, 2].map(|c| (value(c) % 256) as u8))
    })
}

/// A folder with the pictures of `pictures.csv` and that table without its last columns.
fn pictures(columns: &[&str]) -> Work {
    let work = Work::empty();
    let mut table = csv::Reader::from_path(golden("pictures.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let at: Vec<usize> = columns
        .iter()
        .map(|column| header.iter().position(|name| name == *column).unwrap())
        .collect();
    let mut text = format!("{}\n", columns.join(","));
    for (i, record) in table.records().enumerate() {
        let record = record.unwrap();
        let cells: Vec<&str> = at.iter().map(|&at| &record[at]).collect();
        writeln!(text, "{}", cells.join(",")).unwrap();
        picture(i as u32).save(work.path(&record[0])).unwrap();
    }
    work.write("table.csv", text);
    work
}

/// `hardlight detect` on the pictures, with what their classifier takes.
fn detect(work: &Work, out: &str) -> Hardlight {
    work.hardlight(["detect", "--out", out, "--table", "table.csv"])
        .args(["--device", "cpu"])
        .args(["--set", "direction.permutations=19"])
        .args(["--set", "direction.bootstrap=0"])
}

/// A golden classifier, and that it takes 8 x 8 px.
fn classifier(name: &str) -> [String; 6] {
    let path = golden(name).display().to_string();
    [
        "--classifier",
        &path,
        "--set",
        "data.classifier_input=8",
        "--set",
        "data.classifier_resize=squash",
    ]
    .map(str::to_owned)
}

/// The same without a word on what it takes.
fn bare(name: &str) -> [String; 2] {
    [
        "--classifier".to_owned(),
        golden(name).display().to_string(),
    ]
}

fn report(work: &Work, out: &str) -> Value {
    let text = fs::read_to_string(work.path(out).join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Fails unless two reports differ by rounding alone.
#[track_caller]
fn assert_close(a: &Value, b: &Value) {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() <= LOGIT, "{a} {b}");
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| assert_close(a, b));
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{a:?} {b:?}");
            a.values()
                .zip(b.values())
                .for_each(|(a, b)| assert_close(a, b));
        }
        (a, b) => assert_eq!(a, b),
    }
}

#[test]
fn logits_and_features_are_those_of_torch_and_torchvision() {
    let text = fs::read_to_string(golden("expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 25);
    for case in cases {
        let data: Data = serde_json::from_value(case["settings"].clone()).unwrap();
        let script = Script::open(&golden(case["model"].as_str().unwrap()), Device::Cpu).unwrap();
        // Batches of another size than all at once.
        let analysed = Analysed::script(script, data.preprocess(), 3).unwrap();
        let numbers = case["pictures"].as_array().unwrap();
        let images: Vec<_> = numbers
            .iter()
            .map(|i| picture(i.as_u64().unwrap() as u32))
            .collect();
        let same = |rows: &ndarray::Array2<f32>, expected: &Value| {
            let expected: Vec<Vec<f64>> = serde_json::from_value(expected.clone()).unwrap();
            assert_eq!(rows.dim(), (expected.len(), expected[0].len()));
            for (value, expected) in rows.iter().zip(expected.iter().flatten()) {
                let off = (f64::from(*value) - expected).abs();
                assert!(
                    off <= LOGIT,
                    "{value} {expected} in {} {}",
                    case["model"],
                    case["settings"]
                );
            }
        };
        same(
            &Logits::new(&analysed).encode_images(&images).unwrap(),
            &case["logits"],
        );
        assert_eq!(analysed.has_features(), !case["features"].is_null());
        if analysed.has_features() {
            same(&analysed.encode_images(&images).unwrap(), &case["features"]);
        }
    }
}

#[test]
fn a_run_finds_what_it_finds_from_pythons_predictions() {
    let given = pictures(&["path", "label", "split", "prediction", "confidence"]);
    let space = ["--space", "classifier"];
    detect(&given, "a")
        .args(classifier("features.pt"))
        .args(space)
        .run()
        .exits(0);
    let run = pictures(&["path", "label", "split"]);
    detect(&run, "a")
        .args(classifier("features.pt"))
        .args(space)
        .run()
        .exits(0);
    for name in ["directions.json", "directions.safetensors"] {
        let of = |work: &Work| fs::read(work.path("a").join(name)).unwrap();
        assert!(of(&given) == of(&run), "{name}");
    }
    let found = report(&run, "a");
    assert_close(&found, &report(&given, "a"));
    assert_eq!(found["classes"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["score_threshold"], Value::Null);
}

#[test]
fn logits_are_kept_and_follow_model_and_input() {
    let work = pictures(&["path", "label", "split"]);
    let run = |out: &str, more: &[&str]| {
        let args = classifier("features.pt");
        detect(&work, out)
            .args(args)
            .args(["--space", "classifier"])
            .args(more)
            .run()
            .exits(0)
    };
    run("a", &[]);
    let log = || fs::read_to_string(work.path("a/run.log")).unwrap();
    assert!(log().contains("] 28 of 28 were new"), "{}", log());
    assert!(
        work.path("a/embeddings/val.classifier.safetensors")
            .is_file()
    );
    let before = files(&work.path("a/embeddings"));
    run("a", &[]);
    let second = log();
    let second = second.rsplit("] hardlight").next().unwrap();
    assert_eq!(second.matches("] 0 of ").count(), 4, "{second}");
    assert!(before == files(&work.path("a/embeddings")));
    // Another input is another classifier: nothing of the old one is used.
    run(
        "a",
        &["--force-new", "--set", "data.classifier_mean=[0.5,0.5,0.5]"],
    );
    assert!(log().contains("] 28 of 28 were new"), "{}", log());
    // On the same folder it is refused, as another model is.
    detect(&work, "a")
        .args(classifier("features.pt"))
        .args(["--space", "classifier"])
        .run()
        .exits(3)
        .complains(&["classifier.input", "classifier.fingerprint"]);
}

#[test]
fn one_logit_is_a_score_for_two_classes() {
    let work = pictures(&["path", "label", "split"]);
    // Directions live in another classifier's features.
    let space = work.path("space.npy");
    write_npy(&space, 40);
    let run = |out: &str, more: &[&str], code: i32| {
        let args = detect(&work, out).args(classifier("one.pt"));
        let args = args.args(["--space", "space.npy"]).args(more);
        args.run().exits(code);
        report(&work, out)["score_threshold"].clone()
    };
    let half = run("half", &[], 0);
    assert_eq!(
        (&half["by"], half["threshold"].as_f64()),
        (&Value::from("given"), Some(0.5))
    );
    let scored = pictures(&["path", "label", "split", "score"]);
    write_npy(&scored.path("space.npy"), 40);
    // By F1 all are taken for the second class here, which leaves nothing to learn from.
    for (rule, code) in [("0.5", 0), ("0.45", 0), ("f1", 4)] {
        let model = run(&format!("m{rule}"), &["--score-threshold", rule], code);
        detect(&scored, rule)
            .args(["--space", "space.npy", "--score-threshold", rule])
            .run()
            .exits(code);
        assert_close(&model, &report(&scored, rule)["score_threshold"]);
        let of = |work: &Work, out: &str| fs::read(work.path(out).join("directions.json")).unwrap();
        assert!(
            of(&work, &format!("m{rule}")) == of(&scored, rule),
            "{rule}"
        );
    }
    // One of many, as of a model of many findings.
    detect(&work, "many")
        .args(classifier("many.pt"))
        .args(["--space", "space.npy", "--set", "data.classifier_output=3"])
        .run()
        .exits(0);
    assert_eq!(
        report(&work, "many")["score_threshold"]["threshold"].as_f64(),
        Some(0.5)
    );
}

/// Embeddings of `n` rows that differ.
fn write_npy(path: &Path, n: usize) {
    let m = ndarray::Array2::from_shape_fn((n, 6), |(i, j)| ((i * 7 + j * j * 3) % 11) as f32);
    ndarray_npy::write_npy(path, &m).unwrap();
}

#[test]
fn what_is_no_torchscript_is_refused_unopened() {
    let work = pictures(&["path", "label", "split"]);
    // Opened with pickle, this would make a file.
    let touch = "cposix\nsystem\n(S'touch made'\ntR.";
    work.write("touch.pt", touch);
    work.write("empty.pt", "");
    work.write("text.pt", "import torch");
    let cut = fs::read(golden("logits.pt")).unwrap();
    work.write("cut.pt", &cut[..cut.len() / 2]);
    let copy = |name: &str| {
        let to = work.path(name);
        fs::copy(golden(name), &to).unwrap();
    };
    copy("weights.pt");
    copy("exported.pt2");
    let safetensors = weights("classifier").join("model.safetensors");
    fs::copy(safetensors, work.path("model.safetensors")).unwrap();
    for (name, said) in [
        ("weights.pt", "is a PyTorch checkpoint"),
        ("touch.pt", "is a PyTorch checkpoint"),
        ("exported.pt2", "is a torch.export archive"),
        (
            "model.safetensors",
            "is safetensors: weights without a network",
        ),
        ("empty.pt", "is empty"),
        ("text.pt", "is of unknown content"),
        ("cut.pt", "is a zip archive that is cut off"),
    ] {
        detect(&work, "a")
            .args(["--classifier", name, "--space", "classifier"])
            .run()
            .exits(3)
            .complains(&[name, said, "torch.jit.trace(model.eval()"]);
    }
    assert!(!work.path("made").exists());
    assert!(!work.path("a").exists(), "nothing is written");
    detect(&work, "a")
        .args(["--classifier", "absent.pt", "--space", "classifier"])
        .run()
        .exits(3)
        .complains(&["absent.pt"]);
}

#[test]
fn a_module_that_fails_ends_the_run_with_its_reason() {
    let work = pictures(&["path", "label", "split"]);
    let run = |name: &str, out: &str| {
        let args = detect(&work, out).args(classifier(name));
        args.args(["--space", "classifier"]).run().exits(3)
    };
    run("dict.pt", "a").complains(&[
        "returned a dict for a batch of 1",
        "expected logits [1, classes]",
    ]);
    for name in ["dropout.pt", "batch.pt"] {
        run(name, "a").complains(&[
            name,
            "gives one image different logits",
            "traced in training mode",
            "model.eval()",
        ]);
    }
    run("logits.pt", "a").complains(&[
        "gives 3 logits, the data has 2 classes (a, b)",
        "data.classes",
    ]);
    run("one.pt", "a").complains(&["it returns logits alone", "(logits, features)"]);
    assert!(!work.path("a").exists(), "nothing is written");
    write_npy(&work.path("space.npy"), 40);
    // Of pixels so scaled, every picture but the black one of the first try is bright.
    let bright = [
        "data.classifier_mean=[0,0,0]",
        "data.classifier_std=[0.3,0.3,0.3]",
    ];
    let run = |name: &str| {
        let args = detect(&work, name).args(classifier(name));
        let args = args.args(["--set", bright[0], "--set", bright[1]]);
        args.args(["--space", "space.npy"]).run().exits(3)
    };
    let ran = run("throws.pt");
    assert!(ran.stderr.contains("too bright for me"), "{ran}");
    assert!(ran.stderr.lines().count() < 30, "{ran}");
    assert!(!ran.stderr.contains("frame #"), "{ran}");
    run("nan.pt").complains(&[
        "the classifier gives NaN as logit 0 of ",
        ".png",
        "data.classifier_mean",
    ]);
    run("fixed.pt").complains(&["fixed.pt"]);
}

#[test]
fn the_size_of_the_input_is_asked_for_where_the_images_suggest_another() {
    let work = pictures(&["path", "label", "split"]);
    let table = fs::read_to_string(work.path("table.csv")).unwrap();
    for line in table.lines().skip(1) {
        let path = work.path(line.split(',').next().unwrap());
        let image = image::open(&path).unwrap().thumbnail_exact(12, 8);
        image.save(&path).unwrap();
    }
    let detect = |settings: &[&str]| {
        let mut args = work.hardlight(["detect", "--out", "a", "--table", "table.csv"]);
        for setting in settings {
            args = args.args(["--set", setting]);
        }
        args.args(["--device", "cpu", "--space", "classifier"])
            .args([
                "--set",
                "direction.permutations=19",
                "--set",
                "direction.bootstrap=0",
            ])
            .args(bare("features.pt"))
            .run()
    };
    detect(&[]).exits(2).complains(&[
        "the images are 12 x 8 px",
        "as well as on 224 x 224 px",
        "--set data.classifier_input=[8, 12] --set data.classifier_resize=none",
    ]);
    assert!(!work.path("a").exists(), "nothing is written");
    let said = detect(&[
        "data.classifier_input=[8, 12]",
        "data.classifier_resize=none",
    ]);
    assert!(
        said.stderr.contains("right on") && said.stderr.contains("is that your figure?"),
        "{said}"
    );
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let work = pictures(&["path", "label", "split"]);
    let run = |settings: &[&str]| {
        let mut args = work
            .hardlight([
                "detect",
                "--out",
                "a",
                "--table",
                "table.csv",
                "--space",
                "classifier",
            ])
            .args(bare("features.pt"));
        for setting in settings {
            args = args.args(["--set", setting]);
        }
        args.run().exits(2)
    };
    run(&["data.classifier_input=8"])
        .complains(&["data.classifier_resize is absent", "\"squash\""]);
    run(&["data.classifier_input=0"]).complains(&["data.classifier_input is 0 x 0"]);
    run(&["data.classifier_input=[8]"]).complains(&["--set options"]);
    run(&["data.classifier_resize=crop"]).complains(&["--set options", "squash"]);
    run(&["data.classifier_std=[1,0,1]"]).complains(&["data.classifier_std", "above 0"]);
    run(&["data.classifier_batch=0"]).complains(&["data.classifier_batch is 0"]);
}
