//! The pages that people read: their links lead somewhere, the book lists them all, and the README is short.
//!
//! Anchors are GitHub's, and mdBook's are the same: a heading in lower case, without punctuation, `-` for spaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Pages outside `docs/`.
const OTHERS: [&str; 5] = [
    "README.md",
    "prompts/README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "tests/README.md",
];

/// What names pages of `docs/` in comments and messages.
const CODE: [&str; 9] = [
    "src",
    "tests",
    "examples",
    "benches",
    "prompts",
    "Makefile",
    "deny.toml",
    ".ci",
    ".github",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a path, or the file that it is.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| files(path)).collect()
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

fn docs() -> Vec<PathBuf> {
    let all = files(&root().join("docs")).into_iter();
    all.filter(|path| is_page(path)).collect()
}

/// A page without code blocks and inline code, which may go over the end of a line but not of a paragraph.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        lines.push(if fence || fenced { "" } else { line });
    }
    assert!(!fenced, "a code block does not end");
    let outside = |paragraph: &str| {
        paragraph
            .split('`')
            .step_by(2)
            .collect::<Vec<_>>()
            .join("`")
    };
    let paragraphs = lines.join("\n");
    let each = paragraphs.split("\n\n").map(outside);
    each.collect::<Vec<_>>().join("\n\n")
}

/// The targets of `[text](target)` and `![text](target)`.
fn targets(text: &str) -> Vec<String> {
    let text = prose(text);
    let begun = text.match_indices("](");
    begun
        .map(|(at, mark)| {
            let rest = &text[at + mark.len()..];
            rest[..rest.find(')').unwrap()].to_owned()
        })
        .collect()
}

/// The anchors of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let before = seen.entry(slug.clone()).or_default();
        found.insert(if *before == 0 {
            slug
        } else {
            format!("{slug}-{before}")
        });
        *before += 1;
    }
    found
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the disk", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with a link of a page; none if it leads somewhere.
fn problem(page: &Path, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        page.to_owned()
    } else {
        plain(&page.parent().unwrap().join(file))
    };
    if !path.starts_with(root()) || !path.exists() {
        return Some("leads nowhere".to_owned());
    }
    let known = anchor.is_empty() || anchors(&read(&path)).contains(anchor);
    (!known).then(|| format!("{} has no heading of that name", path.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let others = OTHERS.map(|page| root().join(page));
    let (mut links, mut problems) = (0, Vec::new());
    for page in docs().iter().chain(&others) {
        for target in targets(&read(page)) {
            if target.starts_with("http://") || target.starts_with("https://") {
                continue;
            }
            links += 1;
            if let Some(problem) = problem(page, &target) {
                problems.push(format!("{}: ({target}) {problem}", page.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(links > 50, "{links} links: were the pages read?");
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let page = root().join("README.md");
    assert_eq!(problem(&page, "docs/README.md"), None);
    assert!(problem(&page, "docs/no-such-page.md").is_some());
    assert!(problem(&page, "docs/README.md#no-such-heading").is_some());
    assert_eq!(
        targets("[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n"),
        ["b.md"]
    );
    let headings = anchors("# A `b`, c\n## A b c\n```\n# not one\n```\n");
    let expected: BTreeSet<String> = ["a-b-c", "a-b-c-1"].map(str::to_owned).into();
    assert_eq!(headings, expected);
}

#[test]
fn the_book_lists_every_page_once() {
    let docs_folder = root().join("docs");
    let listed = targets(&read(&docs_folder.join("SUMMARY.md")));
    let pages: BTreeSet<String> = docs()
        .iter()
        .map(|page| page.strip_prefix(&docs_folder).unwrap())
        .map(|page| page.to_str().unwrap().replace('\\', "/"))
        .filter(|page| page != "SUMMARY.md")
        .collect();
    assert_eq!(listed.len(), pages.len(), "a page is listed twice");
    assert_eq!(BTreeSet::from_iter(listed), pages);
}

#[test]
fn pages_that_code_names_are_there() {
    let mut named = 0;
    for path in CODE.iter().flat_map(|name| files(&root().join(name))) {
        // Weights and pictures are no text.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for (at, _) in text.match_indices("docs/") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "/-_.".contains(c)));
            let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            let begins = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '/');
            let own = path.ends_with("tests/library/links.rs");
            if begins && !own && is_page(Path::new(name)) {
                named += 1;
                let there = root().join(name).is_file();
                assert!(there, "{} names {name}, which is not there", path.display());
            }
        }
    }
    assert!(named > 4, "{named} names of pages: was the code read?");
}

#[test]
fn the_readme_is_short() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= 150, "README.md has {lines} lines, more than 150");
}
