//! The analysed classifier, trained on the correlated split, and the judge, trained on uncorrelated
//! faces to tell age and gender.

use hardlight::classifier::{Cnn, CnnConfig, TrainOptions, TrainingSet, train};
use hardlight::io;
use hardlight::world::draw::draw;
use hardlight::world::face::{Age, Face, Gender, WorldConfig, is_minority};
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

fn pictures(faces: &[Face]) -> Vec<RgbImage> {
    faces.iter().map(draw).collect()
}

/// Class index as an `ImageFolder` numbers `old` and `young`.
fn age_label(face: &Face) -> usize {
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
        log.step(step, loss)
    });
    Cnn::write(&dir, &config, &params, Kind::Half)?;

    let test = describe(&world, WORLD_SEED, "test", demo_sizes().test, None);
    let cnn = Cnn::read(&dir, job.device)?;
    let predicted = cnn.predict(&pictures(&test))?.classes();
    let mut report = serde_json::Map::new();
    for age in [Age::Old, Age::Young] {
        for gender in [Gender::Man, Gender::Woman] {
            let picked: Vec<usize> = (0..test.len())
                .filter(|&i| (test[i].age, test[i].gender) == (age, gender))
                .collect();
            let right = picked
                .iter()
                .filter(|&&i| predicted[i] == age_label(&test[i]))
                .count();
            let accuracy = right as f64 / picked.len() as f64;
            let group = if is_minority(age, gender) {
                "minority"
            } else {
                "majority"
            };
            let name = format!("{} {}", age.as_str(), gender.as_str());
            println!(
                "classifier: {name} ({group}) {accuracy:.3} right of {}",
                picked.len()
            );
            report.insert(name, accuracy.into());
        }
    }
    let text = serde_json::Value::Object(report).to_string();
    io::write_atomic(&job.work.join("classifier.json"), text.as_bytes())?;
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
        log.step(step, loss)
    });
    Cnn::write(&dir, &config, &params, Kind::Half)?;

    let held_out = describe(&world, job.seed, "judge-held-out", 2000, None);
    let predicted = Cnn::read(&dir, job.device)?
        .predict(&pictures(&held_out))?
        .classes();
    let right = held_out
        .iter()
        .zip(&predicted)
        .filter(|(f, p)| label(f) == Some(**p))
        .count();
    let accuracy = right as f64 / held_out.len() as f64;
    println!(
        "judge: {accuracy:.4} right of {} held-out faces",
        held_out.len()
    );
    let report = serde_json::json!({"held_out_accuracy": accuracy, "steps": options.steps});
    io::write_atomic(&job.work.join("judge.json"), report.to_string().as_bytes())?;
    Ok(())
}
