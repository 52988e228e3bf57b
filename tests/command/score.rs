//! `hardlight score`: images that were not in a run, by what it learned.

use std::fs;

use serde_json::Value;

use crate::common::Work;

#[test]
fn images_are_scored_as_a_table_or_as_lines() {
    let work = Work::with_world();
    work.on_world("detect", "out").clip().run().exits(0);
    let count = fs::read_dir(work.path("faces/test/old")).unwrap().count();
    let score = |args: &[&str]| {
        let asked = ["score", "out", "faces/test/old", "--device", "cpu"];
        work.hardlight(asked).args(args).run()
    };
    let table = score(&[]).exits(0).stdout;
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("path,class,mode,alignment,failure_probability,threshold,in_failure,finding")
    );
    assert_eq!(lines.count(), count, "{table}");
    // Its folder says the class; --class says another.
    assert!(table.contains("faces/test/old/00000.png,old,0,"), "{table}");
    score(&["--format", "jsonl", "--class", "young", "--out", "s.jsonl"]).exits(0);
    let text = fs::read_to_string(work.path("s.jsonl")).unwrap();
    assert_eq!(text.lines().count(), count);
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["class"], "young");
        let probability = row["failure_probability"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&probability), "{row}");
    }
    score(&["--class", "cat"])
        .exits(2)
        .complains(&["the run has no class \"cat\": its classes are [\"old\", \"young\"]"]);
    work.hardlight(["score", "faces", "faces/test/old"])
        .run()
        .exits(3)
        .complains(&["faces is no run folder"]);
}
