//! What became of a failure, and what it cost, in a sentence.

use super::TwoModels;
use super::slice::{Slice, SliceKind, Verdict};

/// How many models a sentence is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Models {
    before: usize,
    after: usize,
}

impl Models {
    pub(super) fn of(two: TwoModels<'_>) -> Self {
        Self {
            before: two.before.len(),
            after: two.after.len(),
        }
    }

    fn are_two(self) -> bool {
        self.before == 1 && self.after == 1
    }

    /// What a sentence begins with, behind the class.
    fn between(self) -> &'static str {
        if self.are_two() {
            "between these two models "
        } else {
            ""
        }
    }

    /// How far a sentence holds, at its end.
    fn reach(self) -> String {
        if self.are_two() {
            return String::new();
        }
        let plural = |count: usize| if count == 1 { "model" } else { "models" };
        format!(
            " ({} {} before, {} {} after)",
            self.before,
            plural(self.before),
            self.after,
            plural(self.after)
        )
    }
}

fn errors(slice: &Slice) -> String {
    let percent = |wrong: f64| 100.0 * wrong / slice.examples.max(1) as f64;
    let (low, high) = slice.interval.unwrap_or_default();
    let corrected = match slice.slices_of_kind {
        0 | 1 => String::new(),
        many => format!(", p {:.3} after correction for {many}", slice.p_corrected),
    };
    format!(
        "{:.0} % were wrong before and {:.0} % are now (change {:+.1} points, 95 % interval {:+.1} to {:+.1}{corrected})",
        percent(slice.wrong_before),
        percent(slice.wrong_after),
        100.0 * slice.change.unwrap_or_default(),
        100.0 * low,
        100.0 * high
    )
}

/// What became of the failure, and what it cost.
pub(super) fn of_mode(class: &str, slices: &[Slice], models: Models) -> String {
    let of = |part| slices.iter().find(|slice| slice.part == part);
    let Some(failure) = of(SliceKind::Failure) else {
        return String::new();
    };
    let between = models.between();
    let begin = match failure.verdict() {
        Verdict::Shrank => format!("{class}: {between}the failure shrank"),
        Verdict::Grew => format!("{class}: {between}the failure grew"),
        Verdict::Undecided => {
            format!("{class}: {between}no change of the failure can be told from chance")
        }
        Verdict::Empty => {
            return format!(
                "{class}: no test example is as aligned as the threshold, so nothing can be said of \
                 the failure"
            );
        }
    };
    format!(
        "{begin}: of its {} test examples {}{}{}",
        failure.examples,
        errors(failure),
        cost(of(SliceKind::Rest), of(SliceKind::Elsewhere)),
        models.reach()
    )
}

/// A class without a direction, as a whole.
pub(super) fn of_class(class: &str, whole: &Slice, models: Models) -> String {
    if whole.examples == 0 {
        return format!("{class}: no test examples");
    }
    format!(
        "{class} has no failure direction; {}of all its {} test examples {}{}",
        models.between(),
        whole.examples,
        errors(whole),
        models.reach()
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
