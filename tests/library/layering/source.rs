//! The files of `src/` as the layering tests read them.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file with its text, without what only tests compile and without comments.
pub(super) fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            if path.is_dir() {
                if !path.ends_with("tests") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs")
                && !name.ends_with("tests.rs")
                && !name.contains("/tests/")
                && name != "main.rs"
                && !name.starts_with("bin/")
            {
                found.push((name, compiled(&fs::read_to_string(&path).unwrap())));
            }
        }
    }
    assert!(
        found.len() > 80,
        "{} sources: is this the right folder?",
        found.len()
    );
    found
}

/// Source as rustfmt lays it out, without comments and without what only tests compile.
fn compiled(text: &str) -> String {
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let Some(indent) = line.strip_suffix("#[cfg(test)]") else {
            code.push(line);
            continue;
        };
        // The item goes to its closing brace, or ends on its first line.
        let mut item = lines
            .by_ref()
            .skip_while(|line| line.trim_start().starts_with("#["));
        let first = item.next().unwrap_or_default();
        let closing = format!("{indent}}}");
        if !first.ends_with(';') && !first.ends_with('}') {
            item.find(|line| line.trim_end_matches([';', ',']) == closing);
        }
    }
    code.join("\n")
}

#[test]
fn only_what_tests_alone_compile_is_passed_over() {
    let text = "\
use crate::a;
#[cfg(test)]
use crate::b;
// crate::c
#[cfg(test)]
#[allow(unused)]
fn f() {
    if crate::d() {
    }
}
impl X {
    #[cfg(test)]
    fn g() {
        crate::e();
    }
    fn h() {
        crate::f::g();
    }
}
#[cfg(test)]
mod tests {
    use crate::h;
}";
    let kept = compiled(text);
    let named: Vec<&str> = kept
        .split("crate::")
        .skip(1)
        .map(|after| &after[..1])
        .collect();
    assert_eq!(named, ["a", "f"]);
}
