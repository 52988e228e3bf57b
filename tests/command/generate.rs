//! `hardlight generate` from outside, on the embedded world's model and on small random ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::formula::{Golden, expected};
use crate::common::{Hardlight, Work, files, weights};
use hardlight::diffusion::noise;
use hardlight::io::matrix::write_safetensors;
use hardlight::nn::params::{load_all, save};
use ndarray::Array2;
use tch::{Device, Kind, Tensor};

fn golden(name: &str) -> Golden {
    crate::common::formula::golden(&format!("pipelines/{name}"))
}

/// `hardlight generate` with a model of a few thousand weights, in four steps.
fn generate(work: &Work, model: &Path, out: &str) -> Hardlight {
    generate_in(work, model, out, "4")
}

fn generate_in(work: &Work, model: &Path, out: &str, steps: &str) -> Hardlight {
    work.hardlight([
        "generate", "--out", out, "--steps", steps, "--device", "cpu",
    ])
    .args(["--model", model.to_str().unwrap()])
    .args(["--prompt", "a photo of an old woman on grass"])
}

/// The pictures of a folder, without the lock.
fn pictures(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = files(folder);
    all.remove(".lock");
    all
}

/// A folder of our own that can be changed.
fn copy(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn latents_are_those_that_python_would_be_given_and_pictures_stand_in_their_order() {
    let work = Work::empty();
    generate(&work, &golden("sd1"), "out")
        .args(["--count", "3", "--seed", "7", "--guidance", "3"])
        .args(["--save-latents", "deep/latents.safetensors"])
        .run()
        .exits(0)
        .says(&["out"]);
    let latents = load_all(&work.path("deep/latents.safetensors")).unwrap();
    assert_eq!(latents.keys().collect::<Vec<_>>(), ["final", "initial"]);
    assert_eq!(latents["initial"].size(), [3, 4, 8, 8]);
    assert_eq!(latents["final"].size(), [3, 4, 8, 8]);
    for (i, seed) in (7..10).enumerate() {
        let want = Tensor::from_slice(&noise::normal(seed, noise::START, 256)).view([4, 8, 8]);
        assert_eq!(latents["initial"].get(i as i64), want);
    }
    // What Diffusers makes of the first (tests/oracle/golden/pipelines.py), whose seed is 7 too.
    let want = expected("pipelines/sd1");
    let apart = (latents["final"].get(0) - want["plain_final"].get(0))
        .abs()
        .max()
        .double_value(&[]);
    assert!(apart < 1e-3, "{apart}");
    let names: Vec<String> = pictures(&work.path("out")).into_keys().collect();
    assert_eq!(names, ["00000.png", "00001.png", "00002.png"]);
    let picture = image::open(work.path("out/00000.png")).unwrap().to_rgb8();
    let level = want["plain_images"].get(0).int64_value(&[5, 3, 1]);
    assert!((i64::from(picture.get_pixel(3, 5)[1]) - level).abs() <= 1);
}

#[test]
fn the_same_command_goes_on_and_another_is_refused() {
    let work = Work::empty();
    let model = golden("sd1");
    let same = || generate(&work, &model, "out").args(["--count", "3"]);
    same().run().exits(0);
    let first = pictures(&work.path("out"));
    fs::remove_file(work.path("out/00001.png")).unwrap();
    // Cut off, as by a full disk of a program that does not write atomically.
    let cut = &first["00002.png"][..200];
    fs::write(work.path("out/00002.png"), cut).unwrap();
    same()
        .run()
        .exits(2)
        .complains(&["00002.png", "not made by this command", "--out"]);
    fs::remove_file(work.path("out/00002.png")).unwrap();
    same().run().exits(0);
    assert!(
        pictures(&work.path("out")) == first,
        "resumed pictures differ"
    );
    generate(&work, &model, "out")
        .args(["--count", "3", "--seed", "1"])
        .run()
        .exits(2)
        .complains(&["00000.png", "not made by this command"]);
    assert!(pictures(&work.path("out")) == first);
}

#[test]
fn prompts_are_made_one_after_the_other_and_a_long_one_is_warned_of() {
    let work = Work::empty();
    let long = "a photo of ".repeat(20);
    let ran = generate(&work, &golden("xl"), "out")
        .args(["--prompt", &long, "--count", "2"])
        .run()
        .exits(0);
    assert!(ran.stderr.contains("cut: \"a photo of a photo"), "{ran}");
    assert_eq!(pictures(&work.path("out")).len(), 4);
}

#[test]
fn unclip_asks_for_image_embeddings_of_its_width() {
    let work = Work::empty();
    let run = |more: &[&str]| generate(&work, &golden("unclip"), "out").args(more).run();
    run(&[])
        .exits(2)
        .complains(&["image embeddings of 6 numbers", "--image-embeds FILE"]);
    let write = |name: &str, d: usize| {
        let matrix = Array2::from_shape_fn((2, d), |(i, j)| (i + j) as f32 / 3.0);
        write_safetensors(&work.path(name), "embeddings", matrix.view(), &[]).unwrap();
    };
    write("five.safetensors", 5);
    write("six.safetensors", 6);
    run(&["--image-embeds", "five.safetensors"])
        .exits(3)
        .complains(&["have 5 numbers", "takes 6"]);
    run(&["--image-embeds", "six.safetensors", "--noise-level", "1000"])
        .exits(2)
        .complains(&["noise_level is 1000", "0 to 999"]);
    run(&["--image-embeds", "six.safetensors", "--noise-level", "9"]).exits(0);
    let made = pictures(&work.path("out"));
    assert_eq!(made.len(), 2);
    assert!(made["00000.png"] != made["00001.png"], "one per embedding");
    generate(&work, &golden("sd1"), "other")
        .args(["--image-embeds", "six.safetensors"])
        .run()
        .exits(3)
        .complains(&["have 6 numbers", "takes none"]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "one folder, changed step by step")]
fn half_precision_takes_the_fp16_files_and_shards_are_joined() {
    let work = Work::empty();
    let model = work.path("model");
    copy(&golden("sd1"), &model);
    generate(&work, &golden("sd1"), "plain").run().exits(0);
    let plain = pictures(&work.path("plain"));
    let unet = model.join("unet/diffusion_pytorch_model.safetensors");
    let tensors = load_all(&unet).unwrap();

    // Two shards and their index, in place of the one file.
    let mut shards = [tensors.iter().collect::<Vec<_>>(), Vec::new()];
    shards[1] = shards[0].split_off(20);
    let mut index = serde_json::json!({"metadata": {}, "weight_map": {}});
    for (i, shard) in shards.iter().enumerate() {
        let name = format!("diffusion_pytorch_model-0000{}-of-00002.safetensors", i + 1);
        let all = shard
            .iter()
            .map(|(name, tensor)| ((*name).clone(), tensor.shallow_clone()))
            .collect();
        save(&unet.with_file_name(&name), &all, Kind::Float).unwrap();
        for (tensor, _) in shard {
            index["weight_map"][tensor.as_str()] = name.clone().into();
        }
    }
    fs::remove_file(&unet).unwrap();
    let path = unet.with_file_name("diffusion_pytorch_model.safetensors.index.json");
    fs::write(&path, index.to_string()).unwrap();
    let pixels = |out: &str| image::open(work.path(out).join("00000.png")).unwrap();
    generate(&work, &model, "sharded").run().exits(0);
    assert_eq!(pixels("sharded"), pixels("plain"));
    // Other files, another model as far as a resumed run can know.
    assert!(pictures(&work.path("sharded")) != plain);

    // A variant of one part only, with weights that can be told apart.
    let zeros = tensors
        .iter()
        .map(|(name, t)| (name.clone(), t.zeros_like()))
        .collect();
    let fp16 = unet.with_file_name("diffusion_pytorch_model.fp16.safetensors");
    save(&fp16, &zeros, Kind::Half).unwrap();
    let ran = generate(&work, &model, "variant")
        .args(["--variant", "fp16"])
        .run()
        .exits(0);
    assert!(
        ran.stderr
            .contains("no variant fp16 of vae, text_encoder: the plain weights are used"),
        "{ran}"
    );
    assert!(pixels("variant") != pixels("plain"));
    generate(&work, &model, "still plain").run().exits(0);
    assert_eq!(pixels("still plain"), pixels("plain"));
    generate(&work, &model, "half")
        .args(["--dtype", "bf16"])
        .run()
        .exits(0);
    assert!(pixels("half") != pixels("plain"));
    generate(&work, &model, "none")
        .args(["--variant", "ema"])
        .run()
        .exits(2)
        .complains(&["variant is ema", "model has: fp16"]);
    fs::write(
        &path,
        r#"{"weight_map": {"conv_in.bias": "../unet.safetensors"}}"#,
    )
    .unwrap();
    generate(&work, &model, "hostile")
        .run()
        .exits(3)
        .complains(&["index.json", "../unet.safetensors"]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "an edit a fault")]
fn what_is_no_text_to_image_model_is_refused_by_name() {
    let work = Work::empty();
    let model = work.path("model");
    copy(&golden("xl"), &model);
    let edit = |file: &str, from: &str, to: &str, says: &[&str]| {
        let path = model.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let ran = generate(&work, &model, "out").run().exits(3);
        ran.complains(says);
        fs::write(&path, text).unwrap();
    };
    let index = "model_index.json";
    let unet = "unet/config.json";
    edit(
        index,
        "StableDiffusionXLPipeline",
        "FluxPipeline",
        &[
            "model_index.json",
            "FluxPipeline",
            "StableDiffusionPipeline,",
        ],
    );
    edit(
        index,
        "\"AutoencoderKL\"",
        "\"AutoencoderTiny\"",
        &["vae is \"AutoencoderTiny\"", "expected AutoencoderKL"],
    );
    edit(
        unet,
        "\"in_channels\": 4",
        "\"in_channels\": 9",
        &["takes 9 and gives 4 channels but vae has 4", "inpainting"],
    );
    edit(
        unet,
        "\"CrossAttnDownBlock2D\"",
        "\"AttnDownBlock2D\"",
        &[
            "AttnDownBlock2D",
            "one of DownBlock2D, CrossAttnDownBlock2D",
        ],
    );
    edit(
        unet,
        "\"text_time\"",
        "\"text_image\"",
        &["addition_embed_type is \"text_image\"", "text_time"],
    );
    edit(
        unet,
        "\"cross_attention_dim\": 12",
        "\"cross_attention_dim\": 16",
        &["text encoders give 12", "unet takes 16"],
    );
    edit(
        "text_encoder_2/config.json",
        "\"projection_dim\": 6",
        "\"projection_dim\": 5",
        &["pooled caption of 5", "unet takes 6"],
    );
    edit(
        index,
        "\"EulerDiscreteScheduler\"",
        "\"FooScheduler\"",
        &[
            "model_index.json",
            "FooScheduler",
            "ddim, ddpm, pndm, euler",
        ],
    );
    edit(
        unet,
        "\"UNetMidBlock2DCrossAttn\"",
        "null",
        &["mid_block_type is null", "UNetMidBlock2DCrossAttn"],
    );
    edit(
        unet,
        "\"norm_num_groups\": 2",
        "\"norm_num_groups\": \"2\"",
        &["norm_num_groups is not what", "expected i64"],
    );
    let weights = model.join("vae/diffusion_pytorch_model.safetensors");
    fs::rename(&weights, model.join("vae/diffusion_pytorch_model.bin")).unwrap();
    generate(&work, &model, "out").run().exits(3).complains(&[
        "diffusion_pytorch_model.bin",
        "a pickle, which can run code",
    ]);
    assert!(pictures(&work.path("out")).is_empty());
}

#[test]
fn what_the_safety_checker_objects_to_is_black() {
    let work = Work::empty();
    let model = work.path("model");
    copy(&golden("sd1"), &model);
    let checker = crate::common::formula::golden("clip/safety_checker");
    let index = model.join("model_index.json");
    let text = fs::read_to_string(&index).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["safety_checker"] =
        serde_json::json!(["stable_diffusion", "StableDiffusionSafetyChecker"]);
    fs::write(&index, json.to_string()).unwrap();
    generate(&work, &model, "absent")
        .run()
        .exits(3)
        .complains(&["safety_checker is not there", "--no-safety-checker"]);
    copy(&checker, &model.join("safety_checker"));
    let size = |n: i64| serde_json::json!({"height": n, "width": n});
    let config: serde_json::Value =
        serde_json::from_slice(&fs::read(checker.join("config.json")).unwrap()).unwrap();
    let side = config["vision_config"]["image_size"].as_i64().unwrap();
    let processor = serde_json::json!({
        "image_processor_type": "CLIPImageProcessor", "do_resize": true, "do_center_crop": true,
        "size": {"shortest_edge": side}, "crop_size": size(side), "resample": 3,
        "do_normalize": true, "do_rescale": true,
    });
    fs::create_dir_all(model.join("feature_extractor")).unwrap();
    fs::write(
        model.join("feature_extractor/preprocessor_config.json"),
        processor.to_string(),
    )
    .unwrap();
    // Thresholds that every picture, or none, is beyond.
    let path = model.join("safety_checker/model.safetensors");
    let mut tensors = load_all(&path).unwrap();
    for (threshold, out, black) in [(-2.0, "strict", true), (2.0, "lenient", false)] {
        let same = Tensor::full([17], threshold, (Kind::Float, Device::Cpu));
        tensors.insert("concept_embeds_weights".to_owned(), same);
        save(&path, &tensors, Kind::Float).unwrap();
        let ran = generate(&work, &model, out).run().exits(0);
        let picture = image::open(work.path(out).join("00000.png"))
            .unwrap()
            .to_rgb8();
        assert_eq!(picture.pixels().all(|p| p.0 == [0; 3]), black, "{out}");
        assert_eq!(
            ran.stderr.contains("safety checker objects"),
            black,
            "{ran}"
        );
    }
    let same = Tensor::full([17], -2.0, (Kind::Float, Device::Cpu));
    tensors.insert("concept_embeds_weights".to_owned(), same);
    save(&path, &tensors, Kind::Float).unwrap();
    generate(&work, &model, "off")
        .args(["--no-safety-checker"])
        .run()
        .exits(0);
    let picture = image::open(work.path("off/00000.png")).unwrap().to_rgb8();
    assert!(picture.pixels().any(|p| p.0 != [0; 3]));
}

#[test]
fn the_worlds_model_draws_and_writes_how() {
    let work = Work::empty();
    let model = weights("diffusion");
    generate(&work, &model, "out")
        .args(["--negative", "a hat", "--seed", "3"])
        .run()
        .exits(0);
    let png = fs::read(work.path("out/00000.png")).unwrap();
    let text = String::from_utf8_lossy(&png);
    for part in [
        "a photo of an old woman on grass",
        "Negative prompt: a hat",
        "Seed: 3",
        "trainedAlgorithmicMedia",
    ] {
        assert!(text.contains(part), "no {part:?}");
    }
}

#[test]
fn adapters_count_by_their_scales() {
    let work = Work::empty();
    let model = golden("sd1");
    let unet = load_all(&model.join("unet/diffusion_pytorch_model.safetensors")).unwrap();
    let layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
    let shape = unet[&format!("{layer}.weight")].size();
    let ones = |shape: [i64; 2]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
    let adapter = |file: &str, layer: &str| {
        let all = [
            (format!("unet.{layer}.lora_A.weight"), ones([2, shape[1]])),
            (format!("unet.{layer}.lora_B.weight"), ones([shape[0], 2])),
        ];
        save(&work.path(file), &all.into(), Kind::Float).unwrap();
    };
    adapter("a.safetensors", layer);
    adapter("b.safetensors", &layer.replace("to_q", "to_k"));
    adapter("other.safetensors", "down_blocks.7.attentions.0.to_q");
    let picture = |out: &str, adapters: &[&str]| {
        let args: Vec<&str> = adapters.iter().flat_map(|a| ["--lora", a]).collect();
        generate(&work, &model, out).args(args).run().exits(0);
        image::open(work.path(out).join("00000.png")).unwrap()
    };
    let plain = picture("plain", &[]);
    assert_eq!(picture("none", &["a.safetensors:0"]), plain);
    let a = picture("a", &["a.safetensors"]);
    assert!(a != plain);
    assert_eq!(
        picture("halves", &["a.safetensors:0.5", "a.safetensors:0.5"]),
        a
    );
    let both = picture("both", &["a.safetensors:1", "b.safetensors:-1.5"]);
    assert!(both != a && both != plain);
    generate(&work, &model, "wrong")
        .args(["--lora", "other.safetensors"])
        .run()
        .exits(3)
        .complains(&["other.safetensors", "down_blocks.7.attentions.0.to_q"]);
    generate(&work, &model, "absent")
        .args(["--lora", "absent.safetensors"])
        .run()
        .exits(3)
        .complains(&["absent.safetensors"]);
}

#[test]
fn the_index_names_the_schedulers_class() {
    let work = Work::empty();
    let model = work.path("model");
    copy(&golden("sd1"), &model);
    let index = model.join("model_index.json");
    let text = fs::read_to_string(&index).unwrap();
    let text = text.replace("PNDMScheduler", "DPMSolverMultistepScheduler");
    fs::write(&index, text).unwrap();
    generate(&work, &model, "index").run().exits(0);
    generate(&work, &golden("sd1"), "flag")
        .args(["--scheduler", "dpm++"])
        .run()
        .exits(0);
    let picture = |out: &str| image::open(work.path(out).join("00000.png")).unwrap();
    assert_eq!(picture("index"), picture("flag"));
}

#[test]
fn what_makes_no_sense_is_refused_before_the_model_is_read() {
    let work = Work::empty();
    let run = |flags: &[&str]| generate(&work, &golden("sd1"), "out").args(flags).run();
    for (flags, says) in [
        (&["--eta", "2"][..], "eta is 2"),
        (&["--guidance", "NaN"], "expected a finite number"),
        (&["--width", "0"], "width is 0"),
        (&["--width", "7"], "multiple of 2 px"),
        (&["--width", "4294967292"], "at most 8192"),
        (&["--batch", "0"], "batch is 0"),
        (&["--batch", "18446744073709551615"], "1 to 4096"),
        (&["--count", "0"], "expected 1 to 100000"),
        (&["--count", "1000000000000"], "expected 1 to 100000"),
        (
            &["--seed", "18446744073709551615", "--count", "2"],
            "too large for 2",
        ),
        (&["--save-latents", "latents.bin"], "ends in .safetensors"),
        (&["--lora", "a.safetensors:NaN"], "\"NaN\" is no scale"),
        (&["--lora", "a.safetensors:1,5"], "FILE[:SCALE]"),
        (&["--scheduler", "magic"], "magic"),
    ] {
        run(flags).exits(2).complains(&[says]);
    }
    for (steps, says) in [("0", "steps"), ("1001", "1001 steps")] {
        generate_in(&work, &golden("sd1"), "out", steps)
            .run()
            .exits(2)
            .complains(&[says]);
    }
    // Negative guidance is as good as none, as in Python.
    run(&["--guidance", "-3"]).exits(0);
    generate(&work, &golden("sd1"), "none")
        .args(["--guidance", "1"])
        .run()
        .exits(0);
    let picture = |out: &str| image::open(work.path(out).join("00000.png")).unwrap();
    assert_eq!(picture("out"), picture("none"));
}

#[test]
fn a_picture_that_is_not_finite_is_never_taken_for_one() {
    let work = Work::empty();
    for _ in 0..2 {
        let ran = generate(&work, &golden("sd1"), "out")
            .args(["--guidance", "1e300"])
            .run()
            .exits(4);
        assert!(
            ran.stderr.contains("not finite and is not written"),
            "{ran}"
        );
        assert!(pictures(&work.path("out")).is_empty());
    }
}

#[test]
fn two_commands_do_not_share_a_folder() {
    let work = Work::empty();
    let slow = |prompt: &str| {
        generate_in(&work, &weights("diffusion"), "out", "100")
            .args(["--prompt", prompt, "--count", "50"])
            .start()
    };
    let mut first = slow("one");
    first.until("lock", || work.path("out/.lock").exists());
    first.until("picture", || work.path("out/00000.png").exists());
    slow("two")
        .wait()
        .exits(3)
        .complains(&["out is in use by", "choose another folder"]);
    first.signal("INT");
    let ran = first.wait().exits(130);
    assert!(ran.stderr.contains("the same command goes on"), "{ran}");
}

#[cfg(unix)]
#[test]
fn stopped_with_latents_to_save_it_goes_on_where_it_was() {
    let work = Work::empty();
    let command = |out: &str| {
        generate_in(&work, &weights("diffusion"), out, "10")
            .args(["--count", "5"])
            .args(["--save-latents", &format!("{out}.safetensors")])
    };
    command("whole").run().exits(0);
    let mut running = command("out").start();
    running.until("two pictures", || work.path("out/00001.png").exists());
    running.signal("INT");
    running.until_it_says("stopping after this step (Ctrl-C again stops at once)");
    let ran = running.wait().exits(130);
    assert!(ran.stderr.contains("the same command goes on"), "{ran}");
    assert!(!work.path("out.safetensors").exists());
    let kept: Vec<String> = files(&work.path("out.parts")).into_keys().collect();
    assert!((2..5).contains(&kept.len()), "{kept:?}");
    // Zeros in place of the first picture's: what is kept is taken, not made again.
    let first = work.path("out.parts").join(&kept[0]);
    let zeros = load_all(&first).unwrap()["final"].zeros_like();
    save(&first, &[("final".to_owned(), zeros)].into(), Kind::Float).unwrap();
    // Another command's are never taken.
    generate_in(&work, &weights("diffusion"), "other", "2")
        .args(["--save-latents", "out.safetensors"])
        .run()
        .exits(0);
    command("out").run().exits(0);
    assert!(!work.path("out.parts").exists());
    assert!(pictures(&work.path("out")) == pictures(&work.path("whole")));
    let latents = |name: &str| load_all(&work.path(name)).unwrap();
    let (resumed, whole) = (latents("out.safetensors"), latents("whole.safetensors"));
    assert_eq!(resumed["initial"], whole["initial"]);
    let resumed = &resumed["final"];
    assert_eq!(resumed.get(0).abs().max().double_value(&[]), 0.0);
    for i in 1..5 {
        let apart = (resumed.get(i) - whole["final"].get(i)).abs().max();
        assert!(apart.double_value(&[]) < 1e-4, "{i}");
    }
}
