//! The noise predictor in latent space: noise prediction with Min-SNR weights (Hang et al. 2023,
//! <https://arxiv.org/abs/2303.09556>, γ = 5), a tenth of the captions empty for guidance.

use std::path::Path;

use hardlight::diffusion::config::{PerLevel, UnetBlock, UnetConfig, VaeConfig};
use hardlight::diffusion::unet::Unet;
use hardlight::diffusion::vae::Vae;
use hardlight::io;
use hardlight::nn::clip::config::TextConfig;
use hardlight::nn::clip::towers::TextTower;
use hardlight::nn::params::{self, Params};
use hardlight::nn::tokenizer::Tokenizer;
use hardlight::nn::train::{AdamW, Average, one_cycle};
use hardlight::world::caption::{caption, sample_mention};
use hardlight::world::face::WorldConfig;
use rand::Rng;
use tch::{Kind, Tensor};

use crate::Job;
use crate::clip::tokens;
use crate::data::{Faces, Log, channels_last, pick, sheet, step_rng};

pub(crate) const STEPS: usize = 2000;
const BATCH: usize = 64;
const FACES: usize = 20_000;

fn config(context: i64) -> UnetConfig {
    UnetConfig {
        sample_size: 16,
        down_block_types: vec![UnetBlock::CrossAttnDown; 2],
        up_block_types: vec![UnetBlock::CrossAttnUp; 2],
        block_out_channels: vec![64, 128],
        layers_per_block: 1,
        norm_num_groups: 16,
        cross_attention_dim: context,
        attention_head_dim: PerLevel::One(4),
        ..UnetConfig::default()
    }
}

/// Cumulative products of `1 − β`, SD's `scaled_linear` schedule.
pub(crate) fn alphas_cumprod() -> Tensor {
    let betas = Tensor::linspace(
        0.000_85_f64.sqrt(),
        0.012_f64.sqrt(),
        1000,
        tch::kind::DOUBLE_CPU,
    )
    .square();
    (1.0_f64 - betas)
        .cumprod(0, Kind::Double)
        .to_kind(Kind::Float)
}

#[allow(clippy::too_many_lines, reason = "one recipe, read in one go")]
pub(crate) fn train(job: &Job) -> anyhow::Result<()> {
    let root = job.out.join("diffusion");
    let done = root.join("unet/diffusion_pytorch_model.safetensors");
    if done.exists() {
        println!("unet: done already ({})", done.display());
        return Ok(());
    }
    let vae_config = VaeConfig::read(&root.join("vae/config.json"))?;
    let file = root.join("vae/diffusion_pytorch_model.safetensors");
    let vae_params = Params::open(&file, Kind::Float, job.device)?;
    let vae = Vae::new(&vae_params.root(), &vae_config);
    vae_params.finish()?;
    let text_config: TextConfig =
        serde_json::from_str(&io::read_to_string(&root.join("text_encoder/config.json"))?)?;
    let file = root.join("text_encoder/model.safetensors");
    let text_params = Params::open(&file, Kind::Float, job.device)?;
    let tower = TextTower::standalone(&text_params.root(), &text_config);
    text_params.finish()?;
    let tokenizer = Tokenizer::from_dir(&root.join("tokenizer"))?;

    let steps = job.scaled(STEPS);
    let faces = Faces::draw(
        &WorldConfig::WITHOUT_EYEPATCHES,
        job.seed,
        "generator",
        job.scaled(FACES),
    );
    println!("unet: encoding {} faces", faces.faces.len());
    let latents = tch::no_grad(|| {
        let all: Vec<i64> = (0..faces.faces.len() as i64).collect();
        let parts: Vec<Tensor> = all
            .chunks(64)
            .map(|part| {
                let pixels = faces.pixels(part, job.device).to_kind(job.compute);
                vae.encode(&pixels).0.to_kind(Kind::Float)
            })
            .collect();
        Tensor::cat(&parts, 0) * vae_config.scaling_factor
    });

    tch::manual_seed(job.seed as i64 + 2);
    let config = config(text_config.hidden_size);
    let params = Params::fresh(job.device);
    let unet = Unet::new(&params.root(), &config);
    let mut optimiser = AdamW::new(&params, 1e-4);
    let mut average = Average::new(&params, 0.999);
    let state = job.work.join("unet.state.safetensors");
    let first = if state.exists() {
        optimiser.resume(&state, Some(&mut average))? as usize
    } else {
        0
    };
    let alphas = alphas_cumprod().to_device(job.device);
    let mut log = Log::new(job, "unet", first, steps);
    for step in first..steps {
        let mut rng = step_rng(job.seed + 2, step);
        let picked = pick(&mut rng, BATCH, faces.faces.len());
        let captions: Vec<String> = picked
            .iter()
            .map(|&i| {
                let text = caption(&faces.faces[i as usize], sample_mention(&mut rng));
                if rng.gen_bool(0.1) {
                    String::new()
                } else {
                    text
                }
            })
            .collect();
        let context = tch::no_grad(|| {
            tower
                .forward(&tokens(&tokenizer, &captions, job.device))
                .hidden
        });
        let x0 = latents.index_select(0, &Tensor::from_slice(&picked).to_device(job.device));
        let t = Tensor::randint(1000, [BATCH as i64], (Kind::Int64, job.device));
        let alpha = alphas.index_select(0, &t).view([-1, 1, 1, 1]);
        let noise = x0.randn_like();
        let noisy = alpha.sqrt() * x0 + (1.0_f64 - &alpha).sqrt() * &noise;
        let predicted = unet
            .forward(
                &channels_last(&noisy.to_kind(job.compute)),
                &t.to_kind(Kind::Float),
                &context.to_kind(job.compute),
            )
            .to_kind(Kind::Float);
        let snr = (&alpha / (1.0_f64 - &alpha)).view([-1]);
        let weight = snr.clamp_max(5.0) / &snr;
        let each =
            (predicted - noise)
                .square()
                .mean_dim([1_i64, 2, 3].as_slice(), false, Kind::Float);
        let loss = (each * weight).mean(Kind::Float);
        optimiser.step(&loss, one_cycle(step, steps, 1e-3));
        average.update(&params, step);
        let value = loss.double_value(&[]);
        log.step(step, value);
        if (step + 1) % 250 == 0 || step + 1 == steps {
            optimiser.save(&state, Some(&average))?;
            params::save(
                &job.work.join("unet.average.safetensors"),
                average.named(),
                Kind::Half,
            )?;
            let rows = tch::no_grad(|| sample(job, &unet, &vae, &tower, &tokenizer));
            sheet(&rows).save(job.work.join("unet.png"))?;
        }
    }

    write_configs(&root, &config)?;
    params::save(&done, average.named(), Kind::Half)?;
    Ok(())
}

/// The JSON of the UNet, the scheduler and the pipeline, as Diffusers writes it.
fn write_configs(root: &Path, config: &UnetConfig) -> anyhow::Result<()> {
    io::create_dir_all(&root.join("unet"))?;
    io::create_dir_all(&root.join("scheduler"))?;
    let mut json = serde_json::to_value(config)?;
    json["_class_name"] = "UNet2DConditionModel".into();
    json["_diffusers_version"] = "0.42.1".into();
    json["act_fn"] = "silu".into();
    let scheduler = serde_json::json!({
        "_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.42.1",
        "num_train_timesteps": 1000, "beta_start": 0.000_85, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "prediction_type": "epsilon", "solver_order": 2,
        "algorithm_type": "dpmsolver++", "solver_type": "midpoint", "lower_order_final": true,
        "timestep_spacing": "linspace", "steps_offset": 1, "final_sigmas_type": "zero",
    });
    let index = serde_json::json!({
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
        "feature_extractor": [null, null], "image_encoder": [null, null],
        "requires_safety_checker": false, "safety_checker": [null, null],
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    });
    for (file, value) in [
        ("unet/config.json", &json),
        ("scheduler/scheduler_config.json", &scheduler),
        ("model_index.json", &index),
    ] {
        io::write_atomic(
            &root.join(file),
            serde_json::to_string_pretty(value)?.as_bytes(),
        )?;
    }
    Ok(())
}

/// Four captions, eight pictures each: DDIM, 20 steps, guidance 4.
fn sample(
    job: &Job,
    unet: &Unet,
    vae: &Vae,
    tower: &TextTower,
    tokenizer: &Tokenizer,
) -> Vec<Tensor> {
    let captions = [
        "a photo of an old woman with glasses on a blue background",
        "a photo of a young man with a beard",
        "a photo of an old man with a hat",
        "a photo of a young woman with red hair on a green background",
    ];
    let alphas = alphas_cumprod();
    captions
        .iter()
        .map(|text| {
            let pair = [(*text).to_owned(), String::new()];
            let hidden = tower.forward(&tokens(tokenizer, &pair, job.device)).hidden;
            let context = hidden.repeat_interleave_self_int(8, 0, None);
            tch::manual_seed(1);
            let mut xs = Tensor::randn([8, 4, 16, 16], (Kind::Float, job.device));
            for i in (0..20).rev() {
                let (t, previous) = (i * 50 + 49, i * 50 - 1);
                let times = Tensor::full([16], t, (Kind::Float, job.device));
                let out = unet.forward(&Tensor::cat(&[&xs, &xs], 0), &times, &context);
                let halves = out.chunk(2, 0);
                let eps = &halves[1] + (&halves[0] - &halves[1]) * 4.0;
                let a = alphas.double_value(&[t]);
                let b = if previous < 0 {
                    1.0
                } else {
                    alphas.double_value(&[previous])
                };
                let x0 = (&xs - &eps * (1.0 - a).sqrt()) / a.sqrt();
                xs = x0 * b.sqrt() + eps * (1.0 - b).sqrt();
            }
            vae.decode(&(xs / vae.config().scaling_factor))
        })
        .collect()
}
