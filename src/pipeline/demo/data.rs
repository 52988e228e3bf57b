//! A world's images, and the classifier that fails on some of them.

use std::path::Path;
use std::time::Instant;

use image::RgbImage;
use rayon::prelude::*;
use tch::{Device, Kind};

use super::DemoOptions;
use crate::classifier::{Cnn, CnnConfig, TrainingSet, train};
use crate::io;
use crate::pipeline::context::Context;
use crate::pipeline::error::Error;
use crate::pipeline::reporter::Stage;
use crate::world::draw::draw;
use crate::world::face::Age;
use crate::world::folder::{Portrait, write_masks, write_preset};
use crate::world::retrain::{ANALYSED, WORLD_SEED};

/// The class names, in the order of their indices.
const CLASSES: [&str; 2] = ["old", "young"];

/// Draws the images, and trains the classifier where the embedded models hold none for this world.
pub(super) fn prepare(
    context: &mut Context<'_>,
    options: &DemoOptions,
) -> Result<Vec<Portrait>, Error> {
    let data = options.data();
    context.info(format_args!("drawing the world into {}", data.display()));
    let begun = Instant::now();
    let portraits = write_preset(&data, options.world, &options.sizes, WORLD_SEED)?;
    classifier(context, &options.classifier(), &portraits)?;
    context.took("data", begun);
    Ok(portraits)
}

/// Writes what other tools need of a world, and nothing else: `data/` with images and `table.csv`, `masks/` with
/// the person in each, and what the classifier says of every image, `predictions.csv`.
///
/// # Errors
///
/// Of kind stopped; those of the disk.
pub fn only_data(context: &mut Context<'_>, options: &DemoOptions) -> Result<(), Error> {
    let portraits = prepare(context, options)?;
    write_masks(&options.out.join("masks"), &portraits)?;
    let said = Cnn::read(&options.classifier(), Device::Cpu)?.predict(&images(&portraits))?;
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut put = |record: [&str; 3]| table.write_record(record).map_err(Error::other);
    put(["path", "prediction", "confidence"])?;
    let rows = said.probabilities.rows().into_iter().zip(said.classes());
    for (portrait, (row, class)) in portraits.iter().zip(rows) {
        put([&portrait.path, CLASSES[class], &row[class].to_string()])?;
    }
    let bytes = table.into_inner().map_err(Error::other)?;
    io::write_atomic(&options.out.join("predictions.csv"), &bytes)?;
    Ok(())
}

/// Trains a world's classifier on its train split, unless it is there.
fn classifier(
    context: &mut Context<'_>,
    folder: &Path,
    portraits: &[Portrait],
) -> Result<(), Error> {
    if folder.join("model.safetensors").is_file() {
        return Ok(());
    }
    let train_split: Vec<Portrait> = portraits
        .iter()
        .filter(|p| p.split == "train")
        .cloned()
        .collect();
    let config = CnnConfig::small(64, &CLASSES);
    let mut set = TrainingSet::new(config.image_size);
    let labels = train_split
        .iter()
        .map(|p| usize::from(p.face.age == Age::Young));
    set.extend(&images(&train_split), &labels.collect::<Vec<_>>())?;
    let stop = context.stop;
    let mut stage = Stage::begin(
        context.reporter,
        "training the classifier",
        ANALYSED.steps,
        "steps",
    );
    let (_, params) = train(&config, &set, &ANALYSED, Device::Cpu, |step, _| {
        stage.set(step + 1, "");
    });
    if stop() {
        return Err(Error::stopped());
    }
    stage.end();
    Ok(Cnn::write(folder, &config, &params, Kind::Half)?)
}

fn images(portraits: &[Portrait]) -> Vec<RgbImage> {
    portraits
        .par_iter()
        .map(|portrait| draw(&portrait.face))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Silent;
    use crate::pipeline::demo::weights;
    use crate::world::preset::Preset;
    use crate::world::splits::SplitSizes;

    #[test]
    fn a_world_alone_comes_with_masks_and_predictions() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("world");
        let options = DemoOptions {
            out: out.clone(),
            force_new: false,
            world: Preset::Gender,
            sizes: SplitSizes {
                train: 4,
                val: 6,
                test: 2,
                pool: 0,
            },
            weights: weights(None).unwrap(),
            quota: 1,
            steps: 1,
            batch: 1,
            seed: 0,
            device: "cpu".to_owned(),
        };
        only_data(&mut Context::new(&mut Silent), &options).unwrap();
        let table = io::read_to_string(&out.join("predictions.csv")).unwrap();
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("path,prediction,confidence"));
        let mut count = 0;
        for line in lines {
            let [path, said, confidence] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
            assert!(CLASSES.contains(&said), "{line}");
            // It is the larger of two.
            assert!(confidence.parse::<f32>().unwrap() >= 0.5, "{line}");
            for part in ["data", "masks"] {
                assert!(out.join(part).join(path).is_file(), "{part}/{path}");
            }
            count += 1;
        }
        assert_eq!(count, 12);
        assert!(!out.join("run.json").exists() && !out.join("classifier").exists());
    }
}
