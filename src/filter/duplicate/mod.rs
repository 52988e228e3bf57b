//! Near-duplicates: of training images, of images that directions are fitted or judged on (a leak),
//! of images kept before.
//!
//! ```text
//! embedding [d] ──cosine with all known──▶ candidates ──correlation of thumbnails──▶ a duplicate, or not
//! ```
//!
//! A cosine in CLIP's space says that two images show the same kind of thing: it is too coarse to call
//! them the same (in the demo's world 4 of 5 faces have another within 0.97). So it only names
//! candidates, and the pixels decide: two images are near-duplicates if their cosine *and* the
//! correlation of their 16 × 16 gray [`Thumbnail`]s, as they are or mirrored, reach a threshold.
//!
//! The defaults, 0.95 and 0.99, were chosen so: JPEG down to quality 30, half the size, noise, and weaker
//! contrast leave the cosine of a picture with itself at 0.96 or more (the demo's CLIP, 2 % quantile)
//! and the thumbnails' correlation at 0.99 or more (5 % quantile, demo and CIFAR-10; CIFAR-10 shrunk by
//! half: 0.988). Of different CIFAR-10 images none of 167 correlates above 0.90 with one of 1,500; of the
//! demo's generated faces, which look much alike, 1 of 400 from failure captions is rejected and 6 of 272
//! controls, which differ from a drawn face in a shirt or a wrinkle. A crop by more than a few percent is
//! not seen as a duplicate.
//!
//! All cosines are computed, in blocks, on embeddings before whitening; nothing is approximate. What is
//! found depends on the image and on what it is compared with, not on the images that are looked at
//! together with it.

mod descriptor;
mod search;
mod thumbnail;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::descriptor::{Descriptor, KeptImages};
pub use self::thumbnail::Thumbnail;

use self::search::{Hits, inverse_norms, search};
use super::copy::StartLikeness;
use super::{Filter, Measures, Policy, Reason};
use crate::io::IoError;
use crate::io::image::Exif;
use crate::io::source::ImageSource;

/// What an image may be a duplicate of, in the order of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// The training set.
    Train,
    /// What directions are fitted on.
    Val,
    /// What everything is judged on.
    Test,
    /// Images kept before.
    Kept,
}

/// What counts as a near-duplicate, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "four tests, each on or off, as the settings file has them"
)]
pub struct DuplicateOptions {
    /// Whether duplicates of train are rejected.
    pub train: bool,
    /// Whether duplicates of val are rejected.
    pub val: bool,
    /// Whether duplicates of test are rejected.
    pub test: bool,
    /// Whether duplicates of images kept before are rejected.
    pub kept: bool,
    /// Cosine of embeddings from which two images are candidates.
    pub similarity: f64,
    /// Correlation of thumbnails from which candidates are duplicates.
    pub thumbnail: f64,
}

impl Default for DuplicateOptions {
    fn default() -> Self {
        Self {
            train: true,
            val: true,
            test: true,
            kept: true,
            similarity: 0.95,
            thumbnail: 0.99,
        }
    }
}

impl DuplicateOptions {
    /// Whether duplicates of these are rejected.
    pub fn refuses(&self, against: Against) -> bool {
        match against {
            Against::Train => self.train,
            Against::Val => self.val,
            Against::Test => self.test,
            Against::Kept => self.kept,
        }
    }
}

/// The images of a split, to compare others with.
///
/// An image is read when it is first a candidate, and once.
#[derive(Debug)]
pub struct Known<'a> {
    against: Against,
    /// `[n, d]`, before normalisation.
    matrix: ArrayView2<'a, f32>,
    inverse: Vec<f32>,
    images: Vec<(&'a str, Option<ImageSource>)>,
    exif: Exif,
    thumbnails: Mutex<BTreeMap<usize, Thumbnail>>,
}

impl<'a> Known<'a> {
    /// Takes embeddings `[n, d]` before normalisation, and the id and place of each row's image. Of an image
    /// without a place nothing is called a duplicate, for its embedding tells too little.
    pub fn new(
        against: Against,
        matrix: ArrayView2<'a, f32>,
        images: Vec<(&'a str, Option<ImageSource>)>,
        exif: Exif,
    ) -> Self {
        Self {
            against,
            inverse: inverse_norms(matrix),
            matrix,
            images,
            exif,
            thumbnails: Mutex::new(BTreeMap::new()),
        }
    }

    /// The best correlation of a thumbnail with those of some rows, and its row.
    fn best(&self, thumbnail: &Thumbnail, rows: &[usize]) -> Result<Option<(usize, f64)>, IoError> {
        let thumbnails = || {
            let lock = self.thumbnails.lock();
            lock.unwrap_or_else(PoisonError::into_inner)
        };
        let missing: Vec<usize> = {
            let known = thumbnails();
            let unknown = |row: &usize| !known.contains_key(row);
            rows.iter().copied().filter(unknown).collect()
        };
        let read: Vec<(usize, Thumbnail)> = missing
            .par_iter()
            .filter_map(|&row| Some((row, self.images.get(row)?.1.as_ref()?)))
            .map(|(row, image)| Ok((row, Thumbnail::of(&image.rgb(self.exif)?))))
            .collect::<Result<_, IoError>>()?;
        let mut known = thumbnails();
        known.extend(read);
        let correlations = rows
            .iter()
            .filter_map(|&row| Some((row, known.get(&row)?.correlation(thumbnail))));
        Ok(correlations.reduce(best))
    }
}

/// Of two rows with their correlations the better one, of equals the first.
fn best(a: (usize, f64), b: (usize, f64)) -> (usize, f64) {
    if b.1 > a.1 { b } else { a }
}

/// How an image's embedding compares with the known ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Likeness {
    /// Cosine with the nearest training image; none without training images.
    pub nearest_train: Option<f64>,
    /// Rows at or above the candidates' cosine, for every known split.
    candidates: Vec<Vec<usize>>,
}

/// The image of a split that another is most like, of those whose embeddings are near enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twin {
    /// Where it is.
    pub against: Against,
    /// Its id.
    pub id: String,
    /// Cosine of the two embeddings.
    pub similarity: f64,
    /// Correlation of the two thumbnails.
    pub correlation: f64,
}

/// Rejects near-duplicates of known images, and of those kept before.
#[derive(Debug, Clone, Copy)]
pub struct Duplicate {
    options: DuplicateOptions,
}

impl Duplicate {
    /// As the policy has it.
    pub fn new(policy: &Policy) -> Self {
        let options = policy.duplicate;
        Self { options }
    }
}

impl Filter for Duplicate {
    fn reject(&self, measures: &Measures, kept: &KeptImages) -> Option<Reason> {
        let options = &self.options;
        let known = measures
            .twins
            .iter()
            .find(|twin| options.refuses(twin.against) && twin.correlation >= options.thumbnail);
        let twin = known.cloned().or_else(|| {
            let own = measures.descriptor.as_ref().filter(|_| options.kept)?;
            kept.twin(own, least(options.similarity))
                .filter(|twin| twin.correlation >= options.thumbnail)
        })?;
        let Twin {
            against,
            id,
            similarity,
            correlation,
        } = twin;
        Some(Reason::Duplicate {
            against,
            of: id,
            similarity,
            correlation,
        })
    }
}

/// The images of the data set, to compare others with.
#[derive(Debug)]
pub struct Duplicates<'a> {
    similarity: f64,
    known: Vec<Known<'a>>,
    /// The images that others start from, with their rows by id.
    starts: Option<(Known<'a>, BTreeMap<&'a str, usize>)>,
}

impl<'a> Duplicates<'a> {
    /// Images are candidates from this cosine of embeddings on.
    pub fn new(similarity: f64, mut known: Vec<Known<'a>>) -> Self {
        known.sort_by_key(|known| known.against);
        Self {
            similarity,
            known,
            starts: None,
        }
    }

    /// The same, with the images among which those are that others start from.
    #[must_use]
    pub fn with_starts(mut self, known: Known<'a>) -> Self {
        let each = known.images.iter().enumerate();
        let rows = each.map(|(row, (id, _))| (*id, row)).collect();
        self.starts = Some((known, rows));
        self
    }

    /// How like an image, by its embedding and thumbnail, is to the one of this id that it started from; none where
    /// that is not known or not there.
    ///
    /// # Errors
    ///
    /// [`IoError`], naming the image that it started from.
    pub fn with_start(
        &self,
        id: &str,
        (embedding, thumbnail): (ArrayView1<'_, f32>, &Thumbnail),
    ) -> Result<Option<StartLikeness>, IoError> {
        let Some((known, rows)) = &self.starts else {
            return Ok(None);
        };
        let Some(&row) = rows.get(id) else {
            return Ok(None);
        };
        let correlation = known.best(thumbnail, &[row])?;
        Ok(correlation.map(|(_, correlation)| StartLikeness {
            id: id.to_owned(),
            similarity: cosine(embedding, known.matrix.row(row)).unwrap_or_default(),
            correlation,
        }))
    }

    /// Compares embeddings `[n, d]`, before normalisation, with all known ones.
    pub fn likenesses(&self, embeddings: ArrayView2<'_, f32>) -> Vec<Likeness> {
        let mut found = vec![
            Likeness {
                nearest_train: None,
                candidates: Vec::new(),
            };
            embeddings.nrows()
        ];
        let least = least(self.similarity) as f32;
        for known in &self.known {
            let hits = search(embeddings, known.matrix, &known.inverse, Some(least));
            for (row, (likeness, hits)) in found.iter_mut().zip(hits).enumerate() {
                let Hits { nearest, near } = hits;
                likeness.candidates.push(near);
                if let (Against::Train, Some((at, _))) = (known.against, nearest) {
                    let embedding = embeddings.index_axis(Axis(0), row);
                    likeness.nearest_train = cosine(embedding, known.matrix.row(at));
                }
            }
        }
        found
    }

    /// The most similar image of every split that has a candidate, but for the one of the id `start`.
    ///
    /// # Errors
    ///
    /// [`IoError`], naming the candidate that could not be read.
    pub fn twins(
        &self,
        likeness: &Likeness,
        (embedding, thumbnail): (ArrayView1<'_, f32>, &Thumbnail),
        start: Option<&str>,
    ) -> Result<Vec<Twin>, IoError> {
        let mut twins = Vec::new();
        for (known, rows) in self.known.iter().zip(&likeness.candidates) {
            let id_of = |row: usize| known.images.get(row).map(|(id, _)| *id);
            let others = rows.iter().copied();
            let others = others.filter(|&row| start.is_none() || id_of(row) != start);
            let Some((row, correlation)) = known.best(thumbnail, &others.collect::<Vec<_>>())?
            else {
                continue;
            };
            let id = known.images.get(row).map(|(id, _)| (*id).to_owned());
            twins.push(Twin {
                against: known.against,
                id: id.unwrap_or_default(),
                similarity: cosine(embedding, known.matrix.row(row)).unwrap_or_default(),
                correlation,
            });
        }
        Ok(twins)
    }
}

/// The cosine from which vectors are candidates: −1 means all, whatever rounding makes of opposite ones.
fn least(similarity: f64) -> f64 {
    if similarity > -1.0 {
        similarity
    } else {
        f64::NEG_INFINITY
    }
}

/// The cosine of two vectors, in double precision; none where it is not a number.
fn cosine(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> Option<f64> {
    let (mut product, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        product += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    let cosine = product / (of_a * of_b).sqrt();
    cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests;
