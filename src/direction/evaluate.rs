//! Two models on the same test examples: did the failure shrink, and what did it cost elsewhere?
//!
//! ```text
//! alignments, labels, before, after ─▶ slices { failure, rest, deciles, groups, elsewhere } ─▶ verdict
//! ```
//!
//! Every example is judged by models of both sides, so the error rates are paired: what counts is how
//! many mistakes were mended and how many are new. A slice's change is `(new − mended) / examples`: negative is better.
//!
//! With one model each, all that is said is about these two: retraining with another seed alone moves slices
//! too, and of such pairs one in four seemed to have paid elsewhere. With several a side ([`TwoModels`]) it is
//! about the trainings.
//!
//! - [`slice`](mod@slice): counts, intervals and p-values; `words`: the sentences.
//!
//! Intervals are a slice's own. Verdicts rest on p-values that are corrected for the number of slices of a kind
//! in the whole comparison; that of a failure mode on its failure slice alone.

pub mod slice;
mod student;
mod words;

use std::fmt::Write as _;

use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::slice::{Slice, SliceKind, Verdict, mcnemar, paired_interval};
pub use self::student::mean_interval;

use self::words::Models;
use super::Direction;

/// A split with the predictions of an old and a new model, or of several trainings of each.
#[derive(Debug, Clone, Copy)]
pub struct TwoModels<'a> {
    /// Whitened, normalised embeddings, `[n, d]`.
    pub x: ArrayView2<'a, f64>,
    /// Class index of every example.
    pub labels: &'a [usize],
    /// What each old model says, `[models][n]`; at least one.
    pub before: &'a [Vec<usize>],
    /// What each new model says, `[models][n]`; at least one.
    pub after: &'a [Vec<usize>],
    /// Group of every example, where known.
    pub groups: &'a [Option<String>],
}

impl TwoModels<'_> {
    /// Whether there is one model on each side.
    fn is_pair(&self) -> bool {
        self.before.len() <= 1 && self.after.len() <= 1
    }
}

/// What a comparison comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The whole split, then every group over all classes.
    pub overall: Vec<Slice>,
    /// One entry a failure mode, by class; a class without one has an entry as a whole.
    pub classes: Vec<ModeChange>,
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

/// Compares the models on every failure mode, on the classes that have none, and on the whole split.
///
/// What it cost is measured where no failure is ([`in_failures`]), in the mode's own class and in the
/// others: mended failures of other modes would hide it. `classes` are the names by index.
pub fn compare(of: TwoModels<'_>, directions: &[Direction], classes: &[String]) -> Compared {
    let failures = in_failures(of, directions);
    let mut compared = Compared {
        overall: overall(of),
        classes: Vec::new(),
    };
    for (class, name) in classes.iter().enumerate() {
        let before = compared.classes.len();
        let modes = directions.iter().filter(|mode| mode.id.class == class);
        let changes = modes.map(|mode| mode_change(of, mode, name, &failures));
        compared.classes.extend(changes);
        if compared.classes.len() == before {
            compared.classes.push(class_change(of, class, name));
        }
    }
    let of_classes = compared.classes.iter_mut().flat_map(|c| &mut c.slices);
    let mut all: Vec<&mut Slice> = of_classes.chain(&mut compared.overall).collect();
    slice::correct(&mut all);
    for change in &mut compared.classes {
        let id = change
            .mode
            .map(|mode| super::ModeId::new(change.class_index, mode));
        let direction = directions.iter().find(|direction| Some(direction.id) == id);
        conclude(change, direction, Models::of(of));
    }
    compared
}

/// Writes the verdict and the sentence, once p-values are corrected.
fn conclude(change: &mut ModeChange, direction: Option<&Direction>, models: Models) {
    let Some(direction) = direction else {
        if let Some(whole) = change.slice(SliceKind::Class) {
            (change.verdict, change.sentence) = (
                whole.verdict(),
                words::of_class(&change.class, whole, models),
            );
        }
        return;
    };
    if let Some(failure) = change.slice(SliceKind::Failure) {
        change.verdict = failure.verdict();
    }
    change.sentence = words::of_mode(&change.class, &change.slices, models);
    if !direction.is_finding() {
        let _ = write!(
            change.sentence,
            " (its direction: {})",
            direction.standing().words()
        );
    }
}

/// The slices of a failure mode.
fn mode_change(
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
    ModeChange {
        class: class.to_owned(),
        class_index: direction.id.class,
        mode: Some(direction.id.mode),
        threshold: Some(direction.threshold),
        finding: direction.is_finding(),
        verdict: Verdict::Undecided,
        slices,
        sentence: String::new(),
    }
}

/// The slices of a class that has no direction.
fn class_change(of: TwoModels<'_>, class: usize, name: &str) -> ModeChange {
    let rows = of_class(of, class);
    let mut slices = group_slices(of, &rows);
    slices.push(Slice::count(SliceKind::Class, None, &rows, of));
    ModeChange {
        class: name.to_owned(),
        class_index: class,
        mode: None,
        threshold: None,
        finding: false,
        verdict: Verdict::Undecided,
        slices,
        sentence: String::new(),
    }
}

/// The whole split, and every group over all classes.
fn overall(of: TwoModels<'_>) -> Vec<Slice> {
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

#[cfg(test)]
mod tests;
