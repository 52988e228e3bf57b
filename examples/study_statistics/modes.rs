//! Several failure modes in one class: hardlight's, Domino's and the single direction's, scored alike.

use hardlight::direction::{Direction, FitOptions, acted_on};
use ndarray::Axis;
use rayon::prelude::*;

use crate::domino::{Domino, SLICES};
use crate::figures::{Mean, Share, Table};
use crate::score::{self, Match};
use crate::simulate::draws::Draws;
use crate::simulate::planted::{Planted, Recipe};
use crate::simulate::sample::{Sample, whitening};
use crate::simulate::{Drawn, Population};

/// Fresh images that modes are judged by.
const FRESH: usize = 2000;

/// A row: its name, what is planted, and images of val.
struct Case {
    name: &'static str,
    recipe: Recipe<'static>,
    n: usize,
}

const fn case(
    name: &'static str,
    modes: &'static [f64],
    separation: f64,
    d: usize,
    n: usize,
) -> Case {
    Case {
        name,
        recipe: Recipe {
            modes,
            separation,
            d,
        },
        n,
    }
}

const EQUAL: &[f64] = &[0.1, 0.1];
const UNEQUAL: &[f64] = &[0.14, 0.04, 0.02];
const THREE: &[f64] = &[0.08, 0.08, 0.08];

const CASES: [Case; 10] = [
    case("two equal, 10 % each", EQUAL, 5.0, 128, 800),
    case("14, 4 and 2 %", UNEQUAL, 5.0, 128, 800),
    case("three equal, 8 % each", THREE, 5.0, 128, 800),
    case(
        "two equal, separation 3, 32 dimensions",
        EQUAL,
        3.0,
        32,
        800,
    ),
    case("two equal, separation 3", EQUAL, 3.0, 128, 800),
    case("14, 4 and 2 %, separation 3", UNEQUAL, 3.0, 128, 800),
    case("two equal, n = 300", EQUAL, 5.0, 128, 300),
    case("14, 4 and 2 %, n = 300", UNEQUAL, 5.0, 128, 300),
    case("two equal, 512 dimensions", EQUAL, 8.0, 512, 800),
    case("none", &[], 5.0, 128, 800),
];

/// What a method came to in one run.
#[derive(Default)]
struct Answer {
    /// One for every true mode.
    matches: Vec<Match>,
    invented: f64,
}

/// The answers of one run.
struct Run {
    ours: Answer,
    domino: Answer,
    single: Answer,
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Ours,
    Domino,
    Single,
}

impl Method {
    const ALL: [Self; 3] = [Self::Ours, Self::Domino, Self::Single];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "hardlight",
            Self::Domino => "Domino",
            Self::Single => "one direction",
        }
    }

    fn answer(self, run: &Run) -> &Answer {
        match self {
            Self::Ours => &run.ours,
            Self::Domino => &run.domino,
            Self::Single => &run.single,
        }
    }
}

/// The table.
pub(crate) fn table(runs: usize) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        "planted",
        "n, d",
        "runs",
        "method",
        "found, %, by mode",
        "precision@10, by mode",
        "precision@25, by mode",
        "false modes a class",
    ]);
    for case in &CASES {
        let each: Vec<Run> = (0..runs.div_ceil(4))
            .into_par_iter()
            .map(|run| one(case, run))
            .collect::<anyhow::Result<_>>()?;
        for method in Method::ALL {
            let answers: Vec<&Answer> = each.iter().map(|run| method.answer(run)).collect();
            table.row(&row(case, method.name(), &answers));
        }
    }
    Ok(table.into_text())
}

fn row(case: &Case, method: &str, answers: &[&Answer]) -> Vec<String> {
    let modes = 0..case.recipe.modes.len();
    let of = |mode: usize| answers.iter().map(move |one| one.matches[mode]);
    let mean = |values: Vec<f64>| Mean::of(&values).to_string();
    let join = |cells: Vec<String>| cells.join("; ");
    let found = |mode| Share::of(of(mode).map(Match::is_found)).to_string();
    let at_10 = |mode| mean(of(mode).map(|one| one.at_10).collect());
    let at_25 = |mode| mean(of(mode).map(|one| one.at_25).collect());
    vec![
        case.name.to_owned(),
        format!("{}, {}", case.n, case.recipe.d),
        answers.len().to_string(),
        method.to_owned(),
        join(modes.clone().map(found).collect()),
        join(modes.clone().map(at_10).collect()),
        join(modes.map(at_25).collect()),
        mean(answers.iter().map(|one| one.invented).collect()),
    ]
}

fn one(case: &Case, run: usize) -> anyhow::Result<Run> {
    let mut draws = Draws::new(&format!("modes {}", case.name), run);
    let population = Planted::new(case.recipe, &mut draws);
    let whitening = whitening(&population, &mut draws)?;
    let val = population.draw(case.n, &mut draws).shuffled(&mut draws);
    let fresh = population.draw(FRESH, &mut draws).shuffled(&mut draws);
    let options = FitOptions {
        bootstrap: 0,
        seed: run as u64,
        ..FitOptions::default()
    };
    let fitted = Sample::new(&whitening, std::slice::from_ref(&val))?.fit(&options)?;
    let judged = Sample::new(&whitening, std::slice::from_ref(&fresh))?;
    let align = |direction: &Direction| -> Vec<f64> {
        let rows = judged.x.outer_iter();
        rows.map(|x| direction.alignment(x)).collect()
    };
    let ours: Vec<Vec<f64>> = acted_on(&fitted.directions, Direction::is_finding)
        .into_iter()
        .map(align)
        .collect();
    let single: Vec<Vec<f64>> = fitted
        .directions
        .iter()
        .filter(|one| one.id.mode == 0 && one.is_finding())
        .map(align)
        .collect();
    let domino = Domino::fit(val.embeddings.view(), &val.right, &mut draws);
    let membership = domino.membership(fresh.embeddings.view(), &fresh.right);
    let domino: Vec<Vec<f64>> = (0..SLICES)
        .map(|slice| membership.index_axis(Axis(1), slice).to_vec())
        .collect();
    let truths = truths(&fresh, case.recipe.modes.len());
    let answer = |predicted: &[Vec<f64>]| Answer {
        matches: truths
            .iter()
            .map(|is_true| score::best(predicted, is_true))
            .collect(),
        invented: score::invented(predicted, &truths) as f64,
    };
    Ok(Run {
        ours: answer(&ours),
        domino: answer(&domino),
        single: answer(&single),
    })
}

/// Which fresh images are of each true mode.
fn truths(fresh: &Drawn, modes: usize) -> Vec<Vec<bool>> {
    (0..modes)
        .map(|at| fresh.mode.iter().map(|&mode| mode == Some(at)).collect())
        .collect()
}
