//! The demo's proof: the classifier trained again with each arm's images, and what the judge says of
//! generated faces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use image::RgbImage;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::context::{Context, StopCheck};
use super::error::Error;
use super::order::Finished;
use super::report::minorities;
use super::reporter::Stage;
use crate::caption::grammar::says;
use crate::classifier::{Cnn, CnnConfig, TrainOptions, TrainingSet};
use crate::dataset::Split;
use crate::generate::Arm;
use crate::io;
use crate::io::image::{Exif, read_rgb};
use crate::run::engine::KEPT;
use crate::run::ledger::Entry;
use crate::world::retrain::{ANALYSED, Accuracy, Spread, Truth, difference, retrain, spread};

/// Guidance of the demo's images.
pub(crate) const GUIDANCE: f64 = 3.0;

/// Class margin of the demo's filter. The world's Stable Diffusion has seen too few old faces that are
/// not grey to draw their wrinkles reliably; a face without them would teach the wrong label.
pub(crate) const CLASS_MARGIN: f64 = 0.12;

/// The arms, in the order of the table.
const ARMS: [&str; 6] = [
    "none",
    "real",
    "neutral",
    "easy",
    "failure_unfiltered",
    "failure",
];

/// What the judge says of faces, as shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Judged {
    /// Right on drawn test faces.
    pub(crate) accuracy: f64,
    /// Generated faces in which it finds age and gender of the caption.
    pub(crate) generated_right: f64,
    /// Generated faces whose caption names a gender.
    pub(crate) generated: usize,
    /// As `generated_right`, of those kept.
    pub(crate) kept_right: f64,
    /// As `generated`, of those kept.
    pub(crate) kept: usize,
}

/// Accuracy of the retrained classifiers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retraining {
    /// Trainings an arm.
    pub(crate) seeds: u64,
    /// Images that every arm but `none` adds.
    pub(crate) added: usize,
    /// Every arm with a spread a measure of [`MEASURES`], in the order of the table.
    pub(crate) arms: Vec<(&'static str, [Spread; 4])>,
    /// The same of differences, seed by seed.
    pub(crate) paired: Vec<(&'static str, [Spread; 4])>,
}

impl Retraining {
    /// As `summary.json` has it.
    pub(crate) fn json(&self) -> Value {
        let shown = |spreads: &[Spread; 4]| -> Value {
            let each = MEASURES.iter().zip(spreads);
            each.map(|((name, _), s)| {
                let spread = json!({"mean": s.mean, "sd": s.sd});
                ((*name).to_owned(), spread)
            })
            .collect::<Map<String, Value>>()
            .into()
        };
        let mut json = json!({"seeds": self.seeds, "added": self.added});
        for (arm, spreads) in &self.arms {
            json[arm] = shown(spreads);
        }
        for (key, spreads) in &self.paired {
            json["paired"][key] = shown(spreads);
        }
        json
    }
}

/// An image that an arm adds, with its class.
type Added = Vec<(PathBuf, usize)>;

/// What every arm adds, in the order of [`ARMS`].
type Arms = Vec<(&'static str, Added)>;

/// Accuracy on drawn test faces, and on generated ones whose caption names a gender.
pub(crate) fn judge(done: &Finished, dir: &Path) -> Result<Judged, Error> {
    let judge = Cnn::read(dir, tch::Device::Cpu)?;
    let names = &judge.config().classes;
    let dataset = &done.embedded.data.dataset;
    let (paths, wanted): (Vec<PathBuf>, Vec<String>) = dataset
        .of_split(Split::Test)
        .filter_map(|(_, e)| {
            let group = e.group.as_deref()?;
            let name = format!("{} {group}", dataset.classes[e.label]);
            Some((dataset.image_path(e), name))
        })
        .unzip();
    let right = |paths: &[PathBuf], wanted: &[String]| -> Result<f64, Error> {
        let predicted = judge.predict(&read(paths)?)?.classes();
        let right = predicted
            .iter()
            .zip(wanted)
            .filter(|(p, w)| names[**p] == **w)
            .count();
        Ok(right as f64 / wanted.len().max(1) as f64)
    };
    let accuracy = right(&paths, &wanted)?;
    let root = done.folder.path();
    let generated = |kept_only: bool| -> (Vec<PathBuf>, Vec<String>) {
        let plans = done
            .generated
            .iter()
            .flat_map(|generated| &generated.outcomes);
        plans
            .flat_map(|outcome| &outcome.entries)
            .filter(|entry| !kept_only || entry.status == KEPT)
            .filter_map(|entry| {
                let mut genders = ["man", "woman"].into_iter();
                let gender = genders.find(|g| says(&entry.caption, g))?;
                let wanted = format!("{} {gender}", entry.class);
                Some((root.join(entry.file.as_deref()?), wanted))
            })
            .unzip()
    };
    let (paths, wanted) = generated(false);
    let (kept_paths, kept_wanted) = generated(true);
    Ok(Judged {
        accuracy,
        generated_right: right(&paths, &wanted)?,
        generated: wanted.len(),
        kept_right: right(&kept_paths, &kept_wanted)?,
        kept: kept_wanted.len(),
    })
}

fn read(paths: &[PathBuf]) -> Result<Vec<RgbImage>, Error> {
    Ok(paths
        .par_iter()
        .map(|path| read_rgb(path, Exif::Ignore))
        .collect::<Result<_, _>>()?)
}

/// Trains networks like the `classifier` anew with each arm's images, at most `most` a class.
///
/// # Errors
///
/// [`Error`] of kind input where there is nothing to prove, of kind stopped, and those of images and
/// the disk.
pub(crate) fn retraining(
    context: &mut Context<'_>,
    done: &Finished,
    classifier: &CnnConfig,
    seeds: u64,
    most: usize,
) -> Result<Retraining, Error> {
    let dataset = &done.embedded.data.dataset;
    let rows = |split| -> (Vec<PathBuf>, Vec<usize>) {
        dataset
            .of_split(split)
            .map(|(_, e)| (dataset.image_path(e), e.label))
            .unzip()
    };
    let (paths, labels) = rows(Split::Train);
    let mut originals = TrainingSet::new(classifier.image_size);
    originals.extend(&read(&paths)?, &labels)?;
    let flags = minorities(dataset)
        .ok_or_else(|| Error::input("the proof needs groups, one of them rare".to_owned()))?;
    let (paths, _) = rows(Split::Test);
    let test = read(&paths)?;
    let truth: Vec<Truth> = dataset
        .of_split(Split::Test)
        .map(|(i, e)| Truth {
            label: e.label,
            minority: flags[i],
        })
        .collect();

    let (per_class, arms) = arms(done, most)?;
    // Kept as they come, so that a stopped demo goes on.
    let place = done.folder.path().join("retraining.json");
    let mut results: BTreeMap<String, Accuracy> = io::read_to_string(&place)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut jobs = Vec::new();
    let mut pictures = BTreeMap::new();
    for (name, added) in &arms {
        let (paths, labels): (Vec<PathBuf>, Vec<usize>) = added.iter().cloned().unzip();
        pictures.insert(*name, (read(&paths)?, labels));
        jobs.extend((0..seeds).map(|seed| (*name, seed)));
    }
    let key = |name: &str, seed: u64| format!("{name}/{seed}/{per_class}");
    jobs.retain(|&(name, seed)| !results.contains_key(&key(name, seed)));
    let total = ARMS.len() * seeds as usize;
    let stop = context.stop;
    let mut stage = Stage::begin(context.reporter, "retraining", total, "trainings");
    stage.resumed_from(total - jobs.len());
    let train = |&(name, seed): &(&str, u64)| {
        let (images, labels) = &pictures[name];
        let options = TrainOptions {
            seed: 1000 + seed,
            ..ANALYSED
        };
        retrain(
            classifier,
            &originals,
            (images, labels),
            (&test, &truth),
            &options,
            tch::Device::Cpu,
        )
    };
    let mut count = total - jobs.len();
    side_by_side(&jobs, stop, &train, |&(name, seed), accuracy| {
        results.insert(key(name, seed), accuracy?);
        let json = serde_json::to_string_pretty(&results).map_err(Error::other)?;
        io::write_atomic(&place, json.as_bytes())?;
        count += 1;
        stage.set(count, name);
        Ok(())
    })?;
    if stop() {
        return Err(Error::stopped());
    }
    stage.end();
    Ok(summarise(&results, seeds, per_class, dataset.classes.len()))
}

/// Works jobs off, as many at once as there are cores, each on one libtorch thread: a small network
/// leaves no work for a second. `done` hears of them as they end.
fn side_by_side<J: Sync, R: Send>(
    jobs: &[J],
    stop: StopCheck<'_>,
    work: &(dyn Fn(&J) -> R + Sync),
    mut done: impl FnMut(&J, R) -> Result<(), Error>,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(jobs.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                tch::set_num_threads(1);
                while !stop() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { break };
                    if sender.send((at, work(job))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (at, result) in receiver {
            done(&jobs[at], result)?;
        }
        Ok(())
    })
}

/// The images that each arm adds: as many per class in every arm.
fn arms(done: &Finished, most: usize) -> Result<(usize, Arms), Error> {
    let generated = done
        .generated
        .as_ref()
        .filter(|generated| !generated.plans.is_empty())
        .ok_or_else(|| {
            Error::input("nothing was generated, so there is nothing to prove".to_owned())
        })?;
    let root = done.folder.path();
    let dataset = &done.embedded.data.dataset;
    let path = |entry: &Entry| {
        entry
            .file
            .as_ref()
            .map(|file| (root.join(file), entry.class_index))
    };
    let of_arm = |arm: Arm, kept: bool| -> BTreeMap<usize, Added> {
        let mut by_class = BTreeMap::new();
        for (plan, outcome) in generated.of(arm) {
            let entries: Added = if kept {
                outcome.kept().filter_map(path).collect()
            } else {
                // Unfiltered: the first attempts, whatever the filters said of them.
                outcome.entries.iter().map_while(path).collect()
            };
            by_class
                .entry(plan.class)
                .or_insert_with(Vec::new)
                .extend(entries);
        }
        by_class
    };
    let mut real: BTreeMap<usize, Added> = BTreeMap::new();
    for (_, e) in dataset.of_split(Split::Pool) {
        real.entry(e.label)
            .or_default()
            .push((dataset.image_path(e), e.label));
    }
    for (class, images) in &mut real {
        images.shuffle(&mut ChaCha8Rng::seed_from_u64(*class as u64));
    }
    let all: BTreeMap<&'static str, BTreeMap<usize, Added>> = BTreeMap::from([
        ("real", real),
        ("neutral", of_arm(Arm::Neutral, true)),
        ("easy", of_arm(Arm::Easy, true)),
        ("failure_unfiltered", of_arm(Arm::Hard, false)),
        ("failure", of_arm(Arm::Hard, true)),
    ]);
    let classes: Vec<usize> = generated
        .of(Arm::Hard)
        .map(|(plan, _)| plan.class)
        .collect();
    let per_class = all
        .values()
        .flat_map(|arm| {
            classes
                .iter()
                .map(|class| arm.get(class).map_or(0, Vec::len))
        })
        .chain([most])
        .min()
        .unwrap_or(0);
    if per_class == 0 {
        return Err(Error::input(
            "an arm of the proof has no images of a class".to_owned(),
        ));
    }
    let arms = ARMS
        .iter()
        .map(|&name| {
            let images = all.get(name).map(|arm| {
                let of = |class| arm.get(class).into_iter().flatten().take(per_class);
                classes.iter().flat_map(of).cloned().collect()
            });
            (name, images.unwrap_or_default())
        })
        .collect();
    Ok((per_class, arms))
}

pub(crate) type Measure = fn(&Accuracy) -> f64;

/// What is measured of a retrained classifier.
pub(crate) const MEASURES: [(&str, Measure); 4] = [
    ("overall", |a| a.overall),
    ("majority", |a| a.majority),
    ("minority", |a| a.minority),
    ("worst_group", |a| a.worst_group),
];

fn summarise(
    results: &BTreeMap<String, Accuracy>,
    seeds: u64,
    per_class: usize,
    classes: usize,
) -> Retraining {
    let of = |arm: &str, measure: Measure| -> Vec<f64> {
        (0..seeds)
            .filter_map(|seed| results.get(&format!("{arm}/{seed}/{per_class}")))
            .map(measure)
            .collect()
    };
    let arms = ARMS.map(|arm| (arm, MEASURES.map(|(_, measure)| spread(&of(arm, measure)))));
    let paired = [
        ("failure_less_none", "none"),
        ("failure_less_neutral", "neutral"),
    ]
    .map(|(key, base)| {
        let spreads =
            MEASURES.map(|(_, measure)| difference(&of("failure", measure), &of(base, measure)));
        (key, spreads)
    });
    Retraining {
        seeds,
        added: per_class * classes,
        arms: arms.to_vec(),
        paired: paired.to_vec(),
    }
}
