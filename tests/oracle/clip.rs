//! CLIP, `open_clip` and `SigLIP` of the true widths, in three element types against Python's float32.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hardlight::nn::clip::config::{TextConfig, VisionConfig};
use hardlight::nn::clip::model::{Clip, TextModelWithProjection, VisionModelWithProjection};
use hardlight::nn::clip::open_clip;
use hardlight::nn::clip::towers::TextTower;
use hardlight::nn::params::{Params, Scope, load_all, weights};
use hardlight::nn::siglip::Siglip;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::rows::{Row, case, name};

/// Element types with the least cosine that is asked of them; float32 has a relative difference.
const KINDS: [(Kind, &str, Option<f64>); 3] = [
    (Kind::Float, "fp32", None),
    (Kind::Half, "fp16", Some(0.9999)),
    (Kind::BFloat16, "bf16", Some(0.9995)),
];

/// `max|a − b|/max|b|` allowed in float32.
const RELATIVE: f64 = 1e-4;

/// Outputs by the name Python gave them.
type Outputs = BTreeMap<&'static str, Tensor>;

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let _guard = tch::no_grad_guard();
    let dir = case();
    let want = load_all(&dir.join("expected.safetensors")).unwrap();
    for (kind, dtype, least) in KINDS {
        let outputs = run(&dir, kind, &want);
        let checked = want.keys().filter(|key| *key != "ids" && *key != "pixels");
        assert!(checked.eq(outputs.keys()), "not all outputs are compared");
        for (what, got) in outputs {
            assert_eq!(got.kind(), kind, "{what}");
            // A row a vector: of an image, a caption or a token.
            let width = *got.size().last().unwrap();
            let (got, want) = (got.reshape([-1, width]), want[what].reshape([-1, width]));
            let row = Row {
                component: &format!("CLIP {}", what.replace('_', " ")),
                configuration: &name(),
                dtype,
            };
            match least {
                None => row.relative(&got, &want, RELATIVE),
                Some(least) => row.cosine(&got, &want, least),
            }
        }
    }
}

/// Opens the case's network, whatever it is, and embeds the case's inputs.
fn run(dir: &Path, kind: Kind, inputs: &BTreeMap<String, Tensor>) -> Outputs {
    let ids = inputs.get("ids").map(|ids| ids.to_kind(Kind::Int64));
    let ids = || ids.as_ref().unwrap();
    let pixels = || inputs["pixels"].to_kind(kind);
    let config = dir.join("open_clip_config.json");
    if config.is_file() {
        let config = open_clip::parse(&fs::read_to_string(config).unwrap()).unwrap();
        let clip = open(dir, "open_clip_model", kind, |root| {
            Clip::open_clip(root, &config)
        });
        return embeds(clip.embed_text(ids()), clip.embed_images(&pixels()));
    }
    let architecture: Value = config_of(dir);
    match architecture["architectures"][0].as_str().unwrap() {
        "CLIPModel" => {
            let config = config_of(dir);
            let clip = open(dir, "model", kind, |root| Clip::new(root, &config));
            embeds(clip.embed_text(ids()), clip.embed_images(&pixels()))
        }
        "SiglipModel" => {
            let config = config_of(dir);
            let siglip = open(dir, "model", kind, |root| Siglip::new(root, &config));
            embeds(siglip.embed_text(ids()), siglip.embed_images(&pixels()))
        }
        "CLIPTextModel" => {
            let config: TextConfig = config_of(dir);
            let tower = open(dir, "model", kind, |root| {
                TextTower::standalone(root, &config)
            });
            let all = tower.forward_all(ids());
            let penultimate = all.before_last(1).unwrap().shallow_clone();
            [
                ("hidden", all.output.hidden),
                ("pooled", all.output.pooled),
                ("penultimate", penultimate),
            ]
            .into()
        }
        "CLIPTextModelWithProjection" => {
            let config: TextConfig = config_of(dir);
            let model = open(dir, "model", kind, |root| {
                TextModelWithProjection::new(root, &config)
            });
            let (all, embeds) = model.forward_all(ids());
            let penultimate = all.before_last(1).unwrap().shallow_clone();
            [("penultimate", penultimate), ("text_embeds", embeds)].into()
        }
        "CLIPVisionModelWithProjection" => {
            let config: VisionConfig = config_of(dir);
            let model = open(dir, "model", kind, |root| {
                VisionModelWithProjection::new(root, &config)
            });
            [("image_embeds", model.forward(&pixels()))].into()
        }
        other => panic!("{other}"),
    }
}

fn embeds(text: Tensor, image: Tensor) -> Outputs {
    [("text_embeds", text), ("image_embeds", image)].into()
}

fn config_of<T: DeserializeOwned>(dir: &Path) -> T {
    serde_json::from_slice(&fs::read(dir.join("config.json")).unwrap()).unwrap()
}

/// A network whose checkpoint must fit to the last tensor.
fn open<T>(dir: &Path, stem: &str, kind: Kind, build: impl FnOnce(&Scope) -> T) -> T {
    let found = weights::find(dir, stem, None, Kind::Float).unwrap();
    let params = Params::open(&found.path, kind, Device::Cpu).unwrap();
    let network = build(&params.root());
    params.finish().unwrap();
    network
}
