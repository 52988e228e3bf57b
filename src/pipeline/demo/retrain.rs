//! The classifier trained again with each arm's images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;

use super::arms::{ARMS, AUGMENTED, Arms};
use super::figures::summarise;
use super::read;
use super::trainings::{Results, key, side_by_side};
use crate::classifier::{Augment, Cnn, TrainOptions, TrainingSet};
use crate::dataset::Split;
use crate::pipeline::context::Context;
use crate::pipeline::error::Error;
use crate::pipeline::minorities::minorities;
use crate::pipeline::order::Finished;
use crate::pipeline::reporter::Stage;
use crate::report::retraining::Retraining;
use crate::world::retrain::{ANALYSED, Truth, retrain as train_anew};

/// Trains networks like the analysed `classifier` anew with each arm's images, at most `most` a class.
///
/// # Errors
///
/// Of kind input where there is nothing to prove, of kind stopped, and those of images and the disk.
pub fn retrain(
    context: &mut Context<'_>,
    done: &Finished,
    classifier: &Path,
    seeds: u64,
    most: usize,
) -> Result<Retraining, Error> {
    let classifier = Cnn::read(classifier, tch::Device::Cpu)?;
    let classifier = classifier.config();
    let mut originals = TrainingSet::new(classifier.image_size);
    let (images, labels) = images(done, Split::Train)?;
    originals.extend(&images, &labels)?;
    let groups = Groups::of(done)?;
    let truth = &groups.truth;
    let (test, _) = self::images(done, Split::Test)?;
    let arms = Arms::of(done, most)?;
    let mut pictures = BTreeMap::new();
    for (name, added) in &arms.added {
        let (paths, labels): (Vec<PathBuf>, Vec<usize>) = added.iter().cloned().unzip();
        pictures.insert(*name, (read(&paths)?, labels));
    }
    let train = |&(name, seed): &(&str, u64)| {
        let (images, labels) = &pictures[name];
        let options = TrainOptions {
            seed: 1000 + seed,
            augment: if name == AUGMENTED {
                Augment::CLASSICAL
            } else {
                Augment::NONE
            },
            ..ANALYSED
        };
        let (added, test) = (
            (images.as_slice(), labels.as_slice()),
            (&*test, truth.as_slice()),
        );
        train_anew(
            classifier,
            &originals,
            added,
            test,
            &options,
            tch::Device::Cpu,
        )
    };

    let mut results = Results::read(done.folder.path());
    let of_arm = |name| (0..seeds).map(move |seed| (name, seed));
    let mut jobs: Vec<(&str, u64)> = ARMS.into_iter().flat_map(of_arm).collect();
    let total = jobs.len();
    jobs.retain(|&(name, seed)| !results.has(&key(name, seed, arms.per_class)));
    let mut count = total - jobs.len();
    let stop = context.stop;
    let mut stage = Stage::begin(context.reporter, "retraining", total, "trainings");
    stage.resumed_from(count);
    side_by_side(&jobs, stop, &train, |&(name, seed), accuracy| {
        results.add(key(name, seed, arms.per_class), accuracy?)?;
        count += 1;
        stage.set(count, name);
        Ok(())
    })?;
    if stop() {
        return Err(Error::stopped());
    }
    stage.end();
    let classes = done.dataset().classes().len();
    let trained = (results.known(), seeds, arms.per_class);
    Ok(summarise(trained, classes, &groups.named))
}

/// The images of a split with their labels.
fn images(done: &Finished, split: Split) -> Result<(Vec<RgbImage>, Vec<usize>), Error> {
    let dataset = done.dataset();
    let of_split = done.embedded.usable().of_split(split);
    let (paths, labels): (Vec<PathBuf>, Vec<usize>) = of_split
        .map(|(_, e)| (dataset.image_path(e), e.label))
        .unzip();
    Ok((read(&paths)?, labels))
}

/// A pair of class and group.
pub(super) struct Group {
    /// Name of the class.
    pub(super) class: String,
    /// Its own name.
    pub(super) name: String,
    /// Whether it is rare within its class in train.
    pub(super) minority: bool,
    /// How many test images it has.
    pub(super) images: usize,
}

/// The groups of the test images.
struct Groups {
    named: Vec<Group>,
    /// What is true of every test image.
    truth: Vec<Truth>,
}

impl Groups {
    fn of(done: &Finished) -> Result<Self, Error> {
        let data = done.embedded.usable();
        let lacking = || Error::input("the proof needs groups, one of them rare");
        let flags = minorities(data).ok_or_else(lacking)?;
        let test = || data.of_split(Split::Test);
        let mut counts: BTreeMap<(usize, &str), (bool, usize)> = BTreeMap::new();
        for (id, e) in test() {
            let group = e.group.as_deref().ok_or_else(lacking)?;
            let entry = counts
                .entry((e.label, group))
                .or_insert((flags[id.index()], 0));
            entry.1 += 1;
        }
        let places: BTreeMap<(usize, &str), usize> = counts.keys().copied().zip(0..).collect();
        let truth = test().filter_map(|(id, e)| {
            Some(Truth {
                label: e.label,
                minority: flags[id.index()],
                group: *places.get(&(e.label, e.group.as_deref()?))?,
            })
        });
        let truth = truth.collect();
        let classes = done.dataset().classes();
        let named = counts
            .iter()
            .map(|(&(label, group), &(minority, images))| Group {
                class: classes[label].clone(),
                name: group.to_owned(),
                minority,
                images,
            });
        Ok(Self {
            named: named.collect(),
            truth,
        })
    }
}
