//! Two models on the same test examples: did the failure shrink, and what did it cost elsewhere?
//!
//! ```text
//! alignments, labels, before, after ─▶ slices { failure, rest, deciles, groups, elsewhere } ─▶ verdict
//! ```
//!
//! Every example is judged by both models, so the two error rates are paired: what counts is how
//! many mistakes were mended and how many are new. A slice's change is
//! `(new − mended) / examples`: negative is better.
//!
//! - The 95 % interval of the change is method 10 of Newcombe 1998, "Improved confidence intervals
//!   for the difference between binomial proportions based on paired data", Statistics in Medicine
//!   17:2635–2650. It needs no random numbers, and holds its level on small slices too.
//! - The p-value is that of the exact `McNemar` test: mended and new mistakes as tosses of a fair coin, two-sided.
//!
//! Intervals are a slice's own, not corrected for the number of slices. The verdict of a failure
//! mode rests on its failure slice alone.

use std::fmt::Write as _;

use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Direction;
use super::report::wilson;

/// A split with the predictions of two models.
#[derive(Debug, Clone, Copy)]
pub struct TwoModels<'a> {
    /// Whitened, normalised embeddings, `[n, d]`.
    pub x: ArrayView2<'a, f64>,
    /// Class index of every example.
    pub labels: &'a [usize],
    /// What the old model says.
    pub before: &'a [usize],
    /// What the new model says.
    pub after: &'a [usize],
    /// Group of every example, where known.
    pub groups: &'a [Option<String>],
}

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

/// Both models on some examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slice {
    /// What part it is.
    pub part: SliceKind,
    /// Which of several: the decile's number, the group.
    pub name: Option<String>,
    /// Examples.
    pub examples: usize,
    /// Mistakes of the old model.
    pub wrong_before: usize,
    /// Mistakes of the new model.
    pub wrong_after: usize,
    /// Wrong before, right after.
    pub mended: usize,
    /// Right before, wrong after.
    pub new: usize,
    /// Error rate after less error rate before, −1 to 1: negative is better; none without examples.
    pub change: Option<f64>,
    /// Its 95 % interval, lower end first.
    pub interval: Option<(f64, f64)>,
    /// Two-sided, of the exact `McNemar` test, 0 to 1.
    pub p_value: f64,
}

/// What an interval says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Fewer mistakes.
    Shrank,
    /// More mistakes.
    Grew,
    /// The interval holds 0.
    Undecided,
    /// There is no example to judge by.
    Empty,
}

/// A failure mode before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModeChange {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0.
    pub class_index: usize,
    /// Failure mode within the class, from 0; none for a class without a direction.
    pub mode: Option<u32>,
    /// Alignment from which an example belongs to the failure slice.
    pub threshold: Option<f64>,
    /// Whether its direction is better than chance.
    pub finding: bool,
    /// Whether the failure shrank.
    pub verdict: Verdict,
    /// Every slice, the failure first.
    pub slices: Vec<Slice>,
    /// One sentence for people.
    pub sentence: String,
}

impl ModeChange {
    /// The first slice of a kind.
    pub fn slice(&self, part: SliceKind) -> Option<&Slice> {
        self.slices.iter().find(|slice| slice.part == part)
    }
}

impl Slice {
    /// Counts both models on the examples `rows`.
    fn count(part: SliceKind, name: Option<String>, rows: &[usize], of: TwoModels<'_>) -> Self {
        let wrong = |models: &[usize], i: usize| models[i] != of.labels[i];
        let count = |is: &dyn Fn(usize) -> bool| rows.iter().filter(|&&i| is(i)).count();
        let mended = count(&|i| wrong(of.before, i) && !wrong(of.after, i));
        let new = count(&|i| !wrong(of.before, i) && wrong(of.after, i));
        let both = count(&|i| wrong(of.before, i) && wrong(of.after, i));
        let n = rows.len();
        let change = (n > 0).then(|| (new as f64 - mended as f64) / n as f64);
        Self {
            part,
            name,
            examples: n,
            wrong_before: both + mended,
            wrong_after: both + new,
            mended,
            new,
            change,
            interval: (n > 0)
                .then(|| paired_interval([both, new, mended, n - both - new - mended])),
            p_value: mcnemar(mended, new),
        }
    }

    /// Whether its interval lies on one side of 0.
    pub fn verdict(&self) -> Verdict {
        match self.interval {
            None => Verdict::Empty,
            Some((_, high)) if high < 0.0 => Verdict::Shrank,
            Some((low, _)) if low > 0.0 => Verdict::Grew,
            Some(_) => Verdict::Undecided,
        }
    }
}

/// Which examples lie in a failure slice, whichever mode's: those of its class with an alignment at or
/// above its threshold.
pub fn in_failures(of: TwoModels<'_>, directions: &[Direction]) -> Vec<bool> {
    let is_in = |d: &Direction, i: usize| {
        of.labels[i] == d.id.class && d.alignment(of.x.row(i)) >= d.threshold
    };
    (0..of.labels.len())
        .map(|i| directions.iter().any(|direction| is_in(direction, i)))
        .collect()
}

/// Compares two models on a failure mode.
///
/// What it cost is measured where no failure is ([`in_failures`]), in the mode's own class and in the
/// others: mended failures of other modes would hide it.
pub fn mode_change(
    of: TwoModels<'_>,
    direction: &Direction,
    class: &str,
    in_failures: &[bool],
) -> ModeChange {
    let rows = of_class(of, direction.id.class);
    let mut ranked: Vec<(f64, usize)> = rows
        .iter()
        .map(|&i| (direction.alignment(of.x.row(i)), i))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let head = ranked.partition_point(|&(alignment, _)| alignment >= direction.threshold);
    let order: Vec<usize> = ranked.iter().map(|&(_, i)| i).collect();
    let (failure, rest) = order.split_at(head);
    let mut slices = vec![
        Slice::count(SliceKind::Failure, None, failure, of),
        Slice::count(SliceKind::Rest, None, rest, of),
    ];
    let n = order.len();
    if n >= 10 {
        for t in 0..10 {
            let tenth = &order[t * n / 10..(t + 1) * n / 10];
            let name = Some((t + 1).to_string());
            slices.push(Slice::count(SliceKind::Decile, name, tenth, of));
        }
    }
    slices.extend(group_slices(of, &rows));
    slices.push(Slice::count(SliceKind::Class, None, &rows, of));
    let others: Vec<usize> = (0..of.labels.len())
        .filter(|&i| of.labels[i] != direction.id.class && !in_failures[i])
        .collect();
    slices.push(Slice::count(SliceKind::Elsewhere, None, &others, of));
    let mut sentence = sentence(class, &slices);
    if !direction.is_finding() {
        let _ = write!(
            sentence,
            " (its direction: {})",
            direction.standing().words()
        );
    }
    ModeChange {
        class: class.to_owned(),
        class_index: direction.id.class,
        mode: Some(direction.id.mode),
        threshold: Some(direction.threshold),
        finding: direction.is_finding(),
        verdict: slices[0].verdict(),
        slices,
        sentence,
    }
}

/// Compares two models on a class that has no direction.
pub fn class_change(of: TwoModels<'_>, class: usize, name: &str) -> ModeChange {
    let rows = of_class(of, class);
    let whole = Slice::count(SliceKind::Class, None, &rows, of);
    let verdict = whole.verdict();
    let sentence = if rows.is_empty() {
        format!("{name}: no test examples")
    } else {
        format!(
            "{name} has no failure direction; of all its {} test examples {}",
            whole.examples,
            errors(&whole)
        )
    };
    let mut slices = group_slices(of, &rows);
    slices.push(whole);
    ModeChange {
        class: name.to_owned(),
        class_index: class,
        mode: None,
        threshold: None,
        finding: false,
        verdict,
        slices,
        sentence,
    }
}

/// Compares two models on the whole split, and on every group over all classes.
pub fn overall(of: TwoModels<'_>) -> Vec<Slice> {
    let rows: Vec<usize> = (0..of.labels.len()).collect();
    let mut slices = vec![Slice::count(SliceKind::All, None, &rows, of)];
    slices.extend(group_slices(of, &rows));
    slices
}

fn of_class(of: TwoModels<'_>, class: usize) -> Vec<usize> {
    (0..of.labels.len())
        .filter(|&i| of.labels[i] == class)
        .collect()
}

/// A slice a group, by name.
fn group_slices(of: TwoModels<'_>, rows: &[usize]) -> Vec<Slice> {
    let mut names: Vec<&String> = rows
        .iter()
        .filter_map(|&i| of.groups.get(i)?.as_ref())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let own: Vec<usize> = rows
                .iter()
                .copied()
                .filter(|&i| of.groups[i].as_ref() == Some(name))
                .collect();
            Slice::count(SliceKind::Group, Some(name.clone()), &own, of)
        })
        .collect()
}

fn errors(slice: &Slice) -> String {
    let percent = |wrong: usize| 100.0 * wrong as f64 / slice.examples.max(1) as f64;
    let (low, high) = slice.interval.unwrap_or_default();
    format!(
        "{:.0} % were wrong before and {:.0} % are now (change {:+.1} points, 95 % interval {:+.1} \
         to {:+.1})",
        percent(slice.wrong_before),
        percent(slice.wrong_after),
        100.0 * slice.change.unwrap_or_default(),
        100.0 * low,
        100.0 * high
    )
}

/// What became of the failure, and what it cost.
fn sentence(class: &str, slices: &[Slice]) -> String {
    let failure = &slices[0];
    let of = |part| slices.iter().find(|slice| slice.part == part);
    let begin = match failure.verdict() {
        Verdict::Shrank => format!("{class}: the failure shrank"),
        Verdict::Grew => format!("{class}: the failure grew"),
        Verdict::Undecided => format!("{class}: no change of the failure can be told from chance"),
        Verdict::Empty => {
            return format!(
                "{class}: no test example is as aligned as the threshold, so nothing can be said of \
                 the failure"
            );
        }
    };
    format!(
        "{begin}: of its {} test examples {}{}",
        failure.examples,
        errors(failure),
        cost(of(SliceKind::Rest), of(SliceKind::Elsewhere))
    )
}

/// What happened to the errors outside the failure: in its class, and in the others.
fn cost(rest: Option<&Slice>, elsewhere: Option<&Slice>) -> String {
    let seen: Vec<(&Slice, &str)> = [
        (rest, "others of its class"),
        (elsewhere, "of other classes outside their failures"),
    ]
    .into_iter()
    .filter_map(|(slice, of)| Some((slice.filter(|slice| slice.examples > 0)?, of)))
    .collect();
    if seen.is_empty() {
        return String::new();
    }
    let is = |verdict| move |(slice, _): &(&Slice, &str)| slice.verdict() == verdict;
    let word = if seen.iter().any(is(Verdict::Grew)) {
        "it cost"
    } else if seen.iter().all(is(Verdict::Shrank)) {
        "the rest gained too"
    } else {
        "no cost elsewhere can be told from chance"
    };
    let parts: Vec<String> = seen
        .iter()
        .map(|(slice, of)| {
            let (low, high) = slice.interval.unwrap_or_default();
            format!(
                "by {:+.1} points on the {} {of} ({:+.1} to {:+.1})",
                100.0 * slice.change.unwrap_or_default(),
                slice.examples,
                100.0 * low,
                100.0 * high
            )
        })
        .collect();
    format!("; {word}: errors changed {}", parts.join(" and "))
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

#[cfg(test)]
mod tests;
