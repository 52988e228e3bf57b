//! Files that import each other in a circle can only be read, and moved, together.
//!
//! A file imports another if it names a path that ends in it: `use crate::run::ledger::Line` is an import
//! of `run/ledger.rs`, `use crate::run::Line` one of `run/mod.rs`, which imports what it exports again. One
//! kind of import does not count: that of a file's own ancestors (`use super::Error`). A folder's `mod.rs`
//! declares what its children share and lists them, so the two always name each other, and are read as one.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::paths;
use super::source::sources;

/// So many files may import each other, as a type and its parser do.
const MAY_CIRCLE: usize = 3;

/// A module by its path: `run/ledger.rs` and `run/ledger/mod.rs` are `["run", "ledger"]`.
type Module = Vec<String>;

type Imports = BTreeMap<Module, BTreeSet<Module>>;

fn module(file: &str) -> Module {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let parts = path.split('/').filter(|part| *part != "lib");
    parts.map(str::to_owned).collect()
}

/// Which module imports which, of the files with their text.
fn imports(files: &[(String, String)]) -> Imports {
    let modules: BTreeSet<Module> = files.iter().map(|(file, _)| module(file)).collect();
    let mut imports = Imports::new();
    for (file, code) in files {
        let own = module(file);
        let children: Vec<&str> = modules
            .iter()
            .filter(|m| m.len() == own.len() + 1 && m.starts_with(&own))
            .map(|m| m[own.len()].as_str())
            .collect();
        let named = paths(code, &children)
            .into_iter()
            .map(|path| target(&own, &path, &modules))
            .filter(|target| !own.starts_with(target))
            .collect();
        imports.insert(own, named);
    }
    imports
}

/// The last module on a path that is named in `own`.
fn target(own: &Module, path: &[String], modules: &BTreeSet<Module>) -> Module {
    let mut at = own.clone();
    let mut path = path;
    while let [first, rest @ ..] = path {
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => _ = at.pop(),
            name => {
                at.push(name.to_owned());
                if !modules.contains(&at) {
                    at.pop();
                    break;
                }
            }
        }
        path = rest;
    }
    at
}

/// The strongly connected parts with more than one module, by Tarjan's algorithm (SIAM J. Comput. 1972).
fn circles(imports: &Imports) -> Vec<Vec<Module>> {
    let mut search = Search {
        imports,
        seen: BTreeMap::new(),
        lowest: BTreeMap::new(),
        open: Vec::new(),
        circles: Vec::new(),
    };
    for module in imports.keys() {
        if !search.seen.contains_key(module) {
            search.visit(module);
        }
    }
    search.circles
}

struct Search<'a> {
    imports: &'a Imports,
    /// When a module was first seen.
    seen: BTreeMap<&'a Module, usize>,
    /// The earliest open module that it reaches.
    lowest: BTreeMap<&'a Module, usize>,
    /// Seen, and in no finished part yet.
    open: Vec<&'a Module>,
    circles: Vec<Vec<Module>>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, module: &'a Module) {
        let now = self.seen.len();
        self.seen.insert(module, now);
        self.open.push(module);
        let mut lowest = now;
        for import in &self.imports[module] {
            if !self.seen.contains_key(import) {
                self.visit(import);
                lowest = lowest.min(self.lowest[import]);
            } else if self.open.contains(&import) {
                lowest = lowest.min(self.seen[import]);
            }
        }
        self.lowest.insert(module, lowest);
        if lowest == now {
            let begin = self.open.iter().position(|m| *m == module).unwrap();
            let mut part: Vec<Module> = self.open.drain(begin..).cloned().collect();
            part.sort();
            if part.len() > 1 {
                self.circles.push(part);
            }
        }
    }
}

/// `name: text` of files, for the tests below.
fn files(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    texts.iter().map(owned).collect()
}

#[test]
fn a_circle_is_found_however_its_imports_are_written() {
    let found = circles(&imports(&files(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B;"),
        ("b/mod.rs", "mod d;\npub use d::B;"),
        ("b/d.rs", "use super::super::c::{self, C};"),
        ("c.rs", "fn f() { crate::a::g() }"),
    ])));
    let names = ["a", "b", "b/d", "c"].map(|file| module(&format!("{file}.rs")));
    assert_eq!(found, [names.to_vec()]);
}

#[test]
fn a_folder_that_shares_types_with_its_children_is_no_circle() {
    let found = circles(&imports(&files(&[
        ("lib.rs", "pub mod a;"),
        (
            "a/mod.rs",
            "mod b;\nmod c;\npub use self::b::B;\nfn f() { c::g() }",
        ),
        ("a/b.rs", "use super::Error;"),
        ("a/c.rs", "use crate::a::Error;\nuse super::b::B;"),
    ])));
    assert_eq!(found, Vec::<Vec<Module>>::new());
}

#[test]
fn no_more_than_three_files_import_each_other_in_a_circle() {
    let mut wrong = circles(&imports(&sources()));
    wrong.retain(|circle| circle.len() > MAY_CIRCLE);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
