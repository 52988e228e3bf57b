//! A class with a gradient: the further along a direction an image lies, the likelier it is a mistake. There is
//! no subgroup.

use ndarray::Array1;

use super::draws::Draws;
use super::{Drawn, Population};

/// A class whose failure is a matter of degree.
pub(crate) struct Gradient {
    direction: Array1<f64>,
}

impl Gradient {
    /// Draws the direction.
    pub(crate) fn new(d: usize, draws: &mut Draws) -> Self {
        Self {
            direction: draws.vector(d, 1.0),
        }
    }
}

impl Population for Gradient {
    /// About a quarter are mistakes. The direction varies three times as much as any other.
    fn draw(&self, n: usize, draws: &mut Draws) -> Drawn {
        let mut x = draws.normals(n, self.direction.len());
        let mut right = Vec::new();
        for mut row in x.outer_iter_mut() {
            let along = row.dot(&self.direction);
            row.scaled_add(2.0 * along, &self.direction);
            let p = 1.0 / (1.0 + (1.8 - 2.0 * along).exp());
            right.push(!draws.chance(p));
        }
        Drawn {
            embeddings: x.mapv(|v| v as f32),
            right,
            mode: vec![None; n],
            unit: None,
        }
    }
}
