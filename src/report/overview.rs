//! How many failure modes there are, how large they are, and which to fix first: a section of `report.json` and
//! `summary.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::direction::{Direction, ModeId, acted_on};

/// The failure modes of a run side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// The failure modes that stand for what fails, the one worth fixing first at the head.
    pub first_to_fix: Vec<Worth>,
    /// The classes that have a direction.
    pub classes: Vec<ClassModes>,
}

/// A failure mode and what fixing it may win.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worth {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0.
    pub class_index: usize,
    /// Failure mode within the class; 0 is the one direction of all its mistakes.
    pub mode: u32,
    /// Val mistakes of the class that it explains; modes of a class share none.
    pub explains: usize,
    /// Val mistakes of the class.
    pub mistakes: usize,
    /// Those of the explained that another mode of the class reaches too.
    pub shared: usize,
    /// How sure it is that the mode is more than chance, 0 to 1: 1 less its `q_value`.
    pub confidence: f64,
    /// `explains` times `confidence`.
    pub worth: f64,
    /// Whether images are made for it; else something bars it, and its entry in `classes` says what.
    pub acted_on: bool,
}

/// The failure modes of a class together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassModes {
    /// Name of the class.
    pub class: String,
    /// Index of the class, from 0.
    pub class_index: usize,
    /// How many failure modes stand for what fails; 0 where nothing is better than chance.
    pub modes: usize,
    /// Val mistakes of the class.
    pub mistakes: usize,
    /// Those that none of these modes explains.
    pub unexplained: usize,
}

impl Overview {
    /// The overview of all directions, by class and mode; `acts` says of which images are made, and `classes` are the
    /// names by index.
    pub fn of(directions: &[Direction], classes: &[String], acts: impl Fn(ModeId) -> bool) -> Self {
        let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
        let mut first_to_fix = Vec::new();
        let mut together = Vec::new();
        for class in directions.chunk_by(|a, b| a.id.class == b.id.class) {
            let index = class[0].id.class;
            // Mode 0 is learned from all of them.
            let mistakes = class.iter().map(|d| d.wrong).max().unwrap_or_default();
            let stand = acted_on(class, Direction::is_finding);
            let explained: usize = stand.iter().map(|d| d.explains.len()).sum();
            together.push(ClassModes {
                class: name(index),
                class_index: index,
                modes: stand.len(),
                mistakes,
                unexplained: mistakes.saturating_sub(explained),
            });
            first_to_fix.extend(stand.into_iter().map(|direction| {
                let confidence = 1.0 - direction.q_value.unwrap_or(1.0);
                let explains = direction.explains.len();
                Worth {
                    class: name(index),
                    class_index: index,
                    mode: direction.id.mode,
                    explains,
                    mistakes,
                    shared: direction.shared,
                    confidence,
                    worth: explains as f64 * confidence,
                    acted_on: acts(direction.id),
                }
            }));
        }
        // The sort is stable: equals stay by class and mode.
        first_to_fix.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        Self {
            first_to_fix,
            classes: together,
        }
    }

    /// Where a mode stands among those to fix, from 1; none for one that stands for nothing.
    pub fn rank(&self, id: ModeId) -> Option<usize> {
        let at = self.first_to_fix.iter().position(|worth| worth.id() == id);
        at.map(|at| at + 1)
    }
}

impl Worth {
    /// The failure mode's key.
    pub fn id(&self) -> ModeId {
        ModeId::new(self.class_index, self.mode)
    }
}
