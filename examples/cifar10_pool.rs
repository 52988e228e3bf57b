//! Real photographs: whether images picked by a failure direction mend a classifier where it fails.
//!
//! ```text
//! cargo run --release --example cifar10_pool -- --data ../shared/data/cifar10
//! ```
//!
//! Of the train photographs, half are trained on and half are a pool. Directions are learned on val; three
//! rankings pick from the pool: the direction's, least confidence, and chance. The classifier is then trained
//! again with what each picked, as many steps and as many seeds for all. Accuracy is measured on the *failure
//! slice*, the fifth of each class's test photographs with the largest alignment, and elsewhere. Prints the
//! tables of `docs/cifar10.md`; half an hour on two cores.

#![allow(clippy::print_stdout, reason = "a program's own output")]

use std::path::PathBuf;

use anyhow::ensure;
use clap::Parser;
use hardlight::classifier::{
    Augment, Cnn, CnnConfig, Predictions, TrainOptions, TrainingSet, train,
};
use hardlight::dataset::{Dataset, ExampleId, Remarks, Split, read_folder};
use hardlight::direction::{FitOptions, Fitted, ModeId, ValExamples, Whitening, fit};
use hardlight::embed::ImageEncoder as _;
use hardlight::embed::clip::ClipEncoder;
use hardlight::io::image::{Exif, read_rgb};
use hardlight::world::retrain::{difference, spread};
use image::RgbImage;
use ndarray::{Array2, ArrayView1};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tch::{Device, Kind};

/// Pick real images by a failure direction, and train again.
#[derive(Debug, Parser)]
struct Args {
    /// CIFAR-10 as `SPLIT/CLASS/image`, with splits train, val and test.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// CLIP in whose space directions are learned [default: the classifier's own last layer].
    #[arg(long, value_name = "DIR")]
    clip: Option<PathBuf>,
    /// Images picked per class.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10, 25, 50])]
    picked: Vec<usize>,
    /// Trainings per ranking and number of images.
    #[arg(long, value_name = "N", default_value_t = 10)]
    seeds: u64,
    /// Optimiser steps of 64 images.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    steps: usize,
}

/// Photographs with their classes, and with their names in the data set.
#[derive(Default)]
struct Part {
    ids: Vec<ExampleId>,
    images: Vec<RgbImage>,
    labels: Vec<usize>,
}

impl Part {
    fn of_class(&self, class: usize) -> Vec<usize> {
        (0..self.labels.len())
            .filter(|&i| self.labels[i] == class)
            .collect()
    }
}

/// What there is to learn and to measure with.
struct Study {
    args: Args,
    config: CnnConfig,
    classes: usize,
    train: Part,
    pool: Part,
    val: Part,
    test: Part,
}

/// Accuracy on the failure slice and elsewhere.
#[derive(Clone, Copy)]
struct Accuracy {
    slice: f64,
    elsewhere: f64,
}

fn main() -> anyhow::Result<()> {
    let study = Study::open(Args::parse())?;
    let cnn = study.train(0, &[])?;
    let embed = |part: &Part| study.embed(&cnn, part);
    let whitening = Whitening::fit(embed(&study.train)?.view())?;
    let whitened =
        |part: &Part| -> anyhow::Result<Array2<f64>> { Ok(whitening.apply(embed(part)?.view())?) };
    let (x, predictions) = (
        whitened(&study.val)?,
        cnn.predict(&study.val.images)?.classes(),
    );
    let examples = ValExamples {
        ids: &study.val.ids,
        x: x.view(),
        labels: &study.val.labels,
        predictions: &predictions,
        units: None,
    };
    let fitted = fit(examples, study.classes, &FitOptions::default())?;
    let pool = study.alignments(&fitted, &study.pool, &whitened(&study.pool)?)?;
    let test = study.alignments(&fitted, &study.test, &whitened(&study.test)?)?;
    let in_slice = study.slice(&test);
    let said = cnn.predict(&study.pool.images)?;
    let rankings = study.rankings(&pool, &said);

    let base = study.retrained(&in_slice, |_| Vec::new())?;
    say("none", 0, &base);
    for &count in &study.args.picked {
        let mut results = Vec::new();
        for (name, ranking) in &rankings {
            let picked = |seed| pick(&ranking(seed), count);
            let result = study.retrained(&in_slice, picked)?;
            say(name, count, &result);
            results.push(result);
        }
        for (other, result) in rankings.iter().zip(&results).skip(1) {
            compare(
                &format!("direction less {}", other.0),
                count,
                &results[0],
                result,
            );
        }
        compare("direction less none", count, &results[0], &base);
    }
    Ok(())
}

/// A ranking of the pool, hardest first, class by class; by chance, one for every seed.
type Ranking<'a> = Box<dyn Fn(u64) -> Vec<Vec<usize>> + Sync + 'a>;

impl Study {
    fn open(args: Args) -> anyhow::Result<Self> {
        let data = read_folder(&args.data, None, &mut Remarks::default())?;
        let names: Vec<&str> = data.classes().iter().map(String::as_str).collect();
        let config = CnnConfig {
            channels: vec![32, 64, 128],
            features: 128,
            ..CnnConfig::small(32, &names)
        };
        let whole = read(&data, Split::Train)?;
        let (mut train, mut pool) = (Part::default(), Part::default());
        for class in 0..names.len() {
            let rows = whole.of_class(class);
            for (at, &row) in rows.iter().enumerate() {
                let half = if at < rows.len() / 2 {
                    &mut train
                } else {
                    &mut pool
                };
                half.ids.push(whole.ids[row]);
                half.images.push(whole.images[row].clone());
                half.labels.push(class);
            }
        }
        let (val, test) = (read(&data, Split::Val)?, read(&data, Split::Test)?);
        ensure!(
            !(train.ids.is_empty() || val.ids.is_empty() || test.ids.is_empty()),
            "{}: train, val and test must have photographs",
            args.data.display()
        );
        let classes = names.len();
        Ok(Self {
            args,
            config,
            classes,
            train,
            pool,
            val,
            test,
        })
    }

    /// The classifier, trained on train and these photographs of the pool.
    fn train(&self, seed: u64, added: &[usize]) -> anyhow::Result<Cnn> {
        let mut set = TrainingSet::new(self.config.image_size);
        set.extend(&self.train.images, &self.train.labels)?;
        let images: Vec<RgbImage> = added.iter().map(|&i| self.pool.images[i].clone()).collect();
        let labels: Vec<usize> = added.iter().map(|&i| self.pool.labels[i]).collect();
        set.extend(&images, &labels)?;
        let options = TrainOptions {
            steps: self.args.steps,
            seed,
            decay: 0.05,
            augment: Augment::CLASSICAL,
            ..TrainOptions::default()
        };
        Ok(train(&self.config, &set, &options, Device::Cpu, |_, _| {}).0)
    }

    fn embed(&self, cnn: &Cnn, part: &Part) -> anyhow::Result<Array2<f32>> {
        let Some(clip) = &self.args.clip else {
            return Ok(cnn.predict(&part.images)?.features);
        };
        let clip = ClipEncoder::open(clip, Device::Cpu, Kind::Float)?;
        Ok(clip.encode_images(&part.images)?)
    }

    /// The alignment of every photograph with the direction of its class; none where a class has none.
    fn alignments(
        &self,
        fitted: &Fitted,
        part: &Part,
        x: &Array2<f64>,
    ) -> anyhow::Result<Vec<f64>> {
        for class in 0..self.classes {
            ensure!(
                fitted.get(ModeId::new(class, 0)).is_some(),
                "class {class} has no direction"
            );
        }
        let alignment = |(row, &class): (ArrayView1<'_, f64>, &usize)| {
            let direction = fitted.get(ModeId::new(class, 0));
            direction.map_or(f64::NAN, |direction| direction.alignment(row))
        };
        Ok(x.outer_iter().zip(&part.labels).map(alignment).collect())
    }

    /// Whether a test photograph is of the fifth of its class with the largest alignment.
    fn slice(&self, alignments: &[f64]) -> Vec<bool> {
        let mut inside = vec![false; alignments.len()];
        for class in 0..self.classes {
            let rows = descending(self.test.of_class(class), alignments);
            for &row in &rows[..rows.len() / 5] {
                inside[row] = true;
            }
        }
        inside
    }

    fn rankings<'a>(
        &'a self,
        alignments: &'a [f64],
        said: &Predictions,
    ) -> Vec<(&'static str, Ranking<'a>)> {
        let by_class = |scores: &[f64]| -> Vec<Vec<usize>> {
            let classes = 0..self.classes;
            classes
                .map(|class| descending(self.pool.of_class(class), scores))
                .collect()
        };
        let unsure: Vec<f64> = said
            .probabilities
            .outer_iter()
            .map(|row| -f64::from(row.iter().copied().fold(0.0, f32::max)))
            .collect();
        let (direction, least) = (by_class(alignments), by_class(&unsure));
        let chance = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let classes = 0..self.classes;
            let shuffled = classes.map(|class| {
                let mut rows = self.pool.of_class(class);
                rows.shuffle(&mut rng);
                rows
            });
            shuffled.collect()
        };
        vec![
            ("direction", Box::new(move |_| direction.clone())),
            ("least confidence", Box::new(move |_| least.clone())),
            ("chance", Box::new(chance)),
        ]
    }

    /// The classifier trained anew with every seed, measured on test.
    fn retrained(
        &self,
        in_slice: &[bool],
        picked: impl Fn(u64) -> Vec<usize> + Sync,
    ) -> anyhow::Result<Vec<Accuracy>> {
        let run = |seed: u64| {
            // As many trainings as cores: a small network leaves no work for a second thread.
            tch::set_num_threads(1);
            let cnn = self.train(1000 + seed, &picked(seed))?;
            let said = cnn.predict(&self.test.images)?.classes();
            let share = |inside: bool| {
                let rows: Vec<usize> = (0..said.len()).filter(|&i| in_slice[i] == inside).collect();
                let right = rows
                    .iter()
                    .filter(|&&i| said[i] == self.test.labels[i])
                    .count();
                right as f64 / rows.len() as f64
            };
            Ok(Accuracy {
                slice: share(true),
                elsewhere: share(false),
            })
        };
        (0..self.args.seeds).into_par_iter().map(run).collect()
    }
}

/// The first `count` of every class.
fn pick(ranking: &[Vec<usize>], count: usize) -> Vec<usize> {
    let first = |rows: &Vec<usize>| rows[..count.min(rows.len())].to_vec();
    ranking.iter().flat_map(first).collect()
}

fn read(data: &Dataset, split: Split) -> anyhow::Result<Part> {
    let mut part = Part::default();
    for (id, example) in data.of_split(split) {
        part.ids.push(id);
        part.images
            .push(read_rgb(&data.image_path(example), Exif::Apply)?);
        part.labels.push(example.label);
    }
    Ok(part)
}

/// Rows by their scores, largest first; equals keep their order.
fn descending(mut rows: Vec<usize>, scores: &[f64]) -> Vec<usize> {
    rows.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    rows
}

fn say(name: &str, count: usize, results: &[Accuracy]) {
    let shown = |of: fn(&Accuracy) -> f64| {
        let all = spread(&results.iter().map(of).collect::<Vec<_>>());
        format!("{:.3} ± {:.3}", all.mean, all.sd)
    };
    println!(
        "| {name} | {count} | {} | {} |",
        shown(|a| a.slice),
        shown(|a| a.elsewhere)
    );
}

/// The paired difference with its 95 % interval over seeds (Student's t).
fn compare(name: &str, count: usize, a: &[Accuracy], b: &[Accuracy]) {
    let shown = |of: fn(&Accuracy) -> f64| {
        let values = |all: &[Accuracy]| all.iter().map(of).collect::<Vec<_>>();
        let paired = difference(&values(a), &values(b));
        let half = t_975(a.len()) * paired.sd / (a.len() as f64).sqrt();
        format!("{:+.1} ± {:.1}", 100.0 * paired.mean, 100.0 * half)
    };
    println!(
        "| {name} | {count} | {} | {} |",
        shown(|a| a.slice),
        shown(|a| a.elsewhere)
    );
}

/// The 0.975 quantile of Student's t with `n − 1` degrees of freedom, for up to 30 seeds; then the normal's.
fn t_975(n: usize) -> f64 {
    const TABLE: [f64; 29] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045,
    ];
    match n {
        0 | 1 => f64::INFINITY,
        n => TABLE.get(n - 2).copied().unwrap_or(1.96),
    }
}
