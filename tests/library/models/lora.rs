//! Adapters merged while weights are loaded, against Diffusers and PEFT in Python
//! (`tests/oracle/golden/lora.py`), and adapters that do not fit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hardlight::diffusion::config::UnetConfig;
use hardlight::diffusion::unet::Unet;
use hardlight::nn::clip::config::TextConfig;
use hardlight::nn::clip::towers::TextTower;
use hardlight::nn::lora::{self, Adapter, Component, LoraError};
use hardlight::nn::params::{Init, Params, ParamsError, load_all, save};
use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use super::{TOLERANCE, WEIGHTS, assert_close, draw, expected, golden, leaves};

/// Difference from a merged weight allowed, relative to the weight: one product and one sum in
/// float32.
const MERGED: f64 = 1e-5;

fn params(path: &Path, component: Component, adapters: &[Adapter]) -> Result<Params, LoraError> {
    let params = Params::open(path, Kind::Float, Device::Cpu)?;
    lora::patched(params, component, adapters)
}

/// Every weight of a checkpoint as a network would get it.
fn weights(params: &Params) -> BTreeMap<String, Tensor> {
    let tensors: Vec<(String, Vec<i64>)> = params
        .with_checkpoint(|file| {
            let named = file
                .tensors()
                .map(|(name, _, shape)| (name.to_owned(), shape));
            named.collect()
        })
        .unwrap();
    let root = params.root();
    tensors
        .into_iter()
        .map(|(name, shape)| {
            let tensor = root.param(&name, &shape, Init::Const(0.0));
            (name, tensor)
        })
        .collect()
}

fn adapter(name: &str, scale: f64) -> Adapter {
    let (folder, file) = name.split_once('/').unwrap();
    let folder = golden(&format!("lora/{folder}"));
    Adapter::open(&folder.join(file).with_extension("safetensors"), scale).unwrap()
}

/// What the oracle shows of merged weights: `shadow` in its script.
fn merged(name: &str) -> BTreeMap<String, Vec<f64>> {
    let text = std::fs::read(golden(name).join("merged.json")).unwrap();
    let tree: Value = serde_json::from_slice(&text).unwrap();
    leaves(&tree)
        .into_iter()
        .map(|(key, pair)| (key, serde_json::from_value(pair).unwrap()))
        .collect()
}

fn assert_merged(key: &str, ours: &Tensor, shadows: &[f64]) {
    let ours: Vec<f64> = Vec::try_from(ours.flatten(0, -1).to_kind(Kind::Double)).unwrap();
    let norm = ours.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert_eq!(shadows.len(), 2, "{key}");
    for (seed, theirs) in (1..).zip(shadows) {
        let directions = draw(seed, key, ours.len());
        let ours: f64 = ours.iter().zip(directions).map(|(a, b)| a * b).sum();
        let apart = (ours - theirs).abs() / norm;
        assert!(apart <= MERGED, "{key}: {ours}, not {theirs}");
    }
}

#[test]
fn adapters_of_every_naming_merge_as_in_diffusers_alone_and_together() {
    let _guard = tch::no_grad_guard();
    let (unet_folder, text_folder) = (golden("unet/sd1"), golden("clip/text_encoder"));
    let unet_config = UnetConfig::read(&unet_folder.join("config.json")).unwrap();
    let unet_path = unet_folder.join(WEIGHTS);
    let text_config = std::fs::read(text_folder.join("config.json")).unwrap();
    let text_config: TextConfig = serde_json::from_slice(&text_config).unwrap();
    let text_path = text_folder.join("model.safetensors");
    let (want, shadows) = (expected("lora/sd1"), merged("lora/sd1"));
    let single = [("kohya", 0.8), ("peft", 1.0), ("old", -0.5), ("bare", 1.25)];
    let mut cases: Vec<(&str, Vec<(&str, f64)>)> =
        single.iter().map(|one| (one.0, vec![*one])).collect();
    cases.push(("all", single.to_vec()));
    for (case, adapters) in cases {
        let adapters: Vec<Adapter> = adapters
            .into_iter()
            .map(|(name, scale)| adapter(&format!("sd1/{name}"), scale))
            .collect();
        lora::check(&adapters, &[Component::Unet, Component::TextEncoder]).unwrap();
        let [unet, text] = [
            (&unet_path, Component::Unet),
            (&text_path, Component::TextEncoder),
        ]
        .map(|(path, component)| params(path, component, &adapters).unwrap());
        let network = Unet::new(&unet.root(), &unet_config);
        let noise = network.forward(&want["latents"], &want["timesteps"], &want["context"]);
        assert_close(case, &noise, &want[&format!("{case}.noise")], TOLERANCE);
        let tower = TextTower::standalone(&text.root(), &text_config);
        let hidden = tower.forward(&want["ids"].to_kind(Kind::Int64)).hidden;
        assert_close(case, &hidden, &want[&format!("{case}.hidden")], TOLERANCE);
        for (component, params) in [("unet", unet), ("text_encoder", text)] {
            if case == "all" {
                let got = weights(&params);
                let prefix = format!("{component}.");
                let own = shadows.iter().filter(|(key, _)| key.starts_with(&prefix));
                for (key, shadows) in own {
                    assert_merged(key, &got[&key[prefix.len()..]], shadows);
                }
            }
            params.finish().unwrap();
        }
    }
    let shown = shadows.keys().filter(|key| key.starts_with("unet."));
    assert!(shown.count() > 10, "the oracle shows {shadows:?}");
}

#[test]
fn names_of_sdxls_own_code_reach_the_weights_that_diffusers_changes() {
    let want = merged("lora/sdxl");
    let adapters = [adapter("sdxl/kohya", 0.9)];
    let (folder, text_encoder) = (golden("lora/sdxl"), golden("clip/text_encoder"));
    let mut changed = 0;
    for component in [
        Component::Unet,
        Component::TextEncoder,
        Component::TextEncoder2,
    ] {
        let prefix = format!("{component}.");
        let path = if component == Component::TextEncoder {
            text_encoder.join("model.safetensors")
        } else {
            folder.join(format!("{component}.safetensors"))
        };
        let before = load_all(&path).unwrap();
        let params = params(&path, component, &adapters).unwrap();
        for (name, got) in weights(&params) {
            let key = format!("{prefix}{name}");
            match want.get(&key) {
                Some(want) => {
                    assert_merged(&key, &got, want);
                    changed += 1;
                }
                None => assert_eq!(got, before[&name], "{key}"),
            }
        }
        params.finish().unwrap();
    }
    assert_eq!(changed, want.len());
}

/// A small checkpoint and an adapter for it, both edited.
struct Case {
    dir: TempDir,
    base: BTreeMap<String, Tensor>,
    adapter: BTreeMap<String, Tensor>,
}

fn random(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

impl Case {
    /// A linear layer, a convolution of one pixel and one of nine.
    fn new() -> Self {
        tch::manual_seed(7);
        let base = [
            ("a.to_q.weight", &[6, 4][..]),
            ("a.proj_in.weight", &[6, 4, 1, 1]),
            ("a.conv1.weight", &[6, 4, 3, 3]),
            ("a.conv1.bias", &[6]),
        ];
        let mut this = Self {
            dir: tempfile::tempdir().unwrap(),
            base: base
                .map(|(name, shape)| (name.to_owned(), random(shape)))
                .into(),
            adapter: BTreeMap::new(),
        };
        this.set("lora_unet_a_to_q.lora_down.weight", &[2, 4]);
        this.set("lora_unet_a_to_q.lora_up.weight", &[6, 2]);
        this
    }

    fn set(&mut self, key: &str, shape: &[i64]) {
        self.adapter.insert(key.to_owned(), random(shape));
    }

    fn adapter_path(&self) -> PathBuf {
        self.dir.path().join("adapter.safetensors")
    }

    fn open(&self) -> Result<Adapter, LoraError> {
        save(&self.adapter_path(), &self.adapter, Kind::Float).unwrap();
        Adapter::open(&self.adapter_path(), 1.0)
    }

    fn merged(&self) -> Result<BTreeMap<String, Tensor>, LoraError> {
        let path = self.dir.path().join("base.safetensors");
        save(&path, &self.base, Kind::Float).unwrap();
        Ok(weights(&params(&path, Component::Unet, &[self.open()?])?))
    }

    /// The error, whose message must name the file and `words`.
    fn error(&self, words: &[&str]) -> LoraError {
        let error = self.merged().unwrap_err();
        let text = error.to_string();
        let path = self.adapter_path();
        for word in words.iter().chain([&path.to_str().unwrap()]) {
            assert!(text.contains(word), "{word:?} is not in {text}");
        }
        error
    }
}

#[test]
fn a_change_is_alpha_over_rank_times_the_product() {
    let mut case = Case::new();
    let alpha = Tensor::from_slice(&[5.0_f32]).view([]);
    case.adapter
        .insert("lora_unet_a_to_q.alpha".to_owned(), alpha);
    let merged = case.merged().unwrap();
    let of = |part| case.adapter[&format!("lora_unet_a_to_q.lora_{part}.weight")].shallow_clone();
    let want = &case.base["a.to_q.weight"] + of("up").matmul(&of("down")) * 2.5;
    assert_close("to_q", &merged["a.to_q.weight"], &want, 1e-6);
    assert_eq!(merged["a.conv1.weight"], case.base["a.conv1.weight"]);
}

#[test]
fn a_convolution_of_one_pixel_is_a_linear_layer_either_way() {
    let mut case = Case::new();
    case.set("lora_unet_a_proj_in.lora_down.weight", &[2, 4]);
    case.set("lora_unet_a_proj_in.lora_up.weight", &[6, 2]);
    let first = case.merged().unwrap();
    for tensor in case.adapter.values_mut() {
        *tensor = tensor.unsqueeze(-1).unsqueeze(-1);
    }
    let second = case.merged().unwrap();
    for name in ["a.to_q.weight", "a.proj_in.weight"] {
        assert_eq!(first[name], second[name], "{name}");
        assert_ne!(first[name], case.base[name], "{name}");
    }
}

#[test]
fn a_text_encoder_is_changed_whether_its_names_begin_with_text_model() {
    let folder = golden("clip/text_encoder");
    let path = folder.join("model.safetensors");
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("model.safetensors");
    let renamed = load_all(&path)
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (format!("text_model.{name}"), tensor));
    save(&below, &renamed.collect(), Kind::Float).unwrap();
    for name in ["kohya", "peft", "old"] {
        let adapters = [adapter(&format!("sd1/{name}"), 1.0)];
        let of = |path| weights(&params(path, Component::TextEncoder, &adapters).unwrap());
        let (bare, below) = (of(&path), of(&below));
        for (key, tensor) in &bare {
            assert_eq!(
                *tensor,
                below[&format!("text_model.{key}")],
                "{name}: {key}"
            );
        }
        assert_ne!(bare, load_all(&path).unwrap(), "{name} changes nothing");
    }
}

#[test]
fn a_whole_number_serves_as_alpha() {
    // As `convert_state_dict_to_kohya` of Diffusers writes it.
    let header = br#"{"conv_in.alpha":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"conv_in.lora_A.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]},"conv_in.lora_B.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[12,16]}}"#;
    let one = 1.0_f32.to_le_bytes();
    let length = (header.len() as u64).to_le_bytes();
    let bytes = [&length[..], header, &3_i64.to_le_bytes(), &one, &one].concat();
    let case = Case::new();
    std::fs::write(case.adapter_path(), bytes).unwrap();
    let base = case.dir.path().join("base.safetensors");
    save(
        &base,
        &[("conv_in.weight".to_owned(), random(&[1, 1]))].into(),
        Kind::Float,
    )
    .unwrap();
    let adapters = [Adapter::open(&case.adapter_path(), 2.0).unwrap()];
    let merged = weights(&params(&base, Component::Unet, &adapters).unwrap());
    let change = &merged["conv_in.weight"] - &load_all(&base).unwrap()["conv_in.weight"];
    assert!(
        (change.double_value(&[0, 0]) - 6.0).abs() < 1e-6,
        "{change:?}"
    );
}

#[test]
fn other_adapters_are_refused_by_name() {
    for (key, kind) in [
        ("lora_unet_a_to_q.dora_scale", "DoRA"),
        ("unet.a.to_q.lora_magnitude_vector", "DoRA"),
        ("lora_unet_a_to_q.hada_w1_a", "LoHa"),
        ("lora_unet_a_to_q.lokr_w1", "LoKr"),
        ("lora_unet_a_to_q.oft_blocks", "OFT"),
        ("lora_unet_a_conv1.lora_mid.weight", "Tucker"),
        ("unet.a.to_q.lora_B.bias", "biases"),
        ("lora_unet_a_to_q.diff_b", "whole weights"),
        (
            "base_model.model.a.to_q.lora_A.weight",
            "adapter_config.json",
        ),
    ] {
        let mut case = Case::new();
        case.set(key, &[2]);
        let error = case.error(&[key, kind, "known are LoRA and LoCon"]);
        assert!(matches!(error, LoraError::Kind { .. }), "{error}");
    }
}

#[test]
fn keys_of_no_adapter_are_refused_all_at_once() {
    let mut case = Case::new();
    case.set("a.to_q.weight", &[2]);
    case.set("b.to_q.weight", &[2]);
    let error = case.error(&["is not a LoRA", "lora_A.weight"]);
    match error {
        LoraError::Unknown { keys, .. } => assert_eq!(keys, ["a.to_q.weight", "b.to_q.weight"]),
        other => panic!("{other}"),
    }
    case.adapter.clear();
    let error = case.error(&["is not a LoRA"]);
    assert!(matches!(error, LoraError::Unknown { .. }), "{error}");
}

#[test]
fn a_change_that_cannot_be_computed_is_refused_by_key() {
    let mut case = Case::new();
    let (down, up) = (
        "lora_unet_a_to_q.lora_down.weight",
        "lora_unet_a_to_q.lora_up.weight",
    );
    let removed = case.adapter.remove(up).unwrap();
    let error = case.error(&[down, "up"]);
    assert!(matches!(error, LoraError::Partner { .. }), "{error}");

    case.adapter.insert(up.to_owned(), removed);
    for shape in [&[6, 3][..], &[6], &[6, 0]] {
        case.set(up, shape);
        let error = case.error(&["lora_unet_a_to_q", "[2, 4]", &format!("{shape:?}")]);
        assert!(matches!(error, LoraError::Rank { .. }), "{error}");
    }

    for value in [f64::NAN, f64::INFINITY] {
        case.set(up, &[6, 2]);
        let _ = case.adapter[up].get(3).get(1).fill_(value);
        let error = case.error(&[up, "not finite"]);
        assert!(matches!(error, LoraError::NotFinite { .. }), "{error}");
    }

    case.set(up, &[6, 2]);
    case.set("lora_unet_a_to_q.alpha", &[2]);
    let error = case.error(&["lora_unet_a_to_q.alpha", "[2]"]);
    assert!(matches!(error, LoraError::Alpha { .. }), "{error}");
    let nan = Tensor::from_slice(&[f32::NAN]);
    case.adapter
        .insert("lora_unet_a_to_q.alpha".to_owned(), nan);
    let error = case.error(&["lora_unet_a_to_q.alpha"]);
    assert!(matches!(error, LoraError::NotFinite { .. }), "{error}");

    case.adapter.remove("lora_unet_a_to_q.alpha");
    case.open().unwrap();
    let error = Adapter::open(&case.adapter_path(), f64::NAN).unwrap_err();
    assert!(matches!(error, LoraError::Scale { .. }), "{error}");
}

#[test]
fn an_adapter_of_another_model_is_refused() {
    let mut case = Case::new();
    case.set("lora_unet_b_to_q.lora_down.weight", &[2, 4]);
    case.set("lora_unet_b_to_q.lora_up.weight", &[6, 2]);
    case.set(
        "lora_unet_input_blocks_1_1_proj_in.lora_down.weight",
        &[2, 4],
    );
    case.set("lora_unet_input_blocks_1_1_proj_in.lora_up.weight", &[6, 2]);
    match case.error(&["unet", "base.safetensors", "another model"]) {
        LoraError::Unmatched { keys, .. } => {
            assert_eq!(
                keys,
                ["lora_unet_b_to_q", "lora_unet_input_blocks_1_1_proj_in"]
            );
        }
        other => panic!("{other}"),
    }

    for (layer, down, up) in [
        ("to_q", &[2, 5][..], &[6, 2][..]),
        ("to_q", &[2, 4], &[7, 2]),
        ("conv1", &[2, 4], &[6, 2]),
        ("conv1", &[2, 4, 1, 1], &[6, 2, 3, 3]),
        ("conv1", &[2, 4, 5, 5], &[6, 2, 1, 1]),
    ] {
        let mut case = Case::new();
        case.set(&format!("lora_unet_a_{layer}.lora_down.weight"), down);
        case.set(&format!("lora_unet_a_{layer}.lora_up.weight"), up);
        let error = case.error(&[&format!("a.{layer}.weight"), &format!("{down:?}")]);
        assert!(matches!(error, LoraError::Shape { .. }), "{error}");
    }

    let adapters = [adapter("sdxl/kohya", 1.0)];
    let error = lora::check(&adapters, &[Component::Unet, Component::TextEncoder]).unwrap_err();
    assert!(error.to_string().contains("text_encoder_2"), "{error}");
    match error {
        LoraError::NoComponent {
            component, keys, ..
        } => {
            assert_eq!(component, Component::TextEncoder2);
            assert!(
                keys.contains(&"lora_te2_text_projection".to_owned()),
                "{keys:?}"
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_weight_is_changed_once_by_a_file() {
    let mut case = Case::new();
    case.set("unet.a.to_q.lora_A.weight", &[2, 4]);
    case.set("unet.a.to_q.lora_B.weight", &[6, 2]);
    let error = case.error(&[
        "unet.a.to_q.lora_A.weight",
        "lora_unet_a_to_q.lora_down.weight",
    ]);
    assert!(matches!(error, LoraError::Twice { .. }), "{error}");

    let mut case = Case::new();
    case.set("lora_unet_a_to_q.lora_A.weight", &[2, 4]);
    let error = case.error(&["lora_unet_a_to_q.lora_A.weight"]);
    assert!(matches!(error, LoraError::Twice { .. }), "{error}");
}

#[test]
fn blocks_named_both_ways_count_by_diffusers_names() {
    // As in Diffusers, which drops the others.
    let mut case = Case::new();
    for name in [
        "down_blocks.0.resnets.0.conv1",
        "down_blocks.0.attentions.0.proj_in",
    ] {
        case.base.insert(format!("{name}.weight"), random(&[6, 4]));
    }
    for name in [
        "down_blocks_0_attentions_0_proj_in",
        "input_blocks_1_1_proj_in",
        "input_blocks_1_0_in_layers_2",
    ] {
        case.set(&format!("lora_unet_{name}.lora_down.weight"), &[2, 4]);
        case.set(&format!("lora_unet_{name}.lora_up.weight"), &[6, 2]);
    }
    let merged = case.merged().unwrap();
    let of = |part| {
        let key = format!("lora_unet_down_blocks_0_attentions_0_proj_in.lora_{part}.weight");
        case.adapter[&key].shallow_clone()
    };
    let name = "down_blocks.0.attentions.0.proj_in.weight";
    let want = &case.base[name] + of("up").matmul(&of("down"));
    assert_close(name, &merged[name], &want, 1e-6);
    let name = "down_blocks.0.resnets.0.conv1.weight";
    assert_eq!(merged[name], case.base[name]);
}

#[test]
fn a_pickle_and_an_absent_adapter_are_refused_as_checkpoints_are() {
    let case = Case::new();
    let path = case.adapter_path();
    let error = Adapter::open(&path, 1.0).unwrap_err();
    assert!(
        matches!(error, LoraError::Params(ParamsError::Open { .. })),
        "{error}"
    );
    std::fs::write(&path, b"PK\x03\x04\x00\x00archive/data.pkl").unwrap();
    let error = Adapter::open(&path, 1.0).unwrap_err();
    assert!(
        matches!(error, LoraError::Params(ParamsError::Pickle { .. })),
        "{error}"
    );
}

/// An adapter with a header text, written by the format's own writer.
fn with_config(config: &str, alpha: bool) -> Result<Adapter, LoraError> {
    use safetensors::tensor::{Dtype, TensorView};
    let zeros = [0; 32];
    let view = |shape: &[usize]| {
        let bytes = 4 * shape.iter().product::<usize>();
        TensorView::new(Dtype::F32, shape.to_vec(), &zeros[..bytes]).unwrap()
    };
    let mut tensors = vec![
        ("unet.a.to_q.lora_A.weight", view(&[2, 4])),
        ("unet.a.to_q.lora_B.weight", view(&[4, 2])),
    ];
    if alpha {
        tensors.push(("unet.a.to_q.alpha", view(&[])));
    }
    let notes = [("lora_adapter_metadata".to_owned(), config.to_owned())].into();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("adapter.safetensors");
    std::fs::write(&path, safetensors::serialize(tensors, Some(notes)).unwrap()).unwrap();
    Adapter::open(&path, 1.0)
}

#[test]
fn a_config_in_the_header_is_read_or_refused() {
    let good = r#"{"unet.r": 2, "unet.lora_alpha": 4, "text_encoder.use_dora": true}"#;
    with_config(good, false).unwrap();
    for (config, alpha, word) in [
        (r#"{"unet.r": 2, "unet.use_dora": true}"#, false, "use_dora"),
        (good, true, "unet.a.to_q.alpha"),
        ("{", false, "EOF"),
    ] {
        let error = with_config(config, alpha).unwrap_err();
        assert!(matches!(error, LoraError::Metadata { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let adapters = [with_config(r#"{"unet.r": 8}"#, false).unwrap()];
    let tensors = [("a.to_q.weight", vec![4, 4])];
    let error = lora::patch(&adapters, Component::Unet, Path::new("base"), tensors)
        .err()
        .unwrap();
    assert!(error.to_string().contains("a.to_q has rank 2"), "{error}");
}
