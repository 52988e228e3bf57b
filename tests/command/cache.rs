//! Embeddings are not made twice: keyed by the content of images and the model, whatever a file is called.

use std::fs;

use crate::common::{FACES, Hardlight, Work, copy, weights};

/// How many of train, val and test the last command embedded, of how many.
fn fresh(work: &Work) -> [String; 3] {
    let log = fs::read_to_string(work.path("out/run.log")).unwrap();
    let counts: Vec<String> = log
        .lines()
        .filter_map(|line| line.split_once("] ")?.1.strip_suffix(" were new"))
        .map(str::to_owned)
        .collect();
    let last = counts.len().checked_sub(3).unwrap();
    counts[last..].to_vec().try_into().unwrap()
}

fn of(new: [usize; 3]) -> [String; 3] {
    let [train, val, test] = new;
    [(train, FACES.train), (val, FACES.val), (test, FACES.test)]
        .map(|(new, all)| format!("{new} of {all}"))
}

fn detect(work: &Work) -> Hardlight {
    work.on_world("detect", "out")
}

#[test]
fn only_a_changed_image_or_model_is_embedded_again() {
    let work = Work::with_world();
    copy(&weights("clip"), &work.path("clip"));
    let detect = || detect(&work).args(["--clip", "clip"]);
    detect().run().exits(0);
    assert_eq!(fresh(&work), of([FACES.train, FACES.val, FACES.test]));
    let before = fs::read(work.path("out/directions.safetensors")).unwrap();
    detect().run().exits(0);
    assert_eq!(fresh(&work), of([0, 0, 0]));

    // Another picture under the same name.
    let names: Vec<_> = fs::read_dir(work.path("faces/val/old")).unwrap().collect();
    let image = names[0].as_ref().unwrap().path();
    let mut pixels = image::open(&image).unwrap().to_rgb8();
    image::imageops::invert(&mut pixels);
    pixels.save(&image).unwrap();
    detect().run().exits(0);
    assert_eq!(fresh(&work), of([0, 1, 0]));
    assert_ne!(
        fs::read(work.path("out/directions.safetensors")).unwrap(),
        before
    );

    // One weight of the model: the run is another one, and none of the embeddings are its own.
    let path = work.path("clip/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    detect().run().exits(3).complains(&["embedding.clip"]);
    detect().args(["--force-new"]).run().exits(0);
    assert_eq!(fresh(&work), of([FACES.train, FACES.val, FACES.test]));
}

#[test]
fn a_renamed_image_is_not_embedded_again_and_is_known_by_its_new_name() {
    let work = Work::with_world();
    let detect = || detect(&work).clip();
    detect().run().exits(0);
    // From the first to the last of its class.
    let names = fs::read_dir(work.path("faces/train/young")).unwrap();
    let first = names.map(|entry| entry.unwrap().path()).min().unwrap();
    fs::rename(&first, first.with_file_name("zz.png")).unwrap();
    // The table is another one, so the folder's run is, too; its embeddings stay.
    detect().run().exits(3).complains(&["data.fingerprint"]);
    detect().args(["--force-new"]).run().exits(0);
    assert_eq!(fresh(&work), of([0, 0, 0]));
    // Commands that read the folder find it.
    work.hardlight(["manifest", "out", "--subset", "5"])
        .run()
        .exits(0);
    let manifest = fs::read_to_string(work.path("out/manifest/train.csv")).unwrap();
    assert!(manifest.contains("train/young/zz.png"), "{manifest}");
}
