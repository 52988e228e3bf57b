//! `scheduler_config.json` as Diffusers writes it, before any check.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::reader::Reader;
use super::registry::{self, Entry};
use super::{SchedulerError, known};

/// The largest `num_train_timesteps` taken: a hostile file must not allocate without bound.
const MAX_TRAIN_TIMESTEPS: usize = 1_000_000;

/// The settings of a model folder's scheduler, not checked yet.
///
/// Keys are looked at only when [`resolve`](super::resolve) knows which scheduler is wanted, because
/// a file holds keys of other classes too, and a key means something only to a class that reads it:
/// which ones, and their defaults, stand in the scheduler's own file.
///
/// An absent key has the default of the class that reads it, as in Diffusers; other keys are
/// ignored, as in Diffusers.
///
/// # Examples
///
/// ```
/// # use hardlight::diffusion::schedulers::{self, SchedulerConfig};
/// let json = r#"{"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear",
///     "beta_start": 0.00085, "beta_end": 0.012, "skip_prk_steps": true, "steps_offset": 1}"#;
/// let config = SchedulerConfig::parse("scheduler_config.json", json)?;
/// let own = schedulers::build(None, &config, 20, 0.0)?;
/// assert_eq!((own.name(), own.timesteps().len()), ("pndm", 21));
/// let other = schedulers::build(Some("dpm++"), &config, 20, 0.0)?;
/// assert_eq!(other.timesteps()[0], 999.0);
/// # Ok::<(), schedulers::SchedulerError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SchedulerConfig {
    file: String,
    /// Where the class stands: the file, or the `model_index.json` above it.
    class_file: String,
    values: Map<String, Value>,
}

impl SchedulerConfig {
    /// Reads the text of a `scheduler_config.json`; `file` is the name that errors will show.
    ///
    /// Python writes minus infinity (`lambda_min_clipped`) as a bare `-Infinity`; that is
    /// understood although it is not JSON.
    ///
    /// # Errors
    ///
    /// - [`SchedulerError::Json`] if the text is not JSON.
    /// - [`SchedulerError::NotAnObject`] if it is, but not an object.
    pub fn parse(file: &str, json: &str) -> Result<Self, SchedulerError> {
        let value: Value = serde_json::from_str(&quote_infinities(json)).map_err(|source| {
            SchedulerError::Json {
                file: file.to_owned(),
                source,
            }
        })?;
        let Value::Object(values) = value else {
            return Err(SchedulerError::NotAnObject {
                file: file.to_owned(),
            });
        };
        Ok(Self {
            file: file.to_owned(),
            class_file: file.to_owned(),
            values,
        })
    }

    /// The same settings for the class that another file names, as `X.from_config(config)` takes them
    /// in Python: a folder's `model_index.json` names the class, whatever this file says.
    #[must_use]
    pub fn with_class(mut self, class: &str, file: &str) -> Self {
        file.clone_into(&mut self.class_file);
        self.values.insert("_class_name".to_owned(), class.into());
        self
    }

    /// What Diffusers' `StableDiffusionPipeline` makes of old files: a `steps_offset` of 1, and no
    /// `clip_sample`. Gives the keys that it changed.
    ///
    /// # Source
    ///
    /// `StableDiffusionPipeline.__init__` in diffusers 0.42
    /// (`pipelines/stable_diffusion/pipeline_stable_diffusion.py`).
    pub fn as_stable_diffusion_takes_it(&mut self) -> Vec<&'static str> {
        let mut changed = Vec::new();
        if self.values.get("steps_offset").and_then(Value::as_u64) != Some(1) {
            self.values.insert("steps_offset".to_owned(), 1.into());
            changed.push("steps_offset");
        }
        let clips = match self.values.get("clip_sample") {
            None => self.own().is_ok_and(clips_by_default),
            Some(value) => value == true,
        };
        if clips {
            self.values.insert("clip_sample".to_owned(), false.into());
            changed.push("clip_sample");
        }
        changed
    }

    /// Timesteps of the training, `num_train_timesteps`.
    ///
    /// # Errors
    ///
    /// [`SchedulerError::BadValue`].
    pub fn train_timesteps(&self) -> Result<usize, SchedulerError> {
        self.count(
            "num_train_timesteps",
            1000,
            "a whole number from 2 to 1000000",
            2..=MAX_TRAIN_TIMESTEPS,
        )
    }

    /// The settings of a scheduler's record, for errors to name.
    pub(super) fn recorded(settings: &BTreeMap<String, Value>) -> Self {
        let file = "the record of the scheduler".to_owned();
        Self {
            class_file: file.clone(),
            file,
            values: settings.clone().into_iter().collect(),
        }
    }

    /// The scheduler that the file was written for.
    pub(super) fn own(&self) -> Result<&'static Entry, SchedulerError> {
        let Some(Value::String(class)) = self.values.get("_class_name") else {
            return Err(SchedulerError::MissingClass {
                file: self.file.clone(),
                known: known(),
            });
        };
        registry::of_class(class).ok_or_else(|| SchedulerError::UnknownClass {
            file: self.class_file.clone(),
            class: class.clone(),
            known: known(),
        })
    }

    /// A value as it stands in the file; `null` is absent, as `None` is in Python.
    pub(super) fn raw(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// A switch. `null` is false, as `None` is in Python.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> Result<bool, SchedulerError> {
        match self.values.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.bad(key, "true or false")),
        }
    }

    /// A number that `accepts` approves of, if there is one.
    pub(super) fn number(
        &self,
        key: &'static str,
        expected: &'static str,
        accepts: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>, SchedulerError> {
        let number = match self.raw(key) {
            None => return Ok(None),
            Some(Value::String(text)) if text == MINUS_INFINITY => Some(f64::NEG_INFINITY),
            Some(value) => value.as_f64(),
        };
        match number.filter(|number| accepts(*number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.bad(key, expected)),
        }
    }

    /// A whole number within `range`.
    pub(super) fn count(
        &self,
        key: &'static str,
        default: usize,
        expected: &'static str,
        range: RangeInclusive<usize>,
    ) -> Result<usize, SchedulerError> {
        match self.raw(key) {
            None => Ok(default),
            Some(value) => value
                .as_u64()
                .and_then(|count| usize::try_from(count).ok())
                .filter(|count| range.contains(count))
                .ok_or_else(|| self.bad(key, expected)),
        }
    }

    /// One of several words, if there is one.
    pub(super) fn word<T: Copy>(
        &self,
        key: &'static str,
        class: &'static str,
        known: &[(&str, T)],
    ) -> Result<Option<T>, SchedulerError> {
        let text = match self.raw(key) {
            None => return Ok(None),
            Some(Value::String(text)) => text,
            Some(_) => return Err(self.bad(key, "a word in quotes")),
        };
        match known.iter().find(|(word, _)| word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(SchedulerError::UnknownValue {
                file: self.file.clone(),
                key,
                value: text.clone(),
                class,
                known: known
                    .iter()
                    .map(|(word, _)| *word)
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    pub(super) fn unsupported(
        &self,
        key: &'static str,
        class: &'static str,
        instead: &'static str,
    ) -> SchedulerError {
        SchedulerError::Unsupported {
            file: self.file.clone(),
            key,
            value: self.shown(key),
            class,
            instead,
        }
    }

    pub(super) fn bad(&self, key: &'static str, expected: &'static str) -> SchedulerError {
        SchedulerError::BadValue {
            file: self.file.clone(),
            key,
            value: self.shown(key),
            expected,
        }
    }

    /// A value as it stands in the file, cut to a length that fits a message.
    fn shown(&self, key: &str) -> String {
        let text = self
            .values
            .get(key)
            .map_or_else(String::new, Value::to_string);
        if text.chars().count() <= 60 {
            text
        } else {
            text.chars().take(60).chain("…".chars()).collect()
        }
    }
}

/// Whether a class clips where its file says nothing.
fn clips_by_default(entry: &'static Entry) -> bool {
    let empty = SchedulerConfig::recorded(&BTreeMap::new());
    let mut reader = Reader::new(&empty, entry, 0.0);
    let read = (entry.build)(&mut reader).and_then(|_| reader.finish());
    read.is_ok_and(|settings| settings.get("clip_sample") == Some(&Value::Bool(true)))
}

const MINUS_INFINITY: &str = "-Infinity";

/// Puts Python's bare `-Infinity` into quotes, leaving text inside quotes alone.
fn quote_infinities(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    let mut rest = json;
    while let Some(next) = rest.chars().next() {
        if !inside && rest.starts_with(MINUS_INFINITY) {
            out.push('"');
            out.push_str(MINUS_INFINITY);
            out.push('"');
            rest = &rest[MINUS_INFINITY.len()..];
            continue;
        }
        if next == '"' && !escaped {
            inside = !inside;
        }
        escaped = next == '\\' && !escaped;
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> SchedulerConfig {
        SchedulerConfig::parse("s.json", json).unwrap()
    }

    #[test]
    fn bare_minus_infinity_is_read_and_quoted_text_kept() {
        let config = parse(r#"{"lambda_min_clipped": -Infinity, "note": "a \"-Infinity\" b"}"#);
        assert_eq!(
            config
                .number("lambda_min_clipped", "a number", |_| true)
                .unwrap(),
            Some(f64::NEG_INFINITY)
        );
        assert_eq!(config.values["note"], "a \"-Infinity\" b");
    }

    #[test]
    fn null_is_absent_but_switches_a_flag_off() {
        let config = parse(r#"{"clip_sample": null, "beta_start": null}"#);
        assert!(!config.flag("clip_sample", true).unwrap());
        assert_eq!(
            config.number("beta_start", "a number", |_| true).unwrap(),
            None
        );
    }

    #[test]
    fn wrong_types_name_file_key_and_value() {
        let config = parse(r#"{"steps_offset": -1, "clip_sample": "yes"}"#);
        let error = config
            .count("steps_offset", 0, "a whole number", 0..=9)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "s.json: `steps_offset` is -1, expected a whole number"
        );
        let error = config.flag("clip_sample", true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "s.json: `clip_sample` is \"yes\", expected true or false"
        );
    }

    #[test]
    fn text_that_is_no_object_is_refused() {
        let not_json = SchedulerConfig::parse("s.json", "{").unwrap_err();
        assert!(matches!(not_json, SchedulerError::Json { .. }));
        let list = SchedulerConfig::parse("s.json", "[]").unwrap_err();
        assert!(matches!(list, SchedulerError::NotAnObject { .. }));
    }
}
