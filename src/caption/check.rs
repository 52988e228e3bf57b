//! What real images say about a caption, before any image is generated from it.
//!
//! The images of the class that are nearest to the caption, by the cosine of CLIP's embeddings as they
//! are, show whether what the caption describes is harder than the class. That is the measure of the
//! paper's notebooks (`order_descriptions_angle`, failure-directions at d484125), and it is defined for
//! the reference too, which has no place in whitened space. On the embedded world it finds the described
//! group better than whitened cosines do.

use ndarray::{Array2, ArrayView1, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::unit_rows;
use crate::direction::report::wilson;

/// At least so many images, where the class has them.
pub(super) const FEWEST: usize = 10;

/// One in so many of the class's images.
pub(super) const ONE_IN: usize = 20;

/// A caption is confirmed where chance makes one look as hard less often than this.
const LEVEL: f64 = 0.05;

/// How many of some images the classifier gets right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accuracy {
    /// Images.
    pub images: usize,
    /// Those it gets right.
    pub right: usize,
    /// Their share, 0 to 1; 0 without images.
    pub accuracy: f64,
    /// 95 % interval of the share (Wilson), lower end first.
    pub interval: (f64, f64),
}

impl Accuracy {
    fn of(right: usize, images: usize) -> Self {
        Self {
            images,
            right,
            accuracy: right as f64 / images.max(1) as f64,
            interval: wilson(right, images),
        }
    }
}

/// Whether the images nearest to a caption are harder than its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CaptionVerdict {
    /// Harder, beyond what chance makes of any of the captions looked at.
    #[serde(rename = "confirmed")]
    Confirmed,
    /// Harder, but within what chance does.
    #[serde(rename = "unclear")]
    Unclear,
    /// No harder.
    #[serde(rename = "not confirmed")]
    NotConfirmed,
}

impl CaptionVerdict {
    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Unclear => "unclear",
            Self::NotConfirmed => "not confirmed",
        }
    }

    /// `p_value` is that of [`super::survey`].
    fn of(nearest: Accuracy, class: Accuracy, p_value: Option<f64>) -> Self {
        if nearest.accuracy >= class.accuracy {
            Self::NotConfirmed
        } else if p_value.is_some_and(|p| p < LEVEL) {
            Self::Confirmed
        } else {
            Self::Unclear
        }
    }
}

/// A caption on real images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// On val, which the direction was learned on: the verdict is of these.
    pub val: Accuracy,
    /// On the judged split.
    pub judged: Accuracy,
    /// What val says.
    pub verdict: CaptionVerdict,
}

/// The images of a class in one split.
#[derive(Debug, Clone)]
pub struct Images {
    unit: Array2<f32>,
    right: Vec<bool>,
    /// What belongs together; each by itself where it is empty.
    units: Vec<u32>,
    /// What another failure mode explains; nothing where it is empty.
    aside: Vec<bool>,
}

impl Images {
    /// From embeddings `[n, d]`, before whitening, and whether the classifier gets each right.
    pub fn new(embeddings: ArrayView2<'_, f32>, right: Vec<bool>) -> Self {
        Self {
            unit: unit_rows(embeddings),
            right,
            units: Vec::new(),
            aside: Vec::new(),
        }
    }

    /// The same with the unit of each, `[n]` ([`crate::direction::units`]).
    #[must_use]
    pub fn with_units(mut self, units: &[u32]) -> Self {
        self.units = units.to_vec();
        self
    }

    /// The same where captions are ranked for one of several failure modes: which are mistakes that another mode
    /// explains, `[n]`.
    #[must_use]
    pub fn with_aside(mut self, aside: Vec<bool>) -> Self {
        self.aside = aside;
        self
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.right.len()
    }

    /// Embeddings at length 1, `[n, d]`.
    pub(super) fn unit_rows(&self) -> ArrayView2<'_, f32> {
        self.unit.view()
    }

    pub(super) fn is_right(&self, row: usize) -> bool {
        self.right[row]
    }

    pub(super) fn is_aside(&self, row: usize) -> bool {
        self.aside.get(row).copied().unwrap_or(false)
    }

    pub(super) fn unit_of(&self, row: usize) -> u32 {
        self.units.get(row).copied().unwrap_or(row as u32)
    }

    /// The accuracy on all of them.
    pub fn all(&self) -> Accuracy {
        let right = self.right.iter().filter(|&&right| right).count();
        Accuracy::of(right, self.right.len())
    }

    /// The accuracy on those nearest to a caption's embedding `[d]`: a twentieth, and at least 10.
    pub fn nearest(&self, caption: ArrayView1<'_, f32>) -> Accuracy {
        let cosines = self.unit.dot(&caption);
        let mut order: Vec<usize> = (0..self.right.len()).collect();
        order.sort_by(|&a, &b| cosines[b].total_cmp(&cosines[a]));
        order.truncate(FEWEST.max(self.right.len().div_ceil(ONE_IN)));
        let right = order.iter().filter(|&&at| self.right[at]).count();
        Accuracy::of(right, order.len())
    }
}

/// A class's images in both splits.
#[derive(Debug, Clone)]
pub struct Real {
    /// Of val.
    pub val: Images,
    /// Of the judged split.
    pub judged: Images,
}

impl Real {
    /// What they say about a caption, by its embedding `[d]` and its p-value ([`super::survey`]), where there is one.
    pub fn check(&self, caption: ArrayView1<'_, f32>, p_value: Option<f64>) -> Checked {
        let val = self.val.nearest(caption);
        Checked {
            val,
            judged: self.judged.nearest(caption),
            verdict: CaptionVerdict::of(val, self.val.all(), p_value),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    /// `n` images, the first `wrong` of them along x and wrong, the others along y and right.
    fn images(n: usize, wrong: usize) -> Images {
        // Lengths differ, and do not count.
        let rows = Array2::from_shape_fn((n, 2), |(i, d)| {
            let along = usize::from(i >= wrong);
            if d == along { 1.0 + i as f32 } else { 0.01 }
        });
        Images::new(rows.view(), (0..n).map(|i| i >= wrong).collect())
    }

    #[test]
    fn the_nearest_are_a_twentieth_and_at_least_ten() {
        for (n, expected) in [(4, 4), (10, 10), (200, 10), (201, 11), (1000, 50)] {
            let nearest = images(n, 0).nearest(array![0.0, 3.0].view());
            assert_eq!(nearest.images, expected, "of {n}");
        }
        let nothing = images(0, 0).nearest(array![1.0, 0.0].view());
        assert_eq!((nothing.images, nothing.interval), (0, (0.0, 1.0)));
    }

    #[test]
    fn a_caption_is_confirmed_if_its_images_are_harder_than_chance_makes_any() {
        let real = Real {
            val: images(100, 12),
            judged: images(400, 4),
        };
        let hard = real.check(array![1.0, 0.0].view(), Some(0.01));
        assert_eq!((hard.val.right, hard.val.images), (0, 10));
        assert_eq!(hard.verdict, CaptionVerdict::Confirmed);
        // Of the 20 nearest, the 4 wrong ones come first.
        assert_eq!((hard.judged.right, hard.judged.images), (16, 20));
        let easy = real.check(array![0.0, 1.0].view(), Some(0.01));
        assert_eq!(
            (easy.val.accuracy, easy.verdict),
            (1.0, CaptionVerdict::NotConfirmed)
        );
        let class = real.val.all();
        assert_eq!((class.right, class.images), (88, 100));
        assert_eq!(
            CaptionVerdict::of(Accuracy::of(1, 10), class, Some(0.05)),
            CaptionVerdict::Unclear,
            "one in twenty makes a caption look as hard"
        );
        assert_eq!(
            CaptionVerdict::of(Accuracy::of(1, 10), class, None),
            CaptionVerdict::Unclear
        );
        assert_eq!(
            CaptionVerdict::of(class, class, Some(0.01)),
            CaptionVerdict::NotConfirmed,
            "no harder"
        );
    }
}
