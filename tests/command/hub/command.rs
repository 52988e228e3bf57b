//! `hardlight fetch`, and ids in place of folders.

use std::sync::mpsc;

use super::server::Trouble;
use super::*;
use crate::common::{Hardlight, Running, Work};

impl Scene {
    fn command(&self, work: &Work, args: &[&str]) -> Hardlight {
        let mut command = work
            .hardlight(args)
            .env("HF_ENDPOINT", self.server.url())
            .env("HF_HUB_CACHE", &self.env.cache)
            .env("HF_HUB_OFFLINE", "0")
            .env("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
            .env("NO_PROXY", "127.0.0.1");
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] {
            command = command.env(name, "");
        }
        command
    }

    /// A fetch that waits in the middle of the UNet until it is told to go on.
    fn held(&self, work: &Work) -> (Running, mpsc::Sender<()>) {
        let (reached, is_reached) = mpsc::channel();
        let (go, may_go) = mpsc::channel();
        let trouble = Trouble::Hold(500_000, reached, may_go);
        self.server.state().trouble(UNET, trouble);
        let mut running = self.command(work, &["fetch", NAME]).start();
        running.until("first bytes", || is_reached.try_recv().is_ok());
        let partial = self.partial();
        running.until("500000 bytes", || {
            fs::metadata(&partial).is_ok_and(|file| file.len() == 500_000)
        });
        (running, go)
    }
}

#[test]
fn the_folder_is_all_that_fetch_prints() {
    let (scene, work) = (Scene::new(), Work::empty());
    let ran = scene
        .command(&work, &["fetch", NAME, "--dtype", "fp16"])
        .run();
    let ran = ran.exits(0);
    assert_eq!(ran.stdout, format!("{}\n", scene.snapshot().display()));
    assert!(ran.stderr.contains("no fp16 weights of unet"), "{ran}");
    scene.assert_whole();
}

#[test]
fn a_dry_run_lists_names_and_sizes() {
    let (scene, work) = (Scene::new(), Work::empty());
    let ran = scene.command(&work, &["fetch", NAME, "--dry-run"]).run();
    ran.exits(0)
        .says(&["1000000", UNET, "cached  model_index.json"]);
    assert_eq!(scene.server.state().weights(), []);
}

#[test]
fn killed_in_the_middle_it_goes_on_there() {
    let (scene, work) = (Scene::new(), Work::empty());
    let (running, _go) = scene.held(&work);
    running.kill();
    scene.assert_no_unet();
    scene.forget();
    scene.command(&work, &["fetch", NAME]).run().exits(0);
    scene.assert_whole();
    let range = scene.server.state().weights()[0].range.clone();
    assert_eq!(range.as_deref(), Some("bytes=500000-"));
}

#[cfg(unix)]
#[test]
fn interrupted_it_says_so_and_keeps_what_arrived() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (scene, work) = (Scene::new(), Work::empty());
        let (running, go) = scene.held(&work);
        running.signal(signal);
        go.send(()).unwrap();
        let ran = running.wait().exits(code);
        ran.complains(&["stopped; what has arrived is kept"]);
        scene.assert_no_unet();
        assert!(fs::metadata(scene.partial()).unwrap().len() >= 500_000);
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_it_with_6_and_keeps_what_arrived() {
    let (scene, work) = (Scene::new(), Work::empty());
    // Files of 512 KiB at most, in place of a disk that is full.
    let script = "trap '' XFSZ; ulimit -f 512; exec \"$0\" fetch org/sd";
    let output = std::process::Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_hardlight")])
        .env("HF_ENDPOINT", scene.server.url())
        .env("HF_HUB_CACHE", &scene.env.cache)
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("HF_HUB_OFFLINE")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{errors}");
    assert!(errors.contains("could not write"), "{errors}");
    scene.assert_no_unet();
    assert_eq!(fs::metadata(scene.partial()).unwrap().len(), 512 << 10);
    scene.forget();
    scene.command(&work, &["fetch", NAME]).run().exits(0);
    scene.assert_whole();
    let range = scene.server.state().weights()[0].range.clone();
    assert_eq!(range, Some(format!("bytes={}-", 512 << 10)));
}

#[test]
fn exit_codes_tell_bad_ids_missing_models_and_bad_networks_apart() {
    let (scene, work) = (Scene::new(), Work::empty());
    let run = |args: &[&str]| scene.command(&work, args).run();
    run(&["fetch", "a/b/c"]).exits(2).complains(&["no hub id"]);
    let ran = run(&["fetch", NAME, "--revision", "../x"]).exits(2);
    ran.complains(&["no branch, tag or commit"]);
    let two = ["fetch", "org/sd@main", "--revision", "dev", "--dry-run"];
    run(&two).exits(2).complains(&["two revisions are given"]);
    run(&["fetch", "org/sd@main", "--revision", "main", "--dry-run"]).exits(0);
    run(&["fetch", "org/none"])
        .exits(3)
        .complains(&["org/none does not exist"]);
    run(&["fetch", NAME, "--only", "clip"])
        .exits(3)
        .complains(&["no config.json"]);
    let command = scene.command(&work, &["fetch", NAME]);
    let ran = command.env("HF_HUB_OFFLINE", "1").run().exits(3);
    ran.complains(&["not complete in the cache", "HF_HUB_OFFLINE"]);
    let command = scene.command(&work, &["fetch", NAME]);
    let ran = command.env("HF_ENDPOINT", "nonsense").run().exits(2);
    ran.complains(&["HF_ENDPOINT is nonsense"]);
}

/// The world's CLIP as `org/clip`.
fn with_clip(scene: &Scene) {
    let clip = crate::common::weights("clip");
    let mut state = scene.server.state();
    for (name, bytes) in crate::common::files(&clip) {
        state.repo("org/clip").files.insert(name, bytes);
    }
}

#[test]
fn doctor_looks_at_ids_and_at_the_rest_where_one_cannot_be_had() {
    let (scene, work) = (Scene::new(), Work::empty());
    with_clip(&scene);
    let ran = scene.command(&work, &["doctor", "org/clip"]).run().exits(0);
    ran.says(&["org/clip: CLIPModel, sound"]);
    let folder = crate::common::weights("clip");
    let folder = folder.to_str().unwrap();
    let args = ["doctor", "org/none", "org/clip", folder, "--json"];
    let ran = scene.command(&work, &args).run().exits(3);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let folders = report["folders"].as_array().unwrap();
    let sound: Vec<_> = folders.iter().map(|one| &one["sound"]).collect();
    assert_eq!(sound, [false, true, true], "{ran}");
    let problem = folders[0]["problems"][0].as_str().unwrap();
    assert!(problem.contains("org/none does not exist"), "{ran}");
    // The id's folder is the cache's, and has what the folder has.
    let path = Path::new(folders[1]["path"].as_str().unwrap());
    assert!(path.starts_with(&scene.env.cache), "{ran}");
    assert_eq!(folders[1]["given"], "org/clip");
    assert_eq!(folders[1]["parts"], folders[2]["parts"]);
}

#[test]
fn an_id_does_wherever_a_folder_does() {
    let (scene, work) = (Scene::new(), Work::with_world());
    with_clip(&scene);
    let settings = ["--seed", "1", "--device", "cpu", "--force"];
    let few = [
        "--set",
        "direction.permutations=19",
        "--set",
        "direction.bootstrap=0",
    ];
    let data = ["--data", "faces", "--predictions", "predictions.csv"];
    let detect = |out: &str, clip: &str| {
        let args = ["detect", "--out", out, "--clip", clip];
        scene
            .command(&work, &args)
            .args(settings)
            .args(few)
            .args(data)
    };
    detect("a", "org/clip").run().exits(0);
    // The run is the same wherever the cache is, and without the network.
    let moved = scene.folder.path().join("moved");
    fs::rename(&scene.env.cache, &moved).unwrap();
    let command = detect("a", "org/clip").env("HF_HUB_CACHE", &moved);
    let ran = command.env("HF_HUB_OFFLINE", "1").run().exits(0);
    assert!(ran.stderr.contains("going on where it was"), "{ran}");
    let folder = crate::common::weights("clip");
    detect("b", folder.to_str().unwrap()).run().exits(0);
    let features = |out: &str| crate::common::results(&work.path(out));
    let (a, b) = (features("a"), features("b"));
    let directions = |all: &std::collections::BTreeMap<String, Vec<u8>>| {
        let mut found = all.iter().filter(|(name, _)| name.contains("direction"));
        found
            .next()
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .unwrap()
    };
    assert_eq!(directions(&a), directions(&b));
}
