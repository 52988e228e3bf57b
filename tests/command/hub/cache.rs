//! The cache: its layout, what is read from it, and when the network is left alone.

use super::*;

fn offline(scene: &mut Scene) {
    scene.env.offline = true;
    scene.forget();
}

#[cfg(unix)]
#[test]
fn it_has_pythons_layout() {
    let scene = Scene::new();
    scene.fetch(PLAIN).unwrap();
    let repo = scene.repo();
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    let digits = hardlight::io::sha256_hex(&scene.unet());
    let link = fs::read_link(scene.snapshot().join(UNET)).unwrap();
    assert_eq!(link, Path::new(&format!("../../../blobs/{digits}")));
    let index = &scene.server.state().repos[NAME].files["model_index.json"];
    let link = fs::read_link(scene.snapshot().join("model_index.json")).unwrap();
    let hash = server::git_hash(index);
    assert_eq!(link, Path::new(&format!("../../blobs/{hash}")));
    let lock = format!(".locks/models--org--sd/{digits}.lock");
    assert!(scene.env.cache.join(lock).exists());
    let absent = repo.join(".no_exist").join(COMMIT);
    assert!(absent.join("tokenizer/spiece.model").exists());
    assert!(!absent.join("tokenizer/vocab.json").exists());
}

#[test]
fn what_is_cached_is_used_without_any_request() {
    let mut scene = Scene::new();
    scene.fetch(PLAIN).unwrap();
    scene.forget();
    assert_eq!(scene.resolve(NAME, PLAIN).unwrap(), scene.snapshot());
    assert_eq!(scene.resolve("hf:org/sd", PLAIN).unwrap(), scene.snapshot());
    let at_commit = format!("org/sd@{COMMIT}");
    assert_eq!(scene.resolve(&at_commit, PLAIN).unwrap(), scene.snapshot());
    // The plain weights do for half precision.
    assert_eq!(scene.resolve(NAME, HALF).unwrap(), scene.snapshot());
    offline(&mut scene);
    assert_eq!(scene.fetch(PLAIN).unwrap(), scene.snapshot());
    assert_eq!(scene.server.state().seen, []);
}

#[test]
fn resolving_fetches_what_is_not_there() {
    let scene = Scene::new();
    assert_eq!(scene.resolve(NAME, HALF).unwrap(), scene.snapshot());
    scene.assert_whole();
    // Half weights do not do where full ones can be had.
    scene.forget();
    scene.resolve(NAME, PLAIN).unwrap();
    assert!(
        scene
            .snapshot()
            .join("vae/diffusion_pytorch_model.safetensors")
            .exists()
    );
    assert_eq!(scene.server.state().weights().len(), 1);
}

#[test]
fn offline_an_incomplete_model_is_named_with_what_is_missing() {
    let mut scene = Scene::new();
    offline(&mut scene);
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
    scene.env.offline = false;
    scene.fetch(PLAIN).unwrap();
    offline(&mut scene);
    fs::remove_file(scene.snapshot().join(UNET)).unwrap();
    let error = scene.fetch(PLAIN).unwrap_err();
    let text = error.to_string();
    for part in [UNET, "HF_HUB_OFFLINE", scene.env.cache.to_str().unwrap()] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let error = scene.resolve(NAME, PLAIN).unwrap_err();
    assert!(error.to_string().contains("no folder org/sd"), "{error}");
    assert_eq!(scene.server.state().seen, []);
}

#[test]
fn a_hub_that_cannot_be_reached_leaves_the_cache_to_use() {
    let mut scene = Scene::new();
    scene.fetch(PLAIN).unwrap();
    for status in [503, 503] {
        let trouble = server::Trouble::Status(status);
        scene.server.state().trouble("revision/main", trouble);
    }
    let mut seer = Seer::default();
    let path = scene.fetch_as(NAME, PLAIN, &mut seer).unwrap();
    assert_eq!(path, scene.snapshot());
    let last = seer.warnings.last().unwrap();
    assert!(
        last.contains("using the cache, which may be older"),
        "{last}"
    );
    // A token that has run out closes nothing that was fetched before.
    scene.server.state().repo(NAME).token = Some("hf_new".to_owned());
    scene.env.token = Token::new("hf_old");
    assert_eq!(scene.fetch(PLAIN).unwrap(), scene.snapshot());
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_their_end_and_never_written_through() {
    let mut scene = Scene::new();
    scene.fetch(PLAIN).unwrap();
    // As Python shares blobs among repositories.
    let digits = hardlight::io::sha256_hex(&scene.unet());
    let blob = scene.repo().join("blobs").join(&digits);
    let store = scene.env.cache.join("blobs/ab");
    fs::create_dir_all(&store).unwrap();
    fs::rename(&blob, store.join("abcd")).unwrap();
    std::os::unix::fs::symlink("../../blobs/ab/abcd", &blob).unwrap();
    offline(&mut scene);
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
    // Where the store lost it, it comes again, beside the store.
    fs::remove_file(store.join("abcd")).unwrap();
    scene.fetch(PLAIN).unwrap_err();
    scene.env.offline = false;
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
    assert!(!store.join("abcd").exists() && !blob.is_symlink());
}

#[test]
fn an_existing_folder_wins_and_other_texts_stay_paths() {
    let scene = Scene::new();
    let folder = scene.folder.path().join("org");
    fs::create_dir(&folder).unwrap();
    let given = folder.to_str().unwrap();
    assert_eq!(scene.resolve(given, PLAIN).unwrap(), folder);
    for path in ["sd", "./org/sd", "a/b/c", "/no/sd"] {
        assert_eq!(scene.resolve(path, PLAIN).unwrap(), Path::new(path));
    }
    assert_eq!(scene.server.state().seen, []);
}

#[test]
fn the_hub_is_asked_once_whether_there_is_more_than_what_is_needed() {
    let scene = Scene::new();
    scene.fetch(PLAIN).unwrap();
    // As Python may have left it: a file that changes what the tokenizer does is on the hub alone.
    fs::remove_dir_all(scene.repo().join(".no_exist")).unwrap();
    let name = "tokenizer/special_tokens_map.json";
    let bytes = br#"{"pad_token": "!"}"#.to_vec();
    let mut state = scene.server.state();
    state
        .repo(NAME)
        .files
        .insert(name.to_owned(), bytes.clone());
    drop(state);
    for requests in [2, 0] {
        scene.forget();
        let path = scene.resolve(NAME, PLAIN).unwrap();
        assert_eq!(fs::read(path.join(name)).unwrap(), bytes);
        assert_eq!(scene.server.state().seen.len(), requests);
    }
}

#[test]
fn a_model_that_is_there_needs_no_notes() {
    let scene = Scene::new();
    // Nothing can be written below a file.
    fs::create_dir_all(scene.repo()).unwrap();
    fs::write(scene.repo().join("refs"), "").unwrap();
    let mut seer = Seer::default();
    let path = scene.fetch_as(NAME, PLAIN, &mut seer).unwrap();
    assert_eq!(path, scene.snapshot());
    assert!(
        seer.warnings[0].contains("asked again"),
        "{:?}",
        seer.warnings
    );
}

#[test]
fn a_lora_is_a_file() {
    let scene = Scene::new();
    let bytes = noise(5000, 8);
    {
        let mut state = scene.server.state();
        for name in ["a.safetensors", "styles/b.safetensors"] {
            let files = &mut state.repo("org/lora").files;
            files.insert(name.to_owned(), bytes.clone());
        }
    }
    let error = scene.resolve("org/lora", Want::Lora).unwrap_err();
    let HubError::NoFolder { source, .. } = &error else {
        panic!("{error}")
    };
    assert!(matches!(**source, HubError::Ambiguous { .. }), "{error}");
    let given = "org/lora:styles/b.safetensors";
    let path = scene.resolve(given, Want::Lora).unwrap();
    assert!(path.ends_with("styles/b.safetensors"));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    scene.forget();
    assert_eq!(scene.resolve(given, Want::Lora).unwrap(), path);
    assert_eq!(scene.server.state().seen, []);
}
