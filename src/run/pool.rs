//! Pool first: real images that are hard, still of their class and nobody's near-duplicate, before any
//! are generated.
//!
//! ```text
//! pool images of a class, by falling alignment: at least the threshold │ too easy
//!     looked at in this order: class? blank? duplicate? ──▶ picked, until the quota is met
//! ```
//!
//! Where a class has several modes, an image belongs to the one that it is the most aligned with, and is looked
//! at for no other.
//!
//! The threshold, the class test and that for duplicates are those of generated images. The same
//! embeddings give the same picks, so nothing has to be remembered for a run to go on; `pool.json` tells
//! people and previews what was picked, and under which policy, so that another one picks again.

use std::collections::{BTreeMap, BTreeSet};

use image::RgbImage;
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::dataset::{Dataset, Example, ExampleId};
use crate::direction::{Direction, ModeId};
use crate::filter::alignment::alignment;
use crate::filter::duplicate::{Descriptor, KeptImages};
use crate::filter::{self, Filter, Measures, Meter, Reason, Subject, filters, first_reason};
use crate::io::image::Exif;
use crate::io::source::Member;
use crate::io::{self, IoError, JsonFile};

/// Images read at once.
const CHUNK: usize = 32;

/// The images to pick from.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// The data set.
    pub dataset: &'a Dataset,
    /// Its examples in the pool.
    pub ids: &'a [ExampleId],
    /// Their embeddings, `[ids, d]`, before normalisation.
    pub matrix: ArrayView2<'a, f32>,
    /// How images are turned.
    pub exif: Exif,
}

/// What is wanted of the pool for a failure mode.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The failure mode.
    pub mode: ModeId,
    /// Who measures its images.
    pub meter: Meter<'a>,
    /// The alignment that an image must reach.
    pub threshold: f64,
    /// What it must pass.
    pub filters: Vec<Box<dyn Filter>>,
}

impl<'a> Wanted<'a> {
    /// What a policy wants of the pool for the mode of a direction.
    pub fn new(meter: Meter<'a>, policy: &Policy) -> Self {
        let Policy { filter, .. } = policy;
        let Direction { id, threshold, .. } = *meter.direction;
        Self {
            mode: id,
            meter,
            threshold: filter.min_alignment.unwrap_or(threshold),
            filters: filters(filter, threshold),
        }
    }
}

/// A picked image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pick {
    /// Id of the example.
    pub id: String,
    /// Its path below the data set's root.
    pub path: String,
    /// The part of that file that it is; `null` for the whole.
    pub member: Option<Member>,
    /// Alignment with the mode's direction; larger is harder.
    pub alignment: f64,
    /// Cosine with the own class's reference caption; `null` without captions.
    pub class_similarity: Option<f64>,
    /// That cosine less the largest with another class's; `null` without captions.
    pub class_margin: Option<f64>,
    /// Cosine with the nearest training image; `null` without any.
    pub nearest_train_similarity: Option<f64>,
    /// Width, px.
    pub width: u32,
    /// Height, px.
    pub height: u32,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What generated images are compared with.
    pub descriptor: Option<Descriptor>,
}

/// An image that was hard enough, but nearly another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Duplicate {
    /// Id of the example.
    pub id: String,
    /// `duplicate-train` and the like.
    pub reason: String,
    /// Id of the image that it nearly is.
    pub of: String,
}

/// What the pool gave for a failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Picked {
    /// Name of the class.
    pub class: String,
    /// Index of the class.
    pub class_index: usize,
    /// Failure mode within the class.
    pub mode: u32,
    /// The alignment that was asked for.
    pub threshold: f64,
    /// Pool images of the class that belong to the mode: those that are more aligned with no other mode that
    /// images are picked for.
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

/// What `pool.json` holds: the real images that were taken before any were generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolRecord {
    /// Version of this format.
    #[schemars(extend("const" = 3))]
    pub schema: u32,
    /// Version of hardlight that wrote the file.
    pub version: String,
    /// Images asked for per failure mode.
    pub quota: usize,
    /// What an image had to reach.
    pub filter: filter::Policy,
    /// Whether images were held against the classes' reference captions, by zero-shot CLIP.
    pub zero_shot: bool,
    /// Every usable failure mode.
    pub modes: Vec<Picked>,
}

impl JsonFile for PoolRecord {
    const SCHEMA: u32 = 3;
    const WHAT: &'static str = "record of the pool's images";
    const REMEDY: &'static str = "let `hardlight run` finish on the folder again";
}

impl PoolRecord {
    /// Whether images were picked as a policy wants them.
    pub fn is_under(&self, policy: &Policy) -> bool {
        (self.quota, self.filter) == (policy.quota, policy.filter)
    }

    /// What the pool gave for a mode.
    pub fn of(&self, mode: ModeId) -> Option<&Picked> {
        self.modes.iter().find(|picked| picked.mode_id() == mode)
    }
}

/// Picks images for every mode, in the order given, up to the policy's quota; none if `stop` asked to end in
/// between.
///
/// An image is picked once. What is picked is added to `kept`, and compared with what is in it.
///
/// # Errors
///
/// [`IoError`], naming the image that could not be read.
pub fn pick(
    pool: Pool<'_>,
    modes: &[Wanted<'_>],
    policy: &Policy,
    kept: &mut KeptImages,
    stop: &dyn Fn() -> bool,
) -> Result<Option<PoolRecord>, IoError> {
    let quota = policy.quota;
    let mut taken = BTreeSet::new();
    let mut all = Vec::new();
    for wanted in modes {
        let rivals: Vec<&Wanted<'_>> = modes
            .iter()
            .filter(|other| other.mode.class == wanted.mode.class && other.mode != wanted.mode)
            .collect();
        let sides = (wanted, &rivals[..]);
        let Some(picked) = pick_mode(pool, sides, quota, kept, &mut taken, stop)? else {
            return Ok(None);
        };
        all.push(picked);
    }
    Ok(Some(PoolRecord {
        schema: PoolRecord::SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        quota,
        filter: policy.filter,
        zero_shot: modes.iter().any(|wanted| wanted.meter.zero_shot.is_some()),
        modes: all,
    }))
}

fn pick_mode(
    pool: Pool<'_>,
    (wanted, rivals): (&Wanted<'_>, &[&Wanted<'_>]),
    quota: usize,
    kept: &mut KeptImages,
    taken: &mut BTreeSet<usize>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Picked>, IoError> {
    let own = |at: &usize| {
        let example = example(pool, *at);
        !taken.contains(at) && example.is_some_and(|e| e.label == wanted.mode.class)
    };
    let of_class: Vec<usize> = (0..pool.ids.len())
        .into_par_iter()
        .filter(own)
        .filter(|&at| belongs(pool, at, wanted, rivals))
        .collect();
    let class = pool.dataset.classes().get(wanted.mode.class);
    let mut picked = Picked {
        class: class.cloned().unwrap_or_default(),
        class_index: wanted.mode.class,
        mode: wanted.mode.mode,
        threshold: wanted.threshold,
        of_class: of_class.len(),
        picks: Vec::new(),
        rejected: BTreeMap::new(),
        duplicates: Vec::new(),
        left: 0,
    };
    let mut hard = picked.rank(pool, wanted, &of_class);
    while picked.picks.len() < quota && !hard.is_empty() {
        if stop() {
            return Ok(None);
        }
        let rest = hard.split_off(CHUNK.min(hard.len()));
        let read = read(pool, &hard)?;
        let subjects: Vec<Subject<'_>> = read.iter().map(subject).collect();
        let embeddings = pool.matrix.select(Axis(0), &hard);
        let measures = wanted.meter.measure(&subjects, embeddings.view())?;
        for ((&at, image), measures) in hard.iter().zip(&read).zip(measures) {
            if picked.picks.len() == quota {
                picked.left += 1;
            } else if let Some(example) = example(pool, at)
                && picked.take(example, image, &measures, (&wanted.filters, kept))
            {
                taken.insert(at);
            }
        }
        hard = rest;
    }
    picked.left += hard.len();
    Ok(Some(picked))
}

/// Whether an image is more aligned with no other mode of its class; of equally aligned ones the first that
/// picks it has it.
fn belongs(pool: Pool<'_>, at: usize, wanted: &Wanted<'_>, rivals: &[&Wanted<'_>]) -> bool {
    let with = |wanted: &Wanted<'_>| {
        let Meter {
            whitening,
            direction,
            ..
        } = wanted.meter;
        alignment(whitening, direction, pool.matrix.row(at))
    };
    rivals.is_empty() || {
        let own = with(wanted);
        rivals.iter().all(|rival| with(rival) <= own)
    }
}

/// A real image: its pixels are numbers, and no safety checker was asked.
fn subject(image: &Read) -> Subject<'_> {
    Subject {
        image: &image.pixels,
        finite: true,
        flagged: false,
        start: None,
    }
}

fn example(pool: Pool<'_>, at: usize) -> Option<&Example> {
    pool.ids.get(at).map(|&id| pool.dataset.example(id))
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

fn pick_of(example: &Example, measures: &Measures, image: &Read) -> Option<Pick> {
    Some(Pick {
        id: example.id.clone(),
        path: example.path.clone(),
        member: example.member.clone(),
        alignment: measures.alignment?,
        class_similarity: measures.class_similarity,
        class_margin: measures.class_margin,
        nearest_train_similarity: measures.nearest_train_similarity,
        width: image.pixels.width(),
        height: image.pixels.height(),
        sha256: image.sha256.clone(),
        descriptor: measures.descriptor.clone(),
    })
}

impl Picked {
    /// The failure mode.
    pub fn mode_id(&self) -> ModeId {
        ModeId::new(self.class_index, self.mode)
    }

    fn reject(&mut self, reason: &Reason) {
        *self.rejected.entry(reason.name().to_owned()).or_default() += 1;
    }

    /// Takes an image if it passes; says whether it did.
    fn take(
        &mut self,
        example: &Example,
        image: &Read,
        measures: &Measures,
        (filters, kept): (&[Box<dyn Filter>], &mut KeptImages),
    ) -> bool {
        if let Some(reason) = first_reason(filters, measures, kept, false) {
            self.reject(&reason);
            if let Some(of) = reason.duplicate_of() {
                self.duplicates.push(Duplicate {
                    id: example.id.clone(),
                    reason: reason.name().to_owned(),
                    of: of.to_owned(),
                });
            }
            return false;
        }
        if let Some(descriptor) = &measures.descriptor {
            kept.add(&example.id, descriptor);
        }
        self.picks.extend(pick_of(example, measures, image));
        true
    }

    /// The images that are hard enough, hardest first, of equals the first; the others are counted.
    fn rank(&mut self, pool: Pool<'_>, wanted: &Wanted<'_>, of_class: &[usize]) -> Vec<usize> {
        let Wanted {
            meter, threshold, ..
        } = wanted;
        let alignments: Vec<Option<f64>> = of_class
            .par_iter()
            .map(|&at| alignment(meter.whitening, meter.direction, pool.matrix.row(at)))
            .collect();
        let mut hard = Vec::new();
        for (&at, alignment) in of_class.iter().zip(alignments) {
            match alignment {
                None => self.reject(&Reason::NonFinite),
                Some(alignment) if alignment >= *threshold => hard.push((alignment, at)),
                Some(alignment) => self.reject(&Reason::Alignment {
                    alignment,
                    least: *threshold,
                }),
            }
        }
        hard.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        hard.into_iter().map(|(_, at)| at).collect()
    }
}

#[cfg(test)]
mod tests;
