//! A slice of the split under the models of both sides: counts, the change of its error rate, and how sure that is.
//!
//! **One model each.** The 95 % interval of the change is method 10 of Newcombe 1998, "Improved confidence intervals for the difference
//! between binomial proportions based on paired data", Statistics in Medicine 17:2635–2650. It needs no random
//! numbers, and holds its level on small slices too. The p-value is that of the exact `McNemar` test: mended
//! and new mistakes as tosses of a fair coin, two-sided. Both speak of these two models: how much another
//! training would have changed, nothing tells.
//!
//! **Several** (trainings that differ in their seed). Images and models are both drawn at random, so the variance of the change has two
//! parts: that of the images' mean differences over their number, and that of error rates between models of a
//! side, pooled over the sides, over the number of each. It is what a bootstrap over images and models
//! converges to; drawn from two or three models a bootstrap is too narrow (of two it sees half of their
//! variance), Student's distribution is not. Degrees of freedom are Satterthwaite's. Two images are added that
//! change in opposite ways (Bonett and Price 2012), so that a slice without any change has a width.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TwoModels, student};
use crate::direction::report::wilson;

/// What part of the split a slice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SliceKind {
    /// The mode's class, alignment at or above the mode's threshold.
    Failure,
    /// The mode's class, below it.
    Rest,
    /// A tenth of the mode's class by alignment, 1 the hardest.
    Decile,
    /// A group within the mode's class.
    Group,
    /// The whole class.
    Class,
    /// The other classes, outside every failure slice.
    Elsewhere,
    /// The whole split.
    All,
}

/// What a slice's figures say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Fewer mistakes.
    Shrank,
    /// More mistakes.
    Grew,
    /// Within what chance does.
    Undecided,
    /// There is no example to judge by.
    Empty,
}

/// Both sides on some examples; with several models a side, counts are means over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slice {
    /// What part it is.
    pub part: SliceKind,
    /// Which of several: the decile's number, the group.
    pub name: Option<String>,
    /// Examples.
    pub examples: usize,
    /// Mistakes of an old model.
    pub wrong_before: f64,
    /// Mistakes of a new model.
    pub wrong_after: f64,
    /// Wrong before, right after, for an old and a new model.
    pub mended: f64,
    /// Right before, wrong after.
    pub new: f64,
    /// Error rate after less error rate before, −1 to 1: negative is better; none without examples.
    pub change: Option<f64>,
    /// Its 95 % interval, lower end first: of this slice alone.
    pub interval: Option<(f64, f64)>,
    /// Two-sided, of this slice alone, 0 to 1.
    pub p_value: f64,
    /// The p-value corrected for the number of slices of its kind (Holm 1979), 0 to 1.
    pub p_corrected: f64,
    /// That number.
    pub slices_of_kind: usize,
    /// Standard deviation of the error rate between models of a side, 0 to 1; none with one model each.
    pub between_models: Option<f64>,
}

/// What is known of a change.
struct Change {
    interval: (f64, f64),
    p_value: f64,
    between_models: Option<f64>,
}

impl Slice {
    /// Counts the models on the examples `rows`.
    pub(super) fn count(
        part: SliceKind,
        name: Option<String>,
        rows: &[usize],
        of: TwoModels<'_>,
    ) -> Self {
        let before = Side::new(of.before, rows, of.labels);
        let after = Side::new(of.after, rows, of.labels);
        let pairs = || before.wrong.iter().zip(&after.wrong);
        let mended: f64 = pairs().map(|(b, a)| b * (1.0 - a)).sum();
        let new: f64 = pairs().map(|(b, a)| (1.0 - b) * a).sum();
        let n = rows.len();
        let change = (n > 0).then(|| (new - mended) / n as f64);
        let known = change.map(|change| {
            if of.is_pair() {
                pair(n, mended, new, before.wrong.iter().sum())
            } else {
                several(change, &before, &after)
            }
        });
        Self {
            part,
            name,
            examples: n,
            wrong_before: before.wrong.iter().sum(),
            wrong_after: after.wrong.iter().sum(),
            mended,
            new,
            change,
            interval: known.as_ref().map(|known| known.interval),
            p_value: known.as_ref().map_or(1.0, |known| known.p_value),
            p_corrected: 1.0,
            slices_of_kind: 0,
            between_models: known.and_then(|known| known.between_models),
        }
    }

    /// What the corrected p-value says.
    pub fn verdict(&self) -> Verdict {
        match self.change {
            None => Verdict::Empty,
            Some(change) if self.p_corrected < 0.05 && change < 0.0 => Verdict::Shrank,
            Some(change) if self.p_corrected < 0.05 && change > 0.0 => Verdict::Grew,
            Some(_) => Verdict::Undecided,
        }
    }
}

/// The models of a side on a slice.
struct Side {
    /// Share of models that are wrong, an example.
    wrong: Vec<f64>,
    /// Error rate, a model.
    rates: Vec<f64>,
}

impl Side {
    fn new(models: &[Vec<usize>], rows: &[usize], labels: &[usize]) -> Self {
        let is_wrong = |model: &[usize], i: usize| f64::from(u8::from(model[i] != labels[i]));
        let count = models.len().max(1) as f64;
        let share = |&i: &usize| models.iter().map(|m| is_wrong(m, i)).sum::<f64>() / count;
        let rate = |model: &Vec<usize>| {
            rows.iter().map(|&i| is_wrong(model, i)).sum::<f64>() / rows.len().max(1) as f64
        };
        Self {
            wrong: rows.iter().map(share).collect(),
            rates: models.iter().map(rate).collect(),
        }
    }

    /// Squared distances of error rates from their mean.
    fn spread(&self) -> f64 {
        let mean = self.rates.iter().sum::<f64>() / self.rates.len().max(1) as f64;
        self.rates.iter().map(|rate| (rate - mean).powi(2)).sum()
    }
}

/// One model each: `mended`, `new` and the mistakes `before` are counts.
fn pair(n: usize, mended: f64, new: f64, before: f64) -> Change {
    let [mended, new, before] = [mended, new, before].map(|count| count.round() as usize);
    let both = before - mended;
    Change {
        interval: paired_interval([both, new, mended, n - both - new - mended]),
        p_value: mcnemar(mended, new),
        between_models: None,
    }
}

/// Several models on a side or both.
fn several(change: f64, before: &Side, after: &Side) -> Change {
    let models = [before.rates.len() as f64, after.rates.len() as f64];
    let freedom = models[0] + models[1] - 2.0;
    let between = (before.spread() + after.spread()) / freedom;
    let of_models = between * (1.0 / models[0] + 1.0 / models[1]);
    let n = before.wrong.len() as f64;
    let differences = before.wrong.iter().zip(&after.wrong).map(|(b, a)| a - b);
    let squares: f64 = differences.map(|d| d * d).sum();
    let sum = change * n;
    let of_images = (squares + 2.0 - sum * sum / (n + 2.0)) / (n + 2.0).powi(2);
    let variance = of_models + of_images;
    // Images are many; of few models Student's distribution knows.
    let df = freedom * (variance / of_models).powi(2);
    let reach = student::quantile(0.05, df) * variance.sqrt();
    Change {
        interval: (change - reach, change + reach),
        p_value: student::p_value(change / variance.sqrt(), df),
        between_models: Some(between.sqrt()),
    }
}

/// Corrects p-values for their number (Holm 1979): every kind of question is a family of its own.
pub(super) fn correct(slices: &mut [&mut Slice]) {
    let family = |part: SliceKind| match part {
        SliceKind::Rest | SliceKind::Elsewhere => 0,
        SliceKind::Failure => 1,
        SliceKind::Decile => 2,
        SliceKind::Group => 3,
        SliceKind::Class => 4,
        SliceKind::All => 5,
    };
    for number in 0..6 {
        let mut own: Vec<usize> = (0..slices.len())
            .filter(|&at| family(slices[at].part) == number && slices[at].examples > 0)
            .collect();
        own.sort_by(|&a, &b| slices[a].p_value.total_cmp(&slices[b].p_value));
        let mut least = 0.0_f64;
        for (i, &at) in own.iter().enumerate() {
            least = least.max(slices[at].p_value * (own.len() - i) as f64);
            slices[at].p_corrected = least.min(1.0);
            slices[at].slices_of_kind = own.len();
        }
    }
}

/// The 95 % interval of `p₂ − p₁`, the shares of examples that are wrong after and before, from
/// `[wrong in both, wrong only after, wrong only before, right in both]`, which add up to 1 or more.
///
/// Source: Newcombe 1998 (see the module), method 10: Wilson's intervals of both shares, joined with
/// the correlation φ, whose numerator is corrected for continuity.
pub fn paired_interval(table: [usize; 4]) -> (f64, f64) {
    let n: usize = table.iter().sum();
    let [e, f, g, h] = table.map(|count| count as f64);
    let total = n as f64;
    // Shares wrong after (p) and before (q), as in the source: θ = p − q = (f − g)/n.
    let (p, q) = ((e + f) / total, (e + g) / total);
    let (p_low, p_high) = wilson(table[0] + table[1], n);
    let (q_low, q_high) = wilson(table[0] + table[2], n);
    let margins = (e + f) * (g + h) * (e + g) * (f + h);
    let product = e * h - f * g;
    let phi = if margins == 0.0 {
        0.0
    } else if product > 0.0 {
        (product - total / 2.0).max(0.0) / margins.sqrt()
    } else {
        product / margins.sqrt()
    };
    let reach = |a: f64, b: f64| (a * a - 2.0 * phi * a * b + b * b).max(0.0).sqrt();
    let change = (f - g) / total;
    (
        change - reach(p - p_low, q_high - q),
        change + reach(p_high - p, q - q_low),
    )
}

/// The two-sided p-value of the exact `McNemar` test: how likely counts at least as uneven are with a fair coin.
pub fn mcnemar(mended: usize, new: usize) -> f64 {
    let (n, least) = (mended + new, mended.min(new));
    // Binomial probabilities by their logarithms, which no n makes too small.
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=least {
        tail += log.exp();
        log += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}
