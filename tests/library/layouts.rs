//! Pipeline folders as people have them: the same model in another layout is the same model.

use crate::common::formula::{Golden, golden};
use hardlight::diffusion::pipeline::{Pipeline, PipelineError};
use hardlight::nn::params::{load_all, save};
use serde_json::{Value, json};
use std::path::Path;
use tch::{Device, Kind, Tensor};

fn folder(name: &str) -> Golden {
    golden(&format!("pipelines/{name}"))
}

fn open(dir: &Path) -> Result<Pipeline, PipelineError> {
    Pipeline::open(dir, Device::Cpu, Kind::Float)
}

/// Sets keys of a JSON file.
fn set(path: &Path, keys: &Value) {
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (key, new) in keys.as_object().unwrap() {
        value[key] = new.clone();
    }
    std::fs::write(path, value.to_string()).unwrap();
}

/// Puts tensors into a text encoder's file besides its own.
fn add(dir: &Path, part: &str, names: &[&str]) {
    let path = dir.join(part).join("model.safetensors");
    let mut weights = load_all(&path).unwrap();
    for name in names {
        weights.insert(
            (*name).to_owned(),
            Tensor::ones([4], (Kind::Float, Device::Cpu)),
        );
    }
    save(&path, &weights, Kind::Float).unwrap();
}

#[test]
fn the_rest_of_a_clip_beside_its_text_tower_is_passed_over_with_a_note() {
    for (name, part) in [
        ("sd1", "text_encoder"),
        ("xl", "text_encoder"),
        ("xl", "text_encoder_2"),
    ] {
        let dir = folder(name);
        add(
            &dir,
            part,
            &[
                "logit_scale",
                "vision_model.pre_layrnorm.bias",
                "visual_projection.weight",
            ],
        );
        let notes = open(&dir).unwrap().notes().to_vec();
        let note = notes
            .iter()
            .find(|note| note.contains("passed over"))
            .unwrap();
        assert!(
            note.contains(part) && note.contains("3 of its tensors"),
            "{note}"
        );
        // The first text encoder of either has no projection; the second takes its own.
        if part == "text_encoder" {
            add(&dir, part, &["text_projection.weight"]);
            let notes = open(&dir).unwrap().notes().to_vec();
            assert!(
                notes.iter().any(|note| note.contains("4 of its tensors")),
                "{notes:?}"
            );
        }
        add(&dir, part, &["text_model.encoder.layers.99.mlp.fc1.bias"]);
        let error = open(&dir).unwrap_err().to_string();
        assert!(
            error.contains("layers.99") && !error.contains("logit_scale"),
            "{error}"
        );
    }
}

#[test]
fn pipelines_of_the_same_parts_are_opened_whatever_they_were_saved_from() {
    for (name, class) in [
        ("sd1", "StableDiffusionImg2ImgPipeline"),
        ("sd1", "StableDiffusionInpaintPipeline"),
        ("sd1", "LatentConsistencyModelImg2ImgPipeline"),
        ("xl", "StableDiffusionXLImg2ImgPipeline"),
        ("xl", "StableDiffusionXLInpaintPipeline"),
    ] {
        let dir = folder(name);
        let plain = open(&dir).unwrap();
        set(
            &dir.join("model_index.json"),
            &json!({"_class_name": class}),
        );
        let other = open(&dir).unwrap();
        assert_eq!(other.class(), class);
        assert_eq!(other.model_fingerprint(), plain.model_fingerprint());
    }
    let dir = folder("sd1");
    let class = "StableDiffusionXLImg2ImgPipeline";
    set(
        &dir.join("model_index.json"),
        &json!({"_class_name": class}),
    );
    assert!(open(&dir).is_err(), "of other parts");
}

#[test]
fn lists_of_one_number_are_that_number_and_a_shift_of_nothing_is_none() {
    let dir = folder("sd1");
    let path = dir.join("unet/config.json");
    let config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let twice = |key: &str, absent: i64| {
        let value = config.get(key).cloned().unwrap_or(absent.into());
        json!([value, value])
    };
    let keys = json!({
        "sample_size": twice("sample_size", 64),
        "cross_attention_dim": twice("cross_attention_dim", 1280),
        "layers_per_block": twice("layers_per_block", 2),
        "only_cross_attention": [false, false],
    });
    set(&path, &keys);
    set(&dir.join("vae/config.json"), &json!({"shift_factor": 0.0}));
    open(&dir).unwrap();
    for (part, key, value) in [
        ("unet", "layers_per_block", json!([1, 7])),
        ("unet", "only_cross_attention", json!([false, true])),
        ("vae", "shift_factor", json!(0.1)),
    ] {
        let dir = folder("sd1");
        set(&dir.join(part).join("config.json"), &json!({key: value}));
        let error = open(&dir).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_git_lfs_pointer_is_named_with_what_fetches_the_file() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 492265168\n";
    for file in [
        "text_encoder/model.safetensors",
        "unet/config.json",
        "tokenizer/vocab.json",
    ] {
        let dir = folder("sd1");
        let path = dir.join(file);
        assert!(path.is_file(), "{file}");
        std::fs::write(&path, pointer).unwrap();
        let error = open(&dir).unwrap_err().to_string();
        assert!(
            error.contains(file) && error.contains("git lfs pull"),
            "{error}"
        );
    }
}
