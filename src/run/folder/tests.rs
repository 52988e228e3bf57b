use std::fs;

use serde_json::json;

use super::*;
use crate::io::{Classified as _, ErrorKind, JsonFileError};
use crate::run::lock;

/// A run of this identity.
fn told(identity: Value) -> Told {
    Told {
        identity,
        policy: Policy {
            quota: 50,
            budget: 0,
            controls: 0,
            keep_rejected: 12,
            filter: crate::filter::tests::policy(),
        },
        settings: json!({"data": {"root": "/photos"}}),
    }
}

fn identity() -> Value {
    json!({"seed": 1, "generate": {"guidance": 7.3, "steps": 20}, "clip": "ab12"})
}

fn settings() -> Told {
    told(identity())
}

/// Every path below a folder but the lock, with its content, sorted.
fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != lock::FILE_NAME {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_new_folder_gets_its_record_and_the_same_settings_resume() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    let run = RunFolder::open_or_create(&path, &settings(), false).unwrap();
    assert!(!run.is_resumed());
    let id = run.run_id().to_owned();
    drop(run);
    let before = tree(&path);
    assert_eq!(before.len(), 1);
    let record: Value = serde_json::from_slice(&before[0].1).unwrap();
    assert_eq!(record["identity"], identity());
    assert_eq!(record["settings"]["data"]["root"], "/photos");
    assert_eq!(record["schema"], RunRecord::SCHEMA);

    // The order of keys does not make another run.
    let same = told(json!({"clip": "ab12", "generate": {"steps": 20, "guidance": 7.3}, "seed": 1}));
    let run = RunFolder::open_or_create(&path, &same, false).unwrap();
    assert!(run.is_resumed());
    assert_eq!(run.run_id(), id);
    assert_eq!(run.changed().unwrap().policy, []);
    let record = RunRecord::read(&path.join("run.json")).unwrap();
    assert_eq!(record.identity, identity());
}

#[test]
fn another_policy_or_place_is_the_same_run_and_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    drop(RunFolder::open_or_create(folder.path(), &settings(), false).unwrap());
    let mut other = settings();
    other.policy.quota = 80;
    other.policy.filter.class_margin = 0.25;
    other.settings = json!({"data": {"root": "/mnt/photos"}});
    let run = RunFolder::open_or_create(folder.path(), &other, false).unwrap();
    let changes: Vec<String> = run
        .changed()
        .unwrap()
        .policy
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        changes,
        ["filter.class_margin: 0.0 → 0.25", "quota: 50 → 80"]
    );
    let layout = run.layout();
    assert_eq!(read_policy(&layout).unwrap(), other.policy);
    assert_eq!(read_settings(&layout).unwrap(), other.settings);
    RunFolder::set_policy(&layout, &settings().policy).unwrap();
    assert_eq!(read_policy(&layout).unwrap(), settings().policy);
    // Settings that the folder does not have are not made up.
    assert_eq!(read_settings(&layout).unwrap(), other.settings);
}

#[test]
fn a_policy_that_is_decided_by_is_what_the_settings_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut given = settings();
    given.settings =
        json!({"generate": {"quota": 50, "steps": 4}, "filter": {"min_alignment": null}});
    let layout = RunFolder::open_or_create(folder.path(), &given, false)
        .unwrap()
        .layout();
    let mut policy = given.policy;
    (policy.quota, policy.filter.min_alignment) = (80, Some(0.5));
    RunFolder::set_policy(&layout, &policy).unwrap();
    let said = json!({"generate": {"quota": 80, "steps": 4}, "filter": {"min_alignment": 0.5}});
    assert_eq!(read_settings(&layout).unwrap(), said);
}

#[test]
fn another_identity_is_refused_key_by_key_and_change_nothing() {
    let parent = tempfile::tempdir().unwrap();
    drop(RunFolder::open_or_create(parent.path(), &settings(), false).unwrap());
    let before = tree(parent.path());
    let other =
        told(json!({"seed": 2, "generate": {"guidance": 8.0, "steps": 20}, "clip": "ab12"}));
    let error = RunFolder::open_or_create(parent.path(), &other, false).unwrap_err();
    let message = error.to_string();
    assert!(
        message.ends_with("\n  generate.guidance: 7.3 → 8.0\n  seed: 1 → 2"),
        "{message}"
    );
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(tree(parent.path()), before);
}

#[test]
fn a_folder_with_copied_embeddings_alone_is_begun_and_keeps_them() {
    let parent = tempfile::tempdir().unwrap();
    let embeddings = parent.path().join("embeddings");
    fs::create_dir(&embeddings).unwrap();
    for name in ["val.safetensors", "val.keys.json"] {
        fs::write(embeddings.join(name), "old").unwrap();
    }
    drop(RunFolder::open_or_create(parent.path(), &settings(), false).unwrap());
    assert!(embeddings.join("val.safetensors").exists());

    let other = tempfile::tempdir().unwrap();
    let embeddings = other.path().join("embeddings");
    fs::create_dir(&embeddings).unwrap();
    fs::write(embeddings.join("notes.txt"), "mine").unwrap();
    let error = RunFolder::open_or_create(other.path(), &settings(), false).unwrap_err();
    assert!(matches!(error, FolderError::Foreign { .. }), "{error:?}");
}

#[test]
fn force_new_moves_results_aside_and_keeps_embeddings() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path();
    let run = RunFolder::open_or_create(path, &settings(), false).unwrap();
    let layout = run.layout();
    let images = layout.images_dir("cat", 0);
    for (folder, name) in [
        (&images, "a.png"),
        (&layout.embeddings_dir(), "val.safetensors"),
    ] {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), "old").unwrap();
    }
    fs::write(layout.ledger(), "old").unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    drop(run);

    for number in ["1", "2"] {
        let seed = told(json!({"seed": number}));
        let run = RunFolder::open_or_create(path, &seed, true).unwrap();
        assert!(!run.is_resumed());
        assert!(!layout.ledger().exists() && !images.exists());
        assert!(
            layout.embeddings_dir().join("val.safetensors").exists()
                && path.join("notes.txt").exists()
        );
        assert!(path.join("former").join(number).join("run.json").exists());
    }
    let first = Layout::new(&path.join("former/1"));
    assert_eq!(fs::read(first.ledger()).unwrap(), b"old");
    assert!(first.images_dir("cat", 0).join("a.png").exists());
    let record = RunRecord::read(&first.run_json()).unwrap();
    assert_eq!(record.identity, identity());
    RunFolder::open_or_create(path, &told(json!({"seed": "2"})), false).unwrap();
}

#[test]
fn a_foreign_folder_is_never_touched() {
    for name in ["photo.jpg", ".lock", ".tmp-x", "sub"] {
        for force_new in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            if name == "sub" {
                fs::create_dir(&path).unwrap();
            } else {
                fs::write(&path, "mine").unwrap();
            }
            let error =
                RunFolder::open_or_create(folder.path(), &settings(), force_new).unwrap_err();
            assert!(
                matches!(&error, FolderError::Foreign { found, .. } if found == name),
                "{error:?}"
            );
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            if name != "sub" {
                assert_eq!(fs::read(&path).unwrap(), b"mine");
            }
        }
    }
}

#[test]
fn a_file_is_no_folder_and_no_disk_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "mine").unwrap();
    let error = RunFolder::open_or_create(&path, &settings(), false).unwrap_err();
    assert!(matches!(error, FolderError::NotAFolder { .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_folder_abandoned_before_its_record_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    drop(FolderLock::acquire(folder.path()).unwrap());
    fs::write(folder.path().join(".tmp-abc"), "{").unwrap();
    let run = RunFolder::open_or_create(folder.path(), &settings(), false).unwrap();
    assert_eq!(run.cleaned(), 1);
    assert!(!run.is_resumed());
}

#[test]
fn temporary_files_are_removed_but_not_others() {
    let folder = tempfile::tempdir().unwrap();
    drop(RunFolder::open_or_create(folder.path(), &settings(), false).unwrap());
    let layout = Layout::new(folder.path());
    let images = layout.images_dir("cat", 3);
    let elsewhere = folder.path().join("mine");
    for path in [&images, &elsewhere] {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join(".tmp-abc"), "").unwrap();
        fs::write(path.join("a.png"), "").unwrap();
    }
    let run = RunFolder::open_or_create(folder.path(), &settings(), false).unwrap();
    assert_eq!(run.cleaned(), 1);
    assert!(!images.join(".tmp-abc").exists() && images.join("a.png").exists());
    assert!(elsewhere.join(".tmp-abc").exists());
}

#[test]
fn the_second_command_is_refused_while_the_first_works() {
    let folder = tempfile::tempdir().unwrap();
    let first = RunFolder::open_or_create(folder.path(), &settings(), false).unwrap();
    assert!(first.is_locked());
    let error = RunFolder::open_or_create(folder.path(), &settings(), true).unwrap_err();
    assert!(matches!(error, FolderError::Lock(_)), "{error:?}");
    assert!(error.to_string().contains("in use by hardlight: process"));
}

#[test]
fn damaged_and_newer_records_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let open = || RunFolder::open_or_create(folder.path(), &settings(), false).unwrap_err();
    fs::write(&path, "{\"schema\":").unwrap();
    let record = |error| match error {
        FolderError::Record(error) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(record(open()), JsonFileError::Malformed { .. }));
    fs::write(&path, r#"{"schema": 9, "hardlight": "9.1.0", "other": 1}"#).unwrap();
    let error = record(open());
    assert!(
        matches!(error, JsonFileError::Schema { found: 9, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("hardlight 9.1.0"));
}

#[test]
fn what_one_command_does_not_know_goes_with_anything_and_is_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let open = |clip: Value, recipe: Value| {
        let told = told(json!({"seed": 1, "clip": clip, "images": {"recipe": recipe}}));
        RunFolder::open_or_create(folder.path(), &told, false)
    };
    let id = open(json!("ab12"), Value::Null)
        .unwrap()
        .run_id()
        .to_owned();
    let run = open(Value::Null, json!({"steps": 20})).unwrap();
    assert_eq!(run.run_id(), id, "the first command named the run");
    let record = RunRecord::read(&run.layout().run_json()).unwrap();
    let whole = json!({"seed": 1, "clip": "ab12", "images": {"recipe": {"steps": 20}}});
    assert_eq!(record.identity, whole);
    drop(run);
    let error = open(json!("ab12"), json!({"steps": 21})).unwrap_err();
    assert!(
        error.to_string().ends_with("images.recipe.steps: 20 → 21"),
        "{error}"
    );
}

#[test]
fn what_is_left_out_of_a_list_is_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let open = |compared: Value| {
        let told = told(json!({"embedding": {"compared": compared}}));
        RunFolder::open_or_create(folder.path(), &told, false)
    };
    drop(open(json!(["clip", {"matrix": "ab12"}])).unwrap());
    for other in [
        json!(["clip"]),
        json!([]),
        json!(["clip", {"matrix": "cd34"}]),
    ] {
        let error = open(other).unwrap_err().to_string();
        assert!(error.contains("embedding.compared"), "{error}");
    }
}

#[test]
fn a_record_of_an_earlier_format_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    fs::write(
        &path,
        r#"{"schema": 1, "hardlight": "0.1.0", "settings": {}}"#,
    )
    .unwrap();
    let error = RunFolder::open_or_create(folder.path(), &settings(), false).unwrap_err();
    assert!(
        matches!(
            error,
            FolderError::Record(JsonFileError::Schema { found: 1, .. })
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("--force-new"), "{error}");
    RunFolder::open_or_create(folder.path(), &settings(), true).unwrap();
}

#[test]
fn facts_do_not_count_as_settings() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::open_or_create(folder.path(), &settings(), false).unwrap();
    run.note("device", json!("cpu")).unwrap();
    run.note("device", json!("cuda:0")).unwrap();
    drop(run);
    let run = RunFolder::open_or_create(folder.path(), &settings(), false).unwrap();
    assert!(run.is_resumed());
    let record = RunRecord::read(&run.layout().run_json()).unwrap();
    assert_eq!(Value::from(record.facts), json!({"device": "cuda:0"}));
}

#[test]
fn paths_lie_below_the_folder() {
    let layout = Layout::new(Path::new("runs/x"));
    let images = layout.images_dir("../../etc", 2);
    assert!(images.starts_with("runs/x/images"), "{images:?}");
    assert_eq!(images.components().count(), 5);
    let image = layout.images_dir("cat", 0).join("a.png");
    assert_eq!(layout.relative(&image).unwrap(), "images/cat/0/a.png");
    assert_eq!(layout.relative(Path::new("elsewhere/a.png")), None);
    assert_eq!(layout.relative(Path::new("runs/x/../y")), None);
    assert_eq!(
        layout.preview("cat", 1),
        Path::new("runs/x/previews/cat-1.png")
    );
}

#[test]
fn run_ids_follow_the_settings() {
    assert_eq!(
        run_id(&json!({"a": 1, "b": 2})),
        run_id(&json!({"b": 2, "a": 1}))
    );
    assert_ne!(run_id(&json!({"a": 1})), run_id(&json!({"a": 2})));
    assert_ne!(run_id(&json!({"a": 1})), run_id(&json!({"b": 1})));
}
