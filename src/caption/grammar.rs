//! The grammar: templates whose `{slots}` run through their values.
//!
//! `a(n)` becomes `a` or `an` by the word that follows; empty values leave no double spaces; equal
//! captions are made once. `{class}` is the class's noun, each of them where it has several. A slot
//! has the class's own values, else those of the class's group, else the common ones.
//!
//! Everything is checked when a grammar is read, with the place of what is wrong: a grammar that
//! reads makes captions for every class.

mod build;
mod class_table;
pub(crate) mod english;
mod file;
mod template;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

pub use self::english::says;
use self::english::{holds, polish, words};
use self::template::Template;
use super::CaptionError;
use super::location::Source;
use crate::io;

/// Captions of one class at most.
pub(crate) const MOST: u128 = 200_000;

/// A phrase, word by word.
type Phrase = Vec<String>;

/// Values by slot.
type Slots = BTreeMap<String, Vec<String>>;

/// Candidate captions for every class, and the caption each class is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Grammar {
    origin: String,
    reference: Template,
    templates: Vec<Template>,
    slots: Slots,
    exclude: Vec<(Phrase, Phrase)>,
    groups: BTreeMap<String, Group>,
    classes: BTreeMap<String, Class>,
    /// The class by each of its names, as [`english::name`] writes it.
    by_name: BTreeMap<String, String>,
    doubts: Vec<String>,
}

/// What classes of a kind share.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    reference: Option<Template>,
    templates: Option<Vec<Template>>,
    slots: Slots,
    contradicts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Class {
    group: Option<String>,
    nouns: Vec<String>,
    article: bool,
    slots: Slots,
    contradicts: Vec<String>,
}

/// A class as captions are made for it.
struct View<'a> {
    own: Option<&'a Class>,
    group: Option<&'a Group>,
    nouns: Vec<String>,
}

impl Grammar {
    /// The grammars that come with hardlight, by name.
    pub const BUILTIN: [&'static str; 7] = [
        "world",
        "cifar10",
        "cifar100",
        "imagenet",
        "celeba",
        "chestxray",
        "general",
    ];

    /// A grammar that comes with hardlight; none for an unknown name.
    ///
    /// # Errors
    ///
    /// [`CaptionError`] never in practice: a test reads them all.
    pub fn builtin(name: &str) -> Option<Result<Self, CaptionError>> {
        let mut table = None;
        let text = match name {
            "world" => include_str!("../../prompts/world.toml"),
            "cifar10" => include_str!("../../prompts/cifar10.toml"),
            "cifar100" => include_str!("../../prompts/cifar100.toml"),
            "imagenet" => {
                table = Some(include_str!("../../prompts/imagenet-classes.tsv"));
                include_str!("../../prompts/imagenet.toml")
            }
            "celeba" => include_str!("../../prompts/celeba.toml"),
            "chestxray" => include_str!("../../prompts/chestxray.toml"),
            "general" => include_str!("../../prompts/general.toml"),
            _ => return None,
        };
        let origin = format!("prompts/{name}.toml");
        let source = Source {
            origin: &origin,
            text,
        };
        Some(build::build(source, table, None))
    }

    /// Reads a grammar file; nouns of synsets come from `wordnet`, a folder with `data.noun`.
    ///
    /// # Errors
    ///
    /// [`CaptionError`], naming the file, line and column.
    pub fn read(path: &Path, wordnet: Option<&Path>) -> Result<Self, CaptionError> {
        let text = io::read_to_string(path)?;
        let origin = path.display().to_string();
        let source = Source {
            origin: &origin,
            text: &text,
        };
        build::build(source, None, wordnet)
    }

    /// Reads a grammar from text; `origin` names it in messages, and is where a class table lies beside.
    ///
    /// # Errors
    ///
    /// As [`Grammar::read`].
    pub fn parse(origin: &str, text: &str) -> Result<Self, CaptionError> {
        build::build(Source { origin, text }, None, None)
    }

    /// What messages call this grammar.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The classes that the grammar names.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.classes.keys().map(String::as_str)
    }

    /// Whether the grammar names a class, by any of its names.
    pub fn knows(&self, class: &str) -> bool {
        self.find(class).is_some()
    }

    /// What is allowed and may still be a mistake, with its place.
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// Words and phrases that contradict a class's label.
    pub fn contradictions(&self, class: &str) -> Vec<String> {
        let view = self.view(class);
        let group = view.group.into_iter().flat_map(|group| &group.contradicts);
        let own = view.own.into_iter().flat_map(|own| &own.contradicts);
        group.chain(own).cloned().collect()
    }

    /// The caption that names the class and nothing else: the first value of every slot.
    pub fn reference(&self, class: &str) -> String {
        let view = self.view(class);
        let template = self.reference_of(&view);
        let fill = |template: &Template| polish(&template.fill(0, |slot| self.values(&view, slot)));
        if view.takes_article() {
            fill(template)
        } else {
            fill(&template.without_article())
        }
    }

    /// All captions of a class, in a fixed order, each once.
    ///
    /// # Errors
    ///
    /// [`CaptionError::Empty`] if none is left.
    pub fn candidates(&self, class: &str) -> Result<Vec<String>, CaptionError> {
        let view = self.view(class);
        let mut seen = HashSet::new();
        let mut captions = Vec::new();
        for template in self.templates(&view) {
            for caption in self.fill(&view, template) {
                if seen.insert(caption.clone()) {
                    captions.push(caption);
                }
            }
        }
        if captions.is_empty() {
            return Err(CaptionError::Empty {
                origin: self.origin.clone(),
                class: class.to_owned(),
            });
        }
        Ok(captions)
    }

    /// The captions of a template that no pair excludes, perhaps some twice.
    fn fill<'a>(
        &'a self,
        view: &'a View<'a>,
        template: &'a Template,
    ) -> impl Iterator<Item = String> + 'a {
        let template = if view.takes_article() {
            template.clone()
        } else {
            template.without_article()
        };
        let count = template.count(|slot| self.values(view, slot));
        (0..count)
            .map(move |number| polish(&template.fill(number, |slot| self.values(view, slot))))
            .filter(|caption| !self.is_excluded(caption))
    }

    fn is_excluded(&self, caption: &str) -> bool {
        if self.exclude.is_empty() {
            return false;
        }
        let caption = words(caption);
        self.exclude
            .iter()
            .any(|(a, b)| holds(&caption, a) && holds(&caption, b))
    }

    fn find(&self, class: &str) -> Option<&Class> {
        let class = english::name(class);
        // "crane (n02012849)": the id says which.
        let id = class
            .strip_suffix(')')
            .and_then(|rest| rest.rsplit_once('('))
            .map(|(_, id)| id);
        let key = self.by_name.get(&class).or_else(|| self.by_name.get(id?))?;
        self.classes.get(key)
    }

    fn view(&self, class: &str) -> View<'_> {
        let own = self.find(class);
        let group = own.and_then(|own| self.groups.get(own.group.as_ref()?));
        let nouns = own.map(|own| own.nouns.clone()).unwrap_or_default();
        let nouns = if nouns.is_empty() {
            vec![class.replace('_', " ")]
        } else {
            nouns
        };
        View { own, group, nouns }
    }

    fn reference_of<'a>(&'a self, view: &View<'a>) -> &'a Template {
        let of_group = view.group.and_then(|group| group.reference.as_ref());
        of_group.unwrap_or(&self.reference)
    }

    fn templates<'a>(&'a self, view: &View<'a>) -> &'a [Template] {
        let of_group = view.group.and_then(|group| group.templates.as_deref());
        of_group.unwrap_or(&self.templates)
    }

    /// The values of a slot; none where there is no such slot, which reading refuses.
    fn values<'a>(&'a self, view: &'a View<'a>, slot: &str) -> &'a [String] {
        if slot == "class" {
            return &view.nouns;
        }
        let own = view.own.and_then(|own| own.slots.get(slot));
        own.or_else(|| view.group.and_then(|group| group.slots.get(slot)))
            .or_else(|| self.slots.get(slot))
            .map_or(&[], Vec::as_slice)
    }
}

impl View<'_> {
    fn takes_article(&self) -> bool {
        self.own.is_none_or(|own| own.article)
    }
}

#[cfg(test)]
mod builtin_tests;
#[cfg(test)]
mod tests;
