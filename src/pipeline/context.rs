//! What a stage gets besides its inputs: whom to tell, when to stop, where the time went.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Instant;

use super::reporter::{Reporter, Stage};
use super::settings::CheckedSettings;
use crate::run::folder::Layout;

/// Asked between two steps of the work: whether to stop.
pub type StopCheck<'a> = &'a (dyn Fn() -> bool + Sync);

/// Whom to tell, when to stop, and the seconds that stages took.
///
/// # Examples
///
/// ```
/// # use hardlight::pipeline::{Context, Recorder};
/// let mut recorder = Recorder::default();
/// let mut context = Context::new(&mut recorder);
/// context.warn("val is small");
/// assert_eq!(recorder.warnings(), ["val is small"]);
/// ```
pub struct Context<'a> {
    /// Whom to tell.
    pub reporter: &'a mut dyn Reporter,
    /// When to stop.
    pub stop: StopCheck<'a>,
    /// Seconds by stage.
    pub seconds: BTreeMap<&'static str, f64>,
}

impl<'a> Context<'a> {
    /// Tells `reporter`, and never stops.
    pub fn new(reporter: &'a mut dyn Reporter) -> Self {
        Self::stopped_by(reporter, &|| false)
    }

    /// Tells `reporter`, and stops once `stop` says so.
    pub fn stopped_by(reporter: &'a mut dyn Reporter, stop: StopCheck<'a>) -> Self {
        Self {
            reporter,
            stop,
            seconds: BTreeMap::new(),
        }
    }

    /// Whether to stop.
    pub fn stopped(&self) -> bool {
        (self.stop)()
    }

    /// A detail for the log alone.
    pub fn note(&mut self, text: impl Display) {
        self.reporter.note(&text);
    }

    /// What is going on.
    pub fn info(&mut self, text: impl Display) {
        self.reporter.info(&text);
    }

    /// Something that the user should know.
    pub fn warn(&mut self, text: impl Display) {
        self.reporter.warn(&text);
    }

    /// Begins a stage of `total` units.
    pub fn stage(&mut self, name: &str, total: usize, unit: &'static str) -> Stage<'_> {
        Stage::begin(self.reporter, name, total, unit)
    }

    /// Notes the seconds since `begun` as those of a stage.
    pub fn took(&mut self, stage: &'static str, begun: Instant) {
        self.seconds.insert(stage, begun.elapsed().as_secs_f64());
    }
}

/// The run that a stage works for.
#[derive(Debug)]
pub struct Job<'a> {
    /// What was asked for.
    pub settings: &'a CheckedSettings,
    /// Where results go.
    pub layout: Layout,
    /// The run's id.
    pub run_id: String,
}
