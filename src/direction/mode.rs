//! The name of a failure mode.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A failure mode of a class: the key of everything that belongs to it (direction, threshold, captions,
/// plan, folders, report entries).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModeId {
    /// Index of the class.
    pub class: usize,
    /// Failure mode within the class, from 0.
    pub mode: u32,
}

impl ModeId {
    /// A mode of a class.
    pub fn new(class: usize, mode: u32) -> Self {
        Self { class, mode }
    }

    /// The mode for people, whose class is called `class`: that name, and of a mode beside mode 0 its number.
    ///
    /// ```
    /// use hardlight::direction::ModeId;
    /// assert_eq!(ModeId::new(1, 0).named("cat"), "cat");
    /// assert_eq!(ModeId::new(1, 2).named("cat"), "cat (mode 2)");
    /// ```
    pub fn named(self, class: &str) -> String {
        match self.mode {
            0 => class.to_owned(),
            mode => format!("{class} (mode {mode})"),
        }
    }
}

impl fmt::Display for ModeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class, self.mode)
    }
}
