//! Drawn classes as a val split, and the fit of it.

use std::path::PathBuf;

use anyhow::Context as _;
use hardlight::dataset::{Dataset, Example, Split};
use hardlight::direction::{FitOptions, Fitted, ValExamples, Whitening, fit};
use ndarray::{Array2, Axis, concatenate};

use super::draws::Draws;
use super::{Drawn, Population};

/// Images that whitening is learned on, of one class.
const TRAIN: usize = 500;

/// A val split of one class or several, class after class.
pub(crate) struct Sample {
    /// Whitened, normalised embeddings, `[n, d]`.
    pub(crate) x: Array2<f64>,
    /// Class of every image.
    pub(crate) labels: Vec<usize>,
    /// What the classifier says: another class where it is wrong.
    pub(crate) predictions: Vec<usize>,
    units: Option<Vec<Option<u32>>>,
}

impl Sample {
    /// Whitens drawn classes.
    pub(crate) fn new(whitening: &Whitening, classes: &[Drawn]) -> anyhow::Result<Self> {
        let parts = classes.iter().map(|one| one.embeddings.view());
        let all = concatenate(Axis(0), &parts.collect::<Vec<_>>())?;
        let (mut labels, mut predictions) = (Vec::new(), Vec::new());
        for (class, drawn) in classes.iter().enumerate() {
            for &right in &drawn.right {
                labels.push(class);
                predictions.push(if right { class } else { classes.len() });
            }
        }
        // Keys are a class's own: what classes share does no harm, for units never span classes.
        let units = classes
            .iter()
            .any(|one| one.unit.is_some())
            .then(|| classes.iter().flat_map(keys).collect());
        Ok(Self {
            x: whitening.apply(all.view())?,
            labels,
            predictions,
            units,
        })
    }

    /// Learns its directions.
    pub(crate) fn fit(&self, options: &FitOptions) -> anyhow::Result<Fitted> {
        let classes = self.labels.last().map_or(0, |last| last + 1);
        let names = (0..=classes).map(|class| format!("class {class}"));
        let examples = self.labels.iter().enumerate();
        let examples = examples.map(|(i, &label)| Example::new(format!("{i}"), label, Split::Val));
        let data = Dataset::new(PathBuf::new(), names.collect(), examples.collect())?;
        let ids: Vec<_> = data.ids().collect();
        let val = ValExamples {
            ids: &ids,
            x: self.x.view(),
            labels: &self.labels,
            predictions: &self.predictions,
            units: self.units.as_deref(),
        };
        // What a wrong image is said to be is a class of its own, which has no images.
        fit(val, classes + 1, options).context("could not fit drawn classes")
    }
}

fn keys(drawn: &Drawn) -> Vec<Option<u32>> {
    let none = || vec![None; drawn.right.len()];
    drawn.unit.clone().unwrap_or_else(none)
}

/// Learns whitening on a train split of a class.
pub(crate) fn whitening(
    of: &(impl Population + ?Sized),
    draws: &mut Draws,
) -> anyhow::Result<Whitening> {
    let train = of.draw(TRAIN, draws);
    Ok(Whitening::fit(train.embeddings.view())?)
}

/// A class as a val split, under the whitening of a train split of its own.
pub(crate) fn val(
    of: &(impl Population + ?Sized),
    n: usize,
    draws: &mut Draws,
) -> anyhow::Result<Sample> {
    let whitening = whitening(of, draws)?;
    Sample::new(&whitening, &[of.draw(n, draws)])
}
