//! What the files and folders of a class are called.

/// The longest class name that is used as it is, in bytes.
const MAX_PLAIN: usize = 80;

/// As much of a class name stays in a file name that had to change.
const KEPT: usize = 40;

/// A name for the files and folders of a class, safe on every system.
///
/// Letters, digits, inner spaces, `.`, `_` and `-` stay. Where anything had to change, `~` and a
/// hash of the class name follow; a name that is used as it is holds no `~`, so two classes never
/// share a name (but for letters' case on file systems that ignore it, see
/// [`super::Dataset::new`]).
pub fn slug(class: &str) -> String {
    if is_plain(class) {
        return class.to_owned();
    }
    let kept: String = class
        .chars()
        .map(|c| if is_safe(c) && c != '.' { c } else { '_' })
        .take(KEPT)
        .collect();
    let hash = blake3::hash(class.as_bytes()).to_hex();
    format!("{}~{}", kept.trim(), &hash[..12])
}

/// Whether a character may stand in a file name.
fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-')
}

/// Whether a class name is a good file name already.
fn is_plain(class: &str) -> bool {
    // Windows reserves these, also before a dot.
    let stem = class.split('.').next().unwrap_or_default().trim_end();
    let device = ["con", "prn", "aux", "nul"]
        .iter()
        .any(|name| stem.eq_ignore_ascii_case(name))
        || stem.len() == 4
            && stem.ends_with(|c: char| c.is_ascii_digit())
            && ["com", "lpt"]
                .iter()
                .any(|name| stem[..3].eq_ignore_ascii_case(name));
    !device
        && (1..=MAX_PLAIN).contains(&class.len())
        && class.chars().all(is_safe)
        && !class.starts_with(['.', ' ', '-'])
        && !class.ends_with(['.', ' '])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn class_names_become_safe_and_stay_different() {
        for plain in [
            "cat",
            "old person",
            "3",
            "a.b",
            "Tench_01-x",
            "com10",
            "console",
        ] {
            assert_eq!(slug(plain), plain);
        }
        let long = "x".repeat(300);
        let mut seen = BTreeSet::new();
        for class in [
            "a/b", "a\\b", "a_b", "..", ".", "", " ", " a", "a ", "a.", "-a", "CON", "con.txt",
            "Lpt1", "com¹", "🦀", "🐈", "é", "e\u{301}", "a\0b", "~/x", "a~b", "../x", &long, "C:",
            "a\nb",
        ] {
            let name = slug(class);
            assert!(
                seen.insert(name.to_lowercase()),
                "{class:?} becomes {name:?} too"
            );
            assert!(
                name.len() <= MAX_PLAIN && !name.starts_with('.'),
                "{name:?}"
            );
            assert!(name.chars().all(|c| is_safe(c) || c == '~'), "{name:?}");
            // What a changed name ends with is never what a plain one looks like.
            assert_eq!(
                name.contains('~'),
                name != class,
                "{class:?} becomes {name:?}"
            );
        }
    }
}
