//! From trainings to the figures of the proof.

use std::collections::BTreeMap;

use super::retrain::Group;
use super::trainings::key;
use crate::report::retraining::{self, GroupMeasures, Measures, Paired, Retraining};
use crate::world::retrain::{Accuracy, Spread, difference, spread};

/// The figures of every arm, of so many seeds and added images a class.
pub(super) fn summarise(
    (results, seeds, per_class): (&BTreeMap<String, Accuracy>, u64, usize),
    classes: usize,
    groups: &[Group],
) -> Retraining {
    let trained = |arm: &str| -> Vec<Accuracy> {
        let keys = (0..seeds).map(|seed| key(arm, seed, per_class));
        keys.filter_map(|key| results.get(&key).cloned()).collect()
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
        groups: groups
            .iter()
            .enumerate()
            .map(|(at, group)| of_group(group, at, &trained))
            .collect(),
        paired: Paired {
            failure_less_none: less("none"),
            failure_less_augmented: less("augmented"),
            failure_less_mistakes: less("mistakes"),
            failure_less_neutral: less("neutral"),
        },
    }
}

/// The figures of a group, the one at `at` in [`Accuracy::groups`].
fn of_group(group: &Group, at: usize, trained: &impl Fn(&str) -> Vec<Accuracy>) -> GroupMeasures {
    let of = |arm: &str| -> Vec<f64> {
        let trained = trained(arm);
        let groups = trained.iter().map(|accuracy| accuracy.groups.get(at));
        groups.flatten().copied().collect()
    };
    let shown = |Spread { mean, sd }| retraining::Spread::new(mean, sd);
    let plain = |arm| shown(spread(&of(arm)));
    let failure_less = |base| shown(difference(&of("failure"), &of(base)));
    GroupMeasures {
        class: group.class.clone(),
        group: group.name.clone(),
        minority: group.minority,
        images: group.images,
        none: plain("none"),
        neutral: plain("neutral"),
        failure: plain("failure"),
        failure_less_none: failure_less("none"),
        failure_less_neutral: failure_less("neutral"),
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
