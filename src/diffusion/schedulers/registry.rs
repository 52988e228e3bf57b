//! What a scheduler's file puts into the list, and how the list is searched.

use super::{LIST, Reader, Scheduler, SchedulerError};

/// A sampling method with its settings, for any number of steps.
///
/// It is implemented by the private `Settings` of each scheduler's file.
pub(super) trait Method: std::fmt::Debug + Send + Sync {
    /// Reads and checks the settings that the class has, each with the default of Diffusers.
    fn read(reader: &mut Reader<'_>) -> Result<Self, SchedulerError>
    where
        Self: Sized;

    /// One trajectory of `steps` steps, which are at least 1 and no more than training timesteps.
    fn start(&self, steps: usize) -> Result<Box<dyn Scheduler>, SchedulerError>;
}

/// One scheduler of the list.
#[derive(Debug)]
pub(super) struct Entry {
    /// The name that a user types.
    pub(super) name: &'static str,
    /// The class that a `scheduler_config.json` names.
    pub(super) diffusers_class: &'static str,
    /// Its settings from a file.
    pub(super) build: fn(&mut Reader<'_>) -> Result<Box<dyn Method>, SchedulerError>,
}

impl Entry {
    /// The entry of the method `M`.
    pub(super) const fn of<M: Method + 'static>(
        name: &'static str,
        diffusers_class: &'static str,
    ) -> Self {
        Self {
            name,
            diffusers_class,
            build: |reader| Ok(Box::new(M::read(reader)?)),
        }
    }
}

/// The names alone: the `hardlight` binary prints them in its help, and through the list's functions all of libtorch
/// would be linked to it.
const NAMES: [&str; LIST.len()] = {
    let mut names = [""; LIST.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = LIST[at].name;
        at += 1;
    }
    names
};

/// The names of all schedulers, in the order of the list.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

/// The names of all schedulers, separated by commas.
pub fn known() -> String {
    names().collect::<Vec<_>>().join(", ")
}

/// The scheduler that a user calls `name`.
pub(super) fn named(name: &str) -> Result<&'static Entry, SchedulerError> {
    let found = LIST.iter().find(|entry| entry.name == name);
    found
        .copied()
        .ok_or_else(|| SchedulerError::UnknownScheduler {
            name: name.to_owned(),
            known: known(),
        })
}

/// The scheduler of a Diffusers class, if it is one of ours.
pub(super) fn of_class(class: &str) -> Option<&'static Entry> {
    let found = LIST.iter().find(|entry| entry.diffusers_class == class);
    found.copied()
}
