//! An image depends on model, caption, seed and settings, and on nothing else.

use crate::common::weights;
use hardlight::diffusion::pipeline::{ImageRequest, Outcome, Pipeline, Sampling};
use hardlight::diffusion::record::LongPrompts;
use hardlight::embed::clip::ClipEncoder;
use hardlight::embed::{ImageEncoder as _, TextEncoder as _};
use hardlight::generate::stable_diffusion::StableDiffusion;
use hardlight::generate::{ImageGenerator as _, Recipe};
use image::RgbImage;
use tch::{Device, Kind};

/// Between batch sizes libtorch may sum in another order; a pixel moves by no more than this.
const LEVELS: u8 = 1;

/// A scheduler that draws no noise on its way, and one that does.
const SCHEDULERS: [&str; 2] = ["dpm++", "euler-ancestral"];

const CAPTIONS: [&str; 3] = [
    "a photo of an old woman",
    "a photo of a young man with glasses",
    "a photo of an old man with a hat on a blue background",
];

fn pipeline() -> Pipeline {
    // The tests of this file run side by side.
    tch::set_num_threads(1);
    Pipeline::open(&weights("diffusion"), Device::Cpu, Kind::Float).unwrap()
}

fn sampling(scheduler: &str, batch: usize) -> Sampling {
    Sampling {
        steps: 4,
        guidance: 3.0,
        scheduler: Some(scheduler.to_owned()),
        batch,
        ..Sampling::default()
    }
}

/// Samples (caption, seed) pairs in one call.
fn sample(pipeline: &Pipeline, pairs: &[(usize, u64)], sampling: &Sampling) -> Vec<RgbImage> {
    let encoded = CAPTIONS.map(|caption| pipeline.encode(caption, LongPrompts::Cut).unwrap());
    let unconditional = pipeline.encode_negative("", LongPrompts::Cut).unwrap();
    let requests: Vec<ImageRequest<'_>> = pairs
        .iter()
        .map(|&(caption, seed)| ImageRequest {
            caption: &encoded[caption],
            seed,
            embedding: None,
            start: None,
        })
        .collect();
    match pipeline
        .sample(&requests, &unconditional, sampling, &|| false)
        .unwrap()
    {
        Outcome::Done(sampled) => sampled.into_iter().map(|s| s.image).collect(),
        Outcome::Stopped => panic!("nobody asked to stop"),
    }
}

#[test]
fn at_one_batch_size_neighbours_place_and_number_change_no_byte() {
    let pipeline = pipeline();
    for scheduler in SCHEDULERS {
        let sampling = sampling(scheduler, 3);
        let alone = sample(&pipeline, &[(1, 42)], &sampling).remove(0);
        let among = sample(&pipeline, &[(0, 7), (1, 42), (2, 9)], &sampling);
        assert_eq!(among[1], alone, "{scheduler}: other neighbours");
        let last = sample(&pipeline, &[(2, 1), (2, 2), (1, 42)], &sampling);
        assert_eq!(last[2], alone, "{scheduler}: another place");
        let pair = sample(&pipeline, &[(1, 42), (1, 42)], &sampling);
        assert_eq!((&pair[0], &pair[1]), (&alone, &alone), "{scheduler}: twice");
        assert_ne!(among[0], alone);
        let other = sample(&pipeline, &[(1, 43)], &sampling).remove(0);
        assert_ne!(other, alone, "{scheduler}: the seed counts");
    }
}

#[test]
fn a_caption_in_chunks_is_seen_to_its_end_and_by_nobody_else() {
    let pipeline = pipeline();
    let long = format!("{}, with a hat", ["a photo of an old woman"; 30].join(", "));
    let sampling = sampling("dpm++", 3);
    let draw = |captions: &[(&str, u64)], how: LongPrompts| -> Vec<RgbImage> {
        let encoded = captions
            .iter()
            .map(|(caption, _)| pipeline.encode(caption, how).unwrap());
        let encoded: Vec<_> = encoded.collect();
        let unconditional = pipeline.encode_negative("", how).unwrap();
        let requests: Vec<ImageRequest<'_>> = encoded
            .iter()
            .zip(captions)
            .map(|(caption, &(_, seed))| ImageRequest {
                caption,
                seed,
                embedding: None,
                start: None,
            })
            .collect();
        let outcome = pipeline.sample(&requests, &unconditional, &sampling, &|| false);
        match outcome.unwrap() {
            Outcome::Done(sampled) => sampled.into_iter().map(|s| s.image).collect(),
            Outcome::Stopped => panic!("nobody asked to stop"),
        }
    };
    let short = CAPTIONS[0];
    assert!(pipeline.encode(&long, LongPrompts::Cut).unwrap().truncated);
    assert!(
        !pipeline
            .encode(&long, LongPrompts::Chunks)
            .unwrap()
            .truncated
    );
    let alone =
        [(&*long, 5), (short, 6)].map(|caption| draw(&[caption], LongPrompts::Chunks).remove(0));
    let among = draw(&[(short, 7), (&long, 5), (short, 6)], LongPrompts::Chunks);
    assert_eq!((&among[1], &among[2]), (&alone[0], &alone[1]));
    assert_eq!(draw(&[(short, 6)], LongPrompts::Cut)[0], alone[1]);
    assert_ne!(draw(&[(&long, 5)], LongPrompts::Cut)[0], alone[0]);
}

#[test]
fn between_batch_sizes_a_pixel_moves_by_one_level_at_most() {
    let pipeline = pipeline();
    let pairs: Vec<(usize, u64)> = (0..3).map(|i| (i, 100 + i as u64)).collect();
    for scheduler in SCHEDULERS {
        let one: Vec<RgbImage> = pairs
            .iter()
            .map(|&pair| sample(&pipeline, &[pair], &sampling(scheduler, 1)).remove(0))
            .collect();
        for batch in [3, 8] {
            let many = sample(&pipeline, &pairs, &sampling(scheduler, batch));
            for (a, b) in one.iter().zip(&many) {
                let most = a
                    .as_raw()
                    .iter()
                    .zip(b.as_raw())
                    .map(|(a, b)| a.abs_diff(*b))
                    .max();
                assert!(most <= Some(LEVELS), "{scheduler}, batch {batch}: {most:?}");
            }
        }
    }
}

#[test]
fn captions_and_images_are_embedded_alike_alone_and_among_others() {
    tch::set_num_threads(1);
    let clip = ClipEncoder::open(&weights("clip"), Device::Cpu, Kind::Float).unwrap();
    let captions: Vec<String> = CAPTIONS.map(str::to_owned).to_vec();
    let together = clip.encode_texts(&captions).unwrap();
    let images: Vec<RgbImage> = (0..3)
        .map(|i| {
            RgbImage::from_fn(64, 64, |x, y| {
                image::Rgb([(x * 3) as u8, (y * 3) as u8, i * 90])
            })
        })
        .collect();
    let seen = clip.encode_images(&images).unwrap();
    for at in 0..3 {
        let alone = clip.encode_texts(&captions[at..=at]).unwrap();
        assert_eq!(alone.row(0), together.row(at), "{}", captions[at]);
        assert_ne!(alone.row(0), together.row((at + 1) % 3));
        let alone = clip.encode_images(&images[at..=at]).unwrap();
        assert_eq!(alone.row(0), seen.row(at), "image {at}");
        assert_ne!(alone.row(0), seen.row((at + 1) % 3));
    }
}

#[test]
fn a_stop_between_steps_is_obeyed() {
    let pipeline = pipeline();
    let caption = pipeline.encode(CAPTIONS[0], LongPrompts::Cut).unwrap();
    let calls = std::cell::Cell::new(0);
    let stop = || {
        calls.set(calls.get() + 1);
        calls.get() == 3
    };
    let request = [ImageRequest {
        caption: &caption,
        seed: 1,
        embedding: None,
        start: None,
    }];
    let outcome = pipeline
        .sample(&request, &caption, &sampling("dpm++", 1), &stop)
        .unwrap();
    assert!(matches!(outcome, Outcome::Stopped));
    assert_eq!(calls.get(), 3);
}

#[test]
fn a_recipe_alone_makes_its_image_again() {
    let generator = |sampling| StableDiffusion::new(pipeline(), "world", sampling, None).unwrap();
    let picture = |generator: &mut StableDiffusion, recipe: &Recipe| {
        let recipes = std::slice::from_ref(recipe);
        let pictures = generator.generate(recipes, &|| false).unwrap().unwrap();
        pictures[0].image.clone()
    };
    let given = Sampling {
        eta: 0.7,
        negative_prompt: "a hat".to_owned(),
        width: Some(32),
        ..sampling("ddim", 1)
    };
    let mut first = generator(given);
    let recipe = first.template().draw(CAPTIONS[0], 5);
    let mut again = generator(recipe.sampling(1));
    assert_eq!(again.template().draw(CAPTIONS[0], 5), recipe);
    assert_eq!(picture(&mut again, &recipe), picture(&mut first, &recipe));
    // A setting that the model's folder does not say is taken from the recipe too.
    let mut other = recipe.clone();
    let spacing = ("timestep_spacing".to_owned(), "trailing".into());
    assert_ne!(recipe.scheduler.settings.get(&spacing.0), Some(&spacing.1));
    other.scheduler.settings.extend([spacing]);
    let mut trailing = generator(other.sampling(1));
    assert_eq!(trailing.template().scheduler, other.scheduler);
    assert_ne!(picture(&mut trailing, &other), picture(&mut first, &recipe));
}
