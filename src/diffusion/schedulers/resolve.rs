//! From a name and a folder's file, or from a record, to a scheduler whose settings are all known.

use serde_json::Value;

use super::reader::{ETA, Reader};
use super::registry::{self, Method};
use super::{Scheduler, SchedulerConfig, SchedulerError, SchedulerRecord};

/// A scheduler with all its settings and a number of steps that fits them.
#[derive(Debug)]
pub struct Resolved {
    record: SchedulerRecord,
    method: Box<dyn Method>,
    steps: usize,
}

impl Resolved {
    /// What it does, but for the number of steps.
    pub fn record(&self) -> &SchedulerRecord {
        &self.record
    }

    /// How many steps it makes.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// One trajectory, at its beginning.
    ///
    /// # Errors
    ///
    /// None that [`resolve`] would not have given.
    pub fn start(&self) -> Result<Box<dyn Scheduler>, SchedulerError> {
        self.method.start(self.steps)
    }
}

/// A scheduler by name, or the folder's own, for `steps` steps.
///
/// `eta` in `[0, 1]` is the share of DDIM's noise (0: deterministic, 1: as much as DDPM); it must
/// be 0 for any other scheduler, where it means nothing.
///
/// # Errors
///
/// - [`SchedulerError::UnknownScheduler`] if no scheduler has that name;
///   [`SchedulerError::MissingClass`] or [`SchedulerError::UnknownClass`] if there is no name and
///   the folder's class is absent or not one of ours.
/// - [`SchedulerError::ZeroSteps`], [`SchedulerError::TooManySteps`],
///   [`SchedulerError::TooManyConsistencySteps`], [`SchedulerError::LinspaceOneStep`],
///   [`SchedulerError::FewRungeKuttaSteps`], [`SchedulerError::TimestepOutOfRange`],
///   [`SchedulerError::Degenerate`] if `steps` does not fit the configuration,
///   [`SchedulerError::Eta`] if `eta` does not fit the scheduler.
/// - [`SchedulerError::UnknownValue`], [`SchedulerError::BadValue`],
///   [`SchedulerError::Unsupported`] at the first key that the class reads and we cannot honour.
pub fn resolve(
    name: Option<&str>,
    config: &SchedulerConfig,
    steps: usize,
    eta: f64,
) -> Result<Resolved, SchedulerError> {
    let entry = match name {
        Some(name) => registry::named(name)?,
        None => config.own()?,
    };
    let train = config.train_timesteps()?;
    if steps == 0 {
        return Err(SchedulerError::ZeroSteps);
    }
    if steps > train {
        return Err(SchedulerError::TooManySteps { steps, train });
    }
    let mut reader = Reader::new(config, entry, eta);
    let method = (entry.build)(&mut reader)?;
    let resolved = Resolved {
        record: SchedulerRecord {
            name: entry.name.to_owned(),
            settings: reader.finish()?,
        },
        method,
        steps,
    };
    // Whether this many steps can be made shows when they are laid out.
    resolved.start()?;
    Ok(resolved)
}

/// The scheduler of a record, for `steps` steps: the same trajectory, bit for bit.
///
/// # Errors
///
/// - [`SchedulerError::Record`] if the record has other keys than its scheduler reads, so that a
///   setting would be ignored or guessed.
/// - As [`resolve`], with the record in place of the folder's file.
pub fn from_record(record: &SchedulerRecord, steps: usize) -> Result<Resolved, SchedulerError> {
    let config = SchedulerConfig::recorded(&record.settings);
    let eta = match record.settings.get(ETA) {
        None => 0.0,
        Some(value) => value
            .as_f64()
            .ok_or_else(|| config.bad(ETA, "a number from 0 to 1"))?,
    };
    let resolved = resolve(Some(&record.name), &config, steps, eta)?;
    let (given, read) = (&record.settings, &resolved.record.settings);
    let without = |a: &std::collections::BTreeMap<String, Value>,
                   b: &std::collections::BTreeMap<String, Value>| {
        let keys: Vec<&str> = a
            .keys()
            .filter(|key| !b.contains_key(*key))
            .map(String::as_str)
            .collect();
        keys.join(", ")
    };
    let (unknown, missing) = (without(given, read), without(read, given));
    if unknown.is_empty() && missing.is_empty() {
        return Ok(resolved);
    }
    Err(SchedulerError::Record {
        name: record.name.clone(),
        missing,
        unknown,
    })
}

/// [`resolve`], for one trajectory whose record nobody needs.
///
/// # Errors
///
/// As [`resolve`].
pub fn build(
    name: Option<&str>,
    config: &SchedulerConfig,
    steps: usize,
    eta: f64,
) -> Result<Box<dyn Scheduler>, SchedulerError> {
    resolve(name, config, steps, eta)?.start()
}
