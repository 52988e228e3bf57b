//! Reading a scheduler's settings from its file, with a record of what was read.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::{SchedulerConfig, SchedulerError, registry::Entry};

/// A file as one class reads it.
///
/// Every setting that is read, given or by default, is noted under its key in Diffusers, in the form
/// in which this reader would read it again. So the notes are a scheduler's whole record, and no
/// scheduler has to write one.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    config: &'a SchedulerConfig,
    class: &'static str,
    name: &'static str,
    eta: f64,
    notes: BTreeMap<String, Value>,
}

/// The key of DDIM's η, which Diffusers takes as an argument and has in no file.
pub(super) const ETA: &str = "eta";

impl<'a> Reader<'a> {
    pub(super) fn new(config: &'a SchedulerConfig, entry: &'static Entry, eta: f64) -> Self {
        Self {
            config,
            class: entry.diffusers_class,
            name: entry.name,
            eta,
            notes: BTreeMap::new(),
        }
    }

    /// What was read, by key.
    ///
    /// # Errors
    ///
    /// [`SchedulerError::Eta`] if there is an η and nobody read it.
    pub(super) fn finish(self) -> Result<BTreeMap<String, Value>, SchedulerError> {
        if self.eta != 0.0 && !self.notes.contains_key(ETA) {
            return Err(self.bad_eta());
        }
        Ok(self.notes)
    }

    fn note(&mut self, key: &str, value: impl Into<Value>) {
        self.notes.insert(key.to_owned(), value.into());
    }

    /// A value as it stands in the file, `null` taken for absent, and not noted.
    pub(super) fn raw(&self, key: &str) -> Option<&'a Value> {
        self.config.raw(key)
    }

    /// DDIM's η, from 0 to 1.
    pub(super) fn eta(&mut self) -> Result<f64, SchedulerError> {
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(self.bad_eta());
        }
        self.note(ETA, self.eta);
        Ok(self.eta)
    }

    /// `num_train_timesteps`.
    pub(super) fn train_timesteps(&mut self) -> Result<usize, SchedulerError> {
        let train = self.config.train_timesteps()?;
        self.note("num_train_timesteps", train);
        Ok(train)
    }

    /// A switch. `null` is false, as `None` is in Python.
    pub(super) fn flag(
        &mut self,
        key: &'static str,
        default: bool,
    ) -> Result<bool, SchedulerError> {
        let flag = self.config.flag(key, default)?;
        self.note(key, flag);
        Ok(flag)
    }

    /// A number that `accepts` approves of.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: f64,
        expected: &'static str,
        accepts: impl Fn(f64) -> bool,
    ) -> Result<f64, SchedulerError> {
        let number = self
            .config
            .number(key, expected, accepts)?
            .unwrap_or(default);
        self.note(key, number);
        Ok(number)
    }

    /// A number that `accepts` approves of, if there is one.
    pub(super) fn optional_number(
        &mut self,
        key: &'static str,
        expected: &'static str,
        accepts: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>, SchedulerError> {
        let number = self.config.number(key, expected, accepts)?;
        // Minus infinity is the only infinity that a file can hold, and means none there.
        if let Some(number) = number.filter(|number| number.is_finite()) {
            self.note(key, number);
        }
        Ok(number)
    }

    /// A whole number within `range`.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        default: usize,
        expected: &'static str,
        range: RangeInclusive<usize>,
    ) -> Result<usize, SchedulerError> {
        let count = self.config.count(key, default, expected, range)?;
        self.note(key, count);
        Ok(count)
    }

    /// A list of what `each` makes of its items, if there is one that `accepts` approves of.
    pub(super) fn list<T: Copy + Into<Value>>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        each: impl Fn(&Value) -> Option<T>,
        accepts: impl Fn(&[T]) -> bool,
    ) -> Result<Option<Vec<T>>, SchedulerError> {
        let Some(value) = self.raw(key) else {
            return Ok(None);
        };
        let list: Option<Vec<T>> = value
            .as_array()
            .and_then(|list| list.iter().map(each).collect());
        let list = list.filter(|list| accepts(list));
        let list = list.ok_or_else(|| self.bad(key, expected))?;
        self.note(key, list.clone());
        Ok(Some(list))
    }

    /// One of several words, or what it means by default. Of words with one meaning the first is
    /// noted.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        default: T,
        known: &[(&'static str, T)],
    ) -> Result<T, SchedulerError> {
        let chosen = self.config.word(key, self.class, known)?.unwrap_or(default);
        if let Some((word, _)) = known.iter().find(|(_, meaning)| *meaning == chosen) {
            self.note(key, *word);
        }
        Ok(chosen)
    }

    /// An error unless the word is absent or one of those that change nothing here.
    pub(super) fn expect(&self, key: &'static str, words: &[&str]) -> Result<(), SchedulerError> {
        let known: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
        self.config.word(key, self.class, &known).map(|_| ())
    }

    /// An error unless the switch is off or absent.
    pub(super) fn refuse_flag(&self, key: &'static str) -> Result<(), SchedulerError> {
        if self.config.flag(key, false)? {
            return Err(self.unsupported(key, "false"));
        }
        Ok(())
    }

    /// An error unless the key is absent or `null`.
    pub(super) fn refuse(&self, key: &'static str) -> Result<(), SchedulerError> {
        match self.raw(key) {
            None => Ok(()),
            Some(_) => Err(self.unsupported(key, "null")),
        }
    }

    /// The value of `key` is valid in Diffusers, but there is no code for it here.
    pub(super) fn unsupported(&self, key: &'static str, instead: &'static str) -> SchedulerError {
        self.config.unsupported(key, self.class, instead)
    }

    /// The value of `key` is of the wrong type or out of range.
    pub(super) fn bad(&self, key: &'static str, expected: &'static str) -> SchedulerError {
        self.config.bad(key, expected)
    }

    fn bad_eta(&self) -> SchedulerError {
        SchedulerError::Eta {
            eta: self.eta,
            name: self.name,
        }
    }
}
