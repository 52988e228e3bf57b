//! Classes without a failure mode: where an image lies says nothing about whether it is a mistake.

use ndarray::{Array1, Array2, Axis};

use super::draws::Draws;
use super::{Drawn, Population};

/// Share of mistakes.
pub(crate) const MISTAKES: f64 = 0.25;

/// Images in a burst or scene.
const BURST: usize = 4;

/// Images of a day.
const DAY: usize = 5;

/// How images of such a class lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Null {
    /// Each by itself, dimensions independent.
    Iid,
    /// Dimensions are mixtures of factors, the `j`-th of variance `1/j`.
    Correlated,
    /// Student's t with 3 degrees of freedom.
    HeavyTailed,
    /// In eight clusters of unequal size.
    Clustered,
    /// Four near-duplicates at a time, which share an outcome.
    Bursts,
    /// Embeddings drift along the table, which is sorted by date.
    Drift,
    /// Five images a day, which lie together, though not as near-duplicates, and of which on bad days most are
    /// mistakes. The `unit` column names the day.
    Days,
}

impl Null {
    pub(crate) const ALL: [Self; 7] = [
        Self::Iid,
        Self::Correlated,
        Self::HeavyTailed,
        Self::Clustered,
        Self::Bursts,
        Self::Drift,
        Self::Days,
    ];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iid => "independent",
            Self::Correlated => "correlated dimensions",
            Self::HeavyTailed => "heavy tails",
            Self::Clustered => "eight clusters",
            Self::Bursts => "bursts of 4 near-duplicates",
            Self::Drift => "drift by date",
            Self::Days => "days of 5, named as units",
        }
    }

    /// A class of this kind, in `d` dimensions.
    pub(crate) fn population(self, d: usize, draws: &mut Draws) -> NullPopulation {
        let structure = match self {
            Self::Correlated => {
                let mut factors = draws.normals(d.min(128), d);
                for (j, mut factor) in factors.axis_iter_mut(Axis(0)).enumerate() {
                    factor /= ((j + 1) as f64).sqrt();
                }
                factors
            }
            // A third of what two images of a cluster are is the cluster.
            Self::Clustered => draws.normals(8, d) * 0.5_f64.sqrt(),
            Self::Drift => draws.vector(d, 6.0).insert_axis(Axis(0)),
            Self::Iid | Self::HeavyTailed | Self::Bursts | Self::Days => Array2::zeros((0, d)),
        };
        NullPopulation {
            kind: self,
            structure,
        }
    }
}

/// A class whose mistakes are chance.
pub(crate) struct NullPopulation {
    kind: Null,
    /// Factors, centres or the drift, a row each, `[_, d]`.
    structure: Array2<f64>,
}

impl NullPopulation {
    fn places(&self, n: usize, draws: &mut Draws) -> Array2<f64> {
        let d = self.structure.ncols();
        match self.kind {
            Null::Iid => draws.normals(n, d),
            Null::Correlated => draws
                .normals(n, self.structure.nrows())
                .dot(&self.structure),
            Null::HeavyTailed => Array2::from_shape_simple_fn((n, d), || draws.heavy()),
            Null::Clustered => {
                let mut x = draws.normals(n, d);
                for mut row in x.outer_iter_mut() {
                    // The smaller of two: cluster 0 holds 23 %, the last 2 %.
                    let cluster = draws.below(8).min(draws.below(8));
                    row += &self.structure.row(cluster);
                }
                x
            }
            Null::Bursts => shared(n, d, BURST, 0.2, draws),
            Null::Drift => {
                let mut x = draws.normals(n, d);
                for (i, mut row) in x.outer_iter_mut().enumerate() {
                    row.scaled_add(i as f64 / n as f64 - 0.5, &self.structure.row(0));
                }
                x
            }
            Null::Days => shared(n, d, DAY, 1.0, draws),
        }
    }

    fn outcomes(&self, n: usize, draws: &mut Draws) -> Vec<bool> {
        match self.kind {
            Null::Bursts => {
                let scenes: Vec<bool> = (0..n.div_ceil(BURST))
                    .map(|_| draws.chance(MISTAKES))
                    .collect();
                (0..n).map(|i| !scenes[i / BURST]).collect()
            }
            Null::Days => {
                let days: Vec<f64> = (0..n.div_ceil(DAY))
                    .map(|_| if draws.chance(0.3) { 0.75 } else { 0.04 })
                    .collect();
                (0..n).map(|i| !draws.chance(days[i / DAY])).collect()
            }
            _ => (0..n).map(|_| !draws.chance(MISTAKES)).collect(),
        }
    }
}

/// `size` images at a time lie about one place, with so much noise each.
fn shared(n: usize, d: usize, size: usize, noise: f64, draws: &mut Draws) -> Array2<f64> {
    let mut x = draws.normals(n, d) * noise;
    let mut place = Array1::zeros(d);
    for (i, mut row) in x.outer_iter_mut().enumerate() {
        if i % size == 0 {
            place = Array1::from_shape_simple_fn(d, || draws.normal());
        }
        row += &place;
    }
    x
}

impl Population for NullPopulation {
    fn draw(&self, n: usize, draws: &mut Draws) -> Drawn {
        let days = || (0..n).map(|i| Some((i / DAY) as u32)).collect();
        Drawn {
            embeddings: self.places(n, draws).mapv(|v| v as f32),
            right: self.outcomes(n, draws),
            mode: vec![None; n],
            unit: (self.kind == Null::Days).then(days),
        }
    }
}
