//! What the shipped files are worth, measured from them alone on faces nothing was trained on. The
//! model card is written from this, so it can be written again whenever the files are there.

use std::collections::BTreeMap;

use hardlight::classifier::Cnn;
use hardlight::diffusion::config::{UnetConfig, VaeConfig};
use hardlight::diffusion::unet::Unet;
use hardlight::diffusion::vae::Vae;
use hardlight::io;
use hardlight::nn::clip::config::{ClipConfig, TextConfig};
use hardlight::nn::clip::model::Clip;
use hardlight::nn::clip::towers::TextTower;
use hardlight::nn::params::Params;
use hardlight::nn::tokenizer::Tokenizer;
use hardlight::world::caption::{Aspect, caption, sample_mention};
use hardlight::world::face::{Age, Hair, WorldConfig, is_minority};
use hardlight::world::judge::{Judge, value};
use hardlight::world::preset::Preset;
use hardlight::world::retrain::{WORLD_SEED, demo_sizes};
use hardlight::world::splits::{describe, describe_population};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use crate::Job;
use crate::classifiers::{GROUPS, age_label, pictures};
use crate::clip::{contrastive_loss, tokens};
use crate::data::{Faces, step_rng};
use crate::unet::alphas_cumprod;

/// Held-out faces behind every loss.
const FACES: usize = 192;

/// Measures every part and writes `measured.json` to the work folder.
pub(crate) fn measure(job: &Job) -> anyhow::Result<()> {
    let _guard = tch::no_grad_guard();
    let faces = Faces::draw(&WorldConfig::INDEPENDENT, job.seed, "measured", FACES);
    let mut rng = step_rng(job.seed, 0);
    let captions: Vec<String> = faces
        .faces
        .iter()
        .map(|face| caption(face, sample_mention(&mut rng)))
        .collect();
    let pixels = faces.pixels(&(0..FACES as i64).collect::<Vec<_>>(), job.device);
    let (vae, latents) = vae(job, &pixels)?;
    let report = json!({
        "vae": vae,
        "unet": unet(job, &latents, &captions)?,
        "clip": clip(job, &pixels, &captions)?,
        "classifier": classifier(job)?,
        "judge": judge(job)?,
    });
    println!("measured: {report:#}");
    io::write_atomic(
        &job.work.join("measured.json"),
        report.to_string().as_bytes(),
    )?;
    Ok(())
}

/// Mean absolute error after encoding and decoding; the scaled latents go on to the UNet.
fn vae(job: &Job, pixels: &Tensor) -> anyhow::Result<(Value, Tensor)> {
    let root = job.out.join("diffusion/vae");
    let config = VaeConfig::read(&root.join("config.json"))?;
    let file = root.join("diffusion_pytorch_model.safetensors");
    let params = Params::open(&file, Kind::Float, job.device)?;
    let vae = Vae::new(&params.root(), &config);
    params.finish()?;
    let latents = vae.encode(pixels).0;
    let error = (vae.decode(&latents) - pixels)
        .abs()
        .mean(Kind::Float)
        .double_value(&[]);
    Ok((
        json!({"mean_absolute_error_of_255": error * 127.5}),
        latents * config.scaling_factor,
    ))
}

/// Mean squared error of the predicted noise over ten timesteps; 1 is no better than zero.
fn unet(job: &Job, latents: &Tensor, captions: &[String]) -> anyhow::Result<Value> {
    let root = job.out.join("diffusion");
    let config = UnetConfig::read(&root.join("unet/config.json"))?;
    let file = root.join("unet/diffusion_pytorch_model.safetensors");
    let params = Params::open(&file, Kind::Float, job.device)?;
    let unet = Unet::new(&params.root(), &config);
    params.finish()?;
    let text: TextConfig =
        serde_json::from_str(&io::read_to_string(&root.join("text_encoder/config.json"))?)?;
    let file = root.join("text_encoder/model.safetensors");
    let params = Params::open(&file, Kind::Float, job.device)?;
    let tower = TextTower::standalone(&params.root(), &text);
    params.finish()?;
    let tokenizer = Tokenizer::from_dir(&root.join("tokenizer"))?;
    let context = tower
        .forward(&tokens(&tokenizer, captions, job.device))
        .hidden;
    let alphas = alphas_cumprod();
    tch::manual_seed(job.seed as i64);
    let (mut error, mut count) = (0.0, 0.0);
    for t in (50..1000).step_by(100) {
        let alpha = alphas.double_value(&[t]);
        let noise = latents.randn_like();
        let noisy = latents * alpha.sqrt() + &noise * (1.0 - alpha).sqrt();
        let times = Tensor::full([FACES as i64], t, (Kind::Float, job.device));
        let predicted = unet.forward(&noisy, &times, &context);
        error += (predicted - noise)
            .square()
            .mean(Kind::Float)
            .double_value(&[]);
        count += 1.0;
    }
    Ok(json!({"noise_mean_squared_error": error / count}))
}

/// The training loss on one held-out batch, and zero-shot accuracy in age for every colour of hair.
fn clip(job: &Job, pixels: &Tensor, captions: &[String]) -> anyhow::Result<Value> {
    let root = job.out.join("clip");
    let config: ClipConfig = serde_json::from_str(&io::read_to_string(&root.join("config.json"))?)?;
    let params = Params::open(&root.join("model.safetensors"), Kind::Float, job.device)?;
    let clip = Clip::new(&params.root(), &config);
    params.finish()?;
    let tokenizer = Tokenizer::from_dir(&root)?;
    let image = clip.embed_images(pixels);
    let ids = tokens(&tokenizer, captions, job.device);
    let loss = contrastive_loss(&clip, &image, &clip.embed_text(&ids), &ids).double_value(&[]);
    let mut report = json!({"contrastive_loss": loss, "batch": FACES});
    let references = Age::ALL.iter().map(|age| match age {
        Age::Young => "a photo of a young person".to_owned(),
        Age::Old => "a photo of an old person".to_owned(),
    });
    let ids = tokens(&tokenizer, &references.collect::<Vec<_>>(), job.device);
    let text = clip.embed_text(&ids);
    let text = &text / text.norm_scalaropt_dim(2.0, [-1], true);
    let n = 4000;
    let faces = Faces::draw(&WorldConfig::INDEPENDENT, job.seed, "zero-shot", n);
    let mut right = BTreeMap::new();
    for start in (0..n).step_by(200) {
        let at: Vec<i64> = (start as i64..start as i64 + 200).collect();
        let image = clip.embed_images(&faces.pixels(&at, job.device));
        let said = image.matmul(&text.transpose(0, 1)).argmax(-1, false);
        for &i in &at {
            let face = &faces.faces[i as usize];
            let age = Age::ALL[said.int64_value(&[i - start as i64]) as usize];
            let (hits, count): &mut (u32, u32) = right.entry(face.hair).or_default();
            *hits += u32::from(age == face.age);
            *count += 1;
        }
    }
    for &hair in Hair::ALL {
        let (hits, count) = right.get(&hair).copied().unwrap_or_default();
        let share = f64::from(hits) / f64::from(count);
        report[format!("zero_shot_age_{}_hair", hair.as_str())] = share.into();
    }
    Ok(report)
}

/// Accuracy on the demo's test split, by age and gender.
fn classifier(job: &Job) -> anyhow::Result<Value> {
    let balanced = Preset::Gender.balanced();
    let test = describe_population(&balanced, WORLD_SEED, "test", demo_sizes().test);
    let cnn = Cnn::read(&job.out.join("classifier"), job.device)?;
    let predicted = cnn.predict(&pictures(&test))?.classes();
    let mut report = BTreeMap::new();
    for (age, gender) in GROUPS {
        let picked: Vec<usize> = (0..test.len())
            .filter(|&i| (test[i].age, test[i].gender) == (age, gender))
            .collect();
        let right = picked
            .iter()
            .filter(|&&i| predicted[i] == age_label(&test[i]))
            .count();
        let group = if is_minority(age, gender) {
            "minority"
        } else {
            "majority"
        };
        let name = format!("{} {} ({group})", age.as_str(), gender.as_str());
        report.insert(name, right as f64 / picked.len() as f64);
    }
    Ok(serde_json::to_value(report)?)
}

/// Share of held-out faces in which the judge tells each aspect, and all of them.
fn judge(job: &Job) -> anyhow::Result<Value> {
    let n = 2000;
    let faces = describe(
        &WorldConfig::INDEPENDENT,
        job.seed,
        "judge-held-out",
        n,
        None,
    );
    let judge = Judge::read(&job.out.join("judge"), job.device)?;
    let said = judge.values(&pictures(&faces))?;
    let share =
        |right: &dyn Fn(usize) -> bool| (0..n).filter(|&i| right(i)).count() as f64 / n as f64;
    let mut report = BTreeMap::new();
    for aspect in Aspect::ALL {
        let right = |i: usize| said[i][aspect as usize] == value(&faces[i], aspect);
        report.insert(aspect.as_str(), share(&right));
    }
    let all = |i: usize| {
        Aspect::ALL
            .iter()
            .all(|&a| said[i][a as usize] == value(&faces[i], a))
    };
    report.insert("held_out_accuracy", share(&all));
    Ok(serde_json::to_value(report)?)
}
