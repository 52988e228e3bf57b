//! What reading data brings besides the data: what was passed over, what was taken to be so without being
//! told, and what should be looked at.

use super::Passed;

/// Remarks of the readers, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Entries of folders that are not used.
    pub passed: Vec<Passed>,
    /// What was told from the data itself, a sentence each: the user can say it otherwise.
    pub taken: Vec<String>,
    /// Details for the log.
    pub notes: Vec<String>,
    /// What is not as it should be, a sentence each.
    pub doubts: Vec<String>,
}

impl Remarks {
    /// Adds what was told from the data; a sentence that is there stays the only one.
    pub(super) fn take(&mut self, sentence: impl Into<String>) {
        once(&mut self.taken, sentence.into());
    }

    /// Adds a detail.
    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        once(&mut self.notes, sentence.into());
    }

    /// Adds what should be looked at.
    pub(super) fn doubt(&mut self, sentence: impl Into<String>) {
        once(&mut self.doubts, sentence.into());
    }
}

fn once(sentences: &mut Vec<String>, sentence: String) {
    if !sentences.contains(&sentence) {
        sentences.push(sentence);
    }
}
