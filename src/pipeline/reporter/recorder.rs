//! A reporter that keeps what it hears.

use std::fmt::Display;

use super::{Reporter, StageInfo};

/// Keeps notes, information, warnings and stages, in their order.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    notes: Vec<String>,
    infos: Vec<String>,
    warnings: Vec<String>,
    stages: Vec<Recorded>,
}

/// A stage as it was heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What was done.
    pub name: String,
    /// Units in all.
    pub total: usize,
    /// What was counted.
    pub unit: &'static str,
    /// Units that an earlier process had done.
    pub resumed_from: usize,
    /// Units done at the last sign of progress.
    pub done: usize,
    /// Whether it came to its end.
    pub ended: bool,
}

impl Recorder {
    /// Details for the log.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What was said to be going on.
    pub fn infos(&self) -> &[String] {
        &self.infos
    }

    /// What the user should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every stage that began.
    pub fn stages(&self) -> &[Recorded] {
        &self.stages
    }
}

impl Reporter for Recorder {
    fn note(&mut self, text: &dyn Display) {
        self.notes.push(text.to_string());
    }

    fn info(&mut self, text: &dyn Display) {
        self.infos.push(text.to_string());
    }

    fn warn(&mut self, text: &dyn Display) {
        self.warnings.push(text.to_string());
    }

    fn begin(&mut self, stage: &StageInfo<'_>) {
        self.stages.push(Recorded {
            name: stage.name.to_owned(),
            total: stage.total,
            unit: stage.unit,
            resumed_from: 0,
            done: 0,
            ended: false,
        });
    }

    fn resumed_from(&mut self, done: usize) {
        if let Some(stage) = self.stages.last_mut() {
            stage.resumed_from = done;
        }
    }

    fn progress(&mut self, done: usize, _: &str) {
        if let Some(stage) = self.stages.last_mut() {
            stage.done = done;
        }
    }

    fn end(&mut self) {
        if let Some(stage) = self.stages.last_mut() {
            stage.ended = true;
        }
    }

    fn abandon(&mut self) {}
}
