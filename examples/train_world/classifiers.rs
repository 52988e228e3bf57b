//! The analysed classifier, trained on the correlated split, and the judge, trained on uncorrelated
//! faces to tell age and gender.

use hardlight::classifier::{Cnn, CnnConfig, TrainOptions, TrainingSet, train};
use hardlight::world::draw::draw;
use hardlight::world::face::{Age, Face, Gender, WorldConfig};
use hardlight::world::retrain::{ANALYSED, RHO, WORLD_SEED, demo_sizes};
use hardlight::world::splits::describe;
use image::RgbImage;
use tch::Kind;

use crate::Job;
use crate::data::Log;

/// Classes of the judge: age and gender together.
pub(crate) const JUDGED: [(Age, Gender); 4] = [
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
    let world = WorldConfig::default();
    let faces = describe(&world, WORLD_SEED, "train", demo_sizes().train, Some(RHO));
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
    let mut log = Log::new("classifier", 0, options.steps);
    let (_, params) = train(&config, &set, &options, job.device, |step, loss| {
        log.step(step, loss);
    });
    Cnn::write(&dir, &config, &params, Kind::Half)?;
    Ok(())
}

pub(crate) fn train_judge(job: &Job) -> anyhow::Result<()> {
    let dir = job.out.join("judge");
    let world = WorldConfig::default();
    let names = JUDGED.map(|(age, gender)| format!("{} {}", age.as_str(), gender.as_str()));
    let config = CnnConfig::small(64, &names.each_ref().map(String::as_str));
    let label = |face: &Face| JUDGED.iter().position(|&j| j == (face.age, face.gender));
    let faces = describe(&world, job.seed, "judge", job.scaled(20_000), None);
    let mut set = TrainingSet::new(64);
    set.extend(
        &pictures(&faces),
        &faces.iter().filter_map(label).collect::<Vec<_>>(),
    )?;
    let options = TrainOptions {
        steps: job.scaled(3000),
        seed: job.seed,
        ..TrainOptions::default()
    };
    let mut log = Log::new("judge", 0, options.steps);
    let (_, params) = train(&config, &set, &options, job.device, |step, loss| {
        log.step(step, loss);
    });
    Cnn::write(&dir, &config, &params, Kind::Half)?;
    Ok(())
}
