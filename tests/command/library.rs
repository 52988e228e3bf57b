//! The product as a library: `examples/library.rs` does what it says.

#[path = "../../examples/library.rs"]
#[allow(dead_code, reason = "its `main` is for cargo run")]
mod example;

use hardlight::manifest;

use crate::common::Work;

#[test]
fn the_example_goes_from_images_and_predictions_to_a_manifest() {
    let work = Work::empty();
    let (manifest, summary) = example::run(work.root()).unwrap();

    assert!(manifest.is_file(), "{}", manifest.display());
    let rows = manifest::read_jsonl(&manifest.with_file_name("train.jsonl")).unwrap();
    let (synthetic, real): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.seed.is_some());
    assert_eq!(real.len(), 60);
    let kept: usize = summary.classes.iter().map(|class| class.kept).sum();
    assert_eq!(synthetic.len(), kept);
    let classes: Vec<&str> = summary
        .classes
        .iter()
        .map(|c| c.mode.class.as_str())
        .collect();
    assert_eq!(classes, ["old", "young"]);
}

#[test]
fn the_example_is_short() {
    let lines = include_str!("../../examples/library.rs").lines().count();
    assert!(lines < 80, "{lines} lines");
}
