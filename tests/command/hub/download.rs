//! What is asked for, and what becomes of broken connections.

use super::server::Trouble;
use super::*;

#[test]
fn no_more_is_fetched_than_a_pipeline_needs() {
    let scene = Scene::new();
    let mut seer = Seer::default();
    let path = scene.fetch_as(NAME, PLAIN, &mut seer).unwrap();
    assert_eq!(path, scene.snapshot());
    let state = scene.server.state();
    let files = &state.repos[NAME].files;
    for name in [
        "model_index.json",
        "unet/config.json",
        UNET,
        "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/merges.txt",
    ] {
        assert_eq!(&fs::read(path.join(name)).unwrap(), &files[name], "{name}");
    }
    for name in [
        "README.md",
        "sd.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ] {
        assert!(!path.join(name).exists(), "{name}");
    }
    assert_eq!(seer.progress.last(), Some(&(1_003_000, 1_003_000)));
    assert!(seer.progress.is_sorted());
    assert_eq!(seer.warnings, [""; 0]);
    // One request for the list, one for each of 5 small files, two for each of 2 large ones.
    assert_eq!(state.seen.len(), 1 + 5 + 4);
}

#[test]
fn half_precision_takes_the_variant_and_says_where_there_is_none() {
    let scene = Scene::new();
    let mut seer = Seer::default();
    let path = scene.fetch_as(NAME, HALF, &mut seer).unwrap();
    assert!(
        path.join("vae/diffusion_pytorch_model.fp16.safetensors")
            .exists()
    );
    assert!(
        !path
            .join("vae/diffusion_pytorch_model.safetensors")
            .exists()
    );
    assert!(path.join(UNET).exists());
    assert_eq!(seer.warnings.len(), 1);
    assert!(
        seer.warnings[0].contains("no fp16 weights of unet"),
        "{:?}",
        seer.warnings
    );
}

#[test]
fn a_second_fetch_asks_for_the_list_alone() {
    let scene = Scene::new();
    scene.fetch(PLAIN).unwrap();
    scene.forget();
    scene.fetch(PLAIN).unwrap();
    let state = scene.server.state();
    let paths: Vec<&str> = state.seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths, ["/api/models/org/sd/revision/main"]);
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let scene = Scene::new();
    scene.server.state().trouble(UNET, Trouble::Cut(300_000));
    let mut seer = Seer::default();
    scene.fetch_as(NAME, PLAIN, &mut seer).unwrap();
    scene.assert_whole();
    let weights = scene.server.state().weights();
    assert_eq!(weights[0].range, None);
    assert_eq!(weights[1].range.as_deref(), Some("bytes=300000-"));
    assert!(
        seer.warnings[0].contains("trying again"),
        "{:?}",
        seer.warnings
    );
}

#[test]
fn what_a_failed_fetch_left_is_continued_by_the_next() {
    let mut scene = Scene::new();
    scene.env.pauses.clear();
    scene.server.state().trouble(UNET, Trouble::Cut(400_000));
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(matches!(error, HubError::Network { .. }), "{error}");
    assert!(error.is_network() && error.kind() != ErrorKind::Disk);
    scene.assert_no_unet();
    assert_eq!(fs::metadata(scene.partial()).unwrap().len(), 400_000);
    assert!(!scene.repo().join("refs/main").exists());
    scene.forget();
    let mut seer = Seer::default();
    scene.fetch_as(NAME, PLAIN, &mut seer).unwrap();
    scene.assert_whole();
    let ranges = scene.server.state().weights();
    assert_eq!(ranges[0].range.as_deref(), Some("bytes=400000-"));
    assert_eq!(seer.progress[0], (400_000, 1_003_000));
}

#[test]
fn attempts_that_come_no_further_are_counted() {
    for (no_ranges, cuts, requests) in [
        (false, [5, 5, 0], 3),
        (false, [0, 0, 5], 2),
        // From the start again, and as far as before.
        (true, [5, 5, 5], 2),
    ] {
        let scene = Scene::new();
        scene.server.state().no_ranges = no_ranges;
        for count in cuts {
            scene.server.state().trouble(UNET, Trouble::Cut(count));
        }
        let error = scene.fetch(PLAIN).unwrap_err();
        assert!(matches!(error, HubError::Network { .. }), "{error}");
        assert_eq!(scene.server.state().weights().len(), requests, "{cuts:?}");
    }
}

#[test]
fn a_server_without_ranges_makes_it_begin_anew() {
    let scene = Scene::new();
    {
        let mut state = scene.server.state();
        state.no_ranges = true;
        state.trouble(UNET, Trouble::Cut(700_000));
    }
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
    assert!(scene.server.state().weights()[1].range.is_some());
}

#[test]
fn a_busy_server_is_asked_again() {
    for status in [429, 500, 503] {
        let scene = Scene::new();
        for end in ["revision/main", "vocab.json", UNET] {
            scene.server.state().trouble(end, Trouble::Status(status));
        }
        scene.fetch(PLAIN).unwrap();
        scene.assert_whole();
    }
    let mut scene = Scene::new();
    scene.env.pauses.clear();
    scene
        .server
        .state()
        .trouble("revision/main", Trouble::Status(503));
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(
        matches!(error, HubError::Status { status: 503, .. }),
        "{error}"
    );
}

#[test]
fn asked_to_stop_it_keeps_what_arrived() {
    let scene = Scene::new();
    let mut seer = Seer {
        stop_at: Some(1),
        ..Seer::default()
    };
    let error = scene.fetch_as(NAME, PLAIN, &mut seer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    scene.assert_no_unet();
    let arrived = fs::metadata(scene.partial()).unwrap().len();
    assert!((1..1_000_000).contains(&arrived), "{arrived}");
    scene.forget();
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
    let range = scene.server.state().weights()[0].range.clone();
    assert_eq!(range, Some(format!("bytes={arrived}-")));
}

#[test]
fn a_partial_file_that_is_too_long_or_whole_already_does_no_harm() {
    let scene = Scene::new();
    fs::create_dir_all(scene.repo().join("blobs")).unwrap();
    fs::write(scene.partial(), noise(1_000_001, 9)).unwrap();
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
    assert_eq!(scene.server.state().weights()[0].range, None);

    let scene = Scene::new();
    fs::create_dir_all(scene.repo().join("blobs")).unwrap();
    fs::write(scene.partial(), scene.unet()).unwrap();
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
    let weights = scene.server.state().weights();
    assert!(weights.iter().all(|seen| !seen.path.ends_with(UNET)));
}

#[test]
fn a_list_without_hashes_is_filled_from_the_files_headers() {
    let scene = Scene::new();
    scene.server.state().repo(NAME).plain_list = true;
    scene.server.state().trouble(UNET, Trouble::Cut(300_000));
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
    let state = scene.server.state();
    let heads = state.seen.iter().filter(|seen| seen.method == "HEAD");
    assert_eq!(heads.count(), 7);
    assert!(state.weights().iter().all(|seen| seen.method == "GET"));
}

#[test]
fn a_model_that_was_renamed_is_found_with_the_token() {
    let mut scene = Scene::new();
    scene.env.token = Token::new("hf_right");
    {
        let mut state = scene.server.state();
        state.renamed = Some(("org/old", NAME));
        let repo = state.repo(NAME);
        repo.token = Some("hf_right".to_owned());
        repo.plain_list = true;
    }
    let path = scene
        .fetch_as("org/old", PLAIN, &mut Seer::default())
        .unwrap();
    assert_eq!(fs::read(path.join(UNET)).unwrap(), scene.unet());
    assert!(scene.env.cache.join("models--org--old").is_dir());
}

#[test]
fn a_dry_run_fetches_no_weights() {
    let scene = Scene::new();
    let id = Id::parse(NAME).unwrap();
    let list = || hub::list(&id, PLAIN, &scene.env, &mut Seer::default()).unwrap();
    let files = list();
    let unet = files.iter().find(|file| file.name == UNET).unwrap();
    assert_eq!((unet.size, unet.cached), (1_000_000, false));
    assert_eq!(files.len(), 7);
    assert_eq!(scene.server.state().weights(), []);
    scene.fetch(PLAIN).unwrap();
    assert!(list().iter().all(|file| file.cached));
}

#[test]
fn two_at_once_download_each_file_once() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| scene.fetch(PLAIN)));
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
    scene.assert_whole();
    assert_eq!(scene.server.state().weights().len(), 2);
}
