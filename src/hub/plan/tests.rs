use std::collections::BTreeMap;

use serde_json::json;

use super::*;

/// A repository that is all in memory.
struct Memory(BTreeMap<String, Value>);

impl Files for Memory {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn json(&mut self, name: &str) -> Result<Value, HubError> {
        Ok(self.0[name].clone())
    }
}

fn memory(names: &[&str]) -> Memory {
    Memory(names.iter().map(|&n| (n.to_owned(), json!({}))).collect())
}

/// Stable Diffusion with a safety checker, with both precisions of the text encoder, and with what
/// else lies in such repositories.
fn pipeline() -> Memory {
    let mut memory = memory(&[
        "README.md",
        "v1-5-pruned.ckpt",
        "v1-5-pruned.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "text_encoder/model.fp16.safetensors",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer_config.json",
        "scheduler/scheduler_config.json",
        "safety_checker/config.json",
        "safety_checker/model.safetensors",
        "feature_extractor/preprocessor_config.json",
    ]);
    let index = json!({
        "_class_name": "StableDiffusionPipeline",
        "requires_safety_checker": true,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": [null, null],
    });
    memory.0.insert("model_index.json".to_owned(), index);
    memory
}

fn of(want: Want, lenient: bool, files: &mut Memory) -> Result<Plan, HubError> {
    plan(&Id::parse("a/b").unwrap(), want, lenient, files)
}

const PLAIN: Want = Want::Pipeline {
    half: false,
    safety: false,
};
const HALF: Want = Want::Pipeline {
    half: true,
    safety: false,
};

#[test]
fn a_pipeline_takes_what_its_index_names_and_nothing_else() {
    let plan = of(PLAIN, true, &mut pipeline()).unwrap();
    let small = [
        "model_index.json",
        "unet/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "scheduler/scheduler_config.json",
    ];
    assert_eq!(plan.small, small);
    let weights = [
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    ];
    assert_eq!(plan.weights, weights);
    assert!(
        plan.absent
            .contains(&"tokenizer/special_tokens_map.json".to_owned())
    );
    assert_eq!(plan.without_variant, [""; 0]);

    let any = Want::Any {
        half: false,
        safety: true,
    };
    let safe = of(any, true, &mut pipeline()).unwrap();
    assert!(
        safe.weights
            .contains(&"safety_checker/model.safetensors".to_owned())
    );
    let processor = "feature_extractor/preprocessor_config.json".to_owned();
    assert!(safe.small.contains(&processor));
}

#[test]
fn half_precision_takes_the_variant_part_by_part() {
    let plan = of(HALF, true, &mut pipeline()).unwrap();
    assert_eq!(plan.weights[2], "text_encoder/model.fp16.safetensors");
    assert_eq!(plan.weights[0], "unet/diffusion_pytorch_model.safetensors");
    assert_eq!(plan.without_variant, ["unet", "vae"]);
}

#[test]
fn a_snapshot_with_half_weights_alone_is_not_enough_for_float() {
    let mut files = pipeline();
    files.0.remove("text_encoder/model.safetensors");
    assert!(of(HALF, false, &mut files).is_ok());
    let error = of(PLAIN, false, &mut files).unwrap_err();
    assert!(
        matches!(&error, HubError::Missing { file, .. } if file == "text_encoder/model.safetensors"),
        "{error}"
    );
    let plan = of(PLAIN, true, &mut files).unwrap();
    assert_eq!(plan.without_variant, ["text_encoder"]);
}

#[test]
fn shards_are_those_of_the_index() {
    let mut files = pipeline();
    files.0.remove("unet/diffusion_pytorch_model.safetensors");
    let index = "unet/diffusion_pytorch_model.safetensors.index.fp16.json";
    let shard = |n| format!("diffusion_pytorch_model.fp16-0000{n}-of-00002.safetensors");
    let map = json!({"weight_map": {"a": shard(1), "b": shard(2), "c": shard(1)}});
    files.0.insert(index.to_owned(), map);
    for n in [1, 2] {
        files.0.insert(format!("unet/{}", shard(n)), json!({}));
    }
    let plan = of(HALF, true, &mut files).unwrap();
    assert!(plan.small.contains(&index.to_owned()));
    assert_eq!(
        plan.weights[..2],
        [1, 2].map(|n| format!("unet/{}", shard(n)))
    );
    assert_eq!(plan.without_variant, ["vae"]);

    files.0.remove(&format!("unet/{}", shard(2)));
    let error = of(HALF, true, &mut files).unwrap_err();
    assert!(
        matches!(&error, HubError::Missing { file, .. } if file.ends_with(&shard(2))),
        "{error}"
    );
    for outside in ["../x.safetensors", "/x.safetensors", "..", ""] {
        let map = json!({"weight_map": {"a": outside}});
        files.0.insert(index.to_owned(), map);
        let error = of(HALF, true, &mut files).unwrap_err();
        assert!(
            matches!(&error, HubError::Missing { file, .. } if file == index),
            "{outside}: {error}"
        );
    }
}

#[test]
fn pickles_alone_are_refused_by_name() {
    let mut files = pipeline();
    files.0.remove("unet/diffusion_pytorch_model.safetensors");
    files
        .0
        .remove("unet/diffusion_pytorch_model.non_ema.safetensors");
    let error = of(PLAIN, true, &mut files).unwrap_err();
    let HubError::Pickle { wanted, files, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(wanted, "unet/diffusion_pytorch_model.safetensors");
    assert_eq!(files, &["unet/diffusion_pytorch_model.bin"]);
    assert!(
        error.to_string().contains("safe_serialization=True"),
        "{error}"
    );
}

#[test]
fn a_part_that_nobody_here_knows_is_refused_before_its_weights() {
    let mut files = pipeline();
    let index = files.0.get_mut("model_index.json").unwrap();
    index["transformer"] = json!(["diffusers", "FluxTransformer2DModel"]);
    let error = of(PLAIN, true, &mut files).unwrap_err();
    assert!(matches!(error, HubError::Kind { .. }), "{error}");
    assert!(
        error.to_string().contains("the part transformer"),
        "{error}"
    );
}

#[test]
fn unclip_takes_its_image_parts() {
    let mut files = pipeline();
    let index = files.0.get_mut("model_index.json").unwrap();
    index["safety_checker"] = json!([null, null]);
    index["image_encoder"] = json!(["transformers", "CLIPVisionModelWithProjection"]);
    index["image_normalizer"] = json!(["stable_diffusion", "StableUnCLIPImageNormalizer"]);
    index["image_noising_scheduler"] = json!(["diffusers", "DDPMScheduler"]);
    let expected = [
        "image_encoder/config.json",
        "image_encoder/model.safetensors",
        "image_normalizer/config.json",
        "image_normalizer/diffusion_pytorch_model.safetensors",
        "image_noising_scheduler/scheduler_config.json",
    ];
    for name in expected {
        files.0.insert(name.to_owned(), json!({}));
    }
    let plan = of(PLAIN, true, &mut files).unwrap();
    let all = [plan.small, plan.weights].concat();
    for name in expected {
        assert!(all.contains(&name.to_owned()), "{name}");
    }
    let processor = "feature_extractor/preprocessor_config.json".to_owned();
    assert!(all.contains(&processor));
}

#[test]
fn clip_is_taken_as_transformers_saves_it_else_as_open_clip_does() {
    let mut files = memory(&[
        "config.json",
        "model.safetensors",
        "pytorch_model.bin",
        "preprocessor_config.json",
        "tokenizer.json",
        "open_clip_config.json",
        "open_clip_model.safetensors",
    ]);
    let plan = of(Want::Clip, true, &mut files).unwrap();
    assert_eq!(plan.weights, ["model.safetensors"]);
    let small = ["config.json", "preprocessor_config.json", "tokenizer.json"];
    assert_eq!(plan.small, small);

    // As Transformers 5 saves it.
    let preprocessor = files.0.remove("preprocessor_config.json").unwrap();
    files
        .0
        .insert("processor_config.json".to_owned(), preprocessor);
    let plan = of(Want::Clip, true, &mut files).unwrap();
    let small = ["config.json", "processor_config.json", "tokenizer.json"];
    assert_eq!(plan.small, small);

    files.0.remove("model.safetensors");
    let plan = of(Want::Clip, true, &mut files).unwrap();
    assert_eq!(plan.weights, ["open_clip_model.safetensors"]);
    assert_eq!(plan.small, ["open_clip_config.json", "tokenizer.json"]);

    files.0.remove("tokenizer.json");
    let error = of(Want::Clip, true, &mut files).unwrap_err();
    assert!(error.to_string().contains("vocab.json"), "{error}");

    files.0.remove("open_clip_model.safetensors");
    let error = of(Want::Clip, true, &mut files).unwrap_err();
    assert!(matches!(error, HubError::Pickle { .. }), "{error}");
}

#[test]
fn other_transformers_are_not_clip() {
    let mut files = memory(&["config.json", "model.safetensors"]);
    let llama = json!({"model_type": "llama"});
    files.0.insert("config.json".to_owned(), llama);
    let any = Want::Any {
        half: true,
        safety: false,
    };
    let error = of(any, true, &mut files).unwrap_err();
    assert!(error.to_string().contains("\"llama\""), "{error}");
}

#[test]
fn a_lora_is_the_usual_file_or_the_only_one_or_the_one_that_is_named() {
    let file = |files: &mut Memory| of(Want::Lora, true, files).map(|plan| plan.file.unwrap());
    let mut one = memory(&["README.md", "pixel.safetensors"]);
    assert_eq!(file(&mut one).unwrap(), "pixel.safetensors");
    assert!(of(Want::Lora, false, &mut one).is_err());

    let mut two = memory(&["a.safetensors", "b/c.safetensors"]);
    let error = file(&mut two).unwrap_err();
    assert!(
        matches!(&error, HubError::Ambiguous { files, .. } if files.len() == 2),
        "{error}"
    );
    assert!(error.to_string().contains("a/b:a.safetensors"), "{error}");
    let id = Id::parse("a/b:b/c.safetensors").unwrap();
    let named = plan(&id, Want::Lora, false, &mut two).unwrap();
    assert_eq!(named.file.unwrap(), "b/c.safetensors");
    let error = plan(&id, Want::Clip, true, &mut two).unwrap_err();
    assert!(matches!(error, HubError::BadId { .. }), "{error}");

    let usual = "pytorch_lora_weights.safetensors";
    two.0.insert(usual.to_owned(), json!({}));
    assert_eq!(file(&mut two).unwrap(), usual);
    let error = file(&mut memory(&["pytorch_lora_weights.bin"])).unwrap_err();
    assert!(matches!(error, HubError::Pickle { .. }), "{error}");
}
