//! What fails, how often, against what: one plain sentence.

use crate::direction::Standing;

/// Examples and how many of them are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Those that the classifier gets wrong.
    pub wrong: usize,
    /// All of them.
    pub of: usize,
}

/// One sentence on a failure: `failing` are the examples of `class` that it is about, `all` those of the class.
///
/// `phrase` names the failing examples in words, as in "a photo of a cat on grass"; without it they are
/// those on the failure side of the direction.
///
/// ```
/// use hardlight::direction::report::{Count, sentence};
/// let (failing, all) = (Count { wrong: 86, of: 210 }, Count { wrong: 220, of: 1000 });
/// assert_eq!(
///     sentence("cat", Some("cats on grass"), failing, all),
///     "cats on grass: 41 % of 210 wrong, against 22 % for cat (95 % interval 35 to 48 %)"
/// );
/// ```
pub fn sentence(class: &str, phrase: Option<&str>, failing: Count, all: Count) -> String {
    if failing.of == 0 {
        return match phrase {
            Some(phrase) => format!("{phrase}: no example of {class} is like that"),
            None => format!("{class}: no example lies on the failure side of its direction"),
        };
    }
    let percent = |count: Count| 100.0 * count.wrong as f64 / count.of.max(1) as f64;
    let (low, high) = wilson(failing.wrong, failing.of);
    let (name, rest) = match phrase {
        Some(phrase) => (phrase.to_owned(), format!("for {class}")),
        None => (
            format!("{class} on the failure side of its direction"),
            format!("of all {}", all.of),
        ),
    };
    format!(
        "{name}: {:.0} % of {} wrong, against {:.0} % {rest} (95 % interval {:.0} to {:.0} %)",
        percent(failing),
        failing.of,
        percent(all),
        100.0 * low,
        100.0 * high
    )
}

/// One sentence on a class whose direction is no finding: `all` are its examples.
///
/// ```
/// use hardlight::direction::Standing;
/// use hardlight::direction::report::{Count, no_finding};
/// let all = Count { wrong: 22, of: 100 };
/// assert_eq!(
///     no_finding("cat", Standing::Chance, all),
///     "cat: no failure mode was found (its direction: no better than chance); of all 100 22 % are wrong (95 % interval \
///      15 to 31 %)"
/// );
/// ```
pub fn no_finding(class: &str, standing: Standing, all: Count) -> String {
    let (low, high) = wilson(all.wrong, all.of);
    format!(
        "{class}: no failure mode was found (its direction: {}); of all {} {:.0} % are wrong (95 % interval {:.0} to \
         {:.0} %)",
        standing.words(),
        all.of,
        100.0 * all.wrong as f64 / all.of.max(1) as f64,
        100.0 * low,
        100.0 * high
    )
}

/// The 95 % score interval of a share (Wilson 1927).
pub fn wilson(hits: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (n as f64, 1.959_964);
    let p = hits as f64 / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}
