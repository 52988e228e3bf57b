//! Captions that say the same.
//!
//! Two captions are near-equal if they are the same words but for case, punctuation and articles, or if
//! their embeddings relative to the reference, in units of the images' deviation, `s = (t − t_ref)/σ`,
//! have a cosine of at least the threshold. Relative to the reference, because what all captions of a
//! class share (`t` itself has cosines near 1) says nothing about them.

use std::collections::HashMap;

use ndarray::{ArrayView2, s};

use super::grammar::english;

/// Captions compared with those before them at once.
const BLOCK: usize = 256;

/// A caption that gives way to one before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Merged {
    /// Its place.
    pub(super) caption: usize,
    /// The place of the one that is kept.
    pub(super) kept: usize,
    /// The cosine; none where the words are the same.
    pub(super) cosine: Option<f32>,
}

/// The captions that are near-equal to a kept one before them: the first such.
///
/// # Shapes
///
/// `scaled` `[captions, d]`, the `s` at length 1; zero for one embedded as the reference is.
pub(super) fn near_equal(
    captions: &[&str],
    scaled: ArrayView2<'_, f32>,
    threshold: f32,
) -> Vec<Merged> {
    let mut by_words: HashMap<String, usize> = HashMap::new();
    let mut is_kept = vec![true; captions.len()];
    let mut merged = Vec::new();
    for begin in (0..captions.len()).step_by(BLOCK) {
        let end = (begin + BLOCK).min(captions.len());
        let cosines = scaled
            .slice(s![begin..end, ..])
            .dot(&scaled.slice(s![..end, ..]).t());
        for (caption, cosines) in (begin..end).zip(cosines.outer_iter()) {
            let normal = english::normal(captions[caption]);
            if let Some(&kept) = by_words.get(&normal) {
                is_kept[caption] = false;
                merged.push(Merged {
                    caption,
                    kept,
                    cosine: None,
                });
                continue;
            }
            let before = cosines.iter().zip(&is_kept).take(caption);
            let first = before
                .enumerate()
                .find(|&(_, (&cosine, &kept))| kept && cosine >= threshold);
            if let Some((kept, (&cosine, _))) = first {
                is_kept[caption] = false;
                let cosine = Some(cosine);
                merged.push(Merged {
                    caption,
                    kept,
                    cosine,
                });
            } else {
                by_words.insert(normal, caption);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn chains_end_at_a_kept_caption_across_blocks() {
        // Angles of 0°, 10°, 20°, …: 10° apart is near-equal (cosine 0.985), 20° is not (0.940).
        let n = 2 * BLOCK + 3;
        let scaled = Array2::from_shape_fn((n, 2), |(i, d)| {
            let angle = (i as f32 * 10.0).to_radians();
            if d == 0 { angle.cos() } else { angle.sin() }
        });
        let captions: Vec<String> = (0..n).map(|i| format!("caption {i}")).collect();
        let captions: Vec<&str> = captions.iter().map(String::as_str).collect();
        let merged = near_equal(&captions, scaled.view(), 0.98);
        let kept = |i: usize| merged.iter().find(|m| m.caption == i).map(|m| m.kept);
        assert_eq!(
            (kept(0), kept(1), kept(2), kept(3)),
            (None, Some(0), None, Some(2))
        );
        assert_eq!(kept(35), Some(0), "the first of two that are near");
        // The circle is full after 36: everything is near one of the 18 kept.
        assert_eq!(merged.len(), n - 18);
        assert!(merged.iter().all(|m| m.kept < 36 && m.kept % 2 == 0));
    }

    #[test]
    fn one_that_is_embedded_as_the_reference_is_near_nothing_by_cosine() {
        let scaled = Array2::zeros((2, 3));
        assert_eq!(near_equal(&["a cat", "cats"], scaled.view(), 0.98), []);
        assert_eq!(
            near_equal(&["a cat", "the cat."], scaled.view(), 2.0).len(),
            1
        );
    }
}
