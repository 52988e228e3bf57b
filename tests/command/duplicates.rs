//! Near-duplicates of the data's images are not kept. Those of images kept before are a matter of `run::decide`, and of a
//! run that was stopped, of `run::sampling`.

use std::fs;

use crate::common::{Hardlight, Kept, Work, decisions};
use hardlight::manifest::{Source, read_jsonl};
use serde_json::Value;

/// A world, and a run `out` on it that keeps whatever is nobody's duplicate.
fn finished() -> Work {
    static ONE: Kept = Kept::new();
    ONE.copy(|| {
        let work = Work::with_world();
        work.write(
            "captions.txt",
            "a photo of a {class} man\na photo of a {class} woman\n",
        );
        command(&work, "out").run().exits(0);
        work
    })
}

/// Neither alignment nor class decides, and a class has one failure mode whatever images are added to it.
fn command(work: &Work, out: &str) -> Hardlight {
    work.on_world("run", out)
        .clip()
        .model()
        .args(["--grammar", "captions.txt", "--min-alignment", "-1000"])
        .args(["--steps", "2", "--guidance", "1", "--batch", "2"])
        .args(["--quota", "6", "--budget", "16"])
        .args(["--set", "filter.class_margin=-2"])
        .args(["--set", "direction.modes=false"])
}

fn decided(work: &Work, out: &str) -> Vec<Value> {
    decisions(&work.path(out))
}

fn summary(work: &Work, out: &str) -> Value {
    serde_json::from_slice(&fs::read(work.path(out).join("summary.json")).unwrap()).unwrap()
}

#[test]
#[allow(clippy::too_many_lines, reason = "two runs, compared image by image")]
fn what_is_in_the_data_already_is_not_kept_and_is_named() {
    let work = finished();
    let before = decided(&work, "out");
    let kept = |class: &str| -> Vec<&Value> {
        let own = |e: &&Value| e["status"] == "kept" && e["class"] == class;
        before.iter().filter(own).collect()
    };
    for entry in &before {
        let nearest = entry["nearest_train_similarity"].as_f64().unwrap();
        assert!(nearest.abs() <= 1.0, "{entry}");
        assert_eq!(entry["duplicate_of"], Value::Null);
    }
    // Three of its images stand in the data of the next run: as they are, saved with loss, mirrored.
    let old = kept("old");
    let picture = |e: &Value| {
        let path = work.path("out").join(e["file"].as_str().unwrap());
        image::open(path).unwrap().to_rgb8()
    };
    let faces = work.path("faces");
    picture(old[1]).save(faces.join("train/old/a.png")).unwrap();
    picture(old[2]).save(faces.join("val/old/b.jpg")).unwrap();
    let mirrored = image::imageops::flip_horizontal(&picture(old[3]));
    mirrored.save(faces.join("test/old/c.png")).unwrap();
    command(&work, "next").run().exits(0);
    let after = decided(&work, "next");
    for (entry, split, id) in [
        (old[1], "train", "train/old/a.png"),
        (old[2], "val", "val/old/b.jpg"),
        (old[3], "test", "test/old/c.png"),
    ] {
        let again = after.iter().find(|e| e["id"] == entry["id"]).unwrap();
        assert_eq!(again["status"], "rejected", "{again:#}");
        assert_eq!(again["reason"], format!("duplicate-{split}"));
        assert_eq!(again["duplicate_of"], id);
        if split == "train" {
            let nearest = again["nearest_train_similarity"].as_f64().unwrap();
            assert!(nearest > 0.9999, "{nearest}");
        }
    }
    // Others came in their place, and both say how many there were.
    let class = &summary(&work, "next")["classes"][0];
    assert_eq!(
        (&class["class"], &class["kept"]),
        (&"old".into(), &6.into())
    );
    let expected =
        serde_json::json!({"duplicate-test": 1, "duplicate-train": 1, "duplicate-val": 1});
    assert_eq!(class["rejected"], expected);
    let rows = read_jsonl(&work.path("next/manifest/train.jsonl")).unwrap();
    let synthetic: Vec<_> = rows
        .iter()
        .filter(|r| r.source == Source::Synthetic)
        .collect();
    assert_eq!(synthetic.len(), 12);
    for row in synthetic {
        let entry = after.iter().find(|e| e["id"] == row.id.as_str()).unwrap();
        assert_eq!(
            row.nearest_train_similarity,
            entry["nearest_train_similarity"].as_f64()
        );
    }
    work.hardlight(["verify", "next"]).run().exits(0);
    // Each is a filter of its own.
    let off = command(&work, "off").args(["--set", "filter.duplicate.val=false"]);
    off.args(["--set", "filter.duplicate.test=false"])
        .run()
        .exits(0);
    let class = &summary(&work, "off")["classes"][0];
    assert_eq!(class["rejected"], serde_json::json!({"duplicate-train": 1}));
}

#[test]
fn in_the_demos_world_different_faces_are_no_duplicates() {
    let summary = summary(&finished(), "out");
    for class in summary["classes"].as_array().unwrap() {
        assert_eq!(class["rejected"], serde_json::json!({}), "{class:#}");
        assert_eq!(
            (&class["kept"], &class["quota_met"]),
            (&6.into(), &true.into())
        );
    }
}

#[test]
fn thresholds_out_of_range_are_refused() {
    let work = Work::empty();
    for set in [
        "filter.duplicate.similarity=1.5",
        "filter.duplicate.thumbnail=nan",
    ] {
        let key = set.split('=').next().unwrap();
        let ran = work.hardlight(["run", "--out", "out", "--set", set]).run();
        ran.exits(2).complains(&[key, "from -1 to 1"]);
    }
}
