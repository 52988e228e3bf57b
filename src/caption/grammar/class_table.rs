//! A table of classes: `id, group, article, noun, names`, parted by tabs, a class a line.
//!
//! `article` is `a`, or `-` for a noun without one (plurals, masses). `names` are parted by `;`: a
//! data set may call the class by any of them, by the noun, or by the id. A name that several classes
//! have is the first one's that has it as its noun, else no one's.

use std::collections::BTreeMap;

use super::super::location::{Location, Source};
use super::super::{CaptionError, Fault};
use super::build::{call, fault, is_group};
use super::{Class, Grammar, Slots, english};

struct Row<'a> {
    id: &'a str,
    noun: &'a str,
    names: Vec<&'a str>,
}

/// Adds the classes of a table, and their places.
pub(super) fn add(
    source: Source<'_>,
    grammar: &mut Grammar,
    places: &mut BTreeMap<String, Location>,
) -> Result<(), CaptionError> {
    let mut rows = Vec::new();
    let mut begin = 0;
    for line in source.text.split_inclusive('\n') {
        let at = begin;
        begin += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let &[id, group, article @ ("a" | "-"), noun, names] = cells.as_slice() else {
            return Err(fault(source.at(at), Fault::Row));
        };
        if id.trim().is_empty() || english::words(noun).is_empty() {
            return Err(fault(source.at(at), Fault::Row));
        }
        is_group(grammar, group, &source.at(at + id.len() + 1))?;
        call(grammar, id, id, &source.at(at))?;
        let class = Class {
            group: Some(group.to_owned()),
            nouns: vec![noun.to_owned()],
            article: article == "a",
            slots: Slots::new(),
            contradicts: Vec::new(),
        };
        grammar.classes.insert(id.to_owned(), class);
        places.insert(id.to_owned(), source.at(at));
        let names = names.split(';').map(str::trim).collect();
        rows.push(Row { id, noun, names });
    }
    for row in &rows {
        let name = english::name(row.noun);
        grammar
            .by_name
            .entry(name)
            .or_insert_with(|| row.id.to_owned());
    }
    let mut others: BTreeMap<String, Option<&str>> = BTreeMap::new();
    for row in &rows {
        for name in &row.names {
            let one = others.entry(english::name(name)).or_insert(Some(row.id));
            if *one != Some(row.id) {
                *one = None;
            }
        }
    }
    for (name, id) in others {
        if let Some(id) = id {
            grammar.by_name.entry(name).or_insert_with(|| id.to_owned());
        }
    }
    Ok(())
}
