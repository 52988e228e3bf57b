//! Scoring captions against a failure direction.
//!
//! With the caption's embedding `t` and the class's reference `t_ref`:
//!
//! - reference form: the alignment of `g = normalise(((t − t_ref) − μ)/σ)`;
//! - second form: the cosine of `v` with `(t − t_ref)/σ`, 0 at the reference itself.
//!
//! Captions are ranked by the first. One that the text tower places nearer to another class's
//! reference than to its own, or that says a word the grammar calls a contradiction, is dropped.

use ndarray::{Array1, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::CaptionError;
use super::grammar::says;
use crate::direction::{Direction, WhitenError, Whitening};

/// What a caption is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Among the top failure captions.
    Hard,
    /// Among those furthest from failure.
    Easy,
    /// The class's reference.
    Neutral,
    /// None of these.
    Other,
}

impl Kind {
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
    /// Index of the class.
    pub class: usize,
    /// Failure mode within the class.
    pub mode: u32,
    /// The caption.
    pub caption: String,
    /// Reference form; larger is harder.
    pub alignment: f64,
    /// Second form, −1 to 1; larger is harder.
    pub cosine: f64,
    /// Place among the captions that were not dropped, from 1; after them, the dropped.
    pub rank: usize,
    /// What it is used for.
    pub kind: Kind,
    /// Why it is not used.
    pub dropped: Option<String>,
}

/// Where captions are scored.
#[derive(Debug, Clone, Copy)]
pub struct Space<'a> {
    /// The whitening of the images.
    pub whitening: &'a Whitening,
    /// Text embeddings of every class's reference caption, `[classes, d]`, before normalisation.
    pub references: ArrayView2<'a, f32>,
    /// Class names, for reasons.
    pub classes: &'a [String],
    /// Words that contradict the class's label.
    pub contradictions: &'a [String],
    /// How many are hard and how many easy.
    pub ends: usize,
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
    let own = space.references.row(direction.class);
    let zero = space.whitening.standardise(Array1::zeros(own.len()).view());
    let unit = direction.unit();
    let mut scores = Vec::with_capacity(captions.len());
    for (caption, t) in captions.iter().zip(embeddings.outer_iter()) {
        let difference = &t - &own;
        let z = space.whitening.standardise(difference.view());
        let norm = z.dot(&z).sqrt();
        if !(norm.is_finite() && norm > 0.0) {
            return Err(CaptionError::Whiten {
                caption: caption.clone(),
                source: WhitenError::Zero { row: scores.len() },
            });
        }
        let g = &z / norm;
        let scaled = &z - &zero;
        let length = scaled.dot(&scaled).sqrt();
        let cosine = if length > 0.0 {
            unit.dot(&scaled) / length
        } else {
            0.0
        };
        scores.push(CaptionScore {
            class: direction.class,
            mode: direction.mode,
            caption: caption.clone(),
            alignment: direction.alignment(g.view()),
            cosine,
            rank: 0,
            kind: if caption == reference {
                Kind::Neutral
            } else {
                Kind::Other
            },
            dropped: dropped(caption, t, direction.class, space),
        });
    }
    scores.sort_by(|a, b| {
        let order = a.dropped.is_some().cmp(&b.dropped.is_some());
        order
            .then(b.alignment.total_cmp(&a.alignment))
            .then_with(|| a.caption.cmp(&b.caption))
    });
    let usable = scores.iter().filter(|s| s.dropped.is_none()).count();
    for (at, score) in scores.iter_mut().enumerate() {
        score.rank = at + 1;
        if score.kind == Kind::Other && score.dropped.is_none() {
            if at < space.ends {
                score.kind = Kind::Hard;
            } else if at + space.ends >= usable {
                score.kind = Kind::Easy;
            }
        }
    }
    Ok(scores)
}

fn cosine(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let (a, b) = (a.mapv(f64::from), b.mapv(f64::from));
    a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt().max(f64::MIN_POSITIVE)
}

fn dropped(
    caption: &str,
    t: ArrayView1<'_, f32>,
    class: usize,
    space: Space<'_>,
) -> Option<String> {
    if let Some(word) = space.contradictions.iter().find(|word| says(caption, word)) {
        return Some(format!("says {word:?}, which contradicts the label"));
    }
    let own = cosine(t, space.references.row(class));
    let (other, best) = space
        .references
        .outer_iter()
        .enumerate()
        .filter(|(other, _)| *other != class)
        .map(|(other, reference)| (other, cosine(t, reference)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let name = space
        .classes
        .get(other)
        .map_or("another class", String::as_str);
    (best > own).then(|| format!("nearer to {name} ({best:.3}) than to its own class ({own:.3})"))
}

/// The captions of a kind, hardest first (easiest first for [`Kind::Easy`]).
pub fn of_kind(scores: &[CaptionScore], kind: Kind) -> Vec<String> {
    let mut captions: Vec<String> = scores
        .iter()
        .filter(|s| s.kind == kind && s.dropped.is_none())
        .map(|s| s.caption.clone())
        .collect();
    if kind == Kind::Easy {
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
            class: 0,
            mode: 0,
            w: array![-2.0, 0.0],
            b: 0.5,
            c: 1.0,
            cv_score: 0.9,
            p_value: 0.01,
            q_value: 0.01,
            threshold: 0.0,
            right: 5,
            wrong: 5,
            too_few: false,
            bootstrap_cosine: None,
            out_of_fold: Vec::new(),
            out_of_fold_distance: Vec::new(),
        }
    }

    #[test]
    fn both_forms_are_the_papers() {
        // mean 1 and 2, deviation √2 and 2√2.
        let whitening = Whitening::fit(array![[0.0_f32, 0.0], [2.0, 4.0]].view()).unwrap();
        let references = array![[1.0_f32, 1.0], [-5.0, 1.0]];
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let captions = ["ref", "hard", "easy", "a dog"].map(ToOwned::to_owned);
        let embeddings: Array2<f32> = array![[1.0, 1.0], [4.0, 2.0], [0.5, 2.0], [-4.0, 1.0]];
        let words = [];
        let space = Space {
            whitening: &whitening,
            references: references.view(),
            classes: &classes,
            contradictions: &words,
            ends: 1,
        };
        let scores = score(&direction(), &captions, "ref", embeddings.view(), space).unwrap();
        let order: Vec<_> = scores
            .iter()
            .map(|s| (s.caption.as_str(), s.kind))
            .collect();
        assert_eq!(
            order,
            [
                ("hard", Kind::Hard),
                ("ref", Kind::Neutral),
                ("easy", Kind::Easy),
                ("a dog", Kind::Other)
            ]
        );
        // hard: (3, 1) − (1, 2) over (√2, 2√2) is (1.41421, −0.35355): unit (0.97014, −0.24254).
        let hard = &scores[0];
        assert!(
            (hard.alignment - (2.0 * 0.970_142_5 - 0.5)).abs() < 1e-6,
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
        let references = array![[1.0_f32, 1.0]];
        let words = ["young".to_owned()];
        let space = Space {
            whitening: &whitening,
            references: references.view(),
            classes: &[],
            contradictions: &words,
            ends: 1,
        };
        let captions = ["a young man".to_owned(), "a youngster".to_owned()];
        let embeddings = array![[4.0_f32, 2.0], [1.0, 2.0]];
        let scores = score(&direction(), &captions, "", embeddings.view(), space).unwrap();
        assert_eq!(scores[0].caption, "a youngster");
        assert!(scores[1].dropped.is_some());
        assert_eq!(of_kind(&scores, Kind::Hard), ["a youngster"]);
    }
}
