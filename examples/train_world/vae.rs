//! The autoencoder: L1, squared and gradient error on pixels, a little KL on latents.
//!
//! The gradient term is what keeps glasses and eyes from smearing: their edges are few pixels.

use hardlight::diffusion::config::VaeConfig;
use hardlight::diffusion::vae::Vae;
use hardlight::io;
use hardlight::nn::params::{self, Params};
use hardlight::nn::train::{AdamW, Average, one_cycle};
use hardlight::world::face::WorldConfig;
use tch::{Kind, Tensor};

use crate::Job;
use crate::data::{Faces, Log, channels_last, pick, sheet, step_rng};

pub(crate) const STEPS: usize = 3600;
const BATCH: usize = 16;
const FACES: usize = 20_000;

pub(crate) fn config() -> VaeConfig {
    VaeConfig {
        block_out_channels: vec![16, 32, 64],
        norm_num_groups: 8,
        ..VaeConfig::default()
    }
}

#[allow(clippy::too_many_lines, reason = "one recipe, read in one go")]
pub(crate) fn train(job: &Job) -> anyhow::Result<()> {
    let done = job
        .out
        .join("diffusion/vae/diffusion_pytorch_model.safetensors");
    if done.exists() {
        println!("vae: done already ({})", done.display());
        return Ok(());
    }
    let steps = job.scaled(STEPS);
    let faces = Faces::draw(
        &WorldConfig::WITHOUT_EYEPATCHES,
        job.seed,
        "generator",
        job.scaled(FACES),
    );
    let held_out = Faces::draw(
        &WorldConfig::WITHOUT_EYEPATCHES,
        job.seed,
        "generator-held-out",
        256,
    );
    tch::manual_seed(job.seed as i64);
    let config = config();
    let params = Params::fresh(job.device);
    let vae = Vae::new(&params.root(), &config);
    let mut optimiser = AdamW::new(&params, 1e-4);
    let mut average = Average::new(&params, 0.998);
    let state = job.work.join("vae.state.safetensors");
    let first = if state.exists() {
        optimiser.resume(&state, Some(&mut average))? as usize
    } else {
        0
    };
    let mut log = Log::new(job, "vae", first, steps);
    for step in first..steps {
        let mut rng = step_rng(job.seed, step);
        let pixels = faces.pixels(&pick(&mut rng, BATCH, faces.faces.len()), job.device);
        let (mean, log_var) = vae.encode(&pixels.to_kind(job.compute));
        let (mean, log_var) = (mean.to_kind(Kind::Float), log_var.to_kind(Kind::Float));
        let latents = &mean + (&log_var * 0.5).exp() * mean.randn_like();
        let out = vae
            .decode(&channels_last(&latents.to_kind(job.compute)))
            .to_kind(Kind::Float);
        let kl = (mean.square() + log_var.exp() - 1.0 - &log_var).mean(Kind::Float) * 0.5;
        let loss = reconstruction(&out, &pixels) + kl * 1e-4;
        optimiser.step(&loss, one_cycle(step, steps, 2e-3));
        average.update(&params, step);
        log.step(step, loss.double_value(&[]));
        if (step + 1) % 250 == 0 || step + 1 == steps {
            optimiser.save(&state, Some(&average))?;
            let shown = held_out.pixels(&(0..12).collect::<Vec<_>>(), job.device);
            let rebuilt = tch::no_grad(|| vae.decode(&vae.encode(&shown).0));
            sheet(&[shown, rebuilt]).save(job.work.join("vae.png"))?;
        }
    }

    // The averaged weights are what ships.
    let dir = job.out.join("diffusion/vae");
    io::create_dir_all(&dir)?;
    let averaged = Params::fresh(job.device);
    let vae = Vae::new(&averaged.root(), &config);
    tch::no_grad(|| {
        for (name, tensor) in averaged.named() {
            if let Some(value) = average.named().get(&name) {
                tensor.shallow_clone().copy_(value);
            }
        }
    });
    let (mut error, mut squares, mut count) = (0.0, 0.0, 0.0);
    tch::no_grad(|| {
        for start in (0..256).step_by(32) {
            let pixels = held_out.pixels(&(start..start + 32).collect::<Vec<_>>(), job.device);
            let latents = vae.encode(&pixels).0;
            error += (vae.decode(&latents) - &pixels)
                .abs()
                .mean(Kind::Float)
                .double_value(&[]);
            squares += latents.square().mean(Kind::Float).double_value(&[]);
            count += 1.0;
        }
    });
    let scaling_factor = 1.0 / f64::sqrt(squares / count);
    println!(
        "vae: held-out mean absolute error {:.2} of 255",
        error / count * 127.5
    );
    let config = VaeConfig {
        scaling_factor,
        ..config
    };
    let levels = config.block_out_channels.len();
    let mut json = serde_json::to_value(&config)?;
    json["_class_name"] = "AutoencoderKL".into();
    json["_diffusers_version"] = "0.42.1".into();
    json["act_fn"] = "silu".into();
    json["sample_size"] = 64.into();
    json["down_block_types"] = vec!["DownEncoderBlock2D"; levels].into();
    json["up_block_types"] = vec!["UpDecoderBlock2D"; levels].into();
    let text = serde_json::to_string_pretty(&json)?;
    io::write_atomic(&dir.join("config.json"), text.as_bytes())?;
    params::save(&done, average.named(), Kind::Half)?;
    Ok(())
}

fn reconstruction(out: &Tensor, target: &Tensor) -> Tensor {
    let difference = out - target;
    let edge = |dim: i64| {
        let n = difference.size()[dim as usize];
        (difference.narrow(dim, 1, n - 1) - difference.narrow(dim, 0, n - 1))
            .abs()
            .mean(Kind::Float)
    };
    difference.abs().mean(Kind::Float) + difference.square().mean(Kind::Float) + edge(2) + edge(3)
}
