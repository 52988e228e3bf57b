//! Classes without a failure mode: how often one is found all the same.

use hardlight::caption::CaptionVerdict;
use hardlight::caption::check::{Images, Real};
use hardlight::caption::survey::survey;
use hardlight::direction::units::by_class;
use hardlight::direction::{FitOptions, Fitted};
use rayon::prelude::*;

use crate::figures::{Share, Table};
use crate::simulate::draws::Draws;
use crate::simulate::null::Null;
use crate::simulate::sample::{Sample, whitening};
use crate::simulate::{Drawn, Population};

const SIZES: [usize; 4] = [40, 100, 300, 1000];
const DIMS: [usize; 3] = [16, 128, 768];

/// Captions that are looked at.
const CAPTIONS: usize = 60;

/// What is found in a class.
struct Found {
    /// Whether any direction is a finding.
    any: bool,
    /// Whether one of those beside mode 0 is.
    modes: bool,
    /// Whether any caption is confirmed.
    captions: bool,
}

impl Found {
    fn of(fitted: &Fitted, captions: bool) -> Self {
        let mut findings = fitted.directions.iter().filter(|one| one.is_finding());
        Self {
            any: findings.clone().next().is_some(),
            modes: findings.any(|one| one.id.mode > 0),
            captions,
        }
    }
}

/// Runs of a row: the whole number up to 300 images, a part of it above.
fn runs_of(runs: usize, n: usize) -> usize {
    if n > 300 { runs.div_ceil(2) } else { runs }
}

/// The shares of some classes in which each kind of thing is found.
struct Shares {
    classes: usize,
    cells: Vec<String>,
}

impl Shares {
    const COLUMNS: [&str; 3] = [
        "any finding, %",
        "a mode beside mode 0, %",
        "any caption confirmed, %",
    ];

    fn of(found: &[&Found]) -> Self {
        let share = |of: fn(&Found) -> bool| Share::of(found.iter().map(|one| of(one))).to_string();
        Self {
            classes: found.len(),
            cells: vec![
                share(|one| one.any),
                share(|one| one.modes),
                share(|one| one.captions),
            ],
        }
    }

    /// A row of a table, behind what it is of.
    fn row(self, mut of: Vec<String>) -> Vec<String> {
        of.push(self.classes.to_string());
        of.extend(self.cells);
        of
    }
}

/// Two tables: by kind, and row by row.
pub(crate) fn table(runs: usize) -> anyhow::Result<String> {
    let mut kinds = Table::new(&[&["images", "classes"][..], &Shares::COLUMNS].concat());
    let mut rows = Table::new(&[&["images", "n", "d", "runs"][..], &Shares::COLUMNS].concat());
    let mut all = Vec::new();
    for kind in Null::ALL {
        let name = || kind.name().to_owned();
        let mut of_kind = Vec::new();
        for (n, d) in SIZES.into_iter().flat_map(|n| DIMS.map(|d| (n, d))) {
            let found = cell(kind, n, d, runs_of(runs, n), true)?;
            let shares = Shares::of(&found.iter().collect::<Vec<_>>());
            rows.row(&shares.row(vec![name(), n.to_string(), d.to_string()]));
            of_kind.extend(found);
        }
        kinds.row(&Shares::of(&of_kind.iter().collect::<Vec<_>>()).row(vec![name()]));
        all.extend(of_kind);
    }
    let together = Shares::of(&all.iter().collect::<Vec<_>>());
    kinds.row(&together.row(vec!["all of them".to_owned()]));
    let unnamed = cell(Null::Days, 300, 128, runs, false)?;
    let unnamed = Share::of(unnamed.iter().map(|one| one.any));
    Ok(format!(
        "{}\n*What the `unit` column is for:* of {} classes of days (n 300, d 128) whose days are not named, \
         {unnamed} % have a finding.\n\nRow by row:\n\n{}",
        kinds.into_text(),
        unnamed.of,
        rows.into_text(),
    ))
}

/// Fits classes of one row, with the units that the kind names or without.
fn cell(kind: Null, n: usize, d: usize, runs: usize, named: bool) -> anyhow::Result<Vec<Found>> {
    (0..runs)
        .into_par_iter()
        .map(|run| {
            let mut draws = Draws::new(&format!("null {kind:?} {n} {d}"), run);
            let population = kind.population(d, &mut draws);
            let options = FitOptions {
                bootstrap: 0,
                seed: run as u64,
                ..FitOptions::default()
            };
            let whitening = whitening(&population, &mut draws)?;
            let drawn = population.draw(n, &mut draws);
            let drawn = if named { drawn } else { drawn.without_units() };
            let sample = Sample::new(&whitening, std::slice::from_ref(&drawn))?;
            let confirmed = confirms(&drawn, &sample, &population, &mut draws);
            Ok(Found::of(&sample.fit(&options)?, confirmed))
        })
        .collect()
}

/// Whether any of some captions is confirmed. A caption lies where an image of the class might, moved by the
/// gap between texts and images.
fn confirms(drawn: &Drawn, sample: &Sample, of: &impl Population, draws: &mut Draws) -> bool {
    let d = drawn.embeddings.ncols();
    let gap = draws.vector(d, 0.5 * (d as f64).sqrt()).mapv(|v| v as f32);
    let captions = of.draw(CAPTIONS, draws).embeddings + gap;
    let units = by_class(sample.x.view(), &sample.labels, drawn.unit.as_deref());
    let images = Images::new(drawn.embeddings.view(), drawn.right.clone()).with_units(&units);
    let surveyed = survey(&images, captions.view(), 0).unwrap_or_default();
    let real = Real {
        val: images.clone(),
        judged: images,
    };
    let mut each = captions.outer_iter().zip(surveyed);
    each.any(|(caption, one)| {
        real.check(caption, Some(one.p_value)).verdict == CaptionVerdict::Confirmed
    })
}
