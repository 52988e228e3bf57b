//! `directions.json`: what was learned, for people, and what of it the numbers' file does not hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Split};
use crate::direction::probability::FailureProbability;
use crate::direction::{Admitted, Direction, Fitted, ModeId, Standing, Whitening};
use crate::io::JsonFile;

/// What `directions.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DirectionsFile {
    /// Version of this format.
    #[schemars(extend("const" = 3))]
    pub schema: u32,
    /// Version of hardlight that wrote the file.
    pub version: String,
    /// The split that whitening was learned on.
    pub whitened_on: Split,
    /// Dimensions of an embedding.
    pub dimensions: usize,
    /// Dimensions that do not vary, from 0: they are left out.
    pub dropped_dimensions: Vec<usize>,
    /// Names of the classes, in the order of their indices.
    pub classes: Vec<String>,
    /// One entry a failure mode, by class.
    pub directions: Vec<DescribedMode>,
    /// The classes without a direction.
    pub skipped: Vec<SkippedClass>,
}

/// A failure mode's direction, but for its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DescribedMode {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0.
    pub class_index: usize,
    /// Failure mode within the class, from 0.
    pub mode: u32,
    /// Penalty of the SVM that cross-validation chose.
    pub c: f64,
    /// Intercept of the SVM, whose decision value is `w·x + b`.
    pub b: f64,
    /// Mean balanced accuracy over cross-validation folds of val, 0 to 1: 0.5 is chance.
    pub cv_score: f64,
    /// 95 % interval of that over resamples of units, lower end first; `null` where it could not be computed.
    pub cv_interval_95: Option<(f64, f64)>,
    /// Units that the val examples make: near-duplicates, and what the user says belongs together, are one.
    pub units: usize,
    /// Share of permutations of right and wrong whose CV score is as good, 0 to 1 (Besag and Clifford 1991);
    /// `null` if it was not tested.
    pub p_value: Option<f64>,
    /// The p-value corrected for the number of modes tested (Benjamini and Hochberg 1995), 0 to 1; `null` if it
    /// was not tested.
    pub q_value: Option<f64>,
    /// Permutations drawn.
    pub permutations: usize,
    /// Whether no other arrangement of right and wrong was as good.
    pub at_floor: bool,
    /// What the test came to.
    pub standing: Standing,
    /// Whether the mode is better than chance: `q_value` below 0.05.
    pub finding: bool,
    /// Alignment that an image must reach to count as part of the failure.
    pub threshold: f64,
    /// The right val examples that it lets pass, out of fold.
    pub admits: Admitted,
    /// Probability of failure by alignment, learned on val out of fold; `null` where there is none.
    pub probability: Option<FailureProbability>,
    /// Val examples of the class that the classifier gets right.
    pub right: usize,
    /// Val examples of the class that it gets wrong.
    pub wrong: usize,
    /// Length of the weights: a decision value divided by it, with the sign turned, is an alignment.
    pub norm: f64,
    /// 95 % interval of the cosine with the directions of bootstrap resamples, lower end first; `null` if there
    /// were none.
    pub bootstrap_cosine_95: Option<(f64, f64)>,
    /// Ids of the mistakes of val that the mode explains.
    pub explains: Vec<String>,
    /// How many of them another mode of the class, but mode 0, reaches too.
    pub shared: usize,
}

/// A class without a direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedClass {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0.
    pub class_index: usize,
    /// Val examples of the class that the classifier gets right.
    pub right: usize,
    /// Val examples of the class that it gets wrong.
    pub wrong: usize,
    /// Why there is no direction.
    pub reason: String,
}

impl JsonFile for DirectionsFile {
    const SCHEMA: u32 = 3;
    const WHAT: &'static str = "directions file";
    const REMEDY: &'static str = "run `hardlight detect` again";
}

impl DirectionsFile {
    /// Describes what was learned on a data set.
    pub fn of(
        whitening: &Whitening,
        whitened_on: Split,
        fitted: &Fitted,
        dataset: &Dataset,
    ) -> Self {
        Self {
            schema: Self::SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            whitened_on,
            dimensions: whitening.mean().len(),
            dropped_dimensions: whitening.dropped().to_vec(),
            classes: dataset.classes().to_vec(),
            directions: fitted
                .directions
                .iter()
                .map(|direction| DescribedMode::of(direction, dataset))
                .collect(),
            skipped: SkippedClass::all(fitted, dataset.classes()),
        }
    }
}

impl DescribedMode {
    fn of(direction: &Direction, dataset: &Dataset) -> Self {
        let ModeId { class, mode } = direction.id;
        let explains = direction.explains.iter();
        Self {
            class: dataset.classes().get(class).cloned().unwrap_or_default(),
            class_index: class,
            mode,
            c: direction.c,
            b: direction.b,
            cv_score: direction.cv_score,
            cv_interval_95: direction.cv_interval,
            units: direction.units,
            p_value: direction.p_value,
            q_value: direction.q_value,
            permutations: direction.permutations,
            at_floor: direction.at_floor,
            standing: direction.standing(),
            finding: direction.is_finding(),
            threshold: direction.threshold,
            admits: direction.admits,
            probability: direction.probability.clone(),
            right: direction.right,
            wrong: direction.wrong,
            norm: direction.norm(),
            bootstrap_cosine_95: direction.bootstrap_cosine,
            explains: explains.map(|&id| dataset.example(id).id.clone()).collect(),
            shared: direction.shared,
        }
    }

    /// The failure mode's key.
    pub fn id(&self) -> ModeId {
        ModeId::new(self.class_index, self.mode)
    }
}

impl SkippedClass {
    /// The classes that were skipped; `classes` are the names by index.
    pub fn all(fitted: &Fitted, classes: &[String]) -> Vec<Self> {
        let skipped = fitted.skipped.iter().map(|skipped| Self {
            class: classes.get(skipped.class).cloned().unwrap_or_default(),
            class_index: skipped.class,
            right: skipped.right,
            wrong: skipped.wrong,
            reason: skipped.reason.clone(),
        });
        skipped.collect()
    }
}
