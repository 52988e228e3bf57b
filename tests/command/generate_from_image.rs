//! `hardlight generate --image` from outside.

use std::fs;
use std::path::Path;

use crate::common::formula::golden;
use crate::common::{Hardlight, Work};
use hardlight::generate::Start;
use hardlight::generate::recipe::Recipe;
use hardlight::image_file::read_marks;
use hardlight::io;
use image::{Rgb, RgbImage};

/// `hardlight generate` in ten steps, with a small SD 1 whose VAE halves once: 16 x 16 px.
fn generate(work: &Work, model: &Path, out: &str, more: &[&str]) -> Hardlight {
    work.hardlight(["generate", "--out", out, "--steps", "10", "--device", "cpu"])
        .args(["--model", model.to_str().unwrap()])
        .args(["--scheduler", "ddim"])
        .args(["--prompt", "a photo of an old woman on grass"])
        .args(more)
}

fn source(work: &Work, name: &str, width: u32) -> String {
    let image = RgbImage::from_fn(width, 20, |x, y| Rgb([(x * 10) as u8, (y * 12) as u8, 90]));
    image.save(work.path(name)).unwrap();
    name.to_owned()
}

#[test]
fn a_picture_starts_from_an_image_and_says_so() {
    let (work, model) = (Work::empty(), golden("pipelines/sd1"));
    let cat = source(&work, "cat.png", 20);
    generate(
        &work,
        &model,
        "out",
        &["--image", &cat, "--strength", "0.5", "--count", "2"],
    )
    .run()
    .exits(0);
    let bytes = fs::read(work.path("out/00001.png")).unwrap();
    let recipe = read_marks(&bytes).unwrap()["recipe"].clone();
    let recipe: Recipe = serde_json::from_value(recipe).unwrap();
    let Start::Image { source, strength } = &recipe.start else {
        panic!("{recipe:?}");
    };
    assert_eq!((source.id.as_str(), *strength), ("cat.png", 0.5));
    assert_eq!(source.sha256, io::sha256_of(&work.path("cat.png")).unwrap());
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("Denoising strength: 0.5"));
    assert!(text.contains("compositeWithTrainedAlgorithmicMedia"));
    // Another strength, another start or none gives another picture.
    let first = |out: &str, more: &[&str]| {
        generate(&work, &model, out, more).run().exits(0);
        image::open(work.path(out).join("00000.png")).unwrap()
    };
    let half = image::open(work.path("out/00000.png")).unwrap();
    assert_ne!(
        first("more", &["--image", "cat.png", "--strength", "0.9"]),
        half
    );
    assert_ne!(first("none", &[]), half);
}

#[test]
fn what_cannot_be_started_from_is_refused_and_a_pressed_image_is_noticed() {
    let (work, model) = (Work::empty(), golden("pipelines/sd1"));
    let wide = source(&work, "wide.png", 40);
    let ran = generate(&work, &model, "out", &["--image", &wide])
        .run()
        .exits(0);
    let noticed = "wide.png is 40 x 20 px and is pressed into 16 x 16 px";
    assert!(ran.stderr.contains(noticed), "{ran}");
    generate(&work, &model, "a", &["--image", "absent.png"])
        .run()
        .exits(3)
        .complains(&["absent.png"]);
    fs::write(work.path("text.png"), "a cat").unwrap();
    generate(&work, &model, "b", &["--image", "text.png"])
        .run()
        .exits(3)
        .complains(&["text.png"]);
    for (strength, says) in [
        ("0", "strength is 0: expected a number above 0"),
        ("1.5", "strength is 1.5: expected"),
        ("0.05", "at least 0.100 with 10 steps"),
    ] {
        generate(
            &work,
            &model,
            "c",
            &["--image", &wide, "--strength", strength],
        )
        .run()
        .exits(2)
        .complains(&[says]);
    }
    generate(&work, &model, "d", &["--strength", "0.5"])
        .run()
        .exits(2)
        .complains(&["--image"]);
}
