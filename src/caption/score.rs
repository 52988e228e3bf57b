//! Scoring captions against a failure direction.
//!
//! With the caption's embedding `t` and the class's reference `t_ref`:
//!
//! - reference form: the alignment of `g = normalise(((t − t_ref) − μ)/σ)`;
//! - second form: the cosine of `v` with `s = (t − t_ref)/σ`, 0 at the reference itself.
//!
//! Captions are ranked by the first, equal ones in the order given. Dropped, with the reason, is one
//!
//! - that says a word the grammar calls a contradiction;
//! - that the text tower places nearer to another class's reference than to its own (by more than
//!   rounding);
//! - that is near-equal to a caption ranked before it that is kept (`merge.rs`).

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::CaptionError;
use super::check::Checked;
use super::grammar::english::{holds, words};
use super::merge::{self, Merged};
use crate::direction::{Direction, ModeId, WhitenError, Whitening};

/// Captions compared with all classes at once: bounds the memory of a comparison.
const BLOCK: usize = 1024;

/// Cosines in `f32` that differ by less are equal.
const ROUNDING: f32 = 1e-6;

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
    /// Place among the captions that were not dropped, from 1; after them, the dropped.
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
    let contradictions: Vec<_> = space.contradictions.iter().map(|c| (c, words(c))).collect();
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
        let said = words(caption);
        let contradiction = contradictions
            .iter()
            .find(|(_, phrase)| holds(&said, phrase));
        scores.push(CaptionScore {
            mode: direction.id,
            caption: caption.clone(),
            row,
            alignment: direction.alignment(g.view()),
            cosine,
            rank: 0,
            kind: if caption == reference {
                CaptionKind::Neutral
            } else {
                CaptionKind::Other
            },
            dropped: contradiction
                .map(|(word, _)| format!("says {word:?}, which contradicts the label"))
                .or_else(|| nearer[row].clone()),
            checked: None,
        });
    }
    let hardest_first = |scores: &mut Vec<CaptionScore>| {
        scores.sort_by(|a, b| {
            let order = a.dropped.is_some().cmp(&b.dropped.is_some());
            order
                .then(b.alignment.total_cmp(&a.alignment))
                .then(a.row.cmp(&b.row))
        });
    };
    hardest_first(&mut scores);
    drop_near_equal(&mut scores, scaled.view(), space.near_equal);
    hardest_first(&mut scores);
    let usable = scores.iter().filter(|s| s.dropped.is_none()).count();
    for (at, score) in scores.iter_mut().enumerate() {
        score.rank = at + 1;
        if score.kind == CaptionKind::Other && score.dropped.is_none() {
            if at < space.ends {
                score.kind = CaptionKind::Hard;
            } else if at + space.ends >= usable {
                score.kind = CaptionKind::Easy;
            }
        }
    }
    Ok(scores)
}

/// Marks what is near-equal to a caption before it; `scaled` has a row a caption, by `row`.
fn drop_near_equal(scores: &mut [CaptionScore], scaled: ArrayView2<'_, f32>, near_equal: f32) {
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

/// For every caption, why it is not its class's: which other reference is nearer.
fn nearer(embeddings: ArrayView2<'_, f32>, class: usize, space: Space<'_>) -> Vec<Option<String>> {
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

/// Every row at length 1; rows of nothing stay.
pub(super) fn unit_rows(rows: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut unit = rows.to_owned();
    for mut row in unit.outer_iter_mut() {
        let length = row
            .iter()
            .map(|&v| f64::from(v).powi(2))
            .sum::<f64>()
            .sqrt();
        if length > 0.0 {
            row.mapv_inplace(|v| (f64::from(v) / length) as f32);
        }
    }
    unit
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
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn direction() -> Direction {
        Direction {
            b: 0.5,
            ..Direction::made_up(ModeId::new(0, 0), array![-2.0, 0.0])
        }
    }

    #[test]
    fn both_forms_are_the_papers() {
        // mean 1 and 2, deviation √2 and 2√2.
        let whitening = Whitening::fit(array![[0.0_f32, 0.0], [2.0, 4.0]].view()).unwrap();
        let references = References::new(array![[1.0_f32, 1.0], [-5.0, 1.0]]);
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let captions = ["ref", "hard", "easy", "a dog"].map(ToOwned::to_owned);
        let embeddings: Array2<f32> = array![[1.0, 1.0], [4.0, 2.0], [0.5, 2.0], [-4.0, 1.0]];
        let words = [];
        let space = Space {
            whitening: &whitening,
            references: &references,
            classes: &classes,
            contradictions: &words,
            ends: 1,
            near_equal: 0.98,
        };
        let scores = score(&direction(), &captions, "ref", embeddings.view(), space).unwrap();
        let order: Vec<_> = scores
            .iter()
            .map(|s| (s.caption.as_str(), s.kind))
            .collect();
        assert_eq!(
            order,
            [
                ("hard", CaptionKind::Hard),
                ("ref", CaptionKind::Neutral),
                ("easy", CaptionKind::Easy),
                ("a dog", CaptionKind::Other)
            ]
        );
        // hard: (3, 1) − (1, 2) over (√2, 2√2) is (1.41421, −0.35355): unit (0.97014, −0.24254).
        let hard = &scores[0];
        assert!(
            (hard.alignment - (2.0 * 0.970_142_5 - 0.5) / 2.0).abs() < 1e-6,
            "{}",
            hard.alignment
        );
        // (3, 1)/σ = (2.12132, 0.35355): its cosine with (1, 0).
        assert!((hard.cosine - 0.986_393_9).abs() < 1e-6, "{}", hard.cosine);
        assert!(scores[1].cosine.abs() < 1e-12, "the reference itself");
        assert!(
            scores[3]
                .dropped
                .as_deref()
                .unwrap()
                .starts_with("nearer to dog")
        );
    }

    #[test]
    fn contradictions_are_dropped_by_word() {
        let whitening = Whitening::fit(array![[0.0_f32, 0.0], [2.0, 4.0]].view()).unwrap();
        let references = References::new(array![[1.0_f32, 1.0]]);
        let words = ["young".to_owned()];
        let space = Space {
            whitening: &whitening,
            references: &references,
            classes: &[],
            contradictions: &words,
            ends: 1,
            near_equal: 0.98,
        };
        let captions = ["a young man".to_owned(), "a youngster".to_owned()];
        let embeddings = array![[4.0_f32, 2.0], [1.0, 2.0]];
        let scores = score(&direction(), &captions, "", embeddings.view(), space).unwrap();
        assert_eq!(scores[0].caption, "a youngster");
        assert!(scores[1].dropped.is_some());
        assert_eq!(of_kind(&scores, CaptionKind::Hard), ["a youngster"]);
    }

    /// Scores with the direction along the first dimension, all else equal; `near_equal` 0.98.
    fn scored(captions: &[(&str, [f32; 3])]) -> Vec<CaptionScore> {
        let corners = array![[0.0_f32, 0.0, 0.0], [2.0, 2.0, 2.0]];
        let whitening = Whitening::fit(corners.view()).unwrap();
        let references = References::new(array![[0.0_f32, 0.0, 1.0], [0.0, 1.0, 0.0]]);
        let direction = Direction {
            w: array![-1.0, 0.0, 0.0],
            ..direction()
        };
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let space = Space {
            whitening: &whitening,
            references: &references,
            classes: &classes,
            contradictions: &[],
            ends: 2,
            near_equal: 0.98,
        };
        let texts: Vec<String> = captions.iter().map(|c| c.0.to_owned()).collect();
        let rows = captions.iter().flat_map(|c| c.1).collect();
        let embeddings = Array2::from_shape_vec((captions.len(), 3), rows).unwrap();
        score(&direction, &texts, "a cat", embeddings.view(), space).unwrap()
    }

    #[test]
    fn near_equal_captions_merge_into_the_hardest() {
        let scores = scored(&[
            ("a cat", [0.0, 0.0, 1.0]),
            ("a small cat", [0.9, 0.1, 1.0]),
            ("a little cat", [0.91, 0.1, 1.0]),
            ("A little cat!", [0.0, -0.5, 1.0]),
            ("The cat", [2.0, 0.0, 1.0]),
            ("a cat at night", [-0.5, 0.3, 1.0]),
        ]);
        let dropped: Vec<_> = scores
            .iter()
            .map(|s| (s.caption.as_str(), s.dropped.as_deref()))
            .collect();
        assert_eq!(
            dropped,
            [
                ("a little cat", None),
                ("a cat", None),
                ("a cat at night", None),
                ("The cat", Some("says the same as \"a cat\"")),
                (
                    "a small cat",
                    Some("near-equal to \"a little cat\" (cosine 1.000)")
                ),
                ("A little cat!", Some("says the same as \"a little cat\"")),
            ]
        );
        let ranks: Vec<_> = scores.iter().map(|s| s.rank).collect();
        assert_eq!(ranks, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn equal_scores_keep_the_order_given_and_merge_into_the_first() {
        let scores = scored(&[
            ("b", [0.5, 0.2, 1.0]),
            ("a", [0.5, 0.2, 1.0]),
            ("c", [0.5, 0.2, 3.0]),
        ]);
        assert_eq!(
            (scores[0].caption.as_str(), scores[1].caption.as_str()),
            ("b", "c")
        );
        assert_eq!(scores[0].alignment, scores[1].alignment);
        let merged = &scores[2];
        assert_eq!(merged.caption, "a");
        assert_eq!(
            merged.dropped.as_deref(),
            Some("near-equal to \"b\" (cosine 1.000)")
        );
    }

    #[test]
    fn a_caption_as_near_to_another_class_is_kept() {
        let scores = scored(&[("both", [0.1, 1.0, 1.0]), ("dog", [0.1, 1.01, 1.0])]);
        assert_eq!(
            (scores[0].caption.as_str(), &scores[0].dropped),
            ("both", &None)
        );
        let reason = scores[1].dropped.as_deref().unwrap();
        assert_eq!(
            reason,
            "nearer to dog (0.709) than to its own class (0.702)"
        );
    }
}
