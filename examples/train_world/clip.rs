//! CLIP on faces and captions: symmetric cross-entropy, equal captions sharing their target.

use hardlight::io;
use hardlight::nn::clip::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use hardlight::nn::clip::model::Clip;
use hardlight::nn::params::{self, Params};
use hardlight::nn::tokenizer::Tokenizer;
use hardlight::nn::train::bpe;
use hardlight::nn::train::{AdamW, one_cycle};
use hardlight::world::caption::{caption, caption_corpus, sample_mention};
use hardlight::world::face::WorldConfig;
use tch::{Device, Kind, Tensor};

use crate::Job;
use crate::data::{Faces, Log, pick, step_rng};

pub(crate) const STEPS: usize = 2000;
const BATCH: usize = 128;
const FACES: usize = 20_000;
const VOCABULARY: usize = 350;
/// Longest caption of the world, in tokens, rounded up.
pub(crate) const CONTEXT: usize = 32;

fn config(vocabulary: usize, eos: u32) -> ClipConfig {
    ClipConfig {
        projection_dim: 64,
        text_config: TextConfig {
            vocab_size: vocabulary as i64,
            hidden_size: 128,
            intermediate_size: 512,
            num_hidden_layers: 3,
            num_attention_heads: 4,
            max_position_embeddings: CONTEXT as i64,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            eos_token_id: i64::from(eos),
            projection_dim: 64,
        },
        vision_config: VisionConfig {
            hidden_size: 128,
            intermediate_size: 512,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            image_size: 64,
            patch_size: 8,
            num_channels: 3,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            projection_dim: 64,
        },
    }
}

/// Token ids of captions, `[n, CONTEXT]`, and a number that is equal for equal captions.
pub(crate) fn tokens(tokenizer: &Tokenizer, captions: &[String], device: Device) -> Tensor {
    let ids: Vec<i64> = captions
        .iter()
        .flat_map(|c| {
            tokenizer
                .encode(c)
                .ids
                .into_iter()
                .map(i64::from)
                .collect::<Vec<_>>()
        })
        .collect();
    Tensor::from_slice(&ids)
        .view([captions.len() as i64, -1])
        .to_device(device)
}

pub(crate) fn train(job: &Job) -> anyhow::Result<()> {
    let dir = job.out.join("clip");
    let done = dir.join("model.safetensors");
    if done.exists() {
        println!("clip: done already ({})", done.display());
        return Ok(());
    }
    io::create_dir_all(&dir)?;
    let vocabulary = bpe::train(&caption_corpus(), VOCABULARY);
    vocabulary.write_dir(&dir, CONTEXT)?;
    let tokenizer = Tokenizer::from_dir(&dir)?;
    let config = config(tokenizer.vocab_size(), tokenizer.eos_id());

    let steps = job.scaled(STEPS);
    let faces = Faces::draw(
        &WorldConfig::INDEPENDENT,
        job.seed,
        "clip",
        job.scaled(FACES),
    );
    tch::manual_seed(job.seed as i64 + 1);
    let params = Params::fresh(job.device);
    let clip = Clip::new(&params.root(), &config);
    let mut optimiser = AdamW::new(&params, 0.05);
    let state = job.work.join("clip.state.safetensors");
    let first = if state.exists() {
        optimiser.resume(&state, None)? as usize
    } else {
        0
    };
    let mut log = Log::new(job, "clip", first, steps);
    for step in first..steps {
        let mut rng = step_rng(job.seed + 1, step);
        let picked = pick(&mut rng, BATCH, faces.faces.len());
        let captions: Vec<String> = picked
            .iter()
            .map(|&i| caption(&faces.faces[i as usize], sample_mention(&mut rng)))
            .collect();
        let ids = tokens(&tokenizer, &captions, job.device);
        let pixels = faces.pixels(&picked, job.device).to_kind(job.compute);
        let image = clip.embed_images(&pixels);
        let text = clip.embed_text_as(&ids, job.compute);
        let loss = contrastive_loss(&clip, &image, &text, &ids);
        optimiser.step(&loss, one_cycle(step, steps, 1e-3));
        log.step(step, loss.double_value(&[]));
        if (step + 1) % 250 == 0 || step + 1 == steps {
            optimiser.save(&state, None)?;
        }
    }
    let json = json(&config, &tokenizer)?;
    write(job, &json)?;
    write_text_encoder(job, &json, &params)?;
    params::save(&done, &params.named(), Kind::Half)?;
    Ok(())
}

/// Symmetric cross-entropy over a batch; captions of equal `ids` share their target.
///
/// # Shapes
///
/// `image` and `text` `[n, d]`, before normalisation; `ids` `[n, context]`.
pub(crate) fn contrastive_loss(clip: &Clip, image: &Tensor, text: &Tensor, ids: &Tensor) -> Tensor {
    let (image, text) = (
        unit(&image.to_kind(Kind::Float)),
        unit(&text.to_kind(Kind::Float)),
    );
    let scale = clip.logit_scale().clamp_max(100_f64.ln()).exp();
    let logits = image.matmul(&text.transpose(0, 1)) * scale;
    let same = ids
        .unsqueeze(0)
        .eq_tensor(&ids.unsqueeze(1))
        .all_dim(-1, false);
    let targets = same.to_kind(Kind::Float);
    let targets = &targets / targets.sum_dim_intlist(1, true, Kind::Float);
    let cross = |logits: &Tensor| {
        -(logits.log_softmax(1, Kind::Float) * &targets)
            .sum_dim_intlist(1, false, Kind::Float)
            .mean(Kind::Float)
    };
    (cross(&logits) + cross(&logits.transpose(0, 1))) * 0.5
}

fn unit(xs: &Tensor) -> Tensor {
    xs / xs.norm_scalaropt_dim(2.0, [-1], true)
}

/// `config.json` as Transformers writes it.
fn json(config: &ClipConfig, tokenizer: &Tokenizer) -> anyhow::Result<serde_json::Value> {
    let mut json = serde_json::to_value(config)?;
    json["architectures"] = vec!["CLIPModel"].into();
    json["model_type"] = "clip".into();
    for (part, kind) in [
        ("text_config", "clip_text_model"),
        ("vision_config", "clip_vision_model"),
    ] {
        json[part]["model_type"] = kind.into();
    }
    for (key, id) in [
        ("bos_token_id", tokenizer.bos_id()),
        ("eos_token_id", Some(tokenizer.eos_id())),
        ("pad_token_id", Some(tokenizer.pad_id())),
    ] {
        json["text_config"][key] = id.into();
    }
    json["logit_scale_init_value"] = 2.6593.into();
    Ok(json)
}

/// `config.json` and `preprocessor_config.json` of the CLIP folder.
fn write(job: &Job, json: &serde_json::Value) -> anyhow::Result<()> {
    let dir = job.out.join("clip");
    let preprocess = serde_json::json!({
        "crop_size": {"height": 64, "width": 64}, "do_center_crop": true, "do_convert_rgb": true,
        "do_normalize": true, "do_rescale": true, "do_resize": true,
        "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.5, 0.5, 0.5], "resample": 3, "rescale_factor": 1.0 / 255.0,
        "size": {"shortest_edge": 64},
    });
    for (file, value) in [
        ("config.json", json),
        ("preprocessor_config.json", &preprocess),
    ] {
        let text = serde_json::to_string_pretty(value)?;
        io::write_atomic(&dir.join(file), text.as_bytes())?;
    }
    Ok(())
}

/// The text tower as the diffusion pipeline's `text_encoder`, with its tokenizer.
fn write_text_encoder(job: &Job, json: &serde_json::Value, params: &Params) -> anyhow::Result<()> {
    let encoder = job.out.join("diffusion/text_encoder");
    io::create_dir_all(&encoder)?;
    let mut text_json = json["text_config"].clone();
    text_json["architectures"] = vec!["CLIPTextModel"].into();
    let text = serde_json::to_string_pretty(&text_json)?;
    io::write_atomic(&encoder.join("config.json"), text.as_bytes())?;
    let tower = params
        .named()
        .into_iter()
        .filter(|(name, _)| name.starts_with("text_model."))
        .collect();
    params::save(&encoder.join("model.safetensors"), &tower, Kind::Half)?;
    let target = job.out.join("diffusion/tokenizer");
    io::create_dir_all(&target)?;
    for file in [
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ] {
        io::write_atomic(
            &target.join(file),
            &io::read(&job.out.join("clip").join(file))?,
        )?;
    }
    Ok(())
}
