//! The demo's proof in `summary.json`: what the judge says of generated faces, and what each arm's images do
//! for the classifier.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often the judge finds in a face what its caption says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judge {
    /// Share of drawn test faces of which it tells every attribute, 0 to 1.
    pub accuracy: f64,
    /// Share of the generated faces in which it finds all that the caption names, 0 to 1.
    pub generated_right: f64,
    /// Generated faces.
    pub generated: usize,
    /// The same share of the kept faces, 0 to 1.
    pub kept_right: f64,
    /// Kept faces.
    pub kept: usize,
}

/// The classifier trained again with each arm's images, measured on test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retraining {
    /// Trainings per arm.
    pub seeds: u64,
    /// Images that every arm but `none` and `augmented` adds.
    pub added: usize,
    /// Nothing added.
    pub none: Measures,
    /// Nothing added, but the training images mirrored, shifted and recoloured at random, for as many steps.
    pub augmented: Measures,
    /// Real images drawn from the pool.
    pub real: Measures,
    /// Val images that the classifier gets wrong.
    pub mistakes: Measures,
    /// Images of reference captions, filtered.
    pub neutral: Measures,
    /// Images of the easiest captions, filtered.
    pub easy: Measures,
    /// Images of failure captions, unfiltered.
    pub failure_unfiltered: Measures,
    /// Images of failure captions, filtered.
    pub failure: Measures,
    /// Every pair of class and group.
    pub groups: Vec<GroupMeasures>,
    /// Differences between arms, paired by seed.
    pub paired: Paired,
}

/// Accuracies on the test images of a group within a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupMeasures {
    /// The class.
    pub class: String,
    /// The group.
    pub group: String,
    /// Whether it is rare within its class in train.
    pub minority: bool,
    /// Test images of it.
    pub images: usize,
    /// With nothing added.
    pub none: Spread,
    /// With images of reference captions.
    pub neutral: Spread,
    /// With images of failure captions, filtered.
    pub failure: Spread,
    /// `failure` less `none`, paired by seed.
    pub failure_less_none: Spread,
    /// `failure` less `neutral`, paired by seed.
    pub failure_less_neutral: Spread,
}

/// Differences between arms, paired by seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Paired {
    /// `failure` less `none`.
    pub failure_less_none: Measures,
    /// `failure` less `augmented`.
    pub failure_less_augmented: Measures,
    /// `failure` less `mistakes`.
    pub failure_less_mistakes: Measures,
    /// `failure` less `neutral`.
    pub failure_less_neutral: Measures,
}

/// Accuracies on test, or differences of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measures {
    /// Over all of test.
    pub overall: Spread,
    /// Over the groups that are the majority of their class in train.
    pub majority: Spread,
    /// Over the others.
    pub minority: Spread,
    /// Over the worst of the majorities and minorities of all classes.
    pub worst_group: Spread,
}

impl Measures {
    /// The measures in the order of the table, by name.
    pub fn named(&self) -> [(&'static str, Spread); 4] {
        [
            ("overall", self.overall),
            ("majority", self.majority),
            ("minority", self.minority),
            ("worst_group", self.worst_group),
        ]
    }
}

impl Retraining {
    /// The arms in the order of the table, by name.
    pub fn arms(&self) -> [(&'static str, &Measures); 8] {
        [
            ("none", &self.none),
            ("augmented", &self.augmented),
            ("real", &self.real),
            ("mistakes", &self.mistakes),
            ("neutral", &self.neutral),
            ("easy", &self.easy),
            ("failure_unfiltered", &self.failure_unfiltered),
            ("failure", &self.failure),
        ]
    }
}

impl Paired {
    /// The differences in the order of the table, by name.
    pub fn named(&self) -> [(&'static str, &Measures); 4] {
        [
            ("failure_less_none", &self.failure_less_none),
            ("failure_less_augmented", &self.failure_less_augmented),
            ("failure_less_mistakes", &self.failure_less_mistakes),
            ("failure_less_neutral", &self.failure_less_neutral),
        ]
    }
}

/// Mean and standard deviation over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The mean; `null` where there is nothing to measure on.
    pub mean: Option<f64>,
    /// The standard deviation (divisor n − 1; 0 for a single training); `null` where there is nothing to
    /// measure on.
    pub sd: Option<f64>,
}

impl Spread {
    /// Numbers that are not finite count as none.
    pub fn new(mean: f64, sd: f64) -> Self {
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        Self {
            mean: finite(mean),
            sd: finite(sd),
        }
    }
}
