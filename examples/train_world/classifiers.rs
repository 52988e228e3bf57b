//! The analysed classifier, trained on the correlated split, and the judge, trained on independent
//! faces to tell every attribute.

use hardlight::classifier::{Cnn, CnnConfig, TrainOptions, TrainingSet, train};
use hardlight::world::draw::draw;
use hardlight::world::face::{Age, Face, Gender, WorldConfig};
use hardlight::world::judge::Judge;
use hardlight::world::preset::Preset;
use hardlight::world::retrain::{ANALYSED, WORLD_SEED, demo_sizes};
use hardlight::world::splits::{describe, describe_population};
use image::RgbImage;
use tch::Kind;

use crate::Job;
use crate::data::Log;

pub(crate) const JUDGE_STEPS: usize = 4000;

/// The groups of the analysed classifier's report.
pub(crate) const GROUPS: [(Age, Gender); 4] = [
    (Age::Old, Gender::Man),
    (Age::Old, Gender::Woman),
    (Age::Young, Gender::Man),
    (Age::Young, Gender::Woman),
];

pub(crate) fn pictures(faces: &[Face]) -> Vec<RgbImage> {
    faces.iter().map(draw).collect()
}

/// Class index as an `ImageFolder` numbers `old` and `young`.
pub(crate) fn age_label(face: &Face) -> usize {
    usize::from(face.age == Age::Young)
}

pub(crate) fn train_analysed(job: &Job) -> anyhow::Result<()> {
    let dir = job.out.join("classifier");
    let train_faces = Preset::Gender.train();
    let faces = describe_population(&train_faces, WORLD_SEED, "train", demo_sizes().train);
    let config = CnnConfig::small(64, &["old", "young"]);
    let mut set = TrainingSet::new(64);
    set.extend(
        &pictures(&faces),
        &faces.iter().map(age_label).collect::<Vec<_>>(),
    )?;
    let options = TrainOptions {
        seed: job.seed,
        ..ANALYSED
    };
    let mut log = Log::new(job, "classifier", 0, options.steps);
    let (_, params) = train(&config, &set, &options, job.device, |step, loss| {
        log.step(step, loss);
    });
    Cnn::write(&dir, &config, &params, Kind::Half)?;
    Ok(())
}

pub(crate) fn train_judge(job: &Job) -> anyhow::Result<()> {
    let dir = job.out.join("judge");
    if dir.join("model.safetensors").exists() {
        println!("judge: done already ({})", dir.display());
        return Ok(());
    }
    let n = job.scaled(20_000);
    let faces = describe(&WorldConfig::INDEPENDENT, job.seed, "judge", n, None);
    let options = TrainOptions {
        steps: job.scaled(JUDGE_STEPS),
        seed: job.seed,
        ..TrainOptions::default()
    };
    let mut log = Log::new(job, "judge", 0, options.steps);
    Judge::train(&dir, &faces, &options, job.device, |step, loss| {
        log.step(step, loss);
    })?;
    Ok(())
}
