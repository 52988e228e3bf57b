//! Against Transformers and Diffusers in Python.

use hardlight::diffusion::config::{UnetConfig, VaeConfig};
use hardlight::diffusion::unet::{Conditions, Unet};
use hardlight::diffusion::vae::Vae;
use hardlight::nn::clip::config::{ClipConfig, TextConfig};
use hardlight::nn::clip::model::Clip;
use hardlight::nn::clip::towers::TextTower;
use hardlight::nn::params::{Params, load_all, save};
use tch::{Device, Kind, Tensor};

use super::{TOLERANCE, WEIGHTS, assert_close, expected, golden, open};

fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

#[test]
fn clip_embeds_captions_and_images_as_transformers() {
    let _guard = tch::no_grad_guard();
    for name in ["clip/quick_gelu", "clip/gelu"] {
        let config: ClipConfig = json(&format!("{name}/config.json"));
        let path = golden(name).join("model.safetensors");
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
        let config: ClipConfig = json(&format!("{name}/config.json"));
        let path = golden(name).join("model.safetensors");
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
    let config: TextConfig = json(&format!("{name}/config.json"));
    let bare = golden(name).join("model.safetensors");
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
    let written: ClipConfig = json("clip/defaults.json");
    let absent: ClipConfig = serde_json::from_str("{}").unwrap();
    assert_eq!(absent, written);
    let towers = r#"{"text_config": {}, "vision_config": {}}"#;
    assert_eq!(serde_json::from_str::<ClipConfig>(towers).unwrap(), written);
}

#[test]
fn vae_encodes_and_decodes_as_diffusers() {
    let _guard = tch::no_grad_guard();
    for name in ["vae/sd", "vae/plain"] {
        let config = VaeConfig::read(&golden(name).join("config.json")).unwrap();
        let path = golden(name).join(WEIGHTS);
        let vae = open(&path, Kind::Float, |scope| Vae::new(scope, &config));
        let want = expected(name);
        let (mean, logvar) = vae.encode(&want["pixels"]);
        assert_close(name, &mean, &want["mean"], TOLERANCE);
        // By channel: one of them is clamped at 20, far beyond the others.
        for channel in 0..config.latent_channels {
            let of = |t: &Tensor| t.select(1, channel);
            assert_close(name, &of(&logvar), &of(&want["logvar"]), TOLERANCE);
        }
        assert_close(
            name,
            &vae.decode(&want["latents"]),
            &want["decoded"],
            TOLERANCE,
        );
    }
    let clamped = expected("vae/plain")["logvar"].max().double_value(&[]);
    assert!(
        (clamped - 20.0).abs() < 1e-6,
        "the oracle shows no clamp: {clamped}"
    );
}

#[test]
fn unet_predicts_as_diffusers() {
    let _guard = tch::no_grad_guard();
    for name in ["unet/sd1", "unet/sd2", "unet/xl", "unet/unclip", "unet/lcm"] {
        let config = UnetConfig::read(&golden(name).join("config.json")).unwrap();
        let path = golden(name).join(WEIGHTS);
        let unet = open(&path, Kind::Float, |scope| Unet::new(scope, &config));
        let want = expected(name);
        let conditions = Conditions {
            context: &want["context"],
            text_time: want.get("pooled").zip(want.get("sizes")),
            class: want.get("class"),
            guidance: want.get("guidance").map(|scale| scale.double_value(&[0])),
        };
        let noise = unet.forward(&want["latents"], &want["timesteps"], conditions);
        assert_close(name, &noise, &want["noise"], TOLERANCE);
    }
}
