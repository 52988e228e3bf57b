//! `hardlight doctor`: what it says of the machine, of sound folders, and of each kind of damage.

use std::fs;
use std::path::Path;

use crate::common::formula::golden;
use crate::common::{Ran, Work, copy, weights};
use hardlight::nn::params::{load_all, save};
use serde_json::Value;
use tch::Kind;

const UNET: &str = "model/unet/diffusion_pytorch_model.safetensors";

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

/// A copy of the world's pipeline as `model/`, damaged.
fn damaged(damage: impl FnOnce(&Work)) -> Ran {
    let work = Work::empty();
    copy(&weights("diffusion"), &work.path("model"));
    damage(&work);
    work.hardlight(["doctor", "model"]).run().exits(3)
}

/// The model's problems, each on a line, hold all of these.
#[track_caller]
fn assert_problem(ran: &Ran, parts: &[&str]) {
    assert!(
        ran.stdout
            .contains("model: StableDiffusionPipeline, not sound\n"),
        "{ran}"
    );
    assert!(ran.stdout.contains("\nproblem "), "{ran}");
    for part in parts {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran}");
    }
    assert_eq!(ran.stderr, "", "{ran}");
}

#[test]
fn the_machine_is_described() {
    let work = Work::empty();
    let ran = work.hardlight(["doctor"]).run().exits(0);
    let ran = ran.says(&["libtorch", "2.11.0", "device", "dtype", "attention"]);
    assert_eq!(ran.stderr, "");
    let machine = &json(&work.hardlight(["doctor", "--json"]).run().exits(0))["machine"];
    // The library that is linked says so itself.
    let version = machine["libtorch"].as_str().unwrap();
    assert!(version.starts_with("2.11.0"), "{version}");
    // The harness sets it.
    assert_eq!(
        (&machine["threads"], &machine["OMP_NUM_THREADS"]),
        (&1.into(), &"1".into())
    );
    let cuda = machine["cuda"].as_bool().unwrap();
    let expected = if cuda {
        ["cuda:0", "fp16"]
    } else {
        ["cpu", "fp32"]
    };
    assert_eq!([&machine["device"], &machine["dtype"]], expected);
    if !cuda {
        // libtorch's CPU kernel of that name takes float32, and a mask.
        assert_eq!(
            [&machine["attention"], &machine["attention_masked"]],
            ["flash", "flash"]
        );
    }
}

#[test]
fn sound_folders_are_counted_to_the_last_parameter() {
    let folders = ["diffusion", "clip", "classifier"].map(weights);
    let work = Work::empty();
    let command = work.hardlight(["doctor", "--json"]).args(&folders);
    let report = json(&command.run().exits(0));
    let whats = ["StableDiffusionPipeline", "CLIPModel", "hardlight-cnn"];
    let parts = [
        &[
            ("unet", "unet/diffusion_pytorch_model.safetensors"),
            ("vae", "vae/diffusion_pytorch_model.safetensors"),
            ("text_encoder", "text_encoder/model.safetensors"),
        ][..],
        &[("weights", "model.safetensors")],
        &[("weights", "model.safetensors")],
    ];
    for (i, (what, parts)) in whats.iter().zip(parts).enumerate() {
        let folder = &report["folders"][i];
        assert_eq!(
            (&folder["what"], &folder["sound"]),
            (&(*what).into(), &true.into())
        );
        assert_eq!(folder["problems"], Value::Array(Vec::new()));
        for (part, file) in parts {
            let path = folders[i].join(file);
            let tensors = load_all(&path).unwrap();
            let parameters: usize = tensors.values().map(tch::Tensor::numel).sum();
            let part = &folder["parts"][part];
            assert_eq!(part["parameters"], parameters);
            assert_eq!(part["tensors"], serde_json::json!({ "F16": tensors.len() }));
            assert_eq!(part["bytes"], fs::metadata(&path).unwrap().len());
        }
    }
    let widths: Vec<&Value> = report["folders"][0]["attention"]
        .as_array()
        .unwrap()
        .iter()
        .map(|heads| &heads["head_dim"])
        .collect();
    assert_eq!(widths, [16, 32, 64, 32]);
}

#[test]
fn towers_of_other_makers_are_known() {
    let (open_clip, siglip) = (golden("clip/open_clip"), golden("clip/siglip"));
    let work = Work::empty();
    copy(&siglip, &work.path("cut"));
    let weights = fs::read(work.path("cut/model.safetensors")).unwrap();
    work.write("cut/model.safetensors", &weights[..weights.len() - 1]);
    let folders = [&*open_clip, &*siglip, Path::new("cut")];
    let command = work.hardlight(["doctor", "--json"]).args(folders);
    let report = json(&command.run().exits(3));
    let found: Vec<_> = (0..3)
        .map(|i| &report["folders"][i])
        .map(|folder| (folder["what"].as_str(), folder["sound"].as_bool()))
        .collect();
    let expected = [
        ("open_clip", true),
        ("SiglipModel", true),
        ("SiglipModel", false),
    ];
    assert_eq!(
        found,
        expected.map(|(what, sound)| (Some(what), Some(sound)))
    );
}

#[test]
fn one_unsound_folder_among_sound_ones_is_enough() {
    let work = Work::empty();
    let command = work
        .hardlight(["doctor", "nowhere"])
        .args([weights("clip")]);
    let ran = command.run().exits(3);
    ran.says(&[
        "nowhere: unknown, not sound",
        "there is no such folder",
        "CLIPModel, sound",
    ]);
}

#[test]
fn cut_weights_are_named() {
    let ran = damaged(|work| {
        let whole = fs::read(work.path(UNET)).unwrap();
        work.write(UNET, &whole[..whole.len() - 1]);
    });
    assert_problem(&ran, &[UNET, "is the download complete?"]);
}

#[test]
fn a_pickle_is_refused_under_any_name() {
    let ran = damaged(|work| {
        work.write(UNET, b"PK\x03\x04archive/data.pkl");
    });
    assert_problem(&ran, &[UNET, "is a PyTorch pickle", "can run code"]);
    let ran = damaged(|work| {
        fs::remove_file(work.path(UNET)).unwrap();
        work.write("model/unet/diffusion_pytorch_model.bin", b"PK\x03\x04");
    });
    assert_problem(
        &ran,
        &[
            "model/unet has no diffusion_pytorch_model.safetensors",
            "diffusion_pytorch_model.bin, a pickle, which can run code",
        ],
    );
}

#[test]
fn every_damaged_part_is_named_at_once() {
    let ran = damaged(|work| {
        work.write(UNET, b"");
        work.write("model/vae/diffusion_pytorch_model.safetensors", b"");
    });
    assert_problem(
        &ran,
        &[
            "unet/diffusion_pytorch_model",
            "vae/diffusion_pytorch_model",
        ],
    );
}

#[test]
fn a_config_that_asks_for_other_tensors_is_told_which() {
    let ran = damaged(|work| {
        let mut tensors = load_all(&work.path(UNET)).unwrap();
        let bias = tensors.remove("conv_out.bias").unwrap();
        tensors.insert("conv_out.bias_ema".to_owned(), bias);
        save(&work.path(UNET), &tensors, Kind::Half).unwrap();
    });
    assert_problem(
        &ran,
        &[
            "missing  conv_out.bias [4]",
            "unused   conv_out.bias_ema [4]",
        ],
    );
}

#[test]
fn unknown_blocks_schedulers_and_pipelines_are_told_what_is_known() {
    let replace = |file: &str, from: &str, to: &str| {
        damaged(|work| {
            let text = fs::read_to_string(work.path(file)).unwrap();
            assert!(text.contains(from), "{text}");
            work.write(file, text.replace(from, to));
        })
    };
    let ran = replace(
        "model/unet/config.json",
        "\"CrossAttnUpBlock2D\"",
        "\"KUpBlock2D\"",
    );
    assert_problem(
        &ran,
        &[
            "up_block_types is \"KUpBlock2D\"",
            "UpBlock2D, CrossAttnUpBlock2D",
        ],
    );
    let file = "model/model_index.json";
    let ran = replace(
        file,
        "\"DPMSolverMultistepScheduler\"",
        "\"FlowMatchScheduler\"",
    );
    assert_problem(
        &ran,
        &[file, "`FlowMatchScheduler`, not built in", "ddim, "],
    );
    let ran = replace("model/model_index.json", "\"AutoencoderKL\"", "\"VQModel\"");
    assert_problem(&ran, &["vae is \"VQModel\": expected AutoencoderKL"]);
}

#[test]
fn a_run_is_verified() {
    let work = Work::with_world();
    work.on_world("detect", "out").clip().run().exits(0);
    let ran = work.hardlight(["doctor", "out"]).run().exits(0);
    ran.says(&["out: run, sound"]);
    work.write("out/ledger.jsonl", "not a ledger\n");
    let ran = work.hardlight(["doctor", "out"]).run().exits(3);
    ran.says(&["out: run, not sound", "problem"]);
}
