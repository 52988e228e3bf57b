//! What `verify` says of a run whose files are damaged one by one.

use super::*;
use crate::pipeline::verify::verify;
use crate::run::folder::Layout;

/// A finished run with a pool.
fn ended() -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().unwrap();
    draw(dir.path());
    let mut settings: Settings = (*settings(dir.path(), 30)).clone();
    settings.data.pool = Some(crate::dataset::Split::Pool);
    settings.generate.controls = 1;
    let out = dir.path().join("run");
    drop(whole(&settings.check().unwrap(), &out));
    (dir, Layout::new(&out))
}

fn problems(layout: &Layout) -> Vec<(String, String)> {
    let report = verify(layout).unwrap();
    let each = report.problems.into_iter();
    each.map(|found| (found.what, found.problem)).collect()
}

/// Damages a file, and gives what is said of the run; then the file is as it was.
fn damaged(layout: &Layout, name: &str, bytes: Option<&[u8]>) -> Vec<(String, String)> {
    let path = layout.root().join(name);
    let sound = fs::read(&path).unwrap();
    match bytes {
        Some(bytes) => fs::write(&path, bytes).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
    let found = problems(layout);
    fs::write(&path, sound).unwrap();
    found
}

#[test]
fn every_file_that_is_cut_is_named_and_no_other() {
    let (_dir, layout) = ended();
    assert_eq!(problems(&layout), []);
    let report = verify(&layout).unwrap();
    assert!(report.read > 20, "{report:?}");
    for name in [
        "run.json",
        "plan.json",
        "pool.json",
        "report.json",
        "summary.json",
        "directions.json",
        "directions.safetensors",
        "captions.parquet",
        "ledger.parquet",
        "decisions.jsonl",
        "report/classes.csv",
        "report/warnings.csv",
        "embeddings/train.safetensors",
        "embeddings/references.safetensors",
        "embeddings/pool.keys.json",
        "previews/boat-0.png",
        "manifest/train.csv",
    ] {
        let sound = fs::read(layout.root().join(name)).unwrap();
        let found = damaged(&layout, name, Some(&sound[..sound.len() / 2]));
        let own = |what: &str| {
            what == name || name == "directions.json" && what == "directions.safetensors"
        };
        assert!(
            !found.is_empty() && found.iter().all(|(what, _)| own(what)),
            "{name}: {found:?}"
        );
    }
    assert_eq!(problems(&layout), [], "all is as it was");
}

#[test]
fn what_a_run_that_ended_has_is_missed() {
    let (_dir, layout) = ended();
    for (name, remedy) in [
        ("report.json", "hardlight detect"),
        ("directions.safetensors", "run the same command again"),
        ("report/heads.csv", "run the same command again"),
        ("previews/car-0.png", "`hardlight preview"),
        ("previews/index.html", "`hardlight preview"),
        ("decisions.jsonl", "run the same command again"),
        ("ledger.parquet", "run the same command again"),
    ] {
        let found = damaged(&layout, name, None);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        let (what, problem) = &found[0];
        assert_eq!(what, name);
        assert!(
            problem.contains("is not there") && problem.contains(remedy),
            "{problem}"
        );
    }
}

#[test]
fn another_version_of_a_file_is_told() {
    let (_dir, layout) = ended();
    for name in ["report.json", "summary.json", "pool.json", "run.json"] {
        let text = fs::read_to_string(layout.root().join(name)).unwrap();
        let other = text.replacen("\"schema\": 3", "\"schema\": 7", 1);
        let found = damaged(&layout, name, Some(other.as_bytes()));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].0 == name && found[0].1.contains("schema 7"),
            "{found:?}"
        );
    }
}

#[test]
fn an_image_with_other_bytes_is_named_with_what_makes_it_again() {
    let (dir, layout) = ended();
    let state = crate::run::state::State::read(&layout).unwrap().unwrap();
    let decisions = state.decide(&state.goals(&state.policy));
    let counting: BTreeSet<_> = decisions.all().map(|d| d.measured.id.clone()).collect();
    let (counts, behind): (Vec<_>, Vec<_>) =
        state.known.values().partition(|m| counting.contains(&m.id));
    assert!(!counts.is_empty() && !behind.is_empty());
    let name = |measured: &crate::run::ledger::Measured| {
        layout.relative(&layout.attempt(measured)).unwrap()
    };
    let again = |measured: &crate::run::ledger::Measured| {
        let run = layout.root().display();
        format!(
            "`hardlight generate --from {run} --id {} --out DIR`",
            measured.id
        )
    };
    for (measured, words) in [
        (
            counts[0],
            "`hardlight run` with the same settings makes it again",
        ),
        (behind[0], "it does not count now"),
    ] {
        let found = damaged(&layout, &name(measured), Some(b"no image"));
        assert_eq!(found.len(), 1, "{found:?}");
        let (what, problem) = &found[0];
        assert_eq!(*what, name(measured));
        assert!(
            problem.contains("SHA-256") && problem.contains(words),
            "{problem}"
        );
        assert!(problem.contains(&again(measured)), "{problem}");
    }
    // It is true: the run makes it again.
    fs::write(layout.attempt(counts[0]), "no image").unwrap();
    let mut settings: Settings = (*settings(dir.path(), 30)).clone();
    settings.data.pool = Some(crate::dataset::Split::Pool);
    settings.generate.controls = 1;
    drop(whole(&settings.check().unwrap(), layout.root()));
    assert_eq!(problems(&layout), []);
}
