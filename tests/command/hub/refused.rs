//! What is refused, in which words, and leaving nothing behind that could be taken for a model.

use super::*;

#[test]
fn wrong_bytes_are_deleted_and_named_with_both_hashes() {
    let scene = Scene::new();
    let wrong = noise(1_000_000, 77);
    scene
        .server
        .state()
        .wrong
        .insert(UNET.to_owned(), wrong.clone());
    let error = scene.fetch(PLAIN).unwrap_err();
    let HubError::Hash {
        file,
        expected,
        found,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(file, UNET);
    assert!(
        expected.contains(&hardlight::io::sha256_hex(&scene.unet())),
        "{error}"
    );
    assert!(
        found.contains(&hardlight::io::sha256_hex(&wrong)),
        "{error}"
    );
    scene.assert_no_unet();
    assert!(!scene.partial().exists());
    scene.server.state().wrong.clear();
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
}

#[test]
fn small_files_are_checked_too() {
    let scene = Scene::new();
    let name = "unet/config.json";
    let bytes = scene.server.state().repos[NAME].files[name].len();
    let wrong = vec![b' '; bytes];
    scene
        .server
        .state()
        .wrong
        .insert(name.to_owned(), wrong.clone());
    let error = scene.fetch(PLAIN).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("git hash {}", server::git_hash(&wrong))),
        "{text}"
    );
    assert_eq!(scene.server.state().weights(), []);
}

#[test]
fn more_bytes_than_announced_are_refused() {
    let scene = Scene::new();
    let mut wrong = scene.unet();
    wrong.push(0);
    scene.server.state().wrong.insert(UNET.to_owned(), wrong);
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(matches!(error, HubError::Hash { .. }), "{error}");
    scene.assert_no_unet();
    assert!(!scene.partial().exists());
}

#[test]
fn a_name_that_leaves_the_cache_is_refused() {
    for name in ["../x", "unet/../../x", "/etc/x", "a//b", "", r"..\x"] {
        let scene = Scene::new();
        scene.server.state().repo(NAME).strange = vec![name.to_owned()];
        let error = scene.fetch(PLAIN).unwrap_err();
        assert!(matches!(error, HubError::Answer { .. }), "{error}");
        assert!(
            error.to_string().contains("would leave the cache"),
            "{error}"
        );
        assert!(!scene.env.cache.exists());
    }
}

#[test]
fn a_private_model_without_a_token_says_how_to_get_in() {
    let mut scene = Scene::new();
    scene.server.state().repo(NAME).token = Some("hf_right".to_owned());
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Denied {
                status: 401,
                token: false,
                ..
            }
        ),
        "{error}"
    );
    let text = error.to_string();
    let page = format!("{}/org/sd", scene.server.url());
    for part in ["HF_TOKEN", "hf auth login", "licence", &page] {
        assert!(text.contains(part), "no {part} in {text}");
    }

    scene.env.token = Token::new("hf_wrong");
    let error = scene.fetch(PLAIN).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("your token does not open it"), "{text}");
    assert!(!text.contains("hf_wrong"), "{text}");

    scene.env.token = Token::new("hf_right");
    scene.fetch(PLAIN).unwrap();
    scene.assert_whole();
}

#[test]
fn a_gated_model_is_refused_before_any_weight() {
    let scene = Scene::new();
    let mut state = scene.server.state();
    let repo = state.repo(NAME);
    repo.token = Some("hf_right".to_owned());
    repo.gated = true;
    drop(state);
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(
        matches!(error, HubError::Denied { status: 403, .. }),
        "{error}"
    );
    assert_eq!(scene.server.state().weights(), []);
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let mut scene = Scene::new();
    scene.env.token = Token::new("hf_right");
    scene.fetch(PLAIN).unwrap();
    let state = scene.server.state();
    for seen in &state.seen {
        let expected = (!seen.cdn).then_some("Bearer hf_right");
        assert_eq!(seen.authorization.as_deref(), expected, "{seen:?}");
    }
    assert_eq!(state.weights().len(), 2);
}

#[test]
fn what_does_not_exist_is_told_apart() {
    let scene = Scene::new();
    for (id, what) in [
        ("org/none", "org/none does not exist"),
        ("org/sd@v9", "revision v9 of org/sd does not exist"),
    ] {
        let error = scene.fetch_as(id, PLAIN, &mut Seer::default()).unwrap_err();
        assert!(matches!(error, HubError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn a_missing_file_is_named_before_any_weight_is_fetched() {
    let scene = Scene::new();
    scene
        .server
        .state()
        .repo(NAME)
        .files
        .remove("tokenizer/merges.txt");
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(matches!(error, HubError::Missing { .. }), "{error}");
    assert!(
        error.to_string().contains("tokenizer/merges.txt"),
        "{error}"
    );
    assert_eq!(scene.server.state().weights(), []);
}

#[test]
fn pickles_are_refused_before_any_weight_is_fetched() {
    let scene = Scene::new();
    {
        let mut state = scene.server.state();
        let files = &mut state.repo(NAME).files;
        let unet = files.remove(UNET).unwrap();
        files.insert("unet/diffusion_pytorch_model.bin".to_owned(), unet);
    }
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(matches!(error, HubError::Pickle { .. }), "{error}");
    assert_eq!(scene.server.state().weights(), []);
}

#[test]
fn a_hub_that_is_not_there_is_no_fault_of_the_model() {
    let mut scene = Scene::new();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    scene.env.endpoint = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let error = scene.fetch(PLAIN).unwrap_err();
    assert!(matches!(error, HubError::Network { .. }), "{error}");
    let error = scene.resolve("org/sd", PLAIN).unwrap_err();
    assert!(error.is_network(), "{error}");
    assert!(error.to_string().contains("no folder org/sd"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_cache_that_cannot_be_written_is_the_disks_fault() {
    let mut scene = Scene::new();
    // Nobody makes folders in sysfs, root neither.
    scene.env.cache = PathBuf::from("/sys/hardlight-test");
    let error = scene.fetch(PLAIN).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disk, "{error:?}");
}
