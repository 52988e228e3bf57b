//! A stage that is open.

use std::fmt::Display;

use super::{Reporter, StageInfo};

/// An open stage of a reporter. Dropping it abandons the stage; [`end`](Self::end) ends it.
pub struct Stage<'a> {
    reporter: &'a mut dyn Reporter,
    ended: bool,
}

impl<'a> Stage<'a> {
    /// Begins a stage of `total` units.
    pub fn begin(
        reporter: &'a mut dyn Reporter,
        name: &str,
        total: usize,
        unit: &'static str,
    ) -> Self {
        reporter.begin(&StageInfo::new(name, total, unit));
        Self {
            reporter,
            ended: false,
        }
    }

    /// Says that `done` units were done by an earlier process.
    pub fn resumed_from(&mut self, done: usize) {
        self.reporter.resumed_from(done);
    }

    /// Says how many units are done.
    pub fn set(&mut self, done: usize, message: &str) {
        self.reporter.progress(done, message);
    }

    /// A detail for the log alone.
    pub fn note(&mut self, text: impl Display) {
        self.reporter.note(&text);
    }

    /// Something that the user should know.
    pub fn warn(&mut self, text: impl Display) {
        self.reporter.warn(&text);
    }

    /// Ends the stage.
    pub fn end(mut self) {
        self.ended = true;
        self.reporter.end();
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.reporter.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Recorder, Silent};
    use super::Stage;

    #[test]
    fn a_stage_that_is_dropped_is_abandoned() {
        let mut recorder = Recorder::default();
        let mut stage = Stage::begin(&mut recorder, "embed val", 3, "images");
        stage.set(1, "");
        drop(stage);
        Stage::begin(&mut recorder, "embed test", 2, "images").end();
        let ends: Vec<(&str, usize, bool)> = recorder
            .stages()
            .iter()
            .map(|stage| (stage.name.as_str(), stage.done, stage.ended))
            .collect();
        assert_eq!(ends, [("embed val", 1, false), ("embed test", 0, true)]);
        Stage::begin(&mut Silent, "nothing", 0, "images").end();
    }
}
