//! Numbers and names as the page says them.

/// A space that a line does not break at.
const FIXED: char = '\u{a0}';

/// A share as percent, with a decimal where it is below one.
pub(super) fn percent(share: f64) -> String {
    format!("{}{FIXED}%", points(share))
}

/// [`percent`] without its sign.
fn points(share: f64) -> String {
    let value = 100.0 * share;
    if value > 0.0 && value < 0.95 || value > 99.05 && value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// An interval of shares, as percent.
pub(super) fn between((low, high): (f64, f64)) -> String {
    format!("{} to {}", points(low), percent(high))
}

/// An interval of anything, with so many decimals.
pub(super) fn range((low, high): (f64, f64), decimals: usize) -> String {
    format!("{low:.decimals$} to {high:.decimals$}")
}

/// A difference of shares in points, with its sign.
pub(super) fn change(share: f64) -> String {
    format!("{:+.1}", 100.0 * share).replace('-', "\u{2212}")
}

/// A count, in groups of three digits.
pub(super) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with what is counted, in the singular or the plural.
pub(super) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{}{FIXED}{}", count(n), if n == 1 { one } else { many })
}

/// A p- or q-value.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        format!("below{FIXED}0.001")
    } else {
        format!("{p:.3}")
    }
}

/// A failure mode by its class and number.
pub(super) fn name(class: &str, mode: u32) -> String {
    if mode == 0 {
        class.to_owned()
    } else {
        format!("{class}, failure mode {mode}")
    }
}

/// A sentence as it begins a line and ends.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let begun: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    if begun.ends_with(['.', '!', '?', ':']) {
        begun
    } else {
        begun + "."
    }
}

/// Why an image was not kept, for people; the file's word where it is a new one.
pub(super) fn reason(name: &str) -> String {
    match name {
        "alignment" => "too easy: below the threshold",
        "class" => "may not show its class",
        "blank" => "blank",
        "safety" => "stopped by the safety checker",
        "non-finite" => "broken numbers",
        "duplicate-train" => "nearly a training image",
        "duplicate-val" => "nearly a validation image",
        "duplicate-test" => "nearly a test image",
        "duplicate-kept" => "nearly one kept before",
        other => other,
    }
    .to_owned()
}

/// The first characters of a text, and dots where there are more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(percent(0.384), "38\u{a0}%");
        assert_eq!(percent(0.004), "0.4\u{a0}%");
        assert_eq!(percent(0.0), "0\u{a0}%");
        assert_eq!(between((0.045, 0.5)), "4 to 50\u{a0}%");
        assert_eq!(change(-0.052), "\u{2212}5.2");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "image", "images"), "1\u{a0}image");
        assert_eq!(p_value(0.0001), "below\u{a0}0.001");
        assert_eq!(sentence("class cat: few"), "Class cat: few.");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
