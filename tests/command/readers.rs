//! The manifest and its exports as Python's libraries read them, and a retraining from them.

use std::path::Path;
use std::process::Command;

use crate::common::Work;
use hardlight::manifest::read_jsonl;
use hardlight::world::splits::SplitSizes;

/// Enough for a small network to learn something.
const FACES: SplitSizes = SplitSizes {
    train: 400,
    val: 120,
    test: 200,
    pool: 0,
};

/// Training images a class that keep a weight above 0.
const SUBSET: &str = "180";

/// What a script of this repository prints.
#[track_caller]
fn python(work: &Work, script: &str, args: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join(".venv-readers/bin/python"))
        .arg(root.join(script))
        .args(args)
        .current_dir(work.root())
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", work.path("hf"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}{errors}");
    // What was read is shown by `--nocapture`, as a result.
    #[expect(clippy::print_stdout, reason = "make oracle prints what was compared")]
    {
        println!("{said}");
    }
    said
}

/// The accuracy that `retrain.py` prints of a part.
#[track_caller]
fn accuracy(said: &str, part: &str) -> f64 {
    let rest = said
        .lines()
        .filter_map(|line| line.strip_prefix(part))
        .find(|rest| rest.starts_with("  "));
    let number = rest.and_then(|rest| rest.split_whitespace().next());
    number
        .unwrap_or_else(|| panic!("no {part} in {said}"))
        .parse()
        .unwrap()
}

#[test]
#[ignore = "needs .venv-readers; tests/oracle/run.sh readers"]
#[allow(clippy::too_many_lines, reason = "one run, an export a reader")]
fn python_reads_every_export_and_retrains_from_the_manifest() {
    let work = Work::with_world_of(&FACES);
    work.on_world("run", "out")
        .clip()
        .model()
        .args(["--grammar", "world"])
        .args(["--steps", "4", "--guidance", "3", "--batch", "3"])
        .args(["--quota", "4", "--budget", "30"])
        .run()
        .exits(0);
    let manifest = |args: &[&str]| {
        work.hardlight(["manifest", "out"])
            .args(args)
            .run()
            .exits(0)
    };
    manifest(&["--subset", SUBSET]);
    let rows = read_jsonl(&work.path("out/manifest/train.jsonl")).unwrap();
    let kept = rows.iter().filter(|row| row.weight > 0.0).count();
    let synthetic = rows.iter().filter(|row| row.caption.is_some()).count();
    assert!(
        synthetic > 0 && kept < rows.len(),
        "{kept} of {}",
        rows.len()
    );

    let said = python(
        &work,
        "tests/oracle/readers.py",
        &[env!("CARGO_BIN_EXE_hardlight"), "out"],
    );
    assert!(said.lines().count() >= 6, "{said}");
    assert!(
        said.contains(&format!("{kept} rows, images and labels equal")),
        "{said}"
    );

    // Four times the loss on the hardest: what training sees is what the manifest says.
    manifest(&["--upweight", "40", "--weight", "4"]);
    let rows = read_jsonl(&work.path("out/manifest/train.jsonl")).unwrap();
    let weight: f64 = rows.iter().map(|row| row.weight).sum();
    let retrained = python(
        &work,
        "examples/retrain.py",
        &[
            "out",
            "--test",
            "faces/test",
            "--groups",
            "truth.csv",
            "--predictions",
            "after.csv",
        ],
    );
    let expected = format!(
        "training small on {} images, of weight {weight}",
        rows.len()
    );
    assert!(retrained.contains(&expected), "{expected}: {retrained}");
    assert!(weight > rows.len() as f64);
    // Most of these are in training; chance is a half.
    for part in ["old / man", "young / woman"] {
        assert!(accuracy(&retrained, part) > 0.75, "{retrained}");
    }
    accuracy(&retrained, "old / woman");
    work.hardlight(["evaluate", "out"])
        .args(["--before", "predictions.csv", "--after", "after.csv"])
        .run()
        .exits(0)
        .says(&["old: ", "young: ", "failure"]);
}
