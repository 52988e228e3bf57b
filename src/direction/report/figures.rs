//! What a ranking by alignment finds of a classifier's mistakes, as numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resample::{self, Spreads};
use super::sentence::wilson;
use crate::direction::select::balanced_accuracy;

/// The `K` of precision at `K`.
pub const KS: [usize; 4] = [10, 25, 50, 100];

/// Examples as a ranking sees them; every slice is `[n]`, in the order of the table.
#[derive(Debug, Clone, Copy)]
pub struct Ranked<'a> {
    /// What ranks them, largest first: the alignment.
    /// Above 0 an example is flagged as a mistake.
    pub score: &'a [f64],
    /// Whether the classifier is wrong.
    pub wrong: &'a [bool],
    /// The classifier's probability of its prediction, where known.
    pub confidence: Option<&'a [f32]>,
    /// Whether an example's group is the minority of its class in train, where groups are known.
    pub minority: Option<&'a [bool]>,
    /// The unit of every example, where units are known: resamples draw units. Each example is one otherwise.
    pub units: Option<&'a [u32]>,
}

/// How often the first `k` of a ranking are mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtK {
    /// Length of the ranking's head; at most the examples.
    pub k: usize,
    /// Share of mistakes among the most aligned, 0 to 1.
    pub direction: f64,
    /// 95 % interval of that share (Wilson), lower end first.
    pub interval: (f64, f64),
    /// The same among the least confident, where confidences are known.
    pub least_confidence: Option<f64>,
    /// The same to be expected of a random ranking: the error rate.
    pub random: f64,
    /// `direction / random`; none without mistakes.
    pub lift: Option<f64>,
    /// 95 % interval of the lift over resamples of units, lower end first.
    pub lift_interval: Option<(f64, f64)>,
    /// `least_confidence / random`.
    pub least_confidence_lift: Option<f64>,
    /// Share of the minority among the most aligned, 0 to 1, where groups are known.
    pub minority: Option<f64>,
    /// The same among the least confident.
    pub least_confidence_minority: Option<f64>,
}

/// The numbers of one ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Examples.
    pub examples: usize,
    /// Those that the classifier gets wrong.
    pub mistakes: usize,
    /// Share that it gets right, 0 to 1.
    pub model_accuracy: f64,
    /// How often the sign of the decision value tells right from wrong, 0 to 1.
    pub svm_accuracy: f64,
    /// The same, the mean over right and wrong.
    pub svm_balanced_accuracy: f64,
    /// Mistakes flagged, mistakes missed, right ones flagged, right ones passed.
    pub confusion: [usize; 4],
    /// The classifier's accuracy from the most aligned tenth to the least; one figure below 10 examples.
    pub decile_accuracy: Vec<f64>,
    /// Examples in each tenth.
    pub decile_examples: Vec<usize>,
    /// 95 % interval of each accuracy (Wilson), lower end first.
    pub decile_interval: Vec<(f64, f64)>,
    /// How likely a mistake is more aligned than an example that is right, 0 to 1: 0.5 is chance; none without both.
    pub auc: Option<f64>,
    /// 95 % interval of that over resamples of units, lower end first.
    pub auc_interval: Option<(f64, f64)>,
    /// The head that is called the hardest: 50 examples, or a fifth where that is less.
    pub hardest: AtK,
    /// Heads of the ranking, at each of [`KS`] that there are examples for.
    pub at: Vec<AtK>,
    /// The `K` that exceed the examples and are left out.
    pub left_out: Vec<usize>,
    /// The head as long as the minority is large, where groups are known.
    pub at_minority: Option<AtK>,
    /// Share of the minority among all, 0 to 1, where groups are known.
    pub minority_base: Option<f64>,
}

impl Figures {
    /// Share that the classifier gets wrong.
    pub fn error(&self) -> f64 {
        1.0 - self.model_accuracy
    }

    /// The head of a length, if there are examples enough.
    pub fn head(&self, k: usize) -> Option<&AtK> {
        self.at.iter().find(|head| head.k == k)
    }

    /// Examples that are flagged as mistakes.
    pub fn flagged(&self) -> usize {
        self.confusion[0] + self.confusion[2]
    }
}

/// How many examples are called the hardest of `n`: more than a fifth is no head of a ranking.
pub fn hardest(n: usize) -> usize {
    (n / 5).clamp(1, 50)
}

/// Counts a ranking; `None` of no examples.
///
/// Examples of equal score stay in the order of the table, and so do those of equal confidence.
///
/// # Shapes
///
/// Every slice of `of` is `[n]`; what one of them has more than another is passed over.
pub fn figures(of: Ranked<'_>) -> Option<Figures> {
    let n = of.score.len().min(of.wrong.len());
    if n == 0 {
        return None;
    }
    let aligned = order(n, |i| -of.score[i]);
    let unsure = of
        .confidence
        .map(|all| order(n, |i| all.get(i).copied().map_or(f64::INFINITY, f64::from)));
    let wrong = |i: usize| of.wrong[i];
    let flagged = |i: usize| of.score[i] > 0.0;
    let mistakes = (0..n).filter(|&i| wrong(i)).count();
    let error = mistakes as f64 / n as f64;
    let (fit, left_out): (Vec<usize>, Vec<usize>) = KS.iter().partition(|&&k| k <= n);
    let minorities = of
        .minority
        .map(|all| all.iter().take(n).filter(|&&minor| minor).count());
    let heads = [hardest(n)]
        .into_iter()
        .chain(fit.iter().copied())
        .chain(minorities);
    let spreads = resample::spreads(&of, &aligned, heads.collect());
    let heads = Heads {
        of,
        aligned: &aligned,
        unsure: unsure.as_deref(),
        error,
        spreads: &spreads,
    };
    let head = |k: usize| heads.head(k);
    let mut confusion = [0; 4];
    for i in 0..n {
        confusion[usize::from(!wrong(i)) * 2 + usize::from(!flagged(i))] += 1;
    }
    let tenths = Tenths::of(&aligned, wrong);
    Some(Figures {
        examples: n,
        mistakes,
        model_accuracy: 1.0 - error,
        svm_accuracy: (confusion[0] + confusion[3]) as f64 / n as f64,
        svm_balanced_accuracy: balanced_accuracy((0..n).map(|i| (!wrong(i), !flagged(i)))),
        confusion,
        decile_accuracy: tenths.accuracy,
        decile_examples: tenths.examples,
        decile_interval: tenths.interval,
        auc: spreads.auc,
        auc_interval: spreads.auc_interval,
        hardest: head(hardest(n)),
        at: fit.into_iter().map(head).collect(),
        left_out,
        at_minority: minorities.filter(|&k| k > 0).map(head),
        minority_base: minorities.map(|k| k as f64 / n as f64),
    })
}

/// What the heads of a ranking are counted from.
struct Heads<'a> {
    of: Ranked<'a>,
    /// Hardest first.
    aligned: &'a [usize],
    /// Least confident first.
    unsure: Option<&'a [usize]>,
    /// Share of mistakes among all.
    error: f64,
    spreads: &'a Spreads,
}

impl Heads<'_> {
    /// The first `k`.
    fn head(&self, k: usize) -> AtK {
        let wrong = |i: usize| self.of.wrong[i];
        let aligned = &self.aligned[..k];
        let unsure = self.unsure.map(|order| &order[..k]);
        let minor = self
            .of
            .minority
            .map(|all| move |i: usize| all.get(i).copied().unwrap_or_default());
        let found = share(aligned, wrong);
        let guessed = unsure.map(|order| share(order, wrong));
        let lift = |share: f64| (self.error > 0.0).then(|| share / self.error);
        AtK {
            k,
            direction: found,
            interval: wilson(aligned.iter().filter(|&&i| wrong(i)).count(), k),
            least_confidence: guessed,
            random: self.error,
            lift: lift(found),
            lift_interval: self.spreads.lift(k),
            least_confidence_lift: guessed.and_then(lift),
            minority: minor.map(|minor| share(aligned, minor)),
            least_confidence_minority: minor.zip(unsure).map(|(minor, order)| share(order, minor)),
        }
    }
}

/// The classifier's accuracy by tenths of a ranking; one part below 10 examples.
#[derive(Default)]
struct Tenths {
    accuracy: Vec<f64>,
    examples: Vec<usize>,
    interval: Vec<(f64, f64)>,
}

impl Tenths {
    fn of(order: &[usize], wrong: impl Fn(usize) -> bool) -> Self {
        let n = order.len();
        let parts = if n < 10 { 1 } else { 10 };
        let mut tenths = Self::default();
        for t in 0..parts {
            let part = &order[t * n / parts..(t + 1) * n / parts];
            let right = part.iter().filter(|&&i| !wrong(i)).count();
            tenths.accuracy.push(1.0 - share(part, &wrong));
            tenths.examples.push(part.len());
            tenths.interval.push(wilson(right, part.len()));
        }
        tenths
    }
}

/// Positions below `n` from the smallest key to the largest; equal keys keep their order.
fn order(n: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
    // Adding 0 makes −0 and 0 equal, which `total_cmp` tells apart.
    let keys: Vec<f64> = (0..n).map(|i| key(i) + 0.0).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    order
}

fn share(head: &[usize], is: impl Fn(usize) -> bool) -> f64 {
    head.iter().filter(|&&i| is(i)).count() as f64 / head.len().max(1) as f64
}
