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

use crate::caption::grammar::says;
use crate::classifier::{Cnn, TrainOptions, TrainingSet};
use crate::dataset::Split;
use crate::generate::Arm;
use crate::io;
use crate::io::image::{Exif, read_rgb};
use crate::pipeline::context::{Context, StopCheck};
use crate::pipeline::error::Error;
use crate::pipeline::order::Finished;
use crate::pipeline::report::minorities;
use crate::pipeline::reporter::Stage;
use crate::report::retraining::{self, Judge, Measures, Paired, Retraining};
use crate::run::decide::{Decision, Status};
use crate::run::gallery;
use crate::world::retrain::retrain as train_anew;
use crate::world::retrain::{ANALYSED, Accuracy, Spread, Truth, difference, spread};

/// The arms, in the order of the table.
const ARMS: [&str; 6] = [
    "none",
    "real",
    "neutral",
    "easy",
    "failure_unfiltered",
    "failure",
];

/// An image that an arm adds, with its class.
type Added = Vec<(PathBuf, usize)>;

/// What every arm adds, in the order of [`ARMS`].
type Arms = Vec<(&'static str, Added)>;

/// What the world's judge says of drawn test faces, and of generated ones whose caption names a gender.
///
/// # Errors
///
/// Of kind input for a judge that is not sound, and for images that cannot be read.
pub fn judge(done: &Finished, weights: &Path) -> Result<Judge, Error> {
    let judge = Cnn::read(&weights.join("judge"), tch::Device::Cpu)?;
    let names = &judge.config().classes;
    let (data, dataset) = (done.embedded.usable(), done.dataset());
    let (paths, wanted): (Vec<PathBuf>, Vec<String>) = data
        .of_split(Split::Test)
        .filter_map(|(_, e)| {
            let group = e.group.as_deref()?;
            let name = format!("{} {group}", dataset.classes()[e.label]);
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
    let layout = done.folder.layout();
    let generated = |kept_only: bool| -> (Vec<PathBuf>, Vec<String>) {
        let all = done.decided.iter().flat_map(|decided| {
            let most = decided.policy.keep_rejected;
            gallery::shown(&layout, &decided.decisions, most)
        });
        all.filter(|(decision, _)| !kept_only || decision.status == Status::Kept)
            .filter_map(|(decision, path)| {
                let measured = &decision.measured;
                let mut genders = ["man", "woman"].into_iter();
                let gender = genders.find(|g| says(&measured.recipe.caption, g))?;
                Some((path, format!("{} {gender}", measured.class)))
            })
            .unzip()
    };
    let (paths, wanted) = generated(false);
    let (kept_paths, kept_wanted) = generated(true);
    Ok(Judge {
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

/// Trains networks like the analysed one anew with each arm's images, at most `most` a class.
///
/// # Errors
///
/// [`Error`] of kind input where there is nothing to prove, of kind stopped, and those of images and
/// the disk.
pub fn retrain(
    context: &mut Context<'_>,
    done: &Finished,
    weights: &Path,
    seeds: u64,
    most: usize,
) -> Result<Retraining, Error> {
    let classifier = Cnn::read(&weights.join("classifier"), tch::Device::Cpu)?;
    let classifier = classifier.config();
    let (data, dataset) = (done.embedded.usable(), done.dataset());
    let rows = |split| -> (Vec<PathBuf>, Vec<usize>) {
        data.of_split(split)
            .map(|(_, e)| (dataset.image_path(e), e.label))
            .unzip()
    };
    let (paths, labels) = rows(Split::Train);
    let mut originals = TrainingSet::new(classifier.image_size);
    originals.extend(&read(&paths)?, &labels)?;
    let flags = minorities(data)
        .ok_or_else(|| Error::input("the proof needs groups, one of them rare".to_owned()))?;
    let (paths, _) = rows(Split::Test);
    let test = read(&paths)?;
    let truth: Vec<Truth> = data
        .of_split(Split::Test)
        .map(|(id, e)| Truth {
            label: e.label,
            minority: flags[id.index()],
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
    jobs.retain(|&(name, seed)| !results.contains_key(&key(name, seed, per_class)));
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
        train_anew(
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
        results.insert(key(name, seed, per_class), accuracy?);
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
    Ok(summarise(
        &results,
        seeds,
        per_class,
        dataset.classes().len(),
    ))
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
    let decisions = done
        .decided
        .as_ref()
        .map(|decided| &decided.decisions)
        .filter(|decisions| !decisions.outcomes.is_empty())
        .ok_or_else(|| Error::input("nothing was generated, so there is nothing to prove"))?;
    let layout = done.folder.layout();
    let (data, dataset) = (done.embedded.usable(), done.dataset());
    let added = |decision: &Decision| {
        let measured = &decision.measured;
        (layout.attempt(measured), measured.mode.class)
    };
    let of_arm = |arm: Arm, kept: bool| -> BTreeMap<usize, Added> {
        let mut by_class: BTreeMap<usize, Added> = BTreeMap::new();
        for outcome in decisions.of(arm) {
            let of_class = by_class.entry(outcome.plan.mode.class).or_default();
            if kept {
                of_class.extend(outcome.kept().map(added));
            } else {
                // Unfiltered: the first attempts, whatever the filters said of them.
                of_class.extend(outcome.decided.iter().map(added));
            }
        }
        by_class
    };
    let mut real: BTreeMap<usize, Added> = BTreeMap::new();
    for (_, e) in data.of_split(Split::Pool) {
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
    let classes: Vec<usize> = decisions
        .of(Arm::Hard)
        .map(|outcome| outcome.plan.mode.class)
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

fn summarise(
    results: &BTreeMap<String, Accuracy>,
    seeds: u64,
    per_class: usize,
    classes: usize,
) -> Retraining {
    let trained = |arm: &str| -> Vec<Accuracy> {
        let keys = (0..seeds).map(|seed| key(arm, seed, per_class));
        keys.filter_map(|key| results.get(&key).copied()).collect()
    };
    let arm = |name| {
        let trained = trained(name);
        measures(|measure| spread(&trained.iter().map(measure).collect::<Vec<f64>>()))
    };
    let failure = trained("failure");
    let less = |base| {
        let base = trained(base);
        measures(|measure| {
            let of = |all: &[Accuracy]| all.iter().map(measure).collect::<Vec<f64>>();
            difference(&of(&failure), &of(&base))
        })
    };
    Retraining {
        seeds,
        added: per_class * classes,
        none: arm("none"),
        real: arm("real"),
        neutral: arm("neutral"),
        easy: arm("easy"),
        failure_unfiltered: arm("failure_unfiltered"),
        failure: arm("failure"),
        paired: Paired {
            failure_less_none: less("none"),
            failure_less_neutral: less("neutral"),
        },
    }
}

/// The name of a training among the results.
fn key(arm: &str, seed: u64, per_class: usize) -> String {
    format!("{arm}/{seed}/{per_class}")
}

/// Every measure over the trainings of an arm.
fn measures(of: impl Fn(fn(&Accuracy) -> f64) -> Spread) -> Measures {
    let shown = |measure| {
        let Spread { mean, sd } = of(measure);
        retraining::Spread::new(mean, sd)
    };
    Measures {
        overall: shown(|a| a.overall),
        majority: shown(|a| a.majority),
        minority: shown(|a| a.minority),
        worst_group: shown(|a| a.worst_group),
    }
}
