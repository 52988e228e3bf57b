//! Which example a row of predictions is about, by id or path as people write them.
//!
//! Tried in this order, for the file as a whole:
//!
//! 1. the id or path itself, slashes of either kind and forms of letters being one;
//! 2. an absolute path that begins with the data's folder;
//! 3. a path with more in front of it, the same for all rows: that of another machine, or of the folder above;
//! 4. a path with less in front of it (`cat/7.png` for `val/cat/7.png`), where only one example ends so, or
//!    where one beginning alone fits all rows.
//!
//! Steps 3 and 4 are taken where no row matches without them, so that a stray row among good ones stays
//! unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::classes::composed;
use super::paths::{clean, is_absolute, prefixes};
use super::{Contradiction, Dataset, DatasetError, ExampleId};

/// What a row names its example with.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: String,
    /// Where it stands, for messages.
    pub(super) place: String,
}

/// Which examples rows are about.
#[derive(Debug)]
pub(super) struct Matched {
    /// One a row; none for a row about no example.
    pub(super) ids: Vec<Option<ExampleId>>,
    /// How keys were read, where not as they are.
    pub(super) said: Option<String>,
}

/// Examples by what is before the end of their keys.
type Endings<'a> = BTreeMap<&'a str, ExampleId>;

/// Examples by the last parts of their keys, each with what is before them.
type ByEnd<'a> = HashMap<&'a str, Vec<(&'a str, ExampleId)>>;

/// The examples by id, or by path.
pub(super) struct Keys<'a> {
    dataset: &'a Dataset,
    /// "id" or "path".
    kind: &'static str,
    /// `None` for a path that several examples share.
    examples: HashMap<String, Option<ExampleId>>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(dataset: &'a Dataset, kind: &'static str) -> Self {
        let mut examples: HashMap<String, Option<ExampleId>> =
            HashMap::with_capacity(dataset.len());
        for (id, example) in dataset.iter() {
            let key = if kind == "id" {
                &example.id
            } else {
                &example.path
            };
            examples
                .entry(composed(key))
                .and_modify(|first| *first = None)
                .or_insert(Some(id));
        }
        Self {
            dataset,
            kind,
            examples,
        }
    }

    /// Whether there is an example by exactly this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.examples.contains_key(&composed(key))
            || self.examples.contains_key(&composed(&clean(key)))
    }

    /// The examples that rows are about.
    ///
    /// # Errors
    ///
    /// [`DatasetError::SharedPath`], [`Contradiction::PathEnds`].
    pub(super) fn find(&self, keys: &[Key]) -> Result<Matched, DatasetError> {
        let plain: Vec<String> = keys.iter().map(|key| composed(&clean(&key.text))).collect();
        let roots = prefixes(self.dataset.root());
        let roots: Vec<String> = roots.iter().map(|root| composed(root)).collect();
        let mut ids = Vec::with_capacity(keys.len());
        for (key, plain) in keys.iter().zip(&plain) {
            let below = roots
                .iter()
                .find_map(|root| plain.strip_prefix(root.as_str()));
            let mut found = None;
            for text in [Some(composed(&key.text).as_str()), Some(plain), below] {
                if let Some(text) = text
                    && found.is_none()
                {
                    found = self.exact(text, key)?;
                }
            }
            ids.push(found);
        }
        let said = None;
        if ids.iter().any(Option::is_some) {
            return Ok(Matched { ids, said });
        }
        if let Some(matched) = self.with_more(&plain, keys)? {
            return Ok(matched);
        }
        if let Some(matched) = self.with_less(&plain, keys)? {
            return Ok(matched);
        }
        Ok(Matched { ids, said })
    }

    fn exact(&self, text: &str, key: &Key) -> Result<Option<ExampleId>, DatasetError> {
        match self.examples.get(text) {
            None => Ok(None),
            Some(Some(id)) => Ok(Some(*id)),
            Some(None) => Err(DatasetError::SharedPath {
                place: key.place.clone(),
                path: text.to_owned(),
            }),
        }
    }

    /// Rows whose keys have something in front of them, the same for all.
    fn with_more(&self, plain: &[String], keys: &[Key]) -> Result<Option<Matched>, DatasetError> {
        let ends = |text: &str| -> Vec<usize> {
            let slashes = text.match_indices('/').map(|(at, _)| at + 1);
            slashes.filter(|at| *at < text.len()).collect()
        };
        let prefix = plain.iter().find_map(|text| {
            let mut ends = ends(text).into_iter();
            let at = ends.find(|at| self.examples.contains_key(&text[*at..]))?;
            Some(text[..at].to_owned())
        });
        let Some(prefix) = prefix else {
            return Ok(None);
        };
        let mut ids = Vec::with_capacity(plain.len());
        for (text, key) in plain.iter().zip(keys) {
            ids.push(match text.strip_prefix(&prefix) {
                Some(rest) => self.exact(rest, key)?,
                None => None,
            });
        }
        let said = Some(format!(
            "what begins with {prefix} is taken for what lies in {}",
            self.dataset.root().display()
        ));
        Ok(Some(Matched { ids, said }))
    }

    /// Rows whose keys lack their beginning.
    fn with_less(&self, plain: &[String], keys: &[Key]) -> Result<Option<Matched>, DatasetError> {
        let found = self.endings(plain);
        let mut common: Option<BTreeSet<&str>> = None;
        for all in found.iter().filter(|all| !all.is_empty()) {
            let starts: BTreeSet<&str> = all.keys().copied().collect();
            common = Some(match common {
                None => starts,
                Some(common) => &common & &starts,
            });
        }
        let Some(common) = common else {
            return Ok(None);
        };
        let only = common.first().copied().filter(|_| common.len() == 1);
        let unclear = |all: &Endings<'_>| all.len() > 1 && only.is_none();
        if let Some((all, key)) = found.iter().zip(keys).find(|(all, _)| unclear(all)) {
            let mut names = all.values().map(|id| self.key_of(*id).to_owned());
            return Err(Contradiction::PathEnds {
                place: key.place.clone(),
                kind: self.kind,
                value: key.text.clone(),
                first: names.next().unwrap_or_default(),
                second: names.next().unwrap_or_default(),
            }
            .into());
        }
        let pick = |all: &Endings<'_>| match only {
            Some(start) => all.get(start).copied(),
            None => all.values().next().copied(),
        };
        let ids: Vec<Option<ExampleId>> = found.iter().map(pick).collect();
        let mut pairs = ids.iter().zip(keys);
        let first = pairs.find_map(|(id, key)| Some(((*id)?, key)));
        let said = first.map(|(id, key)| {
            let whole = self.key_of(id);
            format!("{:?} is taken for {whole:?}, and so on", key.text)
        });
        Ok(Some(Matched { ids, said }))
    }

    /// For each text the examples whose keys end so, by what is before.
    fn endings(&self, plain: &[String]) -> Vec<Endings<'_>> {
        let mut by_parts: HashMap<usize, ByEnd<'_>> = HashMap::new();
        let mut found = Vec::with_capacity(plain.len());
        for text in plain {
            if text.is_empty() || is_absolute(text) {
                found.push(Endings::new());
                continue;
            }
            let parts = text.matches('/').count() + 1;
            let ends = by_parts.entry(parts).or_insert_with(|| self.ends(parts));
            let all = ends.get(text.as_str());
            found.push(all.into_iter().flatten().copied().collect());
        }
        found
    }

    /// The examples by the last parts of their keys, each with what is before them.
    #[allow(
        clippy::iter_over_hash_type,
        reason = "what is found is ordered by what is before it"
    )]
    fn ends(&self, parts: usize) -> ByEnd<'_> {
        let mut ends = ByEnd::new();
        for (key, id) in &self.examples {
            let slash = key.rmatch_indices('/').nth(parts - 1);
            if let (Some((at, _)), Some(id)) = (slash, id) {
                ends.entry(&key[at + 1..])
                    .or_default()
                    .push((&key[..=at], *id));
            }
        }
        ends
    }

    fn key_of(&self, id: ExampleId) -> &str {
        let example = self.dataset.example(id);
        if self.kind == "id" {
            &example.id
        } else {
            &example.path
        }
    }

    /// The error for a row about no example; what it may be about is said, where one example ends so.
    pub(super) fn unknown(&self, key: &Key) -> DatasetError {
        let plain = composed(&clean(&key.text));
        let ends = self.ends(plain.matches('/').count() + 1);
        let near = match ends.get(plain.as_str()).map(Vec::as_slice) {
            Some([first, more @ ..]) => {
                let least = more.iter().fold(*first, |least, one| least.min(*one));
                Some(self.key_of(least.1).to_owned())
            }
            _ => None,
        };
        DatasetError::UnknownExample {
            place: key.place.clone(),
            key: self.kind,
            value: key.text.clone(),
            near,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dataset::{Example, Split};

    const PATHS: [&str; 5] = [
        "train/cat/1.png",
        "train/cat/2.png",
        "val/cat/1.png",
        "val/cat/3.png",
        "val/caf\u{e9}/4.png",
    ];

    /// The paths that rows are about, `?` for none; what was said.
    fn found(root: &str, keys: &[&str]) -> Result<(Vec<String>, bool), String> {
        let example = |path: &&str| Example::new((*path).to_owned(), 0, Split::Val);
        let examples = PATHS.iter().map(example).collect();
        let data = Dataset::new(PathBuf::from(root), vec!["cat".to_owned()], examples).unwrap();
        let key = |(at, text): (usize, &&str)| Key {
            text: (*text).to_owned(),
            place: format!("line {}", at + 2),
        };
        let keys: Vec<Key> = keys.iter().enumerate().map(key).collect();
        let matched = Keys::new(&data, "path")
            .find(&keys)
            .map_err(|e| e.to_string())?;
        let path = |id: &Option<ExampleId>| {
            id.map_or("?", |id| data.example(id).path.as_str())
                .to_owned()
        };
        Ok((
            matched.ids.iter().map(path).collect(),
            matched.said.is_some(),
        ))
    }

    fn paths(all: &[&str]) -> Vec<String> {
        all.iter().map(|&path| path.to_owned()).collect()
    }

    #[test]
    fn paths_as_people_write_them() {
        for (keys, wanted, said) in [
            (
                &["./val//cat/1.png", "train\\cat\\2.png"][..],
                &["val/cat/1.png", "train/cat/2.png"][..],
                false,
            ),
            (&["/data/me/val/cat/1.png"], &["val/cat/1.png"], false),
            (&["val/cafe\u{301}/4.png"], &["val/caf\u{e9}/4.png"], false),
            (
                &["/home/you/pets/val/cat/1.png", "/home/you/pets/x.png"],
                &["val/cat/1.png", "?"],
                true,
            ),
            (&["D:\\pets\\val\\cat\\3.png"], &["val/cat/3.png"], true),
            (&["pets/val/cat/3.png"], &["val/cat/3.png"], true),
            // Only one ends so.
            (
                &["cat/3.png", "3.png"],
                &["val/cat/3.png", "val/cat/3.png"],
                true,
            ),
            // Several end so, and one beginning alone fits all.
            (
                &["cat/1.png", "cat/3.png"],
                &["val/cat/1.png", "val/cat/3.png"],
                true,
            ),
            (
                &["cat/1.png", "cat/2.png"],
                &["train/cat/1.png", "train/cat/2.png"],
                true,
            ),
            // A stray row among good ones.
            (
                &["val/cat/1.png", "cat/3.png"],
                &["val/cat/1.png", "?"],
                false,
            ),
            (&["/home/you/x.png"], &["?"], false),
        ] {
            assert_eq!(
                found("/data/me", keys),
                Ok((paths(wanted), said)),
                "{keys:?}"
            );
        }
    }

    #[test]
    fn two_examples_that_a_row_may_be_about_are_named() {
        let error = found("/data", &["cat/1.png"]).unwrap_err();
        let words = "line 2: path \"cat/1.png\" may be \"train/cat/1.png\" or \"val/cat/1.png\"";
        assert!(error.starts_with(words), "{error}");
        let error = found("/data", &["3.png", "2.png", "1.png"]).unwrap_err();
        assert!(
            error.starts_with("line 4: path \"1.png\" may be"),
            "{error}"
        );
    }
}
