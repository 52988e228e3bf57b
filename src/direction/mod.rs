//! From embeddings to failure directions: whiten, normalise, one linear SVM per class.
//!
//! ```text
//! embeddings [n, d] ──whiten──▶ z [n, d] ──unit norm──▶ x [n, d] ──SVM, class c──▶ w [d], b
//! ```
//!
//! The *direction* of class `c` is `v = −w/‖w‖₂`; the *alignment* of an example is its signed distance
//! `a(x) = −(w·x + b)/‖w‖₂`. Larger alignment means harder, and alignments of all classes are on one scale.
//! The *decision value* `w·x + b` stands in `directions.json` alone. No other room spells this sign out.
//!
//! Matrices are row-major with one example per row, stored as `f32`; sums and solver state are
//! `f64`. The same seed gives the same bytes, whatever the number of threads.
//!
//! A class may have several failure modes: a [`ModeId`] is the key of all that belongs to one, and
//! [`Direction::explains`] names the mistakes behind it. Mode 0 is the direction of all its mistakes; the
//! others are those that [`modes`] finds. Nothing here takes a class to have one.
//!
//! - [`whiten`], [`svm`], [`select`]: the three steps; [`units`], [`folds`]: who is dealt to what;
//!   [`significance`]: is it more than chance; [`probability`]: what an alignment means.
//! - [`report`]: how well directions find mistakes; [`doubt`]: what makes them less than they look;
//!   [`persist`]: their files.
//! - [`evaluate`]: two models on the same slices.
//!
//! Not here: running CLIP ([`crate::embed`]), choosing captions. May import: `io`, `dataset`,
//! `embed` (types only).
//!
//! Source: Jain, Lawrence, Moitra, Madry, ICLR 2023 (<https://arxiv.org/abs/2206.14754>).

mod acting;
mod class;
mod crossfit;
pub mod doubt;
pub mod evaluate;
mod fitted;
pub mod folds;
mod found;
mod mode;
pub mod modes;
mod options;
pub mod persist;
pub mod probability;
pub mod report;
pub mod select;
pub mod significance;
pub mod svm;
pub mod units;
pub mod whiten;

use ndarray::ArrayView2;
use rayon::prelude::*;

pub use self::acting::acted_on;
pub use self::crossfit::Admitted;
pub use self::fitted::{Direction, Fitted, Skipped, Standing};
pub use self::folds::Folds;
pub use self::mode::ModeId;
pub use self::options::FitOptions;
pub use self::whiten::{WhitenError, Whitening};

use self::class::Test;
use self::found::Found;
use crate::dataset::ExampleId;
use crate::io::{Classified, ErrorKind};

/// Why directions could not be learned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectionError {
    /// Examples, embeddings, labels and predictions are of different lengths.
    #[error(
        "{examples} examples, {embeddings} embeddings, {labels} labels and {predictions} predictions: \
         they must be as many"
    )]
    Lengths {
        /// Names of examples.
        examples: usize,
        /// Rows of the embeddings.
        embeddings: usize,
        /// Labels.
        labels: usize,
        /// Predictions.
        predictions: usize,
    },

    /// Keys of units are not one an example.
    #[error(
        "{examples} examples and {units} keys of units: there must be one an example, or none at all"
    )]
    Units {
        /// Examples.
        examples: usize,
        /// Keys.
        units: usize,
    },

    /// A setting makes no sense.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
}

impl Classified for DirectionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::Usage,
            Self::Lengths { .. } | Self::Units { .. } => ErrorKind::Input,
        }
    }
}

/// The val examples that directions are learned from, in table order.
#[derive(Debug, Clone, Copy)]
pub struct ValExamples<'a> {
    /// Which examples of the data set they are: results name them so.
    pub ids: &'a [ExampleId],
    /// Whitened, normalised embeddings, `[n, d]`.
    pub x: ArrayView2<'a, f64>,
    /// Class index of every example, `[n]`.
    pub labels: &'a [usize],
    /// Predicted class index of every example, `[n]`.
    pub predictions: &'a [usize],
    /// What the user says belongs together (a patient, a video, a burst): examples of a class with the same key are one
    /// unit, `[n]`. Near-duplicates are one in any case ([`units`]).
    pub units: Option<&'a [Option<u32>]>,
}

/// Learns the failure directions of every class from val.
///
/// Every class gets mode 0, all its mistakes against all its right examples, and the modes that a search finds
/// where its mistakes gather ([`modes`]), as far as they are more than mode 0 again. The q-values are corrected
/// for all tests of all classes, those of scans that found nothing among them.
///
/// # Shapes
///
/// Those of [`ValExamples`]; labels and predictions lie below `classes`.
///
/// # Errors
///
/// [`DirectionError`]. A class without at least `folds` right and `folds` wrong examples is skipped
/// with its counts, not an error.
pub fn fit(
    val: ValExamples<'_>,
    classes: usize,
    options: &FitOptions,
) -> Result<Fitted, DirectionError> {
    options.check()?;
    let ValExamples {
        ids,
        x,
        labels,
        predictions,
        units,
    } = val;
    if units.is_some_and(|units| units.len() != x.nrows()) {
        return Err(DirectionError::Units {
            examples: x.nrows(),
            units: units.map_or(0, <[_]>::len),
        });
    }
    if [ids.len(), labels.len(), predictions.len()] != [x.nrows(); 3] {
        return Err(DirectionError::Lengths {
            examples: ids.len(),
            embeddings: x.nrows(),
            labels: labels.len(),
            predictions: predictions.len(),
        });
    }
    let family = family(val, classes, options);
    let each: Vec<Result<(Direction, Found), Skipped>> = (0..classes)
        .into_par_iter()
        .map(|class| fit_class(val, class, options, family))
        .collect();
    let mut fitted = Fitted {
        directions: Vec::new(),
        skipped: Vec::new(),
    };
    let mut in_vain = 0;
    for result in each {
        match result {
            Ok((direction, found)) => {
                fitted.directions.push(direction);
                fitted.directions.extend(found.directions);
                in_vain += found.in_vain;
            }
            Err(skipped) => fitted.skipped.push(skipped),
        }
    }
    correct(&mut fitted.directions, in_vain);
    Ok(fitted)
}

/// The mode 0 of a class, all its mistakes against all its right examples, and what is found beside it.
fn fit_class(
    val: ValExamples<'_>,
    class: usize,
    options: &FitOptions,
    family: usize,
) -> Result<(Direction, Found), Skipped> {
    let rows: Vec<usize> = (0..val.labels.len())
        .filter(|&i| val.labels[i] == class)
        .collect();
    let is_right = |i: usize| val.predictions[i] == class;
    let right = rows.iter().filter(|&&i| is_right(i)).count();
    let wrong = rows.len() - right;
    if let Some(skipped) = class::too_small(class, right, wrong, options.folds.count()) {
        return Err(skipped);
    }
    let id = ModeId::new(class, 0);
    let problem = class::Problem::new(val, id, &rows, is_right);
    let most = significance::most(options.permutations, family);
    let (direction, _) = problem.learn(options, Test::Permutations(most))?;
    let found = if searches(options) && !direction.too_few {
        found::find(&problem, &direction, options, family)
    } else {
        Found::default()
    };
    Ok((direction, found))
}

/// Whether modes are looked for: without permutations nothing could be told from chance.
fn searches(options: &FitOptions) -> bool {
    options.modes && options.permutations > 0
}

/// Corrects the p-values of those that were tested for their number. Tests `in_vain` count as p-values of 1:
/// all that is known of them is that they are no findings, and any other value above 0.05 comes to the same
/// ones.
fn correct(directions: &mut [Direction], in_vain: usize) {
    let tested: Vec<usize> = (0..directions.len())
        .filter(|&at| directions[at].p_value.is_some())
        .collect();
    let mut p: Vec<f64> = tested
        .iter()
        .filter_map(|&at| directions[at].p_value)
        .collect();
    p.extend(std::iter::repeat_n(1.0, in_vain));
    for (at, q) in tested.into_iter().zip(significance::adjust(&p)) {
        directions[at].q_value = Some(q);
    }
}

/// How many tests there are before any mode is found: of each class with examples enough its mode 0, and a scan.
fn family(val: ValExamples<'_>, classes: usize, options: &FitOptions) -> usize {
    let mut counts = vec![[0_usize; 2]; classes];
    for (&label, &prediction) in val.labels.iter().zip(val.predictions) {
        if let Some(counts) = counts.get_mut(label) {
            counts[usize::from(label == prediction)] += 1;
        }
    }
    let least = options.min_mistakes.max(options.folds.count());
    let enough = |counts: &&[usize; 2]| counts.iter().all(|&count| count >= least);
    counts.iter().filter(enough).count() * (1 + usize::from(searches(options)))
}

/// An alignment for people: three decimals, or three digits and a power of ten where it is tiny.
///
/// ```
/// assert_eq!(hardlight::direction::legible(-1.23456), "-1.235");
/// assert_eq!(hardlight::direction::legible(0.000_022_474), "2.25e-5");
/// ```
pub fn legible(alignment: f64) -> String {
    if alignment == 0.0 || alignment.abs() >= 0.01 {
        format!("{alignment:.3}")
    } else {
        format!("{alignment:.2e}")
    }
}

/// The `q`-quantile by linear interpolation, as numpy's default; NaN for no values.
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = q * last as f64;
    let (below, part) = (at.floor() as usize, at.fract());
    values[below] + part * (values[(below + 1).min(last)] - values[below])
}

#[cfg(test)]
mod tests;
