//! CIFAR-10's photographs, a classifier of our own, and directions in two spaces that need no download.
//!
//! The classifier ([`crate::classifier`]) is trained on gradients of train. *Its own space* is its hidden
//! layer; *another's* are colours on a grid, which it never sees.

mod features;

use std::path::Path;

use anyhow::Context as _;
use hardlight::direction::report::{Figures, SplitView, class_report};
use hardlight::direction::{Direction, FitOptions, Fitted, Whitening};
use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;

use self::features::Photographs;
use crate::classifier::Classifier;
use crate::figures::{Share, Table};
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

/// A space that directions are learned in.
#[derive(Debug, Clone, Copy)]
enum Space {
    Own,
    Colours,
}

impl Space {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "its own",
            Self::Colours => "colours",
        }
    }

    fn of(self, split: &Split) -> Array2<f32> {
        let rows = match self {
            Self::Own => &split.hidden,
            Self::Colours => &split.photographs.colours,
        };
        rows.mapv(|v| v as f32)
    }
}

/// The table, from an `ImageFolder` with `train`, `val` and `test`.
pub(crate) fn table(folder: &Path) -> anyhow::Result<String> {
    let mut draws = Draws::new("cifar", 0);
    let [train, val, test] = read(folder)?;
    let names = train.classes.clone();
    let gradients = train.gradients.view();
    let model = Classifier::train(gradients, &train.labels, names.len(), HIDDEN, &mut draws);
    let [train, val, test] = [train, val, test].map(|photographs| Split {
        said: model.predict(photographs.gradients.view()),
        hidden: model.hidden(photographs.gradients.view()),
        photographs,
    });
    let mut table = Table::new(&[
        "class",
        "wrong in val",
        "space",
        "CV score",
        "q",
        "finding",
        "test AUC",
        "wrong among the hardest of test",
    ]);
    let (mut changed, mut compared) = (0, 0);
    for space in [Space::Own, Space::Colours] {
        let whitening = Whitening::fit(space.of(&train).view())?;
        let classes = val.by_class(space, names.len());
        let fitted = fit(&whitening, &classes)?;
        for _ in 0..ORDERS {
            let other: Vec<Drawn> = classes.iter().map(|one| one.shuffled(&mut draws)).collect();
            let again = fit(&whitening, &other)?;
            compared += fitted.directions.len();
            changed += differing(&fitted, &again);
        }
        let x = whitening.apply(space.of(&test).view())?;
        rows(&mut table, space, &fitted, &names, &test, &x);
    }
    let right = |split: &Split| {
        let share = Share::of(split.right());
        format!("{:.1} % of {}", 100.0 * share.value(), share.of)
    };
    Ok(format!(
        "Right: {} in train, {} in val, {} in test.\n\n{}\n{ORDERS} other orders of the table: {changed} of \
         {compared} directions have another p-value or another plane.",
        right(&train),
        right(&val),
        right(&test),
        table.into_text()
    ))
}

/// Directions that are not the same in both.
fn differing(one: &Fitted, other: &Fitted) -> usize {
    let pairs = one.directions.iter().zip(&other.directions);
    let same = pairs.filter(|(one, other)| {
        (one.id, one.p_value, &one.w) == (other.id, other.p_value, &other.w)
    });
    one.directions.len().max(other.directions.len()) - same.count()
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
    space: Space,
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
        table.row(&cells(direction, name, space, &report.figures));
    }
}

fn cells(direction: &Direction, name: &str, space: Space, figures: &Figures) -> Vec<String> {
    let within = |(low, high): (f64, f64)| format!(" ({low:.2}–{high:.2})");
    let interval = |of: Option<(f64, f64)>| of.map(within).unwrap_or_default();
    let known = |of: Option<String>| of.unwrap_or_else(|| "–".to_owned());
    let mode = match direction.id.mode {
        0 => String::new(),
        mode => format!(", mode {mode}"),
    };
    let hardest = &figures.hardest;
    let auc = figures
        .auc
        .map(|auc| format!("{auc:.2}{}", interval(figures.auc_interval)));
    vec![
        format!("{name}{mode}"),
        format!(
            "{} of {}",
            direction.wrong,
            direction.wrong + direction.right
        ),
        space.name().to_owned(),
        format!(
            "{:.2}{}",
            direction.cv_score,
            interval(direction.cv_interval)
        ),
        known(direction.q_value.map(|q| format!("{q:.3}"))),
        if direction.is_finding() { "yes" } else { "no" }.to_owned(),
        known(auc),
        format!(
            "{:.2}{} of {}, all: {:.2}",
            hardest.direction,
            within(hardest.interval),
            hardest.k,
            figures.error()
        ),
    ]
}

impl Split {
    /// Of each photograph, whether the classifier is right.
    fn right(&self) -> impl Iterator<Item = bool> {
        let pairs = self.said.iter().zip(&self.photographs.labels);
        pairs.map(|(said, label)| said == label)
    }

    /// The classes in a space, each in an order at random.
    fn by_class(&self, space: Space, classes: usize) -> Vec<Drawn> {
        let x = space.of(self);
        let labels = &self.photographs.labels;
        (0..classes)
            .map(|class| {
                let mut rows: Vec<usize> =
                    (0..labels.len()).filter(|&i| labels[i] == class).collect();
                rows.shuffle(Draws::new("cifar order", class).rng());
                Drawn {
                    embeddings: x.select(Axis(0), &rows),
                    right: rows.iter().map(|&i| self.said[i] == class).collect(),
                    mode: vec![None; rows.len()],
                    unit: None,
                }
            })
            .collect()
    }
}
