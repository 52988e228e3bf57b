//! The threshold's promise: half of fresh mistakes pass it, and no more right images than the best threshold
//! would let in.

use hardlight::direction::{Direction, FitOptions, Whitening, quantile};
use rayon::prelude::*;

use crate::figures::{Mean, Table};
use crate::simulate::Population;
use crate::simulate::draws::Draws;
use crate::simulate::gradient::Gradient;
use crate::simulate::planted::{Planted, Recipe};
use crate::simulate::sample::{Sample, whitening};

/// Fresh images that a threshold is judged by.
const FRESH: usize = 4000;

#[derive(Debug, Clone, Copy)]
enum Failure {
    OneMode,
    Gradient,
}

impl Failure {
    fn name(self) -> &'static str {
        match self {
            Self::OneMode => "one mode of 20 %",
            Self::Gradient => "a gradient",
        }
    }

    fn population(self, d: usize, draws: &mut Draws) -> Box<dyn Population> {
        let recipe = Recipe {
            modes: &[0.2],
            separation: 4.0,
            d,
        };
        match self {
            Self::OneMode => Box::new(Planted::new(recipe, draws)),
            Self::Gradient => Box::new(Gradient::new(d, draws)),
        }
    }
}

/// Shares of fresh images that pass.
struct Passing {
    mistakes: f64,
    right: f64,
    /// At the threshold that exactly half of fresh mistakes pass.
    oracle_right: f64,
}

/// The table.
pub(crate) fn table(runs: usize) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        "failure",
        "n",
        "d",
        "runs",
        "fresh mistakes passing",
        "fresh right images passing",
        "the same at the oracle's threshold",
        "difference, points",
    ]);
    for failure in [Failure::OneMode, Failure::Gradient] {
        for n in [100, 300, 1000] {
            for d in [16, 128, 768] {
                let passing = cell(failure, n, d, runs.div_ceil(2))?;
                let mean = |of: fn(&Passing) -> f64| {
                    Mean::of(&passing.iter().map(of).collect::<Vec<f64>>())
                };
                let points = mean(|one| 100.0 * (one.right - one.oracle_right));
                table.row(&[
                    failure.name().to_owned(),
                    n.to_string(),
                    d.to_string(),
                    passing.len().to_string(),
                    mean(|one| one.mistakes).to_string(),
                    mean(|one| one.right).to_string(),
                    mean(|one| one.oracle_right).to_string(),
                    format!("{:+.1} ± {:.1}", points.value, points.spread),
                ]);
            }
        }
    }
    Ok(table.into_text())
}

fn cell(failure: Failure, n: usize, d: usize, runs: usize) -> anyhow::Result<Vec<Passing>> {
    let passing: Vec<Option<Passing>> = (0..runs)
        .into_par_iter()
        .map(|run| {
            let mut draws = Draws::new(&format!("threshold {failure:?} {n} {d}"), run);
            let population = failure.population(d, &mut draws);
            let whitening = whitening(population.as_ref(), &mut draws)?;
            let sample = Sample::new(&whitening, &[population.draw(n, &mut draws)])?;
            let options = FitOptions {
                permutations: 0,
                bootstrap: 0,
                seed: run as u64,
                ..FitOptions::default()
            };
            let fitted = sample.fit(&options)?;
            let first = fitted.directions.first();
            first
                .map(|direction| judge(direction, population.as_ref(), &whitening, &mut draws))
                .transpose()
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(passing.into_iter().flatten().collect())
}

/// Holds a threshold against fresh images.
fn judge(
    direction: &Direction,
    population: &dyn Population,
    whitening: &Whitening,
    draws: &mut Draws,
) -> anyhow::Result<Passing> {
    let fresh = Sample::new(whitening, &[population.draw(FRESH, draws)])?;
    let of = |wrong: bool| -> Vec<f64> {
        let own = fresh.x.outer_iter().zip(&fresh.predictions);
        own.filter(|(_, said)| (**said != 0) == wrong)
            .map(|(x, _)| direction.alignment(x))
            .collect()
    };
    let (mut mistakes, right) = (of(true), of(false));
    let share = |all: &[f64], threshold: f64| {
        all.iter().filter(|&&a| a >= threshold).count() as f64 / all.len().max(1) as f64
    };
    let passing = share(&mistakes, direction.threshold);
    let oracle = quantile(&mut mistakes, 0.5);
    Ok(Passing {
        mistakes: passing,
        right: share(&right, direction.threshold),
        oracle_right: share(&right, oracle),
    })
}
