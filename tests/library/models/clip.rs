//! CLIP and `SigLIP` against Transformers, `open_clip` and Diffusers in Python.

use std::path::Path;

use hardlight::nn::clip::config::{ClipConfig, TextConfig, VisionConfig};
use hardlight::nn::clip::model::{Clip, TextModelWithProjection, VisionModelWithProjection};
use hardlight::nn::clip::open_clip;
use hardlight::nn::clip::towers::TextTower;
use hardlight::nn::params::{Params, load_all, save};
use hardlight::nn::safety_checker::SafetyChecker;
use hardlight::nn::siglip::{Siglip, SiglipConfig};
use tch::{Device, Kind, Tensor};

use super::{TOLERANCE, assert_close, expected, golden, open};

/// Weights of a Transformers model.
const WEIGHTS: &str = "model.safetensors";

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn clip_embeds_captions_and_images_as_transformers() {
    let _guard = tch::no_grad_guard();
    for name in ["clip/quick_gelu", "clip/gelu"] {
        let folder = golden(name);
        let config: ClipConfig = json(&folder.join("config.json"));
        let path = folder.join("model.safetensors");
        let clip = open(&path, Kind::Float, |scope| Clip::new(scope, &config));
        let want = expected(name);
        let ids = want["ids"].to_kind(Kind::Int64);
        assert_close(
            name,
            &clip.embed_text(&ids),
            &want["text_embeds"],
            TOLERANCE,
        );
        assert_close(
            name,
            &clip.embed_images(&want["pixels"]),
            &want["image_embeds"],
            TOLERANCE,
        );
        // What precedes the projection; the rest of the file is not this tower's.
        let params = Params::open(&path, Kind::Float, Device::Cpu).unwrap();
        let out = TextTower::standalone(&params.root(), &config.text_config).forward(&ids);
        assert_close(name, &out.hidden, &want["hidden"], TOLERANCE);
        assert_close(name, &out.pooled, &want["pooled"], TOLERANCE);
    }
}

#[test]
fn captions_are_pooled_at_the_end_token_of_either_convention() {
    let _guard = tch::no_grad_guard();
    // Row by row: the end token early and repeated, behind larger ids, last, absent.
    for (name, ends) in [
        ("clip/quick_gelu", [0, 2, 0, 2]),
        ("clip/gelu", [3, 5, 9, 0]),
    ] {
        let want = expected(name);
        for (row, end) in (0..).zip(ends) {
            let (hidden, pooled) = (want["hidden"].get(row), want["pooled"].get(row));
            assert_eq!(
                hidden.get(end),
                pooled,
                "{name}: the oracle's own row {row}"
            );
        }
        let folder = golden(name);
        let config: ClipConfig = json(&folder.join("config.json"));
        let path = folder.join("model.safetensors");
        let params = Params::open(&path, Kind::Float, Device::Cpu).unwrap();
        let tower = TextTower::standalone(&params.root(), &config.text_config);
        let out = tower.forward(&want["ids"].to_kind(Kind::Int64));
        for (row, end) in (0..).zip(ends) {
            assert_eq!(
                out.pooled.get(row),
                out.hidden.get(row).get(end),
                "{name}: row {row}"
            );
        }
    }
}

#[test]
fn a_text_encoder_opens_as_transformers_4_and_5_name_its_weights() {
    let _guard = tch::no_grad_guard();
    let name = "clip/text_encoder";
    let folder = golden(name);
    let config: TextConfig = json(&folder.join("config.json"));
    let bare = folder.join("model.safetensors");
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("model.safetensors");
    let weights = load_all(&bare).unwrap();
    assert!(
        weights.contains_key("final_layer_norm.weight"),
        "Transformers 5 names no text_model"
    );
    let renamed = weights
        .into_iter()
        .map(|(key, value)| (format!("text_model.{key}"), value));
    save(&below, &renamed.collect(), Kind::Float).unwrap();
    let want = expected(name);
    for path in [bare, below] {
        let tower = open(&path, Kind::Float, |root| {
            TextTower::standalone(root, &config)
        });
        let out = tower.forward(&want["ids"].to_kind(Kind::Int64));
        assert_close(name, &out.hidden, &want["hidden"], TOLERANCE);
        assert_close(name, &out.pooled, &want["pooled"], TOLERANCE);
    }
}

#[test]
fn absent_keys_of_a_clip_config_have_transformers_defaults() {
    let written: ClipConfig = json(&golden("clip").join("defaults.json"));
    let absent: ClipConfig = serde_json::from_str("{}").unwrap();
    assert_eq!(absent, written);
    let towers = r#"{"text_config": {}, "vision_config": {}}"#;
    assert_eq!(serde_json::from_str::<ClipConfig>(towers).unwrap(), written);
}

#[test]
fn a_text_encoder_gives_its_states_on_the_way_and_projects_what_it_pooled() {
    let _guard = tch::no_grad_guard();
    let name = "clip/text_with_projection";
    let folder = golden(name);
    let config: TextConfig = json(&folder.join("config.json"));
    let path = folder.join(WEIGHTS);
    let model = open(&path, Kind::Float, |root| {
        TextModelWithProjection::new(root, &config)
    });
    let want = expected(name);
    let ids = want["ids"].to_kind(Kind::Int64);
    let (all, embeds) = model.forward_all(&ids);
    assert_close(name, &embeds, &want["text_embeds"], TOLERANCE);
    assert_close(name, &all.output.hidden, &want["hidden"], TOLERANCE);
    assert_eq!(all.states.len(), 4);
    for (i, state) in all.states.iter().enumerate() {
        assert_close(name, state, &want[&format!("state_{i}")], TOLERANCE);
    }
    // `hidden_states[-2]`, and what a clip_skip of 1 takes.
    assert_eq!(all.before_last(1), Some(&all.states[2]));
    assert_eq!(all.before_last(2), Some(&all.states[1]));
    assert_eq!(all.before_last(4), None);
    let last = model.tower().normalise(&all.states[3]);
    assert_eq!(last, all.output.hidden);
    let (output, alone) = model.forward(&ids);
    assert_eq!((output.hidden, alone), (all.output.hidden, embeds));
}

#[test]
fn an_image_encoder_alone_projects_what_it_pooled() {
    let _guard = tch::no_grad_guard();
    let name = "clip/vision_with_projection";
    let folder = golden(name);
    let config: VisionConfig = json(&folder.join("config.json"));
    let path = folder.join(WEIGHTS);
    let model = open(&path, Kind::Float, |root| {
        VisionModelWithProjection::new(root, &config)
    });
    let want = expected(name);
    let embeds = model.forward(&want["pixels"]);
    assert_close(name, &embeds, &want["image_embeds"], TOLERANCE);
}

#[test]
fn clip_embeds_captions_and_images_as_open_clip() {
    let _guard = tch::no_grad_guard();
    for name in ["clip/open_clip", "clip/open_clip_quick"] {
        let folder = golden(name);
        let text = std::fs::read_to_string(folder.join("open_clip_config.json")).unwrap();
        let config = open_clip::parse(&text).unwrap();
        let path = folder.join("open_clip_model.safetensors");
        let clip = open(&path, Kind::Float, |scope| Clip::open_clip(scope, &config));
        let want = expected(name);
        let texts = clip.embed_text(&want["ids"].to_kind(Kind::Int64));
        assert_close(name, &texts, &want["text_embeds"], TOLERANCE);
        let images = clip.embed_images(&want["pixels"]);
        assert_close(name, &images, &want["image_embeds"], TOLERANCE);
    }
}

#[test]
fn siglip_embeds_captions_and_images_as_transformers() {
    let _guard = tch::no_grad_guard();
    let name = "clip/siglip";
    let folder = golden(name);
    let config: SiglipConfig = json(&folder.join("config.json"));
    let path = folder.join(WEIGHTS);
    let siglip = open(&path, Kind::Float, |scope| Siglip::new(scope, &config));
    let want = expected(name);
    let texts = siglip.embed_text(&want["ids"].to_kind(Kind::Int64));
    assert_close(name, &texts, &want["text_embeds"], TOLERANCE);
    let images = siglip.embed_images(&want["pixels"]);
    assert_close(name, &images, &want["image_embeds"], TOLERANCE);
}

#[test]
fn absent_keys_of_a_siglip_config_have_transformers_defaults() {
    let written: SiglipConfig = json(&golden("clip").join("siglip_defaults.json"));
    let absent: SiglipConfig = serde_json::from_str("{}").unwrap();
    // Written out there, "as wide as the tower" here.
    assert_eq!(written.text_config.projection_size, Some(768));
    let mut absent_but_for_that = absent;
    absent_but_for_that.text_config.projection_size = Some(768);
    assert_eq!(absent_but_for_that, written);
}

/// The two ways in which Transformers names the tower within the checker.
#[test]
fn the_safety_checker_scores_and_flags_as_diffusers() {
    let name = "clip/safety_checker";
    let want = expected(name);
    let dir = tempfile::tempdir().unwrap();
    let folder = golden(name);
    let weights = load_all(&folder.join(WEIGHTS)).unwrap();
    let below = "vision_model.";
    assert!(weights.contains_key("vision_model.post_layernorm.weight"));
    let renamed = weights
        .into_iter()
        .map(|(key, value)| match key.strip_prefix(below) {
            Some(rest) => (format!("{below}{below}{rest}"), value),
            None => (key, value),
        });
    save(&dir.path().join(WEIGHTS), &renamed.collect(), Kind::Float).unwrap();
    let config = folder.join("config.json");
    std::fs::copy(config, dir.path().join("config.json")).unwrap();
    for dir in [&*folder, dir.path()] {
        let checker = SafetyChecker::open(dir, Kind::Float, Device::Cpu).unwrap();
        assert_eq!(checker.side(), want["pixels"].size()[3]);
        let flags: Vec<bool> = Vec::try_from(want["flags"].gt(0.5)).unwrap();
        assert_eq!(checker.flags(&want["pixels"]).unwrap(), flags);
        let scores: Vec<f32> = checker
            .scores(&want["pixels"])
            .unwrap()
            .into_iter()
            .flat_map(|scores| [scores.special, scores.concepts].concat())
            .collect();
        let scores = Tensor::from_slice(&scores).view_as(&want["scores"]);
        // Rounding to thousandths may fall to the other side.
        let apart = (scores - &want["scores"]).abs().max().double_value(&[]);
        assert!(apart < 0.0011, "{apart}");
    }
}

#[test]
fn the_older_of_two_configs_wins_as_a_whole() {
    // As in CompVis' safety checker: without a key it has the default, not the newer config's.
    let config: ClipConfig = serde_json::from_str(
        r#"{"projection_dim": 768, "text_config": null,
            "text_config_dict": {"hidden_size": 768, "num_attention_heads": 12},
            "vision_config": {"hidden_size": 24, "num_attention_heads": 3, "patch_size": 14, "hidden_act": "gelu"},
            "vision_config_dict": {"hidden_size": 1024, "num_attention_heads": 16}}"#,
    )
    .unwrap();
    assert_eq!(config.projection_dim, 768);
    let text = TextConfig {
        hidden_size: 768,
        num_attention_heads: 12,
        ..TextConfig::default()
    };
    let vision = VisionConfig {
        hidden_size: 1024,
        num_attention_heads: 16,
        ..VisionConfig::default()
    };
    assert_eq!((config.text_config, config.vision_config), (text, vision));
}

#[test]
fn what_no_network_here_can_be_is_refused_by_key_or_value() {
    let clip = |json: &str| {
        serde_json::from_str::<ClipConfig>(json)
            .unwrap_err()
            .to_string()
    };
    let siglip = |json: &str| {
        serde_json::from_str::<SiglipConfig>(json)
            .unwrap_err()
            .to_string()
    };
    for (said, parts) in [
        (
            clip(r#"{"text_config": {"hidden_act": "relu"}}"#),
            ["relu", "quick_gelu", "`gelu`"],
        ),
        (
            clip(r#"{"vision_config": {"hidden_size": 768, "num_attention_heads": 7}}"#),
            ["hidden_size", "768", "7 attention heads"],
        ),
        (
            clip(r#"{"vision_config": {"num_attention_heads": 0}}"#),
            ["num_attention_heads", "is 0", "from 1"],
        ),
        (
            clip(r#"{"text_config": {"vocab_size": -1}}"#),
            ["vocab_size", "-1", "from 1"],
        ),
        (
            clip(r#"{"projection_dim": 9999999999}"#),
            ["projection_dim", "9999999999", "1048576"],
        ),
        (
            clip(r#"{"vision_config": {"patch_size": 225}}"#),
            ["patch_size", "225", "224"],
        ),
        (
            siglip(r#"{"vision_config": {"vision_use_head": false}}"#),
            ["vision_use_head", "false", "true"],
        ),
        (
            siglip(r#"{"text_config": {"projection_size": 512}}"#),
            ["projection_size", "512", "768"],
        ),
    ] {
        for part in parts {
            assert!(said.contains(part), "no {part:?} in {said:?}");
        }
    }
}
