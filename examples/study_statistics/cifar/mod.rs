//! CIFAR-10's photographs, a classifier of our own, and directions in two spaces that need no download.
//!
//! The classifier ([`crate::classifier`]) is trained on gradients of train. *Its own space* is its hidden layer; *another's* are
//! colours on a grid, which it never sees.

mod features;

use std::path::Path;

use anyhow::Context as _;
use hardlight::direction::report::{SplitView, class_report};
use hardlight::direction::{FitOptions, Fitted, Whitening};
use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;

use self::features::Photographs;
use crate::classifier::Classifier;
use crate::figures::Table;
use crate::simulate::Drawn;
use crate::simulate::draws::Draws;
use crate::simulate::sample::Sample;

const HIDDEN: usize = 384;

/// Other orders of val that must not change a finding.
const ORDERS: usize = 3;

/// A split with what the classifier says of it.
struct Split {
    photographs: Photographs,
    said: Vec<usize>,
    hidden: Array2<f64>,
}

/// The table, from an `ImageFolder` with `train`, `val` and `test`.
pub(crate) fn table(folder: &Path) -> anyhow::Result<String> {
    let mut draws = Draws::new("cifar", 0);
    let [train, val, test] = read(folder)?;
    let names = train.classes.clone();
    let model = Classifier::train(
        train.gradients.view(),
        &train.labels,
        names.len(),
        HIDDEN,
        &mut draws,
    );
    let [train, val, test] = [train, val, test].map(|photographs| Split {
        said: model.predict(photographs.gradients.view()),
        hidden: model.hidden(photographs.gradients.view()),
        photographs,
    });
    let mut text = format!(
        "Right: {:.1} % of {} in train, {:.1} % of {} in val, {:.1} % of {} in test.\n\n",
        100.0 * train.accuracy(),
        train.said.len(),
        100.0 * val.accuracy(),
        val.said.len(),
        100.0 * test.accuracy(),
        test.said.len(),
    );
    let mut table = Table::new(&[
        "class",
        "wrong in val",
        "space",
        "CV score",
        "q",
        "finding",
        "test AUC",
        "mistakes among the hardest of test",
    ]);
    let (mut changed, mut compared) = (0, 0);
    let own = |split: &Split| split.hidden.clone();
    let colours = |split: &Split| split.photographs.colours.clone();
    let spaces: [(&str, &dyn Fn(&Split) -> Array2<f64>); 2] =
        [("its own", &own), ("colours", &colours)];
    for (space, of) in spaces {
        let whitening = Whitening::fit(of(&train).mapv(|v| v as f32).view())?;
        let classes = val.by_class(of, names.len());
        let fitted = fit(&whitening, &classes)?;
        for _ in 0..ORDERS {
            let other: Vec<Drawn> = classes.iter().map(|one| one.shuffled(&mut draws)).collect();
            let again = fit(&whitening, &other)?;
            for (one, other) in fitted.directions.iter().zip(&again.directions) {
                compared += 1;
                changed += usize::from((one.id, one.p_value) != (other.id, other.p_value));
            }
        }
        rows(
            &mut table,
            space,
            &fitted,
            &names,
            &test,
            &whitening.apply(of(&test).mapv(|v| v as f32).view())?,
        );
    }
    text += &table.into_text();
    text +=
        &format!("\n{ORDERS} other orders of the table: {changed} of {compared} p-values differ.");
    Ok(text)
}

fn read(folder: &Path) -> anyhow::Result<[Photographs; 3]> {
    let mut parts = Vec::new();
    for name in ["train", "val", "test"] {
        parts.push(Photographs::read(&folder.join(name))?);
    }
    parts.try_into().ok().context("three splits")
}

fn fit(whitening: &Whitening, classes: &[Drawn]) -> anyhow::Result<Fitted> {
    Sample::new(whitening, classes)?.fit(&FitOptions::default())
}

/// A row a direction.
fn rows(
    table: &mut Table,
    space: &str,
    fitted: &Fitted,
    names: &[String],
    test: &Split,
    x: &Array2<f64>,
) {
    let view = SplitView {
        x: x.view(),
        labels: &test.photographs.labels,
        predictions: &test.said,
        confidence: None,
        minority: None,
        units: None,
    };
    for direction in &fitted.directions {
        let name = &names[direction.id.class];
        let Some(report) = class_report(view, direction, name) else {
            continue;
        };
        let within = |(low, high): (f64, f64)| format!(" ({low:.2}–{high:.2})");
        let figures = &report.figures;
        let hardest = &figures.hardest;
        table.row(&[
            if direction.id.mode == 0 {
                name.clone()
            } else {
                format!("{name}, mode {}", direction.id.mode)
            },
            format!(
                "{} of {}",
                direction.wrong,
                direction.wrong + direction.right
            ),
            space.to_owned(),
            format!(
                "{:.2}{}",
                direction.cv_score,
                direction.cv_interval.map(within).unwrap_or_default()
            ),
            direction
                .q_value
                .map_or_else(|| "–".to_owned(), |q| format!("{q:.3}")),
            if direction.is_finding() { "yes" } else { "no" }.to_owned(),
            figures.auc.map_or_else(
                || "–".to_owned(),
                |auc| {
                    format!(
                        "{auc:.2}{}",
                        figures.auc_interval.map(within).unwrap_or_default()
                    )
                },
            ),
            format!(
                "{:.2}{} of {}, all: {:.2}",
                hardest.direction,
                within(hardest.interval),
                hardest.k,
                figures.error()
            ),
        ]);
    }
}

impl Split {
    fn accuracy(&self) -> f64 {
        let pairs = self.said.iter().zip(&self.photographs.labels);
        pairs.filter(|(said, label)| said == label).count() as f64 / self.said.len().max(1) as f64
    }

    /// The classes in a space, at random orders: a folder's order is by name.
    fn by_class(&self, space: impl Fn(&Self) -> Array2<f64>, classes: usize) -> Vec<Drawn> {
        let x = space(self);
        let labels = &self.photographs.labels;
        (0..classes)
            .map(|class| {
                let mut rows: Vec<usize> =
                    (0..labels.len()).filter(|&i| labels[i] == class).collect();
                rows.shuffle(Draws::new("cifar order", class).rng());
                Drawn {
                    embeddings: x.select(Axis(0), &rows).mapv(|v| v as f32),
                    right: rows.iter().map(|&i| self.said[i] == class).collect(),
                    mode: vec![None; rows.len()],
                    unit: None,
                }
            })
            .collect()
    }
}
