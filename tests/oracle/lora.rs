//! Adapters merged at load, against Diffusers and PEFT (`full/lora.py`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hardlight::diffusion::config::UnetConfig;
use hardlight::diffusion::unet::Unet;
use hardlight::nn::clip::config::TextConfig;
use hardlight::nn::clip::towers::TextTower;
use hardlight::nn::lora::{self, Adapter, Component};
use hardlight::nn::params::{Init, Params, load_all};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use crate::rows::{self, Row};

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let _guard = tch::no_grad_guard();
    let case = rows::case();
    if case.join("sgm.json").exists() {
        names(&case, "sgm");
        names(&case, "diffusers");
    } else {
        merged(&case);
    }
}

fn row<'a>(component: &'a str, configuration: &'a str) -> Row<'a> {
    Row {
        component,
        configuration,
        dtype: "fp32",
    }
}

fn adapter(case: &Path, name: &str, scale: f64) -> Adapter {
    Adapter::open(&case.join(format!("{name}.safetensors")), scale).unwrap()
}

/// Both adapters at once, in Stable Diffusion 1.5.
fn merged(case: &Path) {
    let want = load_all(&case.join("expected.safetensors")).unwrap();
    let adapters = [adapter(case, "lcm", 1.0), adapter(case, "peft", 0.7)];
    let opened = |weights: &str, component| {
        let params = Params::open(&case.join(weights), Kind::Float, Device::Cpu).unwrap();
        lora::patched(params, component, &adapters).unwrap()
    };

    let config = UnetConfig::read(&case.join("unet/config.json")).unwrap();
    let weights = "unet/diffusion_pytorch_model.safetensors";
    let params = opened(weights, Component::Unet);
    let unet = Unet::new(&params.root(), &config);
    for (key, want) in &want {
        if let Some(name) = key.strip_prefix("unet.") {
            let got = params.root().param(name, &want.size(), Init::Const(0.0));
            row("LoRA: merged weight", name).relative(&got, want, 1e-5);
        }
    }
    params.finish().unwrap();
    let noise = unet.forward(&want["latents"], &want["timesteps"], &want["context"]);
    let both = "SD 1.5, LCM-LoRA (kohya) and LoRA (PEFT)";
    row("LoRA: UNet", both).relative(&noise, &want["noise"], 1e-4);

    let config = std::fs::read(case.join("text_encoder/config.json")).unwrap();
    let config: TextConfig = serde_json::from_slice(&config).unwrap();
    let params = opened("text_encoder/model.safetensors", Component::TextEncoder);
    let tower = TextTower::standalone(&params.root(), &config);
    params.finish().unwrap();
    let hidden = tower.forward(&want["ids"].to_kind(Kind::Int64)).hidden;
    row("LoRA: text encoder", "SD 1.5, LoRA (PEFT)").relative(&hidden, &want["hidden"], 1e-4);
}

/// Networks by name, then weights by name.
type Named<T> = BTreeMap<String, BTreeMap<String, T>>;

#[derive(Deserialize)]
struct Layers {
    shapes: Named<Vec<i64>>,
    /// The constant by which Diffusers changes a weight.
    marks: Named<f64>,
}

/// Every layer of SDXL, each with a change that is only its own.
fn names(case: &Path, naming: &str) {
    let layers = std::fs::read(case.join(format!("{naming}.json"))).unwrap();
    let layers: Layers = serde_json::from_slice(&layers).unwrap();
    let adapters = [adapter(case, naming, 1.0)];
    for component in [
        Component::Unet,
        Component::TextEncoder,
        Component::TextEncoder2,
    ] {
        let shapes = &layers.shapes[&component.to_string()];
        let marks = &layers.marks[&component.to_string()];
        let tensors = shapes
            .iter()
            .map(|(name, shape)| (name.as_str(), shape.clone()));
        let patch = lora::patch(&adapters, component, case, tensors)
            .unwrap()
            .unwrap();
        let targets: BTreeSet<String> = patch.targets().into_iter().collect();
        let wrong = shapes
            .iter()
            .filter(|(name, shape)| match marks.get(*name) {
                None => targets.contains(*name),
                Some(mark) => {
                    let zeros = Tensor::zeros(shape.as_slice(), (Kind::Float, Device::Cpu));
                    let changed = patch.apply(name, &zeros).unwrap();
                    !targets.contains(*name) || changed != zeros + *mark
                }
            })
            .count();
        let what = format!("SDXL {component}, {} layers, {naming} names", marks.len());
        row("LoRA: names", &what).at_most("layers astray", wrong as f64, 0.0);
    }
}
