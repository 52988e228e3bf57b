//! Python's `huggingface_hub` and this program on one cache. `make oracle` has made `.venv-oracle`;
//! then `cargo test --release --test command hub::python -- --ignored`.

use std::process::Command;

use super::*;

fn python(scene: &Scene, mode: &str, files: &[&str]) -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join(".venv-oracle/bin/python"))
        .arg(root.join("tests/oracle/hub.py"))
        .args([mode, NAME])
        .args(files)
        .env("HF_ENDPOINT", scene.server.url())
        .env("HF_HUB_CACHE", &scene.env.cache)
        .env("HF_HUB_DISABLE_XET", "1")
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("HF_HUB_OFFLINE")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
#[ignore = "run by make oracle"]
fn python_finds_what_was_fetched_here() {
    let scene = Scene::new();
    scene.fetch(PLAIN).unwrap();
    let absent = "tokenizer/spiece.model";
    let unknown = "sd.safetensors";
    let here = ["model_index.json", "tokenizer/vocab.json", UNET];
    let found = python(&scene, "read", &[&here[..], &[absent, unknown]].concat());
    let snapshot = scene.snapshot();
    for file in here {
        assert_eq!(found[file], snapshot.join(file).to_str().unwrap());
    }
    assert_eq!(found[absent], "known to be absent");
    assert!(found[unknown].is_null());
    assert_eq!(found["snapshot"], snapshot.to_str().unwrap());
    println!("huggingface_hub {}", found["version"]);
    // And downloads no weights again.
    scene.forget();
    python(&scene, "write", &here);
    assert_eq!(scene.server.state().weights(), []);
}

#[test]
#[ignore = "run by make oracle"]
fn what_python_fetched_is_found_here() {
    let mut scene = Scene::new();
    let files: Vec<String> = {
        let state = scene.server.state();
        let all = state.repos[NAME].files.keys();
        all.filter(|name| *name != "sd.safetensors")
            .cloned()
            .collect()
    };
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    python(&scene, "write", &files);
    assert!(!scene.server.state().weights().is_empty());
    scene.forget();
    scene.fetch(PLAIN).unwrap();
    assert_eq!(scene.server.state().weights(), []);
    scene.env.offline = true;
    assert_eq!(scene.resolve(NAME, HALF).unwrap(), scene.snapshot());
    scene.assert_whole();
}
