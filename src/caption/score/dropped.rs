//! Which captions are not used, and why. Dropped is one
//!
//! - that says a word the grammar calls a contradiction;
//! - that the text tower places nearer to another class's reference than to its own (by more than
//!   rounding);
//! - that is near-equal to a caption ranked before it that is kept (`merge.rs`).

use ndarray::{ArrayView1, ArrayView2, Axis, s};

use super::{CaptionKind, CaptionScore, Space};
use crate::caption::grammar::english::{holds, words};
use crate::caption::merge::{self, Merged};
use crate::caption::rows::unit_rows;

/// Captions compared with all classes at once: bounds the memory of a comparison.
const BLOCK: usize = 1024;

/// Cosines in `f32` that differ by less are equal.
const ROUNDING: f32 = 1e-6;

/// Phrases that contradict a class's label.
pub(super) struct Contradictions<'a>(Vec<(&'a str, Vec<String>)>);

impl<'a> Contradictions<'a> {
    pub(super) fn new(phrases: &'a [String]) -> Self {
        let phrases = phrases.iter();
        Self(
            phrases
                .map(|phrase| (phrase.as_str(), words(phrase)))
                .collect(),
        )
    }

    /// Why a caption is dropped that says one of them.
    pub(super) fn said_by(&self, caption: &str) -> Option<String> {
        let said = words(caption);
        let (phrase, _) = self.0.iter().find(|(_, words)| holds(&said, words))?;
        Some(format!("says {phrase:?}, which contradicts the label"))
    }
}

/// For every caption, why it is not its class's: which other reference is nearer.
pub(super) fn nearer(
    embeddings: ArrayView2<'_, f32>,
    class: usize,
    space: Space<'_>,
) -> Vec<Option<String>> {
    let n = embeddings.nrows();
    let mut reasons = Vec::with_capacity(n);
    for begin in (0..n).step_by(BLOCK) {
        let block = unit_rows(embeddings.slice(s![begin..(begin + BLOCK).min(n), ..]));
        for cosines in block.dot(&space.references.unit.t()).outer_iter() {
            reasons.push(nearest_other(cosines, class, space.classes));
        }
    }
    reasons
}

fn nearest_other(cosines: ArrayView1<'_, f32>, class: usize, classes: &[String]) -> Option<String> {
    let own = cosines[class];
    let others = cosines
        .iter()
        .enumerate()
        .filter(|&(other, _)| other != class);
    // The first of equals.
    let (other, &best) = others.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    let name = classes.get(other).map_or("another class", String::as_str);
    (best > own + ROUNDING)
        .then(|| format!("nearer to {name} ({best:.3}) than to its own class ({own:.3})"))
}

/// Marks what is near-equal to a caption before it; `scaled` has a row a caption, by `row`.
pub(super) fn drop_near_equal(
    scores: &mut [CaptionScore],
    scaled: ArrayView2<'_, f32>,
    near_equal: f32,
) {
    // The reference first: what says the same gives way to it, however it scores.
    let usable = |score: &CaptionScore| score.dropped.is_none();
    let is_neutral = |score: &CaptionScore| score.kind == CaptionKind::Neutral;
    let all = 0..scores.len();
    let neutral = all
        .clone()
        .filter(|&at| is_neutral(&scores[at]) && usable(&scores[at]));
    let others = all.filter(|&at| !is_neutral(&scores[at]) && usable(&scores[at]));
    let order: Vec<usize> = neutral.chain(others).collect();
    let rows: Vec<usize> = order.iter().map(|&at| scores[at].row).collect();
    let captions: Vec<&str> = order
        .iter()
        .map(|&at| scores[at].caption.as_str())
        .collect();
    let merged = merge::near_equal(&captions, scaled.select(Axis(0), &rows).view(), near_equal);
    let reasons: Vec<(usize, String)> = merged
        .into_iter()
        .map(
            |Merged {
                 caption,
                 kept,
                 cosine,
             }| {
                let kept = captions[kept];
                let reason = match cosine {
                    Some(cosine) => format!("near-equal to {kept:?} (cosine {cosine:.3})"),
                    None => format!("says the same as {kept:?}"),
                };
                (order[caption], reason)
            },
        )
        .collect();
    for (at, reason) in reasons {
        scores[at].dropped = Some(reason);
    }
}
