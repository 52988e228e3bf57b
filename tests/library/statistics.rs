//! The promises of the statistics in short: few drawn classes, fixed seeds, wide bounds. `make
//! study-statistics` shows them at length (`docs/statistics.md`), with the same drawn classes.

use hardlight::direction::{Direction, FitOptions, acted_on};
use simulate::Population;
use simulate::draws::Draws;
use simulate::null::Null;
use simulate::planted::{Planted, Recipe};
use simulate::sample::{Sample, val, whitening};

#[path = "../../examples/study_statistics/simulate/mod.rs"]
mod simulate;

/// Dimensions: few, for the tests' sake.
const D: usize = 16;

/// What seconds allow.
fn options(run: usize) -> FitOptions {
    FitOptions {
        repeats: 2,
        permutations: 99,
        bootstrap: 0,
        seed: run as u64,
        ..FitOptions::default()
    }
}

fn planted(modes: &'static [f64], draws: &mut Draws) -> Planted {
    let recipe = Recipe {
        modes,
        separation: 4.0,
        d: D,
    };
    Planted::new(recipe, draws)
}

#[test]
fn classes_without_a_failure_are_no_findings() {
    let mut found = Vec::new();
    for kind in Null::ALL {
        for run in 0..6 {
            let mut draws = Draws::new(&format!("short null {kind:?}"), run);
            let population = kind.population(D, &mut draws);
            let sample = val(&population, 60, &mut draws).unwrap();
            let fitted = sample.fit(&options(run)).unwrap();
            if fitted.directions.iter().any(Direction::is_finding) {
                found.push((kind.name(), run));
            }
        }
    }
    // 5 % of 42 are 2; more than 7 happen in one of 1,000 draws.
    assert!(found.len() <= 7, "{found:?}");
}

#[test]
fn a_planted_failure_is_found_in_any_order_of_the_table() {
    let mut found = [0, 0];
    for run in 0..6 {
        let mut draws = Draws::new("short power", run);
        let population = planted(&[0.2], &mut draws);
        let whitening = whitening(&population, &mut draws).unwrap();
        let sorted = population.draw(160, &mut draws);
        let shuffled = sorted.shuffled(&mut draws);
        for (found, drawn) in found.iter_mut().zip([sorted, shuffled]) {
            let sample = Sample::new(&whitening, &[drawn]).unwrap();
            let fitted = sample.fit(&options(run)).unwrap();
            *found += usize::from(fitted.directions.iter().any(Direction::is_finding));
        }
    }
    assert!(found.iter().all(|&found| found >= 5), "{found:?} of 6");
}

#[test]
fn half_of_fresh_mistakes_pass_the_threshold() {
    let mut passing = Vec::new();
    for run in 0..6 {
        let mut draws = Draws::new("short threshold", run);
        let population = planted(&[0.2], &mut draws);
        let whitening = whitening(&population, &mut draws).unwrap();
        let sample = Sample::new(&whitening, &[population.draw(300, &mut draws)]).unwrap();
        let quick = FitOptions {
            permutations: 0,
            ..options(run)
        };
        let fitted = sample.fit(&quick).unwrap();
        let direction = &fitted.directions[0];
        let fresh = Sample::new(&whitening, &[population.draw(1000, &mut draws)]).unwrap();
        let rows = fresh.x.outer_iter().zip(&fresh.predictions);
        let mistakes = rows.filter(|(_, said)| **said != 0);
        let passes = mistakes.map(|(x, _)| direction.alignment(x) >= direction.threshold);
        passing.extend(passes);
    }
    let share = passing.iter().filter(|&&passes| passes).count() as f64 / passing.len() as f64;
    assert!(
        (0.42..0.58).contains(&share),
        "{share} of {}",
        passing.len()
    );
}

#[test]
fn two_modes_of_a_class_are_told_apart() {
    let mut told = 0;
    for run in 0..3 {
        let mut draws = Draws::new("short modes", run);
        let population = planted(&[0.12, 0.12], &mut draws);
        let whitening = whitening(&population, &mut draws).unwrap();
        let sample = Sample::new(&whitening, &[population.draw(300, &mut draws)]).unwrap();
        let fitted = sample.fit(&options(run)).unwrap();
        let drawn = population.draw(600, &mut draws);
        let fresh = Sample::new(&whitening, std::slice::from_ref(&drawn)).unwrap();
        let modes = acted_on(&fitted.directions, Direction::is_finding);
        let mut of: Vec<Option<usize>> = modes
            .iter()
            .map(|mode| {
                let aligned = |&a: &usize, &b: &usize| {
                    let [a, b] = [a, b].map(|i| mode.alignment(fresh.x.row(i)));
                    b.total_cmp(&a)
                };
                let mut order: Vec<usize> = (0..drawn.mode.len()).collect();
                order.sort_by(aligned);
                let head = |at| {
                    order[..10]
                        .iter()
                        .filter(|&&i| drawn.mode[i] == Some(at))
                        .count()
                };
                (0..2).find(|&at| head(at) >= 8)
            })
            .collect();
        of.sort_unstable();
        told += usize::from(of == [Some(0), Some(1)]);
    }
    assert!(told >= 2, "{told} of 3");
}
