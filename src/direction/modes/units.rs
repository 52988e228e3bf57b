//! The units of a class: what is clustered, dealt and counted.

use std::collections::HashMap;

use ndarray::{Array2, Axis};

use super::ClassRows;

/// The units of a class, numbered by first appearance.
#[derive(Debug, Clone, PartialEq)]
pub struct Units {
    /// Where every unit is: the normalised mean of its images, `[units, d]`.
    pub x: Array2<f64>,
    /// Gram matrix of the units, `[units, units]`.
    pub gram: Array2<f64>,
    /// Share of wrong images of every unit.
    pub wrong: Vec<f64>,
    /// Rows of every unit, ascending.
    pub rows: Vec<Vec<usize>>,
}

impl Units {
    /// Gathers the units of a class whose images have the Gram matrix `gram` `[n, n]`.
    ///
    /// A unit is one observation whatever the number of its images, so that a burst of a hundred counts
    /// no more than a single photograph.
    pub fn new(class: ClassRows<'_>, gram: &Array2<f64>) -> Self {
        let ClassRows { x, unit, right } = class;
        let mut number = HashMap::new();
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for (row, unit) in unit.iter().enumerate() {
            let at = *number.entry(unit).or_insert(rows.len());
            if at == rows.len() {
                rows.push(Vec::new());
            }
            rows[at].push(row);
        }
        let mut places = Array2::zeros((rows.len(), x.ncols()));
        let mut wrong = Vec::with_capacity(rows.len());
        let mut scales = Vec::with_capacity(rows.len());
        for (mut place, rows) in places.axis_iter_mut(Axis(0)).zip(&rows) {
            for &row in rows {
                place += &x.row(row);
            }
            let norm = place.dot(&place).sqrt();
            // Images of a unit that cancel each other have no direction: it stays at the origin.
            let scale = if norm > 1e-12 { 1.0 / norm } else { 0.0 };
            place *= scale;
            scales.push(scale);
            let mistakes = rows.iter().filter(|&&row| !right[row]).count();
            wrong.push(mistakes as f64 / rows.len() as f64);
        }
        let gram = Array2::from_shape_fn((rows.len(), rows.len()), |(a, b)| {
            let pairs = rows[a]
                .iter()
                .flat_map(|&i| rows[b].iter().map(move |&j| gram[[i, j]]));
            pairs.sum::<f64>() * scales[a] * scales[b]
        });
        Self {
            x: places,
            gram,
            wrong,
            rows,
        }
    }

    /// Number of units.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of units with a mistake.
    pub fn with_mistakes(&self) -> usize {
        self.wrong.iter().filter(|&&share| share > 0.0).count()
    }

    /// The rows of some units, ascending.
    pub fn rows_of(&self, units: &[usize]) -> Vec<usize> {
        let mut rows: Vec<usize> = units.iter().flat_map(|&u| &self.rows[u]).copied().collect();
        rows.sort_unstable();
        rows
    }
}
