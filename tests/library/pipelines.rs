//! Whole pipelines against Diffusers: the same folder, the same starting latents, the same image
//! (`tests/oracle/golden/pipelines.py`).

use std::collections::BTreeMap;

use crate::common::formula::{Golden, expected, golden};
use hardlight::diffusion::pipeline::{
    ImageRequest, OpenOptions, Outcome, Pipeline, Sampled, Sampling,
};
use hardlight::diffusion::record::{AdapterRecord, LongPrompts};
use hardlight::io;
use hardlight::nn::params::{load_all, save};
use tch::{Device, Kind, Tensor};

const PROMPT: &str = "a photo of an old woman on grass";
const NEGATIVE: &str = "a dog, snow";
/// As in the script: both sides draw the same noise from them.
const SEEDS: [u64; 2] = [7, 123_456_789];

/// `max|a − b|/max|b|` allowed of float32 latents after four steps.
const LATENTS: f64 = 1e-4;
/// Mean difference of pixels in levels of 255, where some are rounded to the other side.
const PIXELS: f64 = 0.02;

fn folder(name: &str) -> Golden {
    golden(&format!("pipelines/{name}"))
}

fn expected_of(name: &str) -> BTreeMap<String, Tensor> {
    expected(&format!("pipelines/{name}"))
}

fn sample(pipeline: &Pipeline, negative: &str, want: &BTreeMap<String, Tensor>) -> Vec<Sampled> {
    let sampling = Sampling {
        steps: 4,
        guidance: 3.0,
        negative_prompt: negative.to_owned(),
        batch: 2,
        noise_level: 300,
        ..Sampling::default()
    };
    let caption = pipeline.encode(PROMPT, LongPrompts::Cut).unwrap();
    let unconditional = pipeline
        .encode_negative(negative, LongPrompts::Cut)
        .unwrap();
    let embeddings: Option<Vec<Vec<f32>>> = want
        .get("image_embeds")
        .map(|all| Vec::<Vec<f32>>::try_from(all).unwrap());
    let requests: Vec<ImageRequest<'_>> = (0..2)
        .map(|i| ImageRequest {
            caption: &caption,
            seed: SEEDS[i],
            embedding: embeddings.as_ref().map(|all| all[i].as_slice()),
            start: None,
        })
        .collect();
    for (i, seed) in SEEDS.into_iter().enumerate() {
        let ours = pipeline.initial_latents(seed, &sampling).unwrap();
        // Box and Muller's transform in two mathematical libraries. The first channel is shown.
        let apart = apart(&ours.get(0), &want["initial"].get(i as i64));
        assert!(apart < 1e-6, "starting latents are {apart} apart");
    }
    match pipeline
        .sample(&requests, &unconditional, &sampling, &|| false)
        .unwrap()
    {
        Outcome::Done(images) => images,
        Outcome::Stopped => panic!("nobody asked to stop"),
    }
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[]) / b.abs().max().double_value(&[])
}

/// Mean difference from `[h, w, 3]` in levels of 255.
fn pixels_apart(ours: &Sampled, want: &Tensor) -> f64 {
    let (w, h) = (
        i64::from(ours.image.width()),
        i64::from(ours.image.height()),
    );
    let ours = Tensor::from_slice(ours.image.as_raw())
        .view([h, w, 3])
        .to_kind(Kind::Float);
    assert_eq!(ours.size(), want.size());
    (ours - want.to_kind(Kind::Float))
        .abs()
        .mean(Kind::Double)
        .double_value(&[])
}

fn assert_same_images(name: &str) {
    let pipeline = Pipeline::open(&folder(name), Device::Cpu, Kind::Float).unwrap();
    let want = expected_of(name);
    let mut negative_matters = 0.0_f64;
    for (key, negative) in [("plain", ""), ("negative", NEGATIVE)] {
        let images = sample(&pipeline, negative, &want);
        for (i, ours) in (0..).zip(&images) {
            let what = format!("{name}, {key}, image {i}");
            let apart = apart(&ours.latents, &want[&format!("{key}_final")].get(i));
            assert!(apart <= LATENTS, "{what}: latents are {apart:.2e} apart");
            let apart = pixels_apart(ours, &want[&format!("{key}_images")].get(i));
            assert!(apart <= PIXELS, "{what}: pixels are {apart:.3} apart");
            let other = pixels_apart(ours, &want["plain_images"].get(i));
            negative_matters = negative_matters.max(other);
        }
    }
    assert!(
        negative_matters > 1.0,
        "{name}: the negative prompt changes nothing"
    );
}

#[test]
fn sd1_makes_the_images_of_diffusers() {
    assert_same_images("sd1");
}

#[test]
fn sd2_with_v_prediction_and_zero_snr_makes_the_images_of_diffusers() {
    assert_same_images("sd2");
}

#[test]
fn sdxl_makes_the_images_of_diffusers() {
    assert_same_images("xl");
}

/// SDXL whose decoder has activations beyond float16's 65,504 on the way, and whose config
/// says whether that is so.
fn loud(force_upcast: bool) -> Golden {
    let dir = folder("xl");
    let path = dir.join("vae/diffusion_pytorch_model.safetensors");
    let mut weights = load_all(&path).unwrap();
    for name in ["decoder.conv_in.weight", "decoder.conv_in.bias"] {
        let louder = &weights[name] * 1e6;
        weights.insert(name.to_owned(), louder);
    }
    save(&path, &weights, Kind::Float).unwrap();
    let path = dir.join("vae/config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let asked = text.replace(
        "\"force_upcast\": true",
        &format!("\"force_upcast\": {force_upcast}"),
    );
    std::fs::write(&path, asked).unwrap();
    dir
}

#[test]
fn sdxls_vae_leaves_float16_where_its_config_asks() {
    let want = expected_of("xl");
    for upcast in [true, false] {
        let dir = loud(upcast);
        let pipeline = Pipeline::open(&dir, Device::Cpu, Kind::Half).unwrap();
        let vae = if upcast { "fp32" } else { "fp16" };
        assert_eq!(
            (pipeline.kind_name(), pipeline.vae_kind_name()),
            ("fp16", vae)
        );
        let images = sample(&pipeline, "", &want);
        assert!(images.iter().all(|image| image.finite == upcast));
    }
}

#[test]
fn stable_unclip_makes_the_images_of_diffusers() {
    assert_same_images("unclip");
}

/// Of chunks whose embeddings were given to Diffusers (`tests/oracle/golden/long_prompts.py`).
#[test]
fn long_prompts_in_chunks_make_the_images_of_diffusers() {
    let want = expected_of("long");
    let long = [PROMPT; 8].join(", ");
    for name in ["sd1", "xl"] {
        let pipeline = Pipeline::open(&folder(name), Device::Cpu, Kind::Float).unwrap();
        let sampling = Sampling {
            steps: 4,
            guidance: 3.0,
            batch: 1,
            ..Sampling::default()
        };
        let caption = pipeline.encode(&long, LongPrompts::Chunks).unwrap();
        let negative = pipeline.encode_negative(NEGATIVE, LongPrompts::Chunks);
        let request = ImageRequest {
            caption: &caption,
            seed: SEEDS[0],
            embedding: None,
            start: None,
        };
        let outcome = pipeline.sample(&[request], &negative.unwrap(), &sampling, &|| false);
        let Outcome::Done(images) = outcome.unwrap() else {
            panic!("nobody asked to stop");
        };
        let apart = apart(&images[0].latents, &want[name].get(0));
        assert!(apart <= LATENTS, "{name}: latents are {apart:.2e} apart");
    }
}

#[test]
fn a_pipeline_says_what_it_is_made_of() {
    let dir = folder("sd1");
    let unet = load_all(&dir.join("unet/diffusion_pytorch_model.safetensors")).unwrap();
    let (name, weight) = unet
        .iter()
        .find(|(name, _)| name.ends_with("attn1.to_q.weight"))
        .unwrap();
    let (out, inputs) = weight.size2().unwrap();
    let stem = format!("unet.{}", name.trim_end_matches(".weight"));
    let part = |shape: [i64; 2]| Tensor::full(shape, 0.1, (Kind::Float, Device::Cpu));
    let path = dir.join("style.safetensors");
    let parts = BTreeMap::from([
        (format!("{stem}.lora_A.weight"), part([2, inputs])),
        (format!("{stem}.lora_B.weight"), part([out, 2])),
    ]);
    save(&path, &parts, Kind::Float).unwrap();

    let plain = Pipeline::open(&dir, Device::Cpu, Kind::Float).unwrap();
    assert_eq!(plain.fingerprint(), plain.model_fingerprint());
    assert!(plain.adapters().is_empty());
    assert_eq!((plain.kind_name(), plain.vae_kind_name()), ("fp32", "fp32"));

    let mut options = OpenOptions::new(Device::Cpu, Kind::Float);
    options.adapters = vec![(path.clone(), 0.5)];
    let styled = Pipeline::open_with(&dir, &options).unwrap();
    assert_eq!(styled.model_fingerprint(), plain.model_fingerprint());
    assert_ne!(styled.fingerprint(), plain.fingerprint());
    let record = AdapterRecord {
        name: "style.safetensors".to_owned(),
        sha256: io::sha256_of(&path).unwrap(),
        scale: 0.5,
    };
    assert_eq!(styled.adapters(), [record]);
}

#[test]
fn a_pipeline_says_what_its_scheduler_does() {
    let pipeline = Pipeline::open(&folder("sd1"), Device::Cpu, Kind::Float).unwrap();
    let sampling = |scheduler: Option<&str>, eta: f64| Sampling {
        steps: 4,
        scheduler: scheduler.map(str::to_owned),
        eta,
        ..Sampling::default()
    };
    let own = sampling(None, 0.0);
    let record = pipeline.scheduler_record(&own).unwrap();
    assert_eq!(record.name, pipeline.check(&own).unwrap());
    let ddim = |eta| pipeline.scheduler_record(&sampling(Some("ddim"), eta));
    assert_ne!(ddim(0.0).unwrap(), ddim(1.0).unwrap());
    assert_eq!(ddim(1.0).unwrap().settings["eta"], 1.0);
}
