//! How alignments of right and wrong examples are spread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bins of a histogram.
const BINS: usize = 24;

/// Right and wrong examples counted by alignment, in bins of equal width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Histogram {
    /// The lower end of the first bin.
    pub low: f64,
    /// The width of a bin.
    pub width: f64,
    /// Examples that the classifier gets right, bin by bin.
    pub right: Vec<usize>,
    /// Those that it gets wrong, bin by bin.
    pub wrong: Vec<usize>,
}

impl Histogram {
    /// Counts examples, each with its alignment and whether the classifier is wrong; none where all alignments
    /// are the same, or there are no examples.
    pub fn of(examples: &[(f64, bool)]) -> Option<Self> {
        let finite = || {
            examples
                .iter()
                .filter(|(alignment, _)| alignment.is_finite())
        };
        let low = finite().map(|e| e.0).min_by(f64::total_cmp)?;
        let high = finite().map(|e| e.0).max_by(f64::total_cmp)?;
        let width = (high - low) / BINS as f64;
        if width <= 0.0 || !width.is_finite() {
            return None;
        }
        let (mut right, mut wrong) = (vec![0; BINS], vec![0; BINS]);
        for &(alignment, is_wrong) in finite() {
            let bin = (((alignment - low) / width) as usize).min(BINS - 1);
            let counts = if is_wrong { &mut wrong } else { &mut right };
            counts[bin] += 1;
        }
        Some(Self {
            low,
            width,
            right,
            wrong,
        })
    }

    /// The lower and the upper end of a bin.
    pub fn ends(&self, bin: usize) -> (f64, f64) {
        let at = |bin: usize| self.low + self.width * bin as f64;
        (at(bin), at(bin + 1))
    }

    /// How many bins there are.
    pub fn bins(&self) -> usize {
        self.right.len().min(self.wrong.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_in_the_bin_of_its_alignment() {
        let examples: Vec<(f64, bool)> = (0..=48).map(|i| (f64::from(i), i >= 40)).collect();
        let histogram = Histogram::of(&examples).unwrap();
        assert_eq!(
            (histogram.low, histogram.width, histogram.bins()),
            (0.0, 2.0, 24)
        );
        assert_eq!(histogram.right[..20], [2; 20]);
        assert_eq!(
            histogram.wrong[20..],
            [2, 2, 2, 3],
            "the last has its upper end"
        );
        assert_eq!(histogram.ends(3), (6.0, 8.0));
    }

    #[test]
    fn what_is_no_spread_has_no_histogram() {
        assert_eq!(Histogram::of(&[]), None);
        assert_eq!(Histogram::of(&[(1.0, true), (1.0, false)]), None);
        let histogram = Histogram::of(&[(0.0, true), (f64::NAN, true), (1.0, false)]).unwrap();
        assert_eq!(histogram.wrong.iter().sum::<usize>(), 1);
    }
}
