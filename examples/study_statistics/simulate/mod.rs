//! Drawn classes, of which it is known what the classifier fails on.
//!
//! ```text
//! Population ──draw n, seed──▶ Drawn { embeddings, right, group, day }
//! train, val ──whiten──▶ Sample { x, labels, predictions, units } ──fit──▶ Fitted
//! ```
//!
//! The study and the short tests of `tests/library/statistics.rs` share them.

#![allow(
    dead_code,
    reason = "the study and the tests each take their part of it"
)]

pub(crate) mod draws;
pub(crate) mod gradient;
pub(crate) mod null;
pub(crate) mod planted;
pub(crate) mod sample;

use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;

use self::draws::Draws;

/// Images of one class, in the order of a table.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// Embeddings as an encoder gives them, `[n, d]`.
    pub(crate) embeddings: Array2<f32>,
    /// Whether the classifier gets each right, `[n]`.
    pub(crate) right: Vec<bool>,
    /// The planted failure that each belongs to, `[n]`.
    pub(crate) mode: Vec<Option<usize>>,
    /// What the user says belongs together, `[n]`.
    pub(crate) unit: Option<Vec<Option<u32>>>,
}

impl Drawn {
    /// In an order at random.
    pub(crate) fn shuffled(&self, draws: &mut Draws) -> Self {
        let mut order: Vec<usize> = (0..self.right.len()).collect();
        order.shuffle(draws.rng());
        Self {
            embeddings: self.embeddings.select(Axis(0), &order),
            right: order.iter().map(|&i| self.right[i]).collect(),
            mode: order.iter().map(|&i| self.mode[i]).collect(),
            unit: self
                .unit
                .as_ref()
                .map(|unit| order.iter().map(|&i| unit[i]).collect()),
        }
    }

    /// Without what the user says of units.
    pub(crate) fn without_units(mut self) -> Self {
        self.unit = None;
        self
    }
}

/// Where images of a class come from: train, val and what is judged are draws of the same one.
pub(crate) trait Population: Sync {
    /// Draws `n` images.
    fn draw(&self, n: usize, draws: &mut Draws) -> Drawn;
}
