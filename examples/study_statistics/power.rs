//! One planted failure mode: how often it is found, whatever the order of the table.

use hardlight::direction::folds::Folds;
use hardlight::direction::{Direction, FitOptions, Fitted};
use rayon::prelude::*;

use crate::figures::{Mean, Share, Table};
use crate::simulate::Population;
use crate::simulate::draws::Draws;
use crate::simulate::planted::{Planted, Recipe};
use crate::simulate::sample::{Sample, whitening};

/// What a run came to.
struct Seen {
    sorted: Fitted,
    shuffled: Fitted,
    /// In the order of the table, sorted by subgroup, as the reference deals folds.
    as_reference: Fitted,
}

/// The table.
pub(crate) fn table(runs: usize) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        "n",
        "d",
        "separation",
        "runs",
        "found, sorted by subgroup, %",
        "found, shuffled, %",
        "CV score, shuffled",
        "found with `--folds table-order`, sorted, %",
    ]);
    for (n, d, separation) in [
        (100, 128, 4.0),
        (200, 16, 4.0),
        (200, 128, 4.0),
        (200, 768, 4.0),
        (200, 128, 3.0),
        (400, 128, 3.0),
    ] {
        let seen = cell(n, d, separation, runs)?;
        let found = |of: fn(&Seen) -> &Fitted| {
            let any = |fitted: &Fitted| fitted.directions.iter().any(Direction::is_finding);
            Share::of(seen.iter().map(|one| any(of(one))))
        };
        let scores: Vec<f64> = seen
            .iter()
            .filter_map(|one| Some(one.shuffled.directions.first()?.cv_score))
            .collect();
        table.row(&[
            n.to_string(),
            d.to_string(),
            separation.to_string(),
            seen.len().to_string(),
            found(|one| &one.sorted).to_string(),
            found(|one| &one.shuffled).to_string(),
            Mean::of(&scores).to_string(),
            found(|one| &one.as_reference).to_string(),
        ]);
    }
    Ok(table.into_text())
}

fn cell(n: usize, d: usize, separation: f64, runs: usize) -> anyhow::Result<Vec<Seen>> {
    (0..runs)
        .into_par_iter()
        .map(|run| {
            let mut draws = Draws::new(&format!("power {n} {d} {separation}"), run);
            let recipe = Recipe {
                modes: &[0.2],
                separation,
                d,
            };
            let population = Planted::new(recipe, &mut draws);
            let whitening = whitening(&population, &mut draws)?;
            let drawn = population.draw(n, &mut draws);
            let sorted = Sample::new(&whitening, std::slice::from_ref(&drawn))?;
            let shuffled = Sample::new(&whitening, &[drawn.shuffled(&mut draws)])?;
            let options = FitOptions {
                bootstrap: 0,
                seed: run as u64,
                ..FitOptions::default()
            };
            let reference = FitOptions {
                folds: Folds::TableOrder,
                ..options
            };
            Ok(Seen {
                as_reference: sorted.fit(&reference)?,
                sorted: sorted.fit(&options)?,
                shuffled: shuffled.fit(&options)?,
            })
        })
        .collect()
}
