//! From a file's shape to a grammar, every fault with its place.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::location::{Location, Source};
use super::super::wordnet::WordNet;
use super::super::{CaptionError, Fault};
use super::file::{self, File, Nouns, Text};
use super::template::Template;
use super::{Class, Grammar, Group, MOST, Phrase, Slots, class_table, english};
use crate::io;

/// Reads a grammar; its class table is `table`, else a file beside the grammar.
pub(super) fn build(
    source: Source<'_>,
    table: Option<&str>,
    wordnet: Option<&Path>,
) -> Result<Grammar, CaptionError> {
    let file: File = toml::from_str(source.text).map_err(|error| CaptionError::Parse {
        place: source.at(error.span().map_or(0, |span| span.start)),
        source: Box::new(error),
    })?;
    let mut grammar = Grammar {
        origin: source.origin.to_owned(),
        reference: Template::parse(&file.reference, source)?,
        templates: templates(&file.templates, source)?,
        slots: slots(&file.slots, source)?,
        exclude: Vec::new(),
        groups: BTreeMap::new(),
        classes: BTreeMap::new(),
        by_name: BTreeMap::new(),
        doubts: Vec::new(),
    };
    for (name, group) in &file.groups {
        grammar.groups.insert(
            name.get_ref().clone(),
            Group {
                reference: match &group.reference {
                    Some(own) => Some(Template::parse(own, source)?),
                    None => None,
                },
                templates: match &group.templates {
                    Some(own) => Some(templates(own, source)?),
                    None => None,
                },
                slots: slots(&group.slots, source)?,
                contradicts: phrases(&group.contradicts, source)?,
            },
        );
    }
    let mut places = classes(&file, source, wordnet, &mut grammar)?;
    if let Some(name) = &file.class_table {
        let path = Path::new(source.origin).with_file_name(name.get_ref());
        let origin = path.display().to_string();
        let text = match table {
            Some(text) => text.to_owned(),
            None => io::read_to_string(&path)?,
        };
        let table = Source {
            origin: &origin,
            text: &text,
        };
        class_table::add(table, &mut grammar, &mut places)?;
    }
    for (a, b) in &file.exclude {
        let pair = (phrase(a, source)?, phrase(b, source)?);
        if pair.0 == pair.1 {
            let phrase = b.get_ref().clone();
            return Err(fault(
                source.at(b.span().start),
                Fault::SamePhrase { phrase },
            ));
        }
        grammar.exclude.push(pair);
    }
    check(&grammar, &places, &source.at(file.templates.span().start))?;
    grammar.doubts = doubts(&grammar, &file, source);
    Ok(grammar)
}

pub(super) fn fault(place: Location, fault: Fault) -> CaptionError {
    CaptionError::Grammar { place, fault }
}

fn templates(
    texts: &toml::Spanned<Vec<Text>>,
    source: Source<'_>,
) -> Result<Vec<Template>, CaptionError> {
    if texts.get_ref().is_empty() {
        return Err(fault(source.at(texts.span().start), Fault::NoTemplates));
    }
    let texts = texts.get_ref().iter();
    texts.map(|text| Template::parse(text, source)).collect()
}

fn slots(slots: &file::Slots, source: Source<'_>) -> Result<Slots, CaptionError> {
    let mut found = Slots::new();
    for (name, values) in slots {
        if name.get_ref() == "class" {
            return Err(fault(source.at(name.span().start), Fault::SlotClass));
        }
        if values.get_ref().is_empty() {
            let slot = name.get_ref().clone();
            let place = source.at(values.span().start);
            return Err(fault(place, Fault::EmptySlot { slot }));
        }
        found.insert(name.get_ref().clone(), values.get_ref().clone());
    }
    Ok(found)
}

fn phrase(text: &Text, source: Source<'_>) -> Result<Phrase, CaptionError> {
    let words = english::words(text.get_ref());
    if words.is_empty() {
        return Err(fault(source.at(text.span().start), Fault::EmptyPhrase));
    }
    Ok(words)
}

fn phrases(texts: &[Text], source: Source<'_>) -> Result<Vec<String>, CaptionError> {
    for text in texts {
        phrase(text, source)?;
    }
    Ok(texts.iter().map(|text| text.get_ref().clone()).collect())
}

/// Adds the classes of the file; gives their places.
fn classes(
    file: &File,
    source: Source<'_>,
    wordnet: Option<&Path>,
    grammar: &mut Grammar,
) -> Result<BTreeMap<String, Location>, CaptionError> {
    let mut opened = None;
    let mut places = BTreeMap::new();
    for (name, class) in &file.classes {
        let key = name.get_ref();
        let at = source.at(name.span().start);
        call(grammar, key, key, &at)?;
        for other in &class.names {
            let at = source.at(other.span().start);
            call(grammar, other.get_ref(), key, &at)?;
        }
        if let Some(group) = &class.group {
            let at = source.at(group.span().start);
            is_group(grammar, group.get_ref(), &at)?;
        }
        let nouns = match &class.nouns {
            None => vec![key.replace('_', " ")],
            Some(Nouns::Texts(texts)) => {
                for text in texts {
                    phrase(text, source)?;
                }
                texts.iter().map(|text| text.get_ref().clone()).collect()
            }
            Some(Nouns::Below(asked)) => {
                let place = source.at(asked.synset.span().start);
                let Some(folder) = wordnet else {
                    let synset = asked.synset.get_ref().clone();
                    return Err(fault(place, Fault::NoWordNet { synset }));
                };
                let wordnet = match &opened {
                    Some(wordnet) => wordnet,
                    None => opened.insert(WordNet::open(folder)?),
                };
                wordnet
                    .nouns(asked.synset.get_ref(), asked.depth, asked.most)
                    .map_err(|error| CaptionError::Nouns {
                        place,
                        source: Box::new(error),
                    })?
            }
        };
        let class = Class {
            group: class.group.as_ref().map(|group| group.get_ref().clone()),
            nouns,
            article: class.article,
            slots: slots(&class.slots, source)?,
            contradicts: phrases(&class.contradicts, source)?,
        };
        grammar.classes.insert(key.clone(), class);
        places.insert(key.clone(), at);
    }
    Ok(places)
}

/// Lets a class answer to a name.
pub(super) fn call(
    grammar: &mut Grammar,
    name: &str,
    key: &str,
    place: &Location,
) -> Result<(), CaptionError> {
    let written = english::name(name);
    match grammar.by_name.insert(written, key.to_owned()) {
        Some(class) if class != key => {
            let name = name.to_owned();
            Err(fault(place.clone(), Fault::Name { name, class }))
        }
        _ => Ok(()),
    }
}

pub(super) fn is_group(
    grammar: &Grammar,
    name: &str,
    place: &Location,
) -> Result<(), CaptionError> {
    if grammar.groups.contains_key(name) {
        return Ok(());
    }
    let name = name.to_owned();
    let known = grammar.groups.keys().cloned().collect();
    Err(fault(place.clone(), Fault::Group { name, known }))
}

/// Every template fills for every class, and leaves some captions, and not too many.
fn check(
    grammar: &Grammar,
    places: &BTreeMap<String, Location>,
    templates: &Location,
) -> Result<(), CaptionError> {
    // What a class that the grammar does not name is called here: its captions read as a class's do.
    const UNNAMED: &str = "thing";
    let named = grammar.classes.keys().map(String::as_str);
    for class in [UNNAMED].into_iter().chain(named) {
        let view = grammar.view(class);
        let for_class = || places.get(class).map(|_| class.to_owned());
        let all = grammar.templates(&view);
        for template in all.iter().chain([grammar.reference_of(&view)]) {
            for (slot, place) in template.slots() {
                if grammar.values(&view, slot).is_empty() {
                    let known = grammar.slots.keys().cloned().collect();
                    let slot = slot.to_owned();
                    let problem = Fault::Slot {
                        slot,
                        for_class: for_class(),
                        known,
                    };
                    return Err(fault(place.clone(), problem));
                }
            }
        }
        let class = for_class().unwrap_or_default();
        let mut total: u128 = 0;
        for template in all {
            let count = template.count(|slot| grammar.values(&view, slot));
            total = total.saturating_add(count);
            if total > MOST {
                let problem = Fault::TooMany {
                    class,
                    count: total,
                    most: MOST,
                };
                return Err(fault(template.place.clone(), problem));
            }
        }
        let none = all
            .iter()
            .all(|template| grammar.fill(&view, template).next().is_none());
        if none {
            let place = places.get(&class).unwrap_or(templates).clone();
            return Err(fault(place, Fault::Nothing { class }));
        }
    }
    Ok(())
}

/// Phrases that no word of the grammar can say, so that a pair never excludes anything.
fn doubts(grammar: &Grammar, file: &File, source: Source<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let mut say = |text: &str| said.extend(english::words(&text.replace("a(n)", "a an")));
    let groups = grammar.groups.values();
    let templates = groups.clone().filter_map(|group| group.templates.as_ref());
    let templates = templates.flatten().chain(&grammar.templates);
    templates.flat_map(Template::texts).for_each(&mut say);
    let own = grammar.classes.values().map(|class| &class.slots);
    let slots = groups.map(|group| &group.slots).chain(own);
    let values = slots.chain([&grammar.slots]).flat_map(BTreeMap::values);
    values.flatten().for_each(|value| say(value));
    for (name, class) in &grammar.classes {
        say(name);
        class.nouns.iter().for_each(|noun| say(noun));
    }
    said.sort_unstable();
    said.dedup();
    let all = file.exclude.iter().flat_map(|(a, b)| [a, b]);
    all.filter_map(|text| {
        let unknown = english::words(text.get_ref())
            .into_iter()
            .find(|word| said.binary_search(word).is_err())?;
        let place = source.at(text.span().start);
        Some(format!(
            "{place}: exclude says {unknown:?}, and no template, slot or noun does"
        ))
    })
    .collect()
}
