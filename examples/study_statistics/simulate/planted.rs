//! Classes with planted failure modes: subgroups that the classifier mostly gets wrong, among others that it
//! mostly gets right.

use ndarray::Array2;

use super::draws::Draws;
use super::{Drawn, Population};

/// Share of mistakes in a planted mode.
pub(crate) const IN_MODE: f64 = 0.8;

/// Share of mistakes elsewhere.
pub(crate) const ELSEWHERE: f64 = 0.05;

/// Subgroups that do not fail.
const OTHERS: usize = 4;

/// What a class with failure modes is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'a> {
    /// Share of the class in each mode.
    pub(crate) modes: &'a [f64],
    /// How far each subgroup's centre lies from the class's, in deviations of a dimension.
    pub(crate) separation: f64,
    /// Dimensions.
    pub(crate) d: usize,
}

/// A class with failure modes.
pub(crate) struct Planted {
    /// A row a subgroup, the modes first, `[groups, d]`.
    centres: Array2<f64>,
    /// Share of each subgroup.
    shares: Vec<f64>,
    modes: usize,
}

impl Planted {
    /// Draws where the subgroups lie.
    pub(crate) fn new(recipe: Recipe<'_>, draws: &mut Draws) -> Self {
        let Recipe {
            modes,
            separation,
            d,
        } = recipe;
        let rest = 1.0 - modes.iter().sum::<f64>();
        let others = std::iter::repeat_n(rest / OTHERS as f64, OTHERS);
        let shares: Vec<f64> = modes.iter().copied().chain(others).collect();
        let mut centres = Array2::zeros((shares.len(), d));
        let class = draws.vector(d, 4.0);
        for mut centre in centres.outer_iter_mut() {
            centre.assign(&(&class + &draws.vector(d, separation)));
        }
        Self {
            centres,
            shares,
            modes: modes.len(),
        }
    }
}

impl Population for Planted {
    /// Sorted by subgroup, whose sizes are their shares but for rounding.
    fn draw(&self, n: usize, draws: &mut Draws) -> Drawn {
        let mut embeddings = draws.normals(n, self.centres.ncols());
        let (mut right, mut mode) = (Vec::new(), Vec::new());
        let mut until = 0.0;
        for (group, share) in self.shares.iter().enumerate() {
            until += share;
            let end = ((until * n as f64).round() as usize).min(n);
            let own = (group < self.modes).then_some(group);
            let p = own.map_or(ELSEWHERE, |_| IN_MODE);
            while right.len() < end {
                let mut row = embeddings.row_mut(right.len());
                row += &self.centres.row(group);
                right.push(!draws.chance(p));
                mode.push(own);
            }
        }
        Drawn {
            embeddings: embeddings.mapv(|v| v as f32),
            right,
            mode,
            unit: None,
        }
    }
}
