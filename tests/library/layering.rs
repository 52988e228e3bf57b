//! Holds the imports of the rooms in `src/` to what their module docs promise: left or down, never up,
//! and libtorch only where it belongs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import, besides itself.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("io", &[]),
    ("image_file", &["io"]),
    ("hub", &["io"]),
    ("dataset", &["io"]),
    ("nn", &["io"]),
    ("embed", &["io", "dataset", "nn"]),
    ("direction", &["io", "dataset", "embed"]),
    ("caption", &["io", "dataset", "embed", "direction"]),
    ("diffusion", &["io", "nn"]),
    ("classifier", &["io", "dataset", "nn"]),
    (
        "generate",
        &["io", "embed", "direction", "caption", "diffusion"],
    ),
    ("filter", &["io", "dataset", "embed", "direction"]),
    (
        "run",
        &[
            "io",
            "image_file",
            "dataset",
            "embed",
            "direction",
            "caption",
            "classifier",
            "generate",
            "filter",
        ],
    ),
    ("report", &["io", "dataset", "direction", "caption", "run"]),
    (
        "manifest",
        &["io", "image_file", "dataset", "direction", "run"],
    ),
    (
        "preview",
        &[
            "io",
            "dataset",
            "direction",
            "caption",
            "filter",
            "run",
            "report",
            "manifest",
        ],
    ),
    (
        "world",
        &["io", "dataset", "classifier", "embed", "generate"],
    ),
    (
        "pipeline",
        &[
            "io",
            "image_file",
            "hub",
            "dataset",
            "nn",
            "embed",
            "direction",
            "caption",
            "diffusion",
            "classifier",
            "generate",
            "filter",
            "run",
            "manifest",
            "preview",
            "world",
        ],
    ),
    (
        "cli",
        &[
            "pipeline",
            "io",
            "image_file",
            "hub",
            "dataset",
            "nn",
            "embed",
            "direction",
            "caption",
            "diffusion",
            "classifier",
            "generate",
            "filter",
            "run",
            "report",
            "manifest",
            "preview",
            "world",
            "pipeline",
        ],
    ),
    ("lib", &[]),
];

/// Files and folders in which `tch` may be named.
const TORCH: [&str; 10] = [
    "nn/",
    "embed/clip",
    "embed/mod.rs",
    "embed/safety.rs",
    "diffusion/",
    "generate/stable_diffusion.rs",
    "classifier/",
    "world/retrain.rs",
    "pipeline/",
    "cli/",
];

/// Every source file with its text, without what only tests compile and without comments.
fn sources() -> Vec<(String, String)> {
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
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs")
                && !name.ends_with("tests.rs")
                && name != "main.rs"
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

fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The first names after every `crate::`, those of a braced list included.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for after in code.split("crate::").skip(1) {
        if let Some(list) = after.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(std::mem::take(&mut item)),
                    c => item.push(c),
                }
            }
            names.push(item);
        } else {
            names.push(after.to_owned());
        }
    }
    let first = |name: &String| -> String {
        name.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    names
        .iter()
        .map(first)
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn lists_of_imports_are_read_to_their_end() {
    assert_eq!(
        imports("use crate::{io::{self, a}, direction, run::b};\ncrate::nn::x();"),
        ["io", "direction", "run", "nn"]
    );
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
    assert_eq!(imports(&compiled(text)), ["a", "f"]);
}

#[test]
fn every_room_has_a_rule_and_every_rule_a_room() {
    let mut rooms: Vec<String> = sources()
        .iter()
        .map(|(file, _)| room(file).to_owned())
        .collect();
    rooms.sort();
    rooms.dedup();
    let mut ruled: Vec<&str> = ALLOWED.iter().map(|(room, _)| *room).collect();
    ruled.sort_unstable();
    assert_eq!(rooms, ruled);
}

#[test]
fn imports_point_left_or_down() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let own = room(&file);
        for import in imports(&code) {
            if import != own && !allowed[own].contains(&import.as_str()) {
                wrong.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_path_climbs_out_of_its_room_by_super() {
    for (file, code) in sources() {
        // `src/run/x/y.rs` has two levels below the crate: `super::super::super` would leave `run`.
        let folders = file.matches('/').count() - usize::from(file.ends_with("/mod.rs"));
        let climb = "super::".repeat(folders + 1);
        assert!(!code.contains(&climb), "{file} leaves its room by {climb}");
    }
}

#[test]
fn libtorch_stays_where_it_belongs() {
    for (file, code) in sources() {
        let named = code.match_indices("tch::").any(|(at, _)| {
            // `batch::` and the like are other words.
            !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
        });
        let may = TORCH.iter().any(|place| file.starts_with(place));
        assert!(may || !named, "{file} names tch");
    }
}
