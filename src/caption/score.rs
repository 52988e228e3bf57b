//! Scoring captions against a failure direction.
//!
//! With the caption's embedding `t` and the class's reference `t_ref`:
//!
//! - reference form: the alignment of `g = normalise(((t − t_ref) − μ)/σ)`;
//! - second form: the cosine of `v` with `s = (t − t_ref)/σ`, 0 at the reference itself.
//!
//! Captions are ranked by two things that are wrong in different ways: their alignment in the reference form,
//! and the error rate of the val images nearest to them ([`survey`]). What counts is the sum of both ranks (of
//! five captions chosen so, the images had .63 of the possible gain; by alignment alone .56). Equal ones stay
//! in the order of alignment, then in that given; which are dropped, `dropped` says.

mod dropped;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use self::dropped::{Contradictions, drop_near_equal, nearer};
use super::CaptionError;
use super::check::{Checked, Images};
use super::rows::unit_rows;
use super::survey::{Surveyed, survey};
use crate::direction::{Direction, ModeId, WhitenError, Whitening};

/// What a caption is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptionKind {
    /// Among the top failure captions.
    Hard,
    /// Among those furthest from failure.
    Easy,
    /// The class's reference.
    Neutral,
    /// None of these.
    Other,
}

impl CaptionKind {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Easy => "easy",
            Self::Neutral => "neutral",
            Self::Other => "other",
        }
    }
}

/// A caption with its scores for one failure mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptionScore {
    /// The failure mode.
    pub mode: ModeId,
    /// The caption.
    pub caption: String,
    /// Its row among the captions that were scored.
    pub row: usize,
    /// Reference form; larger is harder.
    pub alignment: f64,
    /// Second form, −1 to 1; larger is harder.
    pub cosine: f64,
    /// Share of mistakes among the val units nearest to it, 0 to 1, mistakes of the class's other failure modes
    /// left aside; none without images, or if it was dropped for what it says.
    pub nearest_error: Option<f64>,
    /// How often chance makes any of the captions look as hard, 0 to 1 ([`survey`]).
    pub p_value: Option<f64>,
    /// Its place by alignment and its place by `nearest_error`, each from 1 for the hardest, together; of
    /// equals the mean place.
    pub rank_sum: Option<f64>,
    /// Place by that among the captions that were not dropped, from 1; after them, the dropped.
    pub rank: usize,
    /// What it is used for.
    pub kind: CaptionKind,
    /// Why it is not used.
    pub dropped: Option<String>,
    /// What the real images nearest to it say, where it was asked.
    pub checked: Option<Checked>,
}

/// Every class's reference caption, embedded.
#[derive(Debug, Clone)]
pub struct References {
    raw: Array2<f32>,
    unit: Array2<f32>,
}

impl References {
    /// From `[classes, d]`, before normalisation.
    pub fn new(raw: Array2<f32>) -> Self {
        let unit = unit_rows(raw.view());
        Self { raw, unit }
    }

    /// As they came, `[classes, d]`.
    pub fn raw(&self) -> ArrayView2<'_, f32> {
        self.raw.view()
    }
}

/// Where captions are scored.
#[derive(Debug, Clone, Copy)]
pub struct Space<'a> {
    /// The whitening of the images.
    pub whitening: &'a Whitening,
    /// Every class's reference caption.
    pub references: &'a References,
    /// Class names, for reasons.
    pub classes: &'a [String],
    /// Words that contradict the class's label.
    pub contradictions: &'a [String],
    /// How many are hard and how many easy.
    pub ends: usize,
    /// Captions whose `s` have at least this cosine are near-equal; above 1 none are.
    pub near_equal: f32,
    /// The val images of the class, as far as there are any.
    pub val: Option<&'a Images>,
    /// Seed of the dealings behind p-values.
    pub seed: u64,
}

/// Scores the captions of a direction's class, hardest first, the dropped ones last.
///
/// # Shapes
///
/// `embeddings` `[captions, d]`, before normalisation.
///
/// # Errors
///
/// [`CaptionError::Whiten`], naming the caption.
pub fn score(
    direction: &Direction,
    captions: &[String],
    reference: &str,
    embeddings: ArrayView2<'_, f32>,
    space: Space<'_>,
) -> Result<Vec<CaptionScore>, CaptionError> {
    let own = space.references.raw.row(direction.id.class);
    let zero = space.whitening.standardise(Array1::zeros(own.len()).view());
    let unit = direction.unit();
    let nearer = nearer(embeddings, direction.id.class, space);
    let contradictions = Contradictions::new(space.contradictions);
    let mut scores = Vec::with_capacity(captions.len());
    let mut scaled = Array2::zeros((captions.len(), own.len()));
    for (row, (caption, t)) in captions.iter().zip(embeddings.outer_iter()).enumerate() {
        let difference = &t - &own;
        let z = space.whitening.standardise(difference.view());
        let norm = z.dot(&z).sqrt();
        if !(norm.is_finite() && norm > 0.0) {
            return Err(CaptionError::Whiten {
                caption: caption.clone(),
                source: WhitenError::Zero { row },
            });
        }
        let g = &z / norm;
        let s = &z - &zero;
        let length = s.dot(&s).sqrt();
        let mut cosine = 0.0;
        if length > 0.0 {
            cosine = unit.dot(&s) / length;
            scaled.row_mut(row).assign(&s.mapv(|v| (v / length) as f32));
        }
        scores.push(CaptionScore {
            mode: direction.id,
            caption: caption.clone(),
            row,
            alignment: direction.alignment(g.view()),
            cosine,
            nearest_error: None,
            p_value: None,
            rank_sum: None,
            rank: 0,
            kind: if caption == reference {
                CaptionKind::Neutral
            } else {
                CaptionKind::Other
            },
            dropped: contradictions
                .said_by(caption)
                .or_else(|| nearer[row].clone()),
            checked: None,
        });
    }
    look(&mut scores, embeddings, space);
    sum_ranks(&mut scores);
    hardest_first(&mut scores);
    drop_near_equal(&mut scores, scaled.view(), space.near_equal);
    hardest_first(&mut scores);
    rank(&mut scores, space.ends);
    Ok(scores)
}

/// Notes what real images say of the captions that may be used.
fn look(scores: &mut [CaptionScore], embeddings: ArrayView2<'_, f32>, space: Space<'_>) {
    let usable: Vec<usize> = (0..scores.len())
        .filter(|&at| scores[at].dropped.is_none())
        .collect();
    let rows: Vec<usize> = usable.iter().map(|&at| scores[at].row).collect();
    let seen = space
        .val
        .and_then(|val| survey(val, embeddings.select(Axis(0), &rows).view(), space.seed));
    for (&at, Surveyed { error, p_value }) in usable.iter().zip(seen.into_iter().flatten()) {
        scores[at].nearest_error = Some(error);
        scores[at].p_value = Some(p_value);
    }
}

/// Notes the sum of ranks of the captions that may be used.
fn sum_ranks(scores: &mut [CaptionScore]) {
    let usable: Vec<usize> = (0..scores.len())
        .filter(|&at| scores[at].dropped.is_none())
        .collect();
    let by = |value: &dyn Fn(&CaptionScore) -> f64| {
        let values: Vec<f64> = usable.iter().map(|&at| value(&scores[at])).collect();
        places(&values)
    };
    let alignment = by(&|score| score.alignment);
    let error = by(&|score| score.nearest_error.unwrap_or(0.0));
    for (i, &at) in usable.iter().enumerate() {
        scores[at].rank_sum = Some(alignment[i] + error[i]);
    }
}

/// The place of every value, from 1 for the largest; equal ones share the mean of theirs.
fn places(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut places = vec![0.0; values.len()];
    let mut before = 0.0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let count = equal.len() as f64;
        for &at in equal {
            places[at] = before + f64::midpoint(1.0, count);
        }
        before += count;
    }
    places
}

/// Sorts captions by the sum of their ranks, the dropped ones last.
fn hardest_first(scores: &mut [CaptionScore]) {
    scores.sort_by(|a, b| {
        let order = a.dropped.is_some().cmp(&b.dropped.is_some());
        let sum = |score: &CaptionScore| score.rank_sum.unwrap_or(0.0);
        order
            .then(sum(a).total_cmp(&sum(b)))
            .then(b.alignment.total_cmp(&a.alignment))
            .then(a.row.cmp(&b.row))
    });
}

/// Numbers captions in their order, and marks `ends` of them as hard and as many as easy.
fn rank(scores: &mut [CaptionScore], ends: usize) {
    let usable = scores.iter().filter(|s| s.dropped.is_none()).count();
    for (at, score) in scores.iter_mut().enumerate() {
        score.rank = at + 1;
        if score.kind == CaptionKind::Other && score.dropped.is_none() {
            if at < ends {
                score.kind = CaptionKind::Hard;
            } else if at + ends >= usable {
                score.kind = CaptionKind::Easy;
            }
        }
    }
}

/// The captions of a kind, hardest first (easiest first for [`CaptionKind::Easy`]).
pub fn of_kind(scores: &[CaptionScore], kind: CaptionKind) -> Vec<String> {
    let mut captions: Vec<String> = scores
        .iter()
        .filter(|s| s.kind == kind && s.dropped.is_none())
        .map(|s| s.caption.clone())
        .collect();
    if kind == CaptionKind::Easy {
        captions.reverse();
    }
    captions
}

#[cfg(test)]
mod tests;
