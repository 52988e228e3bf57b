//! From trainings to the figures of the proof.

use std::collections::BTreeMap;

use super::trainings::key;
use crate::report::retraining::{self, Measures, Paired, Retraining};
use crate::world::retrain::{Accuracy, Spread, difference, spread};

/// The figures of every arm.
pub(super) fn summarise(
    results: &BTreeMap<String, Accuracy>,
    seeds: u64,
    per_class: usize,
    classes: usize,
) -> Retraining {
    let trained = |arm: &str| -> Vec<Accuracy> {
        let keys = (0..seeds).map(|seed| key(arm, seed, per_class));
        keys.filter_map(|key| results.get(&key).copied()).collect()
    };
    let arm = |name| {
        let trained = trained(name);
        measures(|measure| spread(&trained.iter().map(measure).collect::<Vec<f64>>()))
    };
    let failure = trained("failure");
    let less = |base| {
        let base = trained(base);
        measures(|measure| {
            let of = |all: &[Accuracy]| all.iter().map(measure).collect::<Vec<f64>>();
            difference(&of(&failure), &of(&base))
        })
    };
    Retraining {
        seeds,
        added: per_class * classes,
        none: arm("none"),
        augmented: arm("augmented"),
        real: arm("real"),
        mistakes: arm("mistakes"),
        neutral: arm("neutral"),
        easy: arm("easy"),
        failure_unfiltered: arm("failure_unfiltered"),
        failure: arm("failure"),
        paired: Paired {
            failure_less_none: less("none"),
            failure_less_augmented: less("augmented"),
            failure_less_mistakes: less("mistakes"),
            failure_less_neutral: less("neutral"),
        },
    }
}

/// Every measure over the trainings of an arm.
fn measures(of: impl Fn(fn(&Accuracy) -> f64) -> Spread) -> Measures {
    let shown = |measure| {
        let Spread { mean, sd } = of(measure);
        retraining::Spread::new(mean, sd)
    };
    Measures {
        overall: shown(|a| a.overall),
        majority: shown(|a| a.majority),
        minority: shown(|a| a.minority),
        worst_group: shown(|a| a.worst_group),
    }
}
