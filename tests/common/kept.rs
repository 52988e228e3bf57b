//! Folders that several tests begin with: made once a process, kept in memory, written out for each test.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Work, files};

/// A folder that is made once.
pub(crate) struct Kept(OnceLock<BTreeMap<String, Vec<u8>>>);

impl Kept {
    /// One that nobody has needed yet.
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// A folder of the caller's own, with the files that `make` left in the first.
    pub(crate) fn copy(&self, make: impl FnOnce() -> Work) -> Work {
        let made = self.0.get_or_init(|| files(make().root()));
        let work = Work::empty();
        for (name, bytes) in made {
            work.write(name, bytes);
        }
        work
    }
}
