//! Pool first: real images that are hard, still of their class and nobody's near-duplicate, before any
//! are generated.
//!
//! ```text
//! pool images of a class, by falling alignment: at least the threshold │ too easy
//!     looked at in this order: class? blank? duplicate? ──▶ picked, until the quota is met
//! ```
//!
//! The threshold, the class test and that for duplicates are those of generated images. The same
//! embeddings give the same picks, so nothing has to be remembered for a run to go on; `pool.json` tells
//! people and previews what was picked.

use std::collections::{BTreeMap, BTreeSet};

use image::RgbImage;
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Example};
use crate::filter::duplicate::{Duplicates, Found, Kept, Thumbnail};
use crate::filter::{Judge, Maker, Reason, Scores};
use crate::io::image::Exif;
use crate::io::source::Member;
use crate::io::{self, IoError};

/// Images read at once.
const CHUNK: usize = 32;

/// Version of `pool.json`.
const SCHEMA: u32 = 1;

/// The images to pick from.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// The data set.
    pub dataset: &'a Dataset,
    /// Its examples in the pool.
    pub rows: &'a [usize],
    /// Their embeddings, `[rows, d]`, before normalisation.
    pub matrix: ArrayView2<'a, f32>,
    /// How images are turned.
    pub exif: Exif,
}

/// A picked image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// Id of the example.
    pub id: String,
    /// Its path below the data set's root.
    pub path: String,
    /// The part of that file that it is.
    pub member: Option<Member>,
    /// Alignment with the mode's direction; larger is harder.
    pub alignment: f64,
    /// Cosine with the own class's reference caption.
    pub class_similarity: Option<f64>,
    /// That cosine less the largest with another class's.
    pub class_margin: Option<f64>,
    /// Cosine with the nearest training image.
    pub nearest_train_similarity: Option<f64>,
    /// Width, px.
    pub width: u32,
    /// Height, px.
    pub height: u32,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// An image that was hard enough, but nearly another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Id of the example.
    pub id: String,
    /// `duplicate-train` and the like.
    pub reason: String,
    /// Id of the image that it nearly is.
    pub of: String,
}

/// What the pool gave for a failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picked {
    /// Name of the class.
    pub class: String,
    /// Failure mode within the class.
    pub mode: u32,
    /// The alignment that was asked for.
    pub threshold: f64,
    /// Pool images of the class that no other mode had picked.
    pub of_class: usize,
    /// What was picked, hardest first.
    pub picks: Vec<Pick>,
    /// Images that were not, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// Those that are near-duplicates.
    pub duplicates: Vec<Duplicate>,
    /// Hard enough, but not looked at once the quota was met.
    pub left: usize,
}

/// What the pool gave, as `pool.json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this file.
    pub schema: u32,
    /// Images asked for per failure mode.
    pub quota: usize,
    /// Every usable failure mode.
    pub modes: Vec<Picked>,
}

impl Record {
    /// What the pool gave for a mode.
    pub fn of(&self, class: &str, mode: u32) -> Option<&Picked> {
        let mut modes = self.modes.iter();
        modes.find(|picked| picked.class == class && picked.mode == mode)
    }
}

/// Picks up to `quota` images for every judge's mode, in the order of judges; none if `stop` asked to end
/// in between.
///
/// An image is picked once. What is picked is added to `kept`, and compared with what is in it.
///
/// # Errors
///
/// [`IoError`], naming the image that could not be read.
pub fn pick(
    pool: Pool<'_>,
    judges: &[Judge],
    quota: usize,
    duplicates: &Duplicates<'_>,
    kept: &mut Kept,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Record>, IoError> {
    let mut taken = BTreeSet::new();
    let mut modes = Vec::new();
    for judge in judges {
        let Some(picked) = pick_mode(pool, judge, quota, (duplicates, kept), &mut taken, stop)?
        else {
            return Ok(None);
        };
        modes.push(picked);
    }
    Ok(Some(Record {
        schema: SCHEMA,
        quota,
        modes,
    }))
}

fn pick_mode(
    pool: Pool<'_>,
    judge: &Judge,
    quota: usize,
    (duplicates, kept): (&Duplicates<'_>, &mut Kept),
    taken: &mut BTreeSet<usize>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Picked>, IoError> {
    let direction = &judge.alignment.direction;
    let own = |at: &usize| {
        let example = example(pool, *at);
        !taken.contains(at) && example.is_some_and(|e| e.label == direction.id.class)
    };
    let of_class: Vec<usize> = (0..pool.rows.len()).filter(own).collect();
    let class = pool.dataset.classes.get(direction.id.class);
    let mut picked = Picked {
        class: class.cloned().unwrap_or_default(),
        mode: direction.id.mode,
        threshold: judge.alignment.threshold,
        of_class: of_class.len(),
        picks: Vec::new(),
        rejected: BTreeMap::new(),
        duplicates: Vec::new(),
        left: 0,
    };
    let mut hard = picked.rank(pool, judge, &of_class);
    while picked.picks.len() < quota && !hard.is_empty() {
        if stop() {
            return Ok(None);
        }
        let rest = hard.split_off(CHUNK.min(hard.len()));
        let read = read(pool, &hard)?;
        let likenesses = duplicates.likenesses(pool.matrix.select(Axis(0), &hard).view());
        for ((&at, image), likeness) in hard.iter().zip(read).zip(likenesses) {
            if picked.picks.len() == quota {
                picked.left += 1;
                continue;
            }
            let Some(example) = example(pool, at) else {
                continue;
            };
            let embedding = pool.matrix.row(at);
            let maker = Maker {
                finite: true,
                flagged: false,
            };
            let verdict = judge.judge(&image.pixels, maker, embedding);
            if let Some(reason) = verdict.reason {
                picked.reject(reason);
                continue;
            }
            let thumbnail = Thumbnail::of(&image.pixels);
            let found = match duplicates.of_known(&likeness, &thumbnail)? {
                Some(found) => Some(found),
                None => duplicates.of_kept(embedding, &thumbnail, kept),
            };
            if let Some(Found { against, id }) = found {
                picked.reject(against.reason());
                picked.duplicates.push(Duplicate {
                    id: example.id.clone(),
                    reason: against.reason().name().to_owned(),
                    of: id,
                });
                continue;
            }
            kept.add(example.id.clone(), embedding, thumbnail);
            taken.insert(at);
            let nearest = likeness.nearest_train;
            picked
                .picks
                .extend(verdict.scores.map(|s| pick_of(example, s, nearest, &image)));
        }
        hard = rest;
    }
    picked.left += hard.len();
    Ok(Some(picked))
}

fn example(pool: Pool<'_>, at: usize) -> Option<&Example> {
    pool.dataset.examples.get(*pool.rows.get(at)?)
}

/// An image as it was read.
struct Read {
    pixels: RgbImage,
    sha256: String,
}

fn read(pool: Pool<'_>, hard: &[usize]) -> Result<Vec<Read>, IoError> {
    hard.par_iter()
        .filter_map(|&at| example(pool, at))
        .map(|example| {
            let image = pool.dataset.image(example);
            let bytes = image.bytes()?;
            let decoded = image.decode(&bytes, pool.exif);
            let pixels = decoded.map_err(|source| IoError::Image {
                path: image.place(),
                source,
            })?;
            let sha256 = io::sha256_hex(&bytes);
            Ok(Read { pixels, sha256 })
        })
        .collect()
}

fn pick_of(example: &Example, scores: Scores, nearest: Option<f64>, image: &Read) -> Pick {
    Pick {
        id: example.id.clone(),
        path: example.path.clone(),
        member: example.member.clone(),
        alignment: scores.alignment,
        class_similarity: scores.class_similarity,
        class_margin: scores.class_margin,
        nearest_train_similarity: nearest,
        width: image.pixels.width(),
        height: image.pixels.height(),
        sha256: image.sha256.clone(),
    }
}

impl Picked {
    fn reject(&mut self, reason: Reason) {
        *self.rejected.entry(reason.name().to_owned()).or_default() += 1;
    }

    /// The images that are hard enough, hardest first, of equals the first; the others are counted.
    fn rank(&mut self, pool: Pool<'_>, judge: &Judge, of_class: &[usize]) -> Vec<usize> {
        let alignments: Vec<Option<f64>> = of_class
            .par_iter()
            .map(|&at| judge.alignment.score(pool.matrix.row(at)))
            .collect();
        let mut hard = Vec::new();
        for (&at, alignment) in of_class.iter().zip(alignments) {
            match alignment {
                None => self.reject(Reason::NonFinite),
                Some(alignment) if judge.alignment.passes(alignment) => hard.push((alignment, at)),
                Some(_) => self.reject(Reason::Alignment),
            }
        }
        hard.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        hard.into_iter().map(|(_, at)| at).collect()
    }
}

#[cfg(test)]
mod tests;
