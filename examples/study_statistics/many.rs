//! Five classes of many have a failure mode: are they found, and how many of the others with them?

use std::time::Instant;

use hardlight::direction::{FitOptions, Whitening};
use ndarray::{Array1, Axis, concatenate};

use crate::figures::{Mean, Table};
use crate::simulate::draws::Draws;
use crate::simulate::null::Null;
use crate::simulate::planted::{Planted, Recipe};
use crate::simulate::sample::Sample;
use crate::simulate::{Drawn, Population};

/// Classes that fail.
const TRUE: usize = 5;
/// Val images of a class.
const N: usize = 100;
/// Train images of a class, for whitening.
const TRAIN: usize = 20;
const D: usize = 64;

/// What a run came to.
struct Run {
    found: f64,
    invented: f64,
    /// Permutations of all classes, on average.
    permutations: f64,
    seconds: f64,
}

/// The table.
pub(crate) fn table(runs: usize) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        "classes",
        "runs",
        "found of 5",
        "false findings",
        "permutations a class",
        "seconds a run",
    ]);
    for (classes, part) in [(10, 2), (100, 10), (1000, 50)] {
        let runs: Vec<Run> = (0..runs.div_ceil(part))
            .map(|run| one(classes, run))
            .collect::<anyhow::Result<_>>()?;
        let mean = |of: fn(&Run) -> f64| Mean::of(&runs.iter().map(of).collect::<Vec<f64>>());
        table.row(&[
            classes.to_string(),
            runs.len().to_string(),
            mean(|run| run.found).to_string(),
            mean(|run| run.invented).to_string(),
            format!("{:.0}", mean(|run| run.permutations).value),
            format!("{:.1}", mean(|run| run.seconds).value),
        ]);
    }
    let threads = rayon::current_num_threads();
    Ok(format!(
        "{}\n{N} images a class, {D} dimensions; times on {threads} threads.",
        table.into_text()
    ))
}

fn one(classes: usize, run: usize) -> anyhow::Result<Run> {
    let mut draws = Draws::new(&format!("many {classes}"), run);
    let (mut train, mut val) = (Vec::new(), Vec::new());
    for class in 0..classes {
        // Classes lie apart, as they do in a space that tells them apart.
        let place = draws.vector(D, (D as f64).sqrt());
        let mut draw = |population: &dyn Population| {
            train.push(moved(population.draw(TRAIN, &mut draws), &place).embeddings);
            val.push(moved(population.draw(N, &mut draws), &place));
        };
        if class < TRUE {
            let recipe = Recipe {
                modes: &[0.2],
                separation: 4.0,
                d: D,
            };
            let population = Planted::new(
                recipe,
                &mut Draws::new(&format!("many {classes} {class}"), run),
            );
            draw(&population);
        } else {
            let population = Null::Iid.population(D, &mut Draws::new("nothing", 0));
            draw(&population);
        }
    }
    let views: Vec<_> = train.iter().map(ndarray::ArrayBase::view).collect();
    let whitening = Whitening::fit(concatenate(Axis(0), &views)?.view())?;
    let sample = Sample::new(&whitening, &val)?;
    let options = FitOptions {
        bootstrap: 0,
        seed: run as u64,
        ..FitOptions::default()
    };
    let begun = Instant::now();
    let fitted = sample.fit(&options)?;
    let seconds = begun.elapsed().as_secs_f64();
    let mut found: Vec<usize> = fitted
        .directions
        .iter()
        .filter(|one| one.is_finding())
        .map(|one| one.id.class)
        .collect();
    found.dedup();
    let drawn = fitted.directions.iter().filter(|one| one.id.mode == 0);
    let drawn: usize = drawn.map(|one| one.permutations).sum();
    Ok(Run {
        found: found.iter().filter(|&&class| class < TRUE).count() as f64,
        invented: found.iter().filter(|&&class| class >= TRUE).count() as f64,
        permutations: drawn as f64 / classes as f64,
        seconds,
    })
}

fn moved(mut drawn: Drawn, place: &Array1<f64>) -> Drawn {
    drawn.embeddings += &place.mapv(|v| v as f32);
    drawn
}
