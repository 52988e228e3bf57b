//! The demo's proof: the analysed classifier trained again on what each arm adds.
//!
//! Every arm gets the same number of optimiser steps and the same number of added images; only what
//! is added differs. The same seeds are used in every arm, so that arms compare in pairs.

use image::RgbImage;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::classifier::{Augment, ClassifierError, CnnConfig, TrainOptions, TrainingSet, train};
use crate::world::splits::SplitSizes;

/// Seed of the demo's data.
pub const WORLD_SEED: u64 = 2024;

/// How the analysed classifier is trained, and every arm again.
pub const ANALYSED: TrainOptions = TrainOptions {
    steps: 400,
    batch: 64,
    lr: 1.5e-3,
    decay: 1e-2,
    seed: 0,
    augment: Augment::NONE,
};

/// Sizes of the demo's splits.
pub fn demo_sizes() -> SplitSizes {
    SplitSizes {
        train: 1000,
        val: 1000,
        test: 1000,
        pool: 1000,
    }
}

/// Accuracy of one training on test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Over all of test.
    pub overall: f64,
    /// Over the groups that are the majority of their class in train.
    pub majority: f64,
    /// Over the others.
    pub minority: f64,
    /// Over the worst of the majorities and minorities of all classes.
    pub worst_group: f64,
    /// Over every pair of class and group, by [`Truth::group`].
    #[serde(default)]
    pub groups: Vec<f64>,
}

/// A test image's truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// Index of the class.
    pub label: usize,
    /// Whether its group is the minority of its class in train.
    pub minority: bool,
    /// Which pair of class and group it is of, from 0.
    pub group: usize,
}

/// Trains once on `originals` and `added` and measures on `test`.
///
/// # Errors
///
/// [`ClassifierError::Size`] if an image has another size than the classifier takes.
pub fn retrain(
    config: &CnnConfig,
    originals: &TrainingSet,
    added: (&[RgbImage], &[usize]),
    test: (&[RgbImage], &[Truth]),
    options: &TrainOptions,
    device: Device,
) -> Result<Accuracy, ClassifierError> {
    let mut set = originals.clone();
    set.extend(added.0, added.1)?;
    let (cnn, _) = train(config, &set, options, device, |_, _| {});
    let predicted = cnn.predict(test.0)?.classes();
    Ok(measure(&predicted, test.1))
}

/// Accuracy by group.
pub fn measure(predicted: &[usize], truth: &[Truth]) -> Accuracy {
    let share = |of: &dyn Fn(&Truth) -> bool| {
        let picked = truth.iter().zip(predicted).filter(|(t, _)| of(t));
        let (right, n) = picked.fold((0_usize, 0_usize), |(right, n), (t, &p)| {
            (right + usize::from(t.label == p), n + 1)
        });
        if n == 0 {
            f64::NAN
        } else {
            right as f64 / n as f64
        }
    };
    let classes = truth.iter().map(|t| t.label + 1).max().unwrap_or(0);
    let worst_group = (0..classes)
        .flat_map(|label| [(label, true), (label, false)])
        .map(|pair| share(&|t| (t.label, t.minority) == pair))
        .filter(|accuracy| accuracy.is_finite())
        .fold(1.0, f64::min);
    Accuracy {
        overall: share(&|_| true),
        majority: share(&|t| !t.minority),
        minority: share(&|t| t.minority),
        worst_group,
        groups: (0..truth.iter().map(|t| t.group + 1).max().unwrap_or(0))
            .map(|group| share(&|t| t.group == group))
            .collect(),
    }
}

/// Mean and standard deviation (divisor `n − 1`) over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The mean; NaN for no values.
    pub mean: f64,
    /// The standard deviation; 0 for a single value.
    pub sd: f64,
}

/// Mean and standard deviation of some values.
pub fn spread(values: &[f64]) -> Spread {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Spread {
        mean,
        sd: (squares / (n - 1.0).max(1.0)).sqrt(),
    }
}

/// Mean and standard deviation of the paired differences `a − b`.
pub fn difference(a: &[f64], b: &[f64]) -> Spread {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    spread(&differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_measured_apart() {
        let of = |label, minority| Truth {
            label,
            minority,
            group: 2 * label + usize::from(minority),
        };
        let truth = [
            of(0, false),
            of(0, true),
            of(0, true),
            of(1, false),
            of(1, true),
        ];
        let accuracy = measure(&[0, 1, 0, 1, 1], &truth);
        assert!((accuracy.overall - 0.8).abs() < 1e-12);
        assert!((accuracy.majority - 1.0).abs() < 1e-12);
        assert!((accuracy.minority - 2.0 / 3.0).abs() < 1e-12);
        assert!((accuracy.worst_group - 0.5).abs() < 1e-12);
        assert_eq!(accuracy.groups, [1.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn differences_are_paired() {
        let Spread { mean, sd } = spread(&[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-12 && (sd - 1.0).abs() < 1e-12);
        // The values spread widely, the differences do not.
        let Spread { mean, sd } = difference(&[1.5, 10.5, 100.5], &[1.0, 10.0, 100.0]);
        assert!((mean - 0.5).abs() < 1e-12 && sd < 1e-12);
    }
}
