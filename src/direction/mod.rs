//! From embeddings to failure directions: whiten, normalise, one linear SVM per class.
//!
//! ```text
//! embeddings [n, d] ──whiten──▶ z [n, d] ──unit norm──▶ x [n, d] ──SVM, class c──▶ w [d], b
//! ```
//!
//! The *direction* of class `c` is `v = −w/‖w‖₂`; the *alignment* of an example is
//! `a(x) = −(w·x + b)`. Larger alignment means harder. No other room spells this sign out.
//!
//! Matrices are row-major with one example per row, stored as `f32`; sums and solver state are
//! `f64`. The same seed gives the same bytes, whatever the number of threads.
//!
//! A class may have several failure modes: a [`ModeId`] is the key of all that belongs to one, and
//! [`Direction::explains`] names the mistakes behind it. Nothing here takes a class to have one.
//!
//! - [`whiten`], [`svm`], [`select`]: the three steps; [`significance`]: is it more than chance.
//! - [`report`]: how well directions find mistakes; [`doubt`]: what makes them less than they look;
//!   [`persist`]: their files.
//! - [`evaluate`]: two models on the same slices.
//!
//! Not here: running CLIP ([`crate::embed`]), choosing captions. May import: `io`, `dataset`,
//! `embed` (types only).
//!
//! Source: Jain, Lawrence, Moitra, Madry, ICLR 2023 (<https://arxiv.org/abs/2206.14754>).

pub mod doubt;
pub mod evaluate;
mod fitted;
mod mode;
pub mod modes;
pub mod persist;
pub mod report;
pub mod select;
pub mod significance;
pub mod svm;
pub mod whiten;

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::fitted::{Direction, Fitted, Skipped};
pub use self::mode::ModeId;
pub use self::whiten::{WhitenError, Whitening};

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
            Self::Lengths { .. } => ErrorKind::Input,
        }
    }
}

/// How directions are learned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitOptions {
    /// Cross-validation folds.
    pub folds: usize,
    /// Permutations behind the p-value.
    pub permutations: usize,
    /// Resamples behind the interval of the direction; 0 for none.
    pub bootstrap: usize,
    /// Fewer mistakes than this make a class's direction a guess: it is never a finding.
    pub min_mistakes: usize,
    /// Quantile of the mistakes' out-of-fold alignment that becomes the threshold.
    pub quantile: f64,
    /// Seed of permutations and resamples.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            folds: 2,
            permutations: 199,
            bootstrap: 100,
            min_mistakes: 5,
            quantile: 0.5,
            seed: 0,
        }
    }
}

impl FitOptions {
    /// Checks the settings before anything is opened.
    ///
    /// # Errors
    ///
    /// [`DirectionError::Setting`].
    pub fn check(&self) -> Result<(), DirectionError> {
        let setting = |name, value: String, expected| {
            Err(DirectionError::Setting {
                name,
                value,
                expected,
            })
        };
        if self.folds < 2 {
            return setting("folds", self.folds.to_string(), "at least 2");
        }
        if !(0.0..=1.0).contains(&self.quantile) {
            return setting(
                "quantile",
                self.quantile.to_string(),
                "a number from 0 to 1",
            );
        }
        Ok(())
    }
}

/// The val examples that directions are learned from, in table order (folds follow it).
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
}

/// Learns the failure directions of every class from val.
///
/// Every class gets one failure mode for now, which explains all its mistakes.
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
    } = val;
    if [ids.len(), labels.len(), predictions.len()] != [x.nrows(); 3] {
        return Err(DirectionError::Lengths {
            examples: ids.len(),
            embeddings: x.nrows(),
            labels: labels.len(),
            predictions: predictions.len(),
        });
    }
    let each: Vec<Result<Direction, Skipped>> = (0..classes)
        .into_par_iter()
        .map(|class| fit_class(val, class, options))
        .collect();
    let mut fitted = Fitted {
        directions: Vec::new(),
        skipped: Vec::new(),
    };
    for result in each {
        match result {
            Ok(direction) => fitted.directions.push(direction),
            Err(skipped) => fitted.skipped.push(skipped),
        }
    }
    let p: Vec<f64> = fitted.directions.iter().map(|d| d.p_value).collect();
    for (direction, q) in fitted.directions.iter_mut().zip(significance::adjust(&p)) {
        direction.q_value = q;
    }
    Ok(fitted)
}

fn fit_class(
    val: ValExamples<'_>,
    class: usize,
    options: &FitOptions,
) -> Result<Direction, Skipped> {
    let ValExamples {
        ids,
        x,
        labels,
        predictions,
    } = val;
    let rows: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
    let right: Vec<bool> = rows.iter().map(|&i| predictions[i] == class).collect();
    let hits = right.iter().filter(|&&r| r).count();
    let misses = right.len() - hits;
    if hits < options.folds || misses < options.folds {
        let reason = format!(
            "a direction needs at least {0} right and {0} wrong val examples; it has {hits} and {misses}",
            options.folds
        );
        return Err(Skipped {
            class,
            right: hits,
            wrong: misses,
            reason,
        });
    }
    let own = x.select(Axis(0), &rows);
    let gram = svm::gram(own.view());
    let selection = select::select(&gram, &right, options.folds);
    let all: Vec<usize> = (0..right.len()).collect();
    let targets = select::targets(right.iter().copied());
    let solution = svm::solve(&gram, &all, &targets, selection.c);
    let w = svm::weights(own.view(), &all, &targets, &solution);
    let out_of_fold: Vec<f64> = selection.out_of_fold.iter().map(|f| -f).collect();
    let (fold_of, norms) =
        select::fold_norms(own.view(), &gram, &right, options.folds, selection.c);
    let out_of_fold_distance: Vec<f64> = out_of_fold
        .iter()
        .zip(&fold_of)
        .map(|(alignment, &fold)| alignment / norms[fold])
        .collect();
    let mut mistakes: Vec<f64> = out_of_fold
        .iter()
        .zip(&right)
        .filter(|(_, r)| !**r)
        .map(|(a, _)| *a)
        .collect();
    let p_value = significance::permutation_p(&gram, &right, selection.score, class, options);
    let bootstrap_cosine =
        significance::bootstrap(own.view(), &gram, &right, &w, selection.c, class, options);
    let explains = rows.iter().filter(|&&i| predictions[i] != class);
    let explains = explains.map(|&i| ids[i]).collect();
    Ok(Direction {
        id: ModeId::new(class, 0),
        w,
        b: solution.b,
        c: selection.c,
        cv_score: selection.score,
        p_value,
        q_value: p_value,
        threshold: quantile(&mut mistakes, options.quantile),
        right: hits,
        wrong: misses,
        too_few: misses < options.min_mistakes,
        bootstrap_cosine,
        explains,
        out_of_fold,
        out_of_fold_distance,
    })
}

/// An alignment for people: three decimals, or three digits and a power of ten where a small `C` makes
/// all of them small.
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
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn fit_one(
        x: &Array2<f64>,
        labels: &[usize],
        predictions: &[usize],
        classes: usize,
    ) -> Result<Fitted, DirectionError> {
        let ids = ExampleId::numbered(labels.len());
        let val = ValExamples {
            ids: &ids,
            x: x.view(),
            labels,
            predictions,
        };
        fit(val, classes, &FitOptions::default())
    }

    /// `n` unit vectors; the first coordinate decides mistakes when `planted`.
    fn problem(n: usize, planted: bool) -> (Array2<f64>, Vec<usize>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut x = Array2::from_shape_fn((n, 12), |_| rng.gen_range(-1.0_f64..1.0));
        let mut predictions = Vec::new();
        for mut row in x.outer_iter_mut() {
            let norm = row.dot(&row).sqrt();
            row /= norm;
            let wrong = if planted {
                row[0] > 0.15
            } else {
                rng.gen_bool(0.3)
            };
            predictions.push(usize::from(wrong));
        }
        (x, vec![0; n], predictions)
    }

    #[test]
    fn a_planted_failure_is_found_and_points_the_right_way() {
        let (x, labels, predictions) = problem(200, true);
        let fitted = fit_one(&x, &labels, &predictions, 2).unwrap();
        let direction = &fitted.directions[0];
        assert!(direction.is_finding(), "p = {}", direction.p_value);
        assert!(direction.cv_score > 0.85, "{}", direction.cv_score);
        assert!(direction.unit()[0] > 0.9, "{}", direction.unit());
        let (low, high) = direction.bootstrap_cosine.unwrap();
        assert!(
            low > 0.8 && high <= 1.0 + 1e-9 && low <= high,
            "{low} {high}"
        );
        // The mistakes lie on the hard side.
        let harder = |i: usize| direction.alignment(x.row(i));
        let mean = |wrong: usize| {
            let of: Vec<_> = (0..200)
                .filter(|&i| predictions[i] == wrong)
                .map(harder)
                .collect();
            of.iter().sum::<f64>() / of.len() as f64
        };
        assert!(mean(1) > mean(0));
        assert_eq!(fitted.skipped.len(), 1, "class 1 has no examples");
        let id = ModeId::new(0, 0);
        assert_eq!(fitted.get(id), Some(direction));
        assert_eq!(fitted.of_class(0).count(), 1);
        assert_eq!(
            (fitted.get(ModeId::new(0, 1)), fitted.of_class(1).count()),
            (None, 0)
        );
        let wrong = direction.explains.iter().map(|id| predictions[id.index()]);
        assert_eq!(
            wrong.sum::<usize>(),
            direction.wrong,
            "all mistakes and nothing else"
        );
        assert_eq!(direction.explains.len(), direction.wrong);
    }

    #[test]
    fn mistakes_at_random_are_no_finding() {
        let (x, labels, predictions) = problem(200, false);
        let fitted = fit_one(&x, &labels, &predictions, 1).unwrap();
        assert!(
            !fitted.directions[0].is_finding(),
            "p = {}",
            fitted.directions[0].p_value
        );
    }

    #[test]
    fn a_class_with_too_few_mistakes_is_skipped_with_its_counts() {
        let (x, labels, mut predictions) = problem(30, true);
        predictions.fill(0);
        predictions[3] = 1;
        let fitted = fit_one(&x, &labels, &predictions, 1).unwrap();
        assert!(fitted.directions.is_empty());
        assert_eq!((fitted.skipped[0].right, fitted.skipped[0].wrong), (29, 1));
        predictions[4..7].fill(1);
        let fitted = fit_one(&x, &labels, &predictions, 1).unwrap();
        assert!(fitted.directions[0].too_few && !fitted.directions[0].is_finding());
    }

    #[test]
    fn threads_do_not_change_a_byte() {
        let (x, labels, predictions) = problem(120, true);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| fit_one(&x, &labels, &predictions, 1).unwrap())
        };
        assert_eq!(run(1), run(4));
    }

    #[test]
    fn quantiles_are_numpys() {
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0, 10.0], 0.5), 2.5);
        assert_eq!(quantile(&mut [3.0, 1.0], 0.25), 1.5);
        assert_eq!(quantile(&mut [4.0], 1.0), 4.0);
        assert!(quantile(&mut [], 0.5).is_nan());
    }
}
