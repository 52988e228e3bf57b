//! The probability that the classifier is wrong, from an alignment.
//!
//! ```text
//! out-of-fold distances, wrong or right ─┬─ 30 mistakes or more ──▶ isotonic regression ─┬─▶ P(wrong | distance)
//!                                        └─ fewer ────────────────▶ Platt's sigmoid ─────┘
//! ```
//!
//! A distance has no unit that people know; "of images like this one, 40 % are misclassified" has. The curve
//! rises with the distance and is learned on distances that come from folds' models, for in-sample ones are too
//! far from the plane. Its calibration error is out of fold as well: each example's probability comes from a
//! curve that was learned on the other folds.
//!
//! It is the probability among images such as val's, not among images that are generated.
//!
//! Sources: Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass probability
//! estimates" (isotonic regression by pool adjacent violators); Platt 1999, "Probabilistic outputs for support
//! vector machines", with the targets of its section 2.2 and the minimisation of Lin, Lin and Weng 2007, "A
//! note on Platt's probabilistic outputs"; the calibration error of Naeini, Cooper and Hauskrecht 2015,
//! "Obtaining well calibrated probabilities using Bayesian binning".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// With fewer mistakes a curve of any shape follows noise: Platt's sigmoid has two numbers.
pub const FEW: usize = 30;

/// Bins of equal width behind the calibration error.
const BINS: usize = 10;

/// Probability of failure by distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureProbability {
    /// The curve.
    pub curve: Curve,
    /// Mean distance between probabilities and shares of mistakes in 10 bins of equal width, 0 to 1; out of fold.
    pub calibration_error: f64,
    /// Val examples it was learned on.
    pub examples: usize,
    /// Mistakes among them.
    pub mistakes: usize,
}

/// A curve that does not fall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Curve {
    /// Straight between corners, level outside.
    Isotonic {
        /// Distances of the corners, rising.
        distance: Vec<f64>,
        /// Probabilities there, 0 to 1.
        probability: Vec<f64>,
    },
    /// `1 / (1 + exp(slope · distance + intercept))`.
    Platt {
        /// Not above 0.
        slope: f64,
        /// Where it stands.
        intercept: f64,
    },
}

impl FailureProbability {
    /// Learns the curve, and judges it fold by fold.
    ///
    /// # Shapes and units
    ///
    /// `distance`, `wrong` and `fold_of` are `[n]`: out-of-fold alignments, whether the classifier is wrong, and which fold's model
    /// the distance comes from.
    pub fn fit(distance: &[f64], wrong: &[bool], fold_of: &[usize]) -> Self {
        let n = distance.len();
        let folds = fold_of.iter().max().map_or(0, |last| last + 1);
        let mut said = vec![0.0; n];
        for fold in 0..folds {
            let others = (0..n).filter(|&i| fold_of[i] != fold);
            let (seen, outcomes): (Vec<f64>, Vec<bool>) =
                others.map(|i| (distance[i], wrong[i])).unzip();
            let curve = Curve::fit(&seen, &outcomes);
            for i in (0..n).filter(|&i| fold_of[i] == fold) {
                said[i] = curve.at(distance[i]);
            }
        }
        Self {
            curve: Curve::fit(distance, wrong),
            calibration_error: calibration_error(&said, wrong),
            examples: n,
            mistakes: wrong.iter().filter(|&&wrong| wrong).count(),
        }
    }
}

impl Curve {
    /// The curve for so many mistakes: isotonic from [`FEW`] on, else Platt's.
    fn fit(distance: &[f64], wrong: &[bool]) -> Self {
        if wrong.iter().filter(|&&wrong| wrong).count() < FEW {
            platt(distance, wrong)
        } else {
            isotonic(distance, wrong)
        }
    }

    /// The probability at a distance, 0 to 1.
    pub fn at(&self, distance: f64) -> f64 {
        match self {
            Self::Platt { slope, intercept } => sigmoid(slope * distance + intercept),
            Self::Isotonic {
                distance: corners,
                probability,
            } => {
                let above = corners.partition_point(|&corner| corner <= distance);
                match (above.checked_sub(1), corners.get(above)) {
                    (None, _) => probability.first().copied().unwrap_or_default(),
                    (Some(_), None) => probability.last().copied().unwrap_or_default(),
                    (Some(below), Some(next)) => {
                        let part = (distance - corners[below]) / (next - corners[below]);
                        probability[below] + part * (probability[above] - probability[below])
                    }
                }
            }
        }
    }
}

/// `1 / (1 + eˣ)`, without overflow.
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        (-x).exp() / (1.0 + (-x).exp())
    } else {
        1.0 / (1.0 + x.exp())
    }
}

/// Examples of one level of the rising curve.
struct Level {
    first: f64,
    last: f64,
    wrong: f64,
    of: f64,
}

impl Level {
    fn share(&self) -> f64 {
        self.wrong / self.of
    }
}

/// The rising curve with the least squared error, by pool adjacent violators.
fn isotonic(distance: &[f64], wrong: &[bool]) -> Curve {
    let mut order: Vec<usize> = (0..distance.len()).collect();
    order.sort_by(|&a, &b| distance[a].total_cmp(&distance[b]));
    let mut levels: Vec<Level> = Vec::new();
    for i in order {
        let (at, wrong) = (distance[i], f64::from(u8::from(wrong[i])));
        match levels.last_mut().filter(|last| last.last >= at) {
            // Equal distances are one point.
            Some(same) => {
                same.wrong += wrong;
                same.of += 1.0;
            }
            None => levels.push(Level {
                first: at,
                last: at,
                wrong,
                of: 1.0,
            }),
        }
    }
    let mut pooled: Vec<Level> = Vec::new();
    for level in levels {
        pooled.push(level);
        while let [.., before, last] = &pooled[..]
            && before.share() >= last.share()
        {
            let (last, before) = (pooled.pop(), pooled.pop());
            pooled.extend(last.zip(before).map(|(last, before)| Level {
                first: before.first,
                last: last.last,
                wrong: before.wrong + last.wrong,
                of: before.of + last.of,
            }));
        }
    }
    let (mut corners, mut probability) = (Vec::new(), Vec::new());
    for level in &pooled {
        corners.push(level.first);
        probability.push(level.share());
        if level.last > level.first {
            corners.push(level.last);
            probability.push(level.share());
        }
    }
    Curve::Isotonic {
        distance: corners,
        probability,
    }
}

/// The sigmoid with the largest likelihood of smoothed outcomes, by Newton's method with a line search.
///
/// A curve that would fall is level: alignment that speaks against failure is noise.
fn platt(distance: &[f64], wrong: &[bool]) -> Curve {
    let mistakes = wrong.iter().filter(|&&wrong| wrong).count() as f64;
    let others = wrong.len() as f64 - mistakes;
    let (high, low) = ((mistakes + 1.0) / (mistakes + 2.0), 1.0 / (others + 2.0));
    let points: Vec<(f64, f64)> = distance
        .iter()
        .zip(wrong)
        .map(|(&x, &wrong)| (x, if wrong { high } else { low }))
        .collect();
    let level = ((others + 1.0) / (mistakes + 1.0)).ln();
    let (slope, intercept) = newton(&points, (0.0, level));
    if slope > 0.0 || !slope.is_finite() || !intercept.is_finite() {
        let (slope, intercept) = (0.0, level);
        return Curve::Platt { slope, intercept };
    }
    Curve::Platt { slope, intercept }
}

/// Minus the logarithm of the likelihood of points (distance, target).
fn loss(points: &[(f64, f64)], (slope, intercept): (f64, f64)) -> f64 {
    points
        .iter()
        .map(|&(x, target)| {
            let f = slope * x + intercept;
            // t f + ln(1 + e⁻ᶠ), whichever form does not overflow.
            if f >= 0.0 {
                target * f + (-f).exp().ln_1p()
            } else {
                (target - 1.0) * f + f.exp().ln_1p()
            }
        })
        .sum()
}

/// Algorithm 1 of Lin, Lin and Weng 2007.
fn newton(points: &[(f64, f64)], begin: (f64, f64)) -> (f64, f64) {
    let mut at = begin;
    let mut value = loss(points, at);
    for _ in 0..100 {
        // The Hessian gets 1e-12 on its diagonal, so that it can be inverted.
        let (mut h11, mut h22, mut h21) = (1e-12, 1e-12, 0.0);
        let (mut g1, mut g2) = (0.0, 0.0);
        for &(x, target) in points {
            let p = sigmoid(at.0 * x + at.1);
            let (d2, d1) = (p * (1.0 - p), target - p);
            h11 += x * x * d2;
            h22 += d2;
            h21 += x * d2;
            g1 += x * d1;
            g2 += d1;
        }
        if g1.abs() < 1e-9 && g2.abs() < 1e-9 {
            break;
        }
        let det = h11 * h22 - h21 * h21;
        let step = (-(h22 * g1 - h21 * g2) / det, -(h11 * g2 - h21 * g1) / det);
        let falls = g1 * step.0 + g2 * step.1;
        let mut size = 1.0;
        loop {
            let next = (at.0 + size * step.0, at.1 + size * step.1);
            let found = loss(points, next);
            if found < value + 1e-4 * size * falls {
                (at, value) = (next, found);
                break;
            }
            size *= 0.5;
            if size < 1e-10 {
                return at;
            }
        }
    }
    at
}

/// Mean of |share of mistakes − mean probability| over bins of equal width, by their examples.
fn calibration_error(said: &[f64], wrong: &[bool]) -> f64 {
    let mut bins = [(0.0_f64, 0.0_f64); BINS];
    for (&p, &wrong) in said.iter().zip(wrong) {
        let bin = ((p * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += p;
        bins[bin].1 += f64::from(u8::from(wrong));
    }
    let apart: f64 = bins.iter().map(|(said, wrong)| (said - wrong).abs()).sum();
    apart / said.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const X: [f64; 12] = [
        -0.9, -0.5, -0.5, -0.4, -0.1, 0.0, 0.1, 0.1, 0.3, 0.4, 0.6, 0.9,
    ];
    const WRONG: [bool; 12] = [
        false, false, true, false, false, true, false, true, false, true, true, true,
    ];

    // scikit-learn 1.9.1, in a venv: `from sklearn.isotonic import IsotonicRegression; from sklearn.calibration import
    // _SigmoidCalibration`; `i = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(X, WRONG)` and
    // `i.predict([at])`; `s = _SigmoidCalibration().fit(np.array(X), np.array(WRONG))` and `s.a_, s.b_`.
    const ISOTONIC: [(f64, f64); 9] = [
        (-2.0, 0.0),
        (-0.9, 0.0),
        (-0.7, 0.125),
        (-0.45, 0.25),
        (0.05, 0.5),
        (0.2, 0.5),
        (0.35, 0.75),
        (0.5, 1.0),
        (3.0, 1.0),
    ];
    const PLATT: (f64, f64) = (-1.744_679_041, 0.000_447_152_7);

    #[test]
    fn the_rising_curve_is_scikit_learns() {
        let curve = isotonic(&X, &WRONG);
        for (at, want) in ISOTONIC {
            let got = curve.at(at);
            assert!((got - want).abs() < 1e-12, "at {at}: {got}, not {want}");
        }
    }

    #[test]
    fn the_sigmoid_is_scikit_learns() {
        let curve = platt(&X, &WRONG);
        let Curve::Platt { slope, intercept } = curve else {
            panic!("{curve:?}")
        };
        let (a, b) = PLATT;
        assert!((slope - a).abs() < 1e-4, "{slope}, not {a}");
        assert!((intercept - b).abs() < 1e-4, "{intercept}, not {b}");
        for x in [-2.0, 0.3, 40.0] {
            let want = 1.0 / (1.0 + (a * x + b).exp());
            assert!((curve.at(x) - want).abs() < 1e-4);
        }
    }

    #[test]
    fn a_curve_never_falls_and_stays_a_probability() {
        let falling: Vec<bool> = WRONG.iter().map(|wrong| !wrong).collect();
        for curve in [platt(&X, &falling), isotonic(&X, &falling)] {
            let at: Vec<f64> = (-30..30).map(|i| curve.at(f64::from(i) / 10.0)).collect();
            assert!(
                at.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12),
                "{at:?}"
            );
            assert!(at.iter().all(|p| (0.0..=1.0).contains(p)));
        }
        // Mistakes apart from all others: the smoothed targets keep the sigmoid finite.
        let apart: Vec<bool> = X.iter().map(|&x| x > 0.2).collect();
        let Curve::Platt { slope, intercept } = platt(&X, &apart) else {
            unreachable!()
        };
        assert!(slope < 0.0 && slope.is_finite() && intercept.is_finite());
    }

    /// Distances of which a third are off by a known curve, with folds in turn.
    fn drawn(n: usize, seed: u64) -> (Vec<f64>, Vec<bool>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let distance: Vec<f64> = (0..n).map(|_| rng.gen_range(-1.0..1.0)).collect();
        let wrong = distance
            .iter()
            .map(|&d| rng.gen_bool(sigmoid(1.0 - 4.0 * d)));
        let wrong = wrong.collect();
        (distance, wrong, (0..n).map(|i| i % 10).collect())
    }

    #[test]
    fn probabilities_are_those_of_the_world_they_were_learned_in() {
        let (distance, wrong, folds) = drawn(3000, 4);
        let many = FailureProbability::fit(&distance, &wrong, &folds);
        assert!(matches!(many.curve, Curve::Isotonic { .. }));
        assert!(many.calibration_error < 0.05, "{}", many.calibration_error);
        for d in [-0.8, -0.2, 0.2, 0.8] {
            let (got, want) = (many.curve.at(d), sigmoid(1.0 - 4.0 * d));
            assert!((got - want).abs() < 0.1, "{got}, not {want}");
        }
        let (distance, wrong, folds) = drawn(60, 5);
        let few = FailureProbability::fit(&distance, &wrong, &folds);
        assert!(few.mistakes < FEW && few.examples == 60);
        assert!(matches!(few.curve, Curve::Platt { .. }));
        assert!(few.calibration_error > many.calibration_error);
    }

    #[test]
    fn the_calibration_error_is_the_mean_gap_of_bins() {
        // Bin 0: 0.05 said twice, one wrong; bin 9: 0.95 and 1.0 said, both wrong.
        let error = calibration_error(&[0.05, 0.05, 0.95, 1.0], &[true, false, true, true]);
        assert!((error - (0.9 + 0.05) / 4.0).abs() < 1e-12, "{error}");
    }
}
