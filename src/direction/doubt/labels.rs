//! Likely label errors: mistakes whose image sits squarely among another class, the predicted one.
//!
//! Of a mistake's `k` = [`NEIGHBOURS`] nearest examples, by cosine of whitened embeddings, at least
//! [`VOTES`] carry the label that the classifier says. Train and val both have to say so where both can: in a
//! skewed train a rare group lies among another class for want of its like, which is the failure that
//! directions are to find, and not a wrong label. Where confidences are given, the classifier's has to
//! reach the mean that examples labelled so have in that class.
//!
//! Sources: neighbours' votes on labels, Wilson 1972, "Asymptotic properties of nearest neighbor rules using edited
//! data"; the per-class confidence threshold, Northcutt, Jiang and Chuang 2021, "Confident learning:
//! estimating uncertainty in dataset labels" (<https://arxiv.org/abs/1911.00068>), section 3.1.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::dataset::ExampleId;
use crate::direction::Whitening;

/// Neighbours that vote.
pub const NEIGHBOURS: usize = 15;

/// Votes for the predicted class that make a label doubtful: four of five, so that neighbours' own wrong
/// labels, up to about one in ten, do not hide it.
pub const VOTES: usize = 12;

/// A class needs as many examples in a reference to be found there at all: else its examples sit among
/// others for want of company.
pub const COMPANY: usize = 2 * NEIGHBOURS;

/// References are thinned out evenly to this many examples.
pub const REFERENCE_CAP: usize = 50_000;

/// Mistakes are thinned out evenly to this many.
pub const MISTAKES_CAP: usize = 20_000;

/// The most aligned mistakes of a class that are looked at by themselves.
pub const HEAD: usize = 25;

/// Mistakes compared with a reference at once, and examples of a reference at once.
const BLOCK: (usize, usize) = (256, 4096);

/// Labelled examples among which neighbours are looked for.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Whitened, unit rows, `[n, d]`.
    x: Array2<f32>,
    labels: Vec<usize>,
    /// Which each is, so that none is its own neighbour.
    examples: Vec<ExampleId>,
    /// Examples by class.
    counts: Vec<usize>,
    thinned_from: usize,
}

impl Reference {
    /// Whitens examples, thinned out evenly to [`REFERENCE_CAP`] of them.
    ///
    /// A row that whitening makes zero has no direction and is left out.
    ///
    /// # Shapes
    ///
    /// `matrix` `[n, d]` before whitening, `d` that of the whitening; `labels` and `examples` `[n]`.
    pub fn new(
        whitening: &Whitening,
        matrix: ArrayView2<'_, f32>,
        labels: &[usize],
        examples: &[ExampleId],
    ) -> Self {
        let rows = thin(matrix.nrows(), REFERENCE_CAP);
        let mut reference = Self {
            x: Array2::zeros((rows.len(), matrix.ncols())),
            labels: Vec::with_capacity(rows.len()),
            examples: Vec::with_capacity(rows.len()),
            counts: Vec::new(),
            thinned_from: matrix.nrows(),
        };
        for row in rows {
            let z = whitening.standardise(matrix.row(row));
            let norm = z.dot(&z).sqrt();
            if !(norm > 0.0 && norm.is_finite()) {
                continue;
            }
            let at = reference.labels.len();
            let mut to = reference.x.row_mut(at);
            to.zip_mut_with(&z, |to, z| *to = (z / norm) as f32);
            let label = labels[row];
            reference.labels.push(label);
            reference.examples.push(examples[row]);
            if reference.counts.len() <= label {
                reference.counts.resize(label + 1, 0);
            }
            reference.counts[label] += 1;
        }
        reference
    }

    /// How many examples it had before it was thinned out, and how many it has.
    pub fn sizes(&self) -> (usize, usize) {
        (self.thinned_from, self.labels.len())
    }

    /// Whether a class has company enough to be found among the neighbours of its own.
    fn knows(&self, class: usize) -> bool {
        self.counts.get(class).is_some_and(|&n| n >= COMPANY)
    }

    /// The labels of the nearest examples of every query `[m, d]` but itself, nearest first; of equally near ones
    /// the first in the table.
    fn neighbours(&self, queries: ArrayView2<'_, f32>, own: &[ExampleId]) -> Vec<Vec<usize>> {
        let mut nearest: Vec<Vec<(f32, usize)>> = vec![Vec::new(); own.len()];
        let n = self.labels.len();
        for start in (0..n).step_by(BLOCK.1) {
            let block = self.x.slice(s![start..n.min(start + BLOCK.1), ..]);
            let cosines = queries.dot(&block.t());
            for ((row, &own), nearest) in cosines.outer_iter().zip(own).zip(&mut nearest) {
                self.keep(row, start, own, nearest);
            }
        }
        nearest
            .into_iter()
            .map(|near| near.into_iter().map(|(_, i)| self.labels[i]).collect())
            .collect()
    }

    fn keep(
        &self,
        cosines: ArrayView1<'_, f32>,
        start: usize,
        own: ExampleId,
        nearest: &mut Vec<(f32, usize)>,
    ) {
        for (offset, &cosine) in cosines.iter().enumerate() {
            let i = start + offset;
            let full = nearest.len() == NEIGHBOURS;
            let worse = full && nearest.last().is_some_and(|&(least, _)| cosine <= least);
            if worse || self.examples[i] == own {
                continue;
            }
            let at = nearest.partition_point(|&(other, _)| other >= cosine);
            nearest.insert(at, (cosine, i));
            nearest.truncate(NEIGHBOURS);
        }
    }
}

/// A misclassified example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// Which example it is.
    pub example: ExampleId,
    /// Its label.
    pub label: usize,
    /// What the classifier says.
    pub prediction: usize,
    /// How surely, where known.
    pub confidence: Option<f32>,
}

/// A mistake whose label is the likelier error.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelError {
    /// The mistake.
    pub mistake: Mistake,
    /// Neighbours with the predicted label, of [`NEIGHBOURS`], in each reference that could say.
    pub votes: Vec<usize>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelCheck {
    /// Likely label errors, in the order of the mistakes.
    pub errors: Vec<LabelError>,
    /// Mistakes that no reference could judge, or that were thinned out.
    pub unchecked: usize,
}

/// Finds mistakes that look like label errors.
///
/// # Shapes
///
/// `x` `[m, d]`, whitened and normalised, belongs to `mistakes` `[m]`. `thresholds`, from [`thresholds`],
/// holds a confidence for every class.
pub fn find(
    references: &[Reference],
    x: ArrayView2<'_, f64>,
    mistakes: &[Mistake],
    thresholds: &[f64],
) -> LabelCheck {
    let sure = |m: &Mistake| {
        let threshold = thresholds.get(m.prediction).copied().unwrap_or_default();
        m.confidence.is_none_or(|c| f64::from(c) >= threshold)
    };
    let able = |m: &Mistake| references.iter().any(|r| r.knows(m.label));
    let judged: Vec<usize> = (0..mistakes.len())
        .filter(|&at| able(&mistakes[at]))
        .collect();
    let judged: Vec<usize> = thin(judged.len(), MISTAKES_CAP)
        .into_iter()
        .map(|at| judged[at])
        .collect();
    let unchecked = mistakes.len() - judged.len();
    // The classifier's own doubt costs nothing to ask, so it is asked first.
    let asked: Vec<usize> = judged
        .into_iter()
        .filter(|&at| sure(&mistakes[at]))
        .collect();
    let errors = asked
        .par_chunks(BLOCK.0)
        .flat_map_iter(|chunk| {
            let own: Vec<ExampleId> = chunk.iter().map(|&at| mistakes[at].example).collect();
            let queries = x.select(Axis(0), chunk).mapv(|v| v as f32);
            let near: Vec<_> = references
                .iter()
                .map(|reference| reference.neighbours(queries.view(), &own))
                .collect();
            chunk
                .iter()
                .enumerate()
                .filter_map(|(offset, &at)| {
                    let mistake = mistakes[at];
                    let votes: Vec<usize> = references
                        .iter()
                        .zip(&near)
                        .filter(|(reference, _)| reference.knows(mistake.label))
                        .map(|(_, near)| {
                            let labels = near[offset].iter();
                            labels.filter(|&&l| l == mistake.prediction).count()
                        })
                        .collect();
                    let doubtful = votes.iter().all(|&votes| votes >= VOTES);
                    doubtful.then_some(LabelError { mistake, votes })
                })
                .collect::<Vec<_>>()
        })
        .collect();
    LabelCheck { errors, unchecked }
}

/// How sure the classifier is of each class on the examples that are labelled so, on average.
///
/// `examples` are label, prediction, confidence and, where known, all probabilities of each. Without them
/// what the prediction leaves is shared among the other classes. A class without examples gets 1.
pub fn thresholds<'a>(
    classes: usize,
    examples: impl IntoIterator<Item = (usize, usize, f32, Option<&'a [f32]>)>,
) -> Vec<f64> {
    let mut sums = vec![(0.0, 0_usize); classes];
    for (label, prediction, confidence, probabilities) in examples {
        let own = probabilities.and_then(|all| all.get(label).copied());
        let guess = if prediction == label {
            confidence
        } else {
            (1.0 - confidence) / (classes.max(2) - 1) as f32
        };
        if let Some((sum, count)) = sums.get_mut(label) {
            *sum += f64::from(own.unwrap_or(guess));
            *count += 1;
        }
    }
    sums.into_iter()
        .map(|(sum, count)| if count > 0 { sum / count as f64 } else { 1.0 })
        .collect()
}

/// How many of a class's mistakes are likely label errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Likely label errors.
    pub errors: usize,
    /// Mistakes.
    pub mistakes: usize,
    /// Likely label errors among the most aligned mistakes.
    pub head_errors: usize,
    /// How many those are: [`HEAD`], or all.
    pub head: usize,
}

impl Share {
    /// Counts a class's mistakes from the most aligned to the least.
    pub fn of(ranked: &[bool]) -> Self {
        let count = |part: &[bool]| part.iter().filter(|&&is| is).count();
        let head = ranked.len().min(HEAD);
        Self {
            errors: count(ranked),
            mistakes: ranked.len(),
            head_errors: count(&ranked[..head]),
            head,
        }
    }

    /// Whether wrong labels, and not a failure mode, are what the direction shows.
    pub fn dominates(self) -> bool {
        2 * self.errors > self.mistakes || 2 * self.head_errors > self.head
    }
}

/// At most `most` of the numbers below `n`, evenly spread.
fn thin(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    (0..most)
        .map(|i| (i as u128 * n as u128 / most as u128) as usize)
        .collect()
}

#[cfg(test)]
mod tests;
