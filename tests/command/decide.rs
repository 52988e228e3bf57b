//! What was measured serves every later policy: a larger quota, another threshold, one image again.

use std::fs;

use crate::common::{Hardlight, Work, assert_same, copy, decisions, files, lines, results};

/// An alignment that every image reaches.
const ANY: &str = "-1000";

/// A run that keeps what reaches an alignment, of whatever class it looks.
fn run(work: &Work, out: &str, data: &str, quota: &str, alignment: &str, batch: &str) -> Hardlight {
    work.hardlight(["run", "--out", out, "--data", data])
        .args(["--predictions", "predictions.csv", "--device", "cpu"])
        .args(["--set", "direction.permutations=19", "--force"])
        .args([
            "--set",
            "direction.bootstrap=0",
            "--set",
            "filter.class_margin=-2",
        ])
        .args(["--grammar", "captions.txt", "--min-alignment", alignment])
        .args([
            "--steps",
            "2",
            "--guidance",
            "1",
            "--batch",
            batch,
            "--budget",
            "16",
        ])
        .args(["--quota", quota])
        .clip()
        .model()
}

#[test]
fn another_policy_goes_on_with_what_was_measured() {
    let work = Work::with_world();
    work.write(
        "captions.txt",
        "a photo of a {class} man\na photo of a {class} woman\n",
    );
    run(&work, "small", "faces", "2", ANY, "2").run().exits(0);
    run(&work, "fresh", "faces", "4", ANY, "2").run().exits(0);
    let small = decisions(&work.path("small"));
    assert_eq!(small.len(), 4);

    // A larger quota ends as a fresh run with it.
    copy(&work.path("small"), &work.path("grown"));
    let ran = run(&work, "grown", "faces", "4", ANY, "2").run().exits(0);
    assert!(ran.stderr.contains("going on where it was"), "{ran}");
    assert_same(&results(&work.path("grown")), &results(&work.path("fresh")));

    // What a threshold would keep is shown and not written.
    let before = files(&work.path("grown"));
    let show = ["decide", "grown", "--show", "--min-alignment", "0.5"];
    work.hardlight(show).run().exits(0).says(&["old", "young"]);
    assert_same(&files(&work.path("grown")), &before);

    // The smaller quota again, without a model.
    let again = ["decide", "grown", "--quota", "2"];
    work.hardlight(again).run().exits(0);
    assert_eq!(decisions(&work.path("grown")), small);
    let manifest = |out: &str| fs::read(work.path(out).join("manifest/train.csv")).unwrap();
    assert!(manifest("grown") == manifest("small"));
    work.hardlight(["verify", "grown"]).run().exits(0);

    // The same images elsewhere, in another batch: nothing is made again.
    fs::rename(work.path("faces"), work.path("moved")).unwrap();
    let ledger = work.path("grown/ledger.jsonl");
    let attempts = lines(&ledger);
    let ran = run(&work, "grown", "moved", "4", ANY, "5");
    let ran = ran.run().exits(0);
    assert!(ran.stderr.contains("going on where it was"), "{ran}");
    assert_eq!(lines(&ledger), attempts);
    let log = fs::read_to_string(work.path("grown/run.log")).unwrap();
    let last = log.rsplit("] hardlight").next().unwrap();
    assert!(
        !last.contains("] 0 of 0") && last.contains(" 0 of "),
        "{last}"
    );
}

#[test]
fn an_image_of_a_run_is_made_again_from_its_ledger() {
    let work = Work::with_world();
    work.write("captions.txt", "a photo of a {class} man\n");
    // No image is hard enough.
    run(&work, "out", "faces", "1", "1000", "2").run().exits(4);
    let rejected = &decisions(&work.path("out"))[1];
    assert_eq!(rejected["status"], "rejected");
    let id = rejected["id"].as_str().unwrap();
    work.hardlight(["generate", "--from", "out", "--id", id, "--out", "again"])
        .run()
        .exits(0);
    let name = format!("{id}.png");
    let mut made = files(&work.path("out/attempts")).into_iter();
    let (_, before) = made.find(|(path, _)| path.ends_with(&name)).unwrap();
    assert!(files(&work.path("again"))[&name] == before);
    // By the beginning of its id, in capitals, and whatever the settings say of the sampler since.
    let path = work.path("out/run.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"eta\": 0.0"));
    fs::write(&path, text.replace("\"eta\": 0.0", "\"eta\": 0.5")).unwrap();
    let short = id[..10].to_ascii_uppercase();
    let again = |id: &str, out: &str| {
        work.hardlight(["generate", "--from", "out", "--id", id, "--out", out])
            .run()
    };
    again(&short, "short").exits(0);
    assert!(files(&work.path("short"))[&name] == before);
    fs::write(&path, text).unwrap();
    for (out, what) in [
        ("out", "is a run folder"),
        ("out/again", "lies in the run folder"),
        ("faces/train/old", "lies in the data folder"),
    ] {
        again(id, out).exits(2).complains(&["--out", what]);
    }
    let other = ["generate", "--from", "out", "--id", id, "--seed", "4"];
    let other = work.hardlight(other).args(["--out", "none"]);
    other.run().exits(2).complains(&["--seed"]);
    let adapter = [
        "generate",
        "--from",
        "out",
        "--id",
        id,
        "--lora",
        "a.safetensors",
    ];
    let adapter = work.hardlight(adapter).args(["--out", "none"]);
    let made_with = ["made with 0 adapters, and 1 are named", "--lora"];
    adapter.run().exits(3).complains(&made_with);
    // An image that is to be shown and is gone is named before anything changes.
    fs::remove_dir_all(work.path("out/attempts")).unwrap();
    let left = results(&work.path("out"));
    let decide = ["decide", "out", "--min-alignment=-1000"];
    let ran = work.hardlight(decide).run().exits(3);
    ran.complains(&["is gone, and nothing was changed", "`hardlight run`"]);
    assert_same(&results(&work.path("out")), &left);
    let unknown = ["generate", "--from", "out", "--id", "0123", "--out", "none"];
    work.hardlight(unknown).run().exits(2).complains(&["0123"]);
}
