//! A model trained again with another seed, and nothing else: how often does `evaluate` say that something changed?

use hardlight::direction::evaluate::{SliceKind, TwoModels, Verdict, compare};
use hardlight::direction::{Direction, FitOptions, Whitening};
use ndarray::Array2;
use rayon::prelude::*;

use crate::classifier::Classifier;
use crate::figures::{Share, Table};
use crate::simulate::Drawn;
use crate::simulate::draws::Draws;
use crate::simulate::sample::Sample;

const CLASSES: usize = 4;
const D: usize = 32;
const HIDDEN: usize = 96;
const TRAIN: usize = 800;
const VAL: usize = 800;
const TEST: usize = 1200;

/// Share of class 0 that lies near class 1, in train and elsewhere.
const MINORITY: [f64; 2] = [0.03, 0.3];

/// Where images lie.
struct World {
    centres: Array2<f64>,
}

/// A split: places and classes.
struct Part {
    x: Array2<f64>,
    labels: Vec<usize>,
}

impl World {
    fn new(draws: &mut Draws) -> Self {
        let mut centres = Array2::zeros((CLASSES + 1, D));
        for mut centre in centres.outer_iter_mut() {
            centre.assign(&draws.vector(D, 3.0));
        }
        // The minority of class 0: between the classes 0 and 1, with a trait of its own.
        let own = 0.4 * &centres.row(0) + 0.6 * &centres.row(1) + draws.vector(D, 2.0);
        centres.row_mut(CLASSES).assign(&own);
        Self { centres }
    }

    fn draw(&self, n: usize, minority: f64, draws: &mut Draws) -> Part {
        let mut x = draws.normals(n, D);
        let labels: Vec<usize> = (0..n).map(|i| i % CLASSES).collect();
        for (mut row, &label) in x.outer_iter_mut().zip(&labels) {
            let minor = label == 0 && draws.chance(minority);
            row += &self.centres.row(if minor { CLASSES } else { label });
        }
        Part { x, labels }
    }
}

/// What is said of one finding.
struct Said {
    shrank: bool,
    grew: bool,
    cost: bool,
}

/// The table.
pub(crate) fn table(runs: usize) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        "models a side",
        "runs",
        "findings",
        "\"shrank\", %",
        "\"grew\", %",
        "\"it cost\", %",
    ]);
    let runs = runs.div_ceil(4);
    for seeds in [1, 3, 5] {
        let said: Vec<Vec<Said>> = (0..runs)
            .into_par_iter()
            .map(|run| one(run, seeds))
            .collect::<anyhow::Result<_>>()?;
        let said: Vec<Said> = said.into_iter().flatten().collect();
        let share = |of: fn(&Said) -> bool| Share::of(said.iter().map(of)).to_string();
        table.row(&[
            seeds.to_string(),
            runs.to_string(),
            said.len().to_string(),
            share(|said| said.shrank),
            share(|said| said.grew),
            share(|said| said.cost),
        ]);
    }
    Ok(table.into_text())
}

/// One world: the sentence on each of its findings.
fn one(run: usize, seeds: usize) -> anyhow::Result<Vec<Said>> {
    let mut draws = Draws::new(&format!("evaluate {seeds}"), run);
    let world = World::new(&mut draws);
    let train = world.draw(TRAIN, MINORITY[0], &mut draws);
    let [val, test] = [VAL, TEST].map(|n| world.draw(n, MINORITY[1], &mut draws));
    let mut model =
        || Classifier::train(train.x.view(), &train.labels, CLASSES, HIDDEN, &mut draws);
    // The model whose mistakes the failure was found by is not among those compared.
    let analysed = model();
    let before: Vec<Classifier> = (0..seeds).map(|_| model()).collect();
    let after: Vec<Classifier> = (0..seeds).map(|_| model()).collect();

    let whitening = Whitening::fit(train.x.mapv(|v| v as f32).view())?;
    let said = analysed.predict(val.x.view());
    let sample = Sample::new(&whitening, &by_class(&val, &said))?;
    let options = FitOptions {
        bootstrap: 0,
        seed: run as u64,
        ..FitOptions::default()
    };
    let fitted = sample.fit(&options)?;
    let findings: Vec<_> = fitted
        .directions
        .into_iter()
        .filter(Direction::is_finding)
        .collect();
    let x = whitening.apply(test.x.mapv(|v| v as f32).view())?;
    let say = |models: &[Classifier]| -> Vec<Vec<usize>> {
        let each = models.iter();
        each.map(|model| model.predict(test.x.view())).collect()
    };
    let of = TwoModels {
        x: x.view(),
        labels: &test.labels,
        before: &say(&before),
        after: &say(&after),
        groups: &[],
    };
    let names: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
    let compared = compare(of, &findings, &names);
    let modes = compared.classes.iter().filter(|one| one.mode.is_some());
    Ok(modes
        .map(|change| {
            let grew = |part| {
                change
                    .slice(part)
                    .is_some_and(|one| one.verdict() == Verdict::Grew)
            };
            Said {
                shrank: change.verdict == Verdict::Shrank,
                grew: change.verdict == Verdict::Grew,
                cost: grew(SliceKind::Rest) || grew(SliceKind::Elsewhere),
            }
        })
        .collect())
}

/// Val as drawn classes, in the order of classes.
fn by_class(part: &Part, said: &[usize]) -> Vec<Drawn> {
    (0..CLASSES)
        .map(|class| {
            let rows: Vec<usize> = (0..part.labels.len())
                .filter(|&i| part.labels[i] == class)
                .collect();
            Drawn {
                embeddings: part.x.select(ndarray::Axis(0), &rows).mapv(|v| v as f32),
                right: rows.iter().map(|&i| said[i] == class).collect(),
                mode: vec![None; rows.len()],
                unit: None,
            }
        })
        .collect()
}
