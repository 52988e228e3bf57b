//! The grammar: templates whose `{slots}` run through their values.
//!
//! `a(n)` becomes `a` or `an` by the word that follows; empty values leave no double spaces; equal
//! captions are made once. `{class}` is the class's noun, each of them where it has several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::CaptionError;
use crate::io;

/// Captions of one class at most.
const MOST: u128 = 200_000;

/// Candidate captions for every class, and the caption each class is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Grammar {
    origin: String,
    file: File,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    reference: String,
    templates: Vec<String>,
    #[serde(default)]
    slots: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    exclude: Vec<(String, String)>,
    #[serde(default)]
    classes: BTreeMap<String, Class>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    #[serde(default)]
    nouns: Vec<String>,
    #[serde(default)]
    slots: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    contradicts: Vec<String>,
}

impl Grammar {
    /// The grammars that come with hardlight, by name.
    pub const BUILTIN: [&'static str; 3] = ["world", "cifar10", "general"];

    /// A grammar that comes with hardlight; none for an unknown name.
    ///
    /// # Errors
    ///
    /// [`CaptionError`] never in practice: a test reads them all.
    pub fn builtin(name: &str) -> Option<Result<Self, CaptionError>> {
        let text = match name {
            "world" => include_str!("../../prompts/world.toml"),
            "cifar10" => include_str!("../../prompts/cifar10.toml"),
            "general" => include_str!("../../prompts/general.toml"),
            _ => return None,
        };
        Some(Self::parse(&format!("prompts/{name}.toml"), text))
    }

    /// Reads a grammar file.
    ///
    /// # Errors
    ///
    /// [`CaptionError`], naming the file, and the line and column where TOML is at fault.
    pub fn read(path: &Path) -> Result<Self, CaptionError> {
        Self::parse(&path.display().to_string(), &io::read_to_string(path)?)
    }

    /// Reads a grammar from text; `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// As [`Grammar::read`].
    pub fn parse(origin: &str, text: &str) -> Result<Self, CaptionError> {
        let file: File = toml::from_str(text).map_err(|source| CaptionError::Parse {
            origin: origin.to_owned(),
            source: Box::new(source),
        })?;
        let grammar = Self {
            origin: origin.to_owned(),
            file,
        };
        // Every template is tried for every class it could serve, so that faults show at once.
        grammar.reference("x")?;
        for class in grammar.file.classes.keys().map(String::as_str).chain(["x"]) {
            for template in &grammar.file.templates {
                grammar.parts(template, class)?;
            }
        }
        Ok(grammar)
    }

    /// What messages call this grammar.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The classes that the grammar names.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.file.classes.keys().map(String::as_str)
    }

    /// Words and phrases that contradict a class's label.
    pub fn contradictions(&self, class: &str) -> &[String] {
        self.file
            .classes
            .get(class)
            .map_or(&[], |c| c.contradicts.as_slice())
    }

    /// The caption that names the class and nothing else.
    ///
    /// # Errors
    ///
    /// [`CaptionError::Slot`] or [`CaptionError::Brace`].
    pub fn reference(&self, class: &str) -> Result<String, CaptionError> {
        let parts = self.parts(&self.file.reference, class)?;
        let text: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => (*text).to_owned(),
                Part::Slot(values) => values.first().cloned().unwrap_or_default(),
            })
            .collect();
        Ok(polish(&text))
    }

    /// All captions of a class, in a fixed order, each once.
    ///
    /// # Errors
    ///
    /// [`CaptionError`] for a faulty template, too many captions or none.
    pub fn candidates(&self, class: &str) -> Result<Vec<String>, CaptionError> {
        let mut seen = BTreeSet::new();
        let mut captions = Vec::new();
        for template in &self.file.templates {
            let parts = self.parts(template, class)?;
            let count: u128 = parts.iter().map(|part| part.len() as u128).product();
            if count > MOST {
                let origin = self.origin.clone();
                return Err(CaptionError::TooMany {
                    origin,
                    count,
                    most: MOST,
                });
            }
            // The last slot turns fastest, as digits do.
            for number in 0..count {
                let mut rest = number;
                let mut chosen: Vec<&str> = Vec::with_capacity(parts.len());
                for part in parts.iter().rev() {
                    let n = part.len() as u128;
                    chosen.push(part.value((rest % n) as usize));
                    rest /= n;
                }
                chosen.reverse();
                let caption = polish(&chosen.concat());
                if !self.is_excluded(&caption) && seen.insert(caption.clone()) {
                    captions.push(caption);
                }
            }
        }
        if captions.is_empty() {
            let origin = self.origin.clone();
            return Err(CaptionError::Empty {
                origin,
                class: class.to_owned(),
            });
        }
        Ok(captions)
    }

    fn is_excluded(&self, caption: &str) -> bool {
        self.file
            .exclude
            .iter()
            .any(|(a, b)| says(caption, a) && says(caption, b))
    }

    fn parts<'a>(&'a self, template: &'a str, class: &str) -> Result<Vec<Part<'a>>, CaptionError> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((slot, after)) = after.split_once('}') else {
                return Err(CaptionError::Brace {
                    origin: self.origin.clone(),
                    template: template.to_owned(),
                });
            };
            parts.push(Part::Text(before));
            parts.push(Part::Slot(self.values(slot, template, class)?));
            rest = after;
        }
        parts.push(Part::Text(rest));
        Ok(parts)
    }

    fn values(&self, slot: &str, template: &str, class: &str) -> Result<Vec<String>, CaptionError> {
        let own = self.file.classes.get(class);
        if slot == "class" {
            let nouns = own
                .map(|c| c.nouns.clone())
                .filter(|nouns| !nouns.is_empty());
            return Ok(nouns.unwrap_or_else(|| vec![class.replace(['_', '-'], " ")]));
        }
        own.and_then(|c| c.slots.get(slot))
            .or_else(|| self.file.slots.get(slot))
            .filter(|values| !values.is_empty())
            .cloned()
            .ok_or_else(|| CaptionError::Slot {
                origin: self.origin.clone(),
                template: template.to_owned(),
                slot: slot.to_owned(),
                known: self.file.slots.keys().cloned().collect(),
            })
    }
}

enum Part<'a> {
    Text(&'a str),
    Slot(Vec<String>),
}

impl Part<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::Slot(values) => values.len(),
        }
    }

    fn value(&self, at: usize) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Slot(values) => &values[at],
        }
    }
}

/// Whether a caption holds a word or phrase, as whole words, whatever the case.
pub fn says(caption: &str, phrase: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (caption, phrase) = (words(caption), words(phrase));
    !phrase.is_empty() && caption.windows(phrase.len()).any(|window| window == phrase)
}

/// Single spaces, and every `a(n)` resolved.
fn polish(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut out = Vec::with_capacity(words.len());
    for (i, &word) in words.iter().enumerate() {
        out.push(match word {
            "a(n)" => article(words.get(i + 1).copied().unwrap_or_default()),
            word => word,
        });
    }
    out.join(" ")
}

/// The indefinite article that a word takes, by how English sounds.
fn article(word: &str) -> &'static str {
    let word = word.to_lowercase();
    let silent_h = ["hour", "honest", "honour", "honor", "heir"];
    let consonant = ["uni", "use", "usu", "eu", "one", "once", "ute", "ukulele"];
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| word.starts_with(p));
    // "unimportant" and its like begin with a vowel after all.
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    if starts(&silent_h) || (vowel && (!starts(&consonant) || word.starts_with("unim"))) {
        "an"
    } else {
        "a"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
reference = "a photo of a(n) {class}"
templates = ["a photo of a(n) {size} {class} {place}"]
exclude = [["tiny", "on a roof"]]
[slots]
size = ["", "tiny", "old"]
place = ["", "on a roof"]
[classes.ape]
nouns = ["ape", "orang utan"]
contradicts = ["cat"]
"#;

    #[test]
    fn captions_come_in_order_with_articles_and_without_excluded_pairs() {
        let grammar = Grammar::parse("g", TEXT).unwrap();
        assert_eq!(grammar.reference("ape").unwrap(), "a photo of an ape");
        assert_eq!(
            grammar.candidates("cat").unwrap(),
            [
                "a photo of a cat",
                "a photo of a cat on a roof",
                "a photo of a tiny cat",
                "a photo of an old cat",
                "a photo of an old cat on a roof",
            ]
        );
        assert_eq!(grammar.candidates("ape").unwrap().len(), 10);
        assert_eq!(grammar.contradictions("ape"), ["cat"]);
    }

    #[test]
    fn faults_name_file_line_and_column() {
        let error = Grammar::parse("my.toml", "reference = \"x\"\ntemplates = [3]\n").unwrap_err();
        let CaptionError::Parse { origin, source } = error else {
            panic!("{error:?}")
        };
        assert_eq!(origin, "my.toml");
        assert!(source.to_string().contains("line 2, column 14"), "{source}");
        let text = "reference = \"x\"\ntemplates = [\"{adj}\"]\n";
        assert!(matches!(
            Grammar::parse("g", text),
            Err(CaptionError::Slot { .. })
        ));
        let text = "reference = \"{class\"\ntemplates = []\n";
        assert!(matches!(
            Grammar::parse("g", text),
            Err(CaptionError::Brace { .. })
        ));
    }

    #[test]
    fn grammars_that_come_along_are_sound() {
        for name in Grammar::BUILTIN {
            let grammar = Grammar::builtin(name).unwrap().unwrap();
            let class = grammar
                .classes()
                .next()
                .unwrap_or("traffic light")
                .to_owned();
            let captions = grammar.candidates(&class).unwrap();
            assert!(captions.len() >= 50, "{name} {}", captions.len());
            assert!(
                captions
                    .iter()
                    .all(|c| !c.contains("  ") && !c.contains('{'))
            );
        }
        let world = Grammar::builtin("world").unwrap().unwrap();
        assert_eq!(world.reference("old").unwrap(), "a photo of an old person");
    }

    #[test]
    fn phrases_match_as_whole_words() {
        assert!(says("a photo of a young man", "Young"));
        assert!(!says("a photo of a woman", "man"));
        assert!(says("a cat, on a roof", "on a roof"));
    }

    #[test]
    fn articles_follow_the_sound() {
        for (word, expected) in [
            ("apple", "an"),
            ("hour", "an"),
            ("unicorn", "a"),
            ("user", "a"),
            ("cat", "a"),
            ("unimportant", "an"),
        ] {
            assert_eq!(article(word), expected, "{word}");
        }
    }
}
