//! The paths that source text names: those of `use` lists to their end, and those in code.

/// A path by its parts, beginning with `crate`, `self`, `super` or a child module of the file.
pub(super) type Path = Vec<String>;

/// Every path of the text that begins with `crate`, `self`, `super` or one of `children`.
pub(super) fn paths(code: &str, children: &[&str]) -> Vec<Path> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("::") {
        let before = &code[..at];
        let begin = before.rfind(|c: char| !is_name(c)).map_or(0, |i| i + 1);
        let first = &before[begin..];
        let begins = ["crate", "self", "super"].contains(&first) || children.contains(&first);
        if begins && !before[..begin].ends_with("::") {
            tree(&code[begin..], &[], &mut found);
        }
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads one tree of a `use` list, or one path in code; gives what follows it.
fn tree<'a>(text: &'a str, above: &[String], found: &mut Vec<Path>) -> &'a str {
    let mut text = text.trim_start();
    let mut path = above.to_vec();
    loop {
        let name = &text[..text.find(|c| !is_name(c)).unwrap_or(text.len())];
        text = &text[name.len()..];
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        let Some(rest) = text.strip_prefix("::") else {
            break;
        };
        text = rest;
        if let Some(list) = text.strip_prefix('{') {
            return items(list, &path, found);
        }
    }
    found.push(path);
    text
}

/// Reads the trees up to the brace that closes their list.
fn items<'a>(mut text: &'a str, above: &[String], found: &mut Vec<Path>) -> &'a str {
    loop {
        text = text.trim_start();
        if text.is_empty() || text.starts_with('}') {
            return text.get(1..).unwrap_or_default();
        }
        let rest = tree(text, above, found);
        // Past a `*` or an `as name`.
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        text = rest[end..].strip_prefix(',').unwrap_or(&rest[end..]);
    }
}

#[test]
fn lists_are_read_to_their_end() {
    let code = "use crate::{io::{self, a as b}, direction::*, run::b};\n\
                crate::nn::x();\n\
                pub use child::Y;\n\
                other::child::Z + super::super::f(grandchild::g)";
    let found: Vec<String> = paths(code, &["child"])
        .iter()
        .map(|p| p.join("::"))
        .collect();
    assert_eq!(
        found,
        [
            "crate::io::self",
            "crate::io::a",
            "crate::direction",
            "crate::run::b",
            "crate::nn::x",
            "child::Y",
            "super::super::f",
        ]
    );
}
