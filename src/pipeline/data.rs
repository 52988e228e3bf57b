//! What a run reads: examples with labels, splits and predictions, and embeddings that were made
//! before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::Error;
use super::precomputed::{Precomputed, matrix_file};
use super::settings::{self, CheckedSettings};
use super::space::Space;
use super::threshold::threshold;
use crate::dataset::{
    self, Dataset, Layout, LayoutOptions, Passed, Remarks, Split, TableOptions, Threshold,
};
use crate::io::image::Exif;

/// What a run reads, opened and checked. Nothing of it changes: what images turn out to be is in
/// [`Embedded`](super::embed::Embedded).
pub struct Data {
    /// Examples with labels and, as far as they are known, predictions.
    pub dataset: Dataset,
    /// Where directions live.
    pub space: Space,
    /// Spaces that detection is compared in besides.
    pub compared: Vec<Space>,
    /// Whether images are turned as their EXIF says.
    pub exif: Exif,
    /// Where predictions follow from scores: how.
    pub threshold: Option<Threshold>,
    /// Embeddings that were made before in the run's own space.
    pub(super) own: Option<Precomputed>,
    /// Those of the spaces that are compared, by file.
    pub(super) matrices: BTreeMap<PathBuf, Precomputed>,
    pub(super) fingerprint: String,
}

/// Opens and checks the data.
///
/// # Errors
///
/// Of kind usage for settings that make no sense together, of kind input for data that is not sound, and
/// for data that has no predictions where no classifier is given.
pub fn open(context: &mut Context<'_>, settings: &CheckedSettings) -> Result<Data, Error> {
    let (space, compared) = (Space::of(settings), Space::compared(settings)?);
    let mut dataset = read_data(context, settings)?;
    if let Some(path) = &settings.data.predictions {
        dataset = join(context, dataset, path)?;
    }
    let own = match matrix_file(&space, settings)? {
        Some(path) => Some(Precomputed::open(path, &dataset)?),
        None => None,
    };
    let mut matrices = BTreeMap::new();
    for space in &compared {
        if let Space::Matrix(path) = space {
            matrices.insert(path.clone(), Precomputed::open(path, &dataset)?);
        }
    }
    let predicted_later = settings.data.classifier.is_some();
    let scores = dataset.examples().iter().any(|e| e.score.is_some());
    let (dataset, threshold) = if scores || !predicted_later {
        threshold(dataset, &settings.data, None)?
    } else {
        (dataset, None)
    };
    let mut examples = dataset.examples().iter();
    if !predicted_later && !examples.any(|e| e.split == Split::Val && e.prediction.is_some()) {
        return Err(Error::input(
            "no predictions for val: give --predictions FILE, a prediction column in the table, or \
             --classifier FILE",
        ));
    }
    let data = &settings.data;
    Ok(Data {
        fingerprint: fingerprint(&dataset),
        exif: if data.exif { Exif::Apply } else { Exif::Ignore },
        dataset,
        space,
        compared,
        threshold,
        own,
        matrices,
    })
}

/// Joins predictions, and warns of examples without.
fn join(context: &mut Context<'_>, dataset: Dataset, path: &Path) -> Result<Dataset, Error> {
    let mut remarks = Remarks::default();
    let (dataset, joined) = dataset::join_predictions(dataset, path, &mut remarks)?;
    say(context, &remarks);
    for (split, without) in &joined.without {
        if *split == Split::Val || *split == Split::Test {
            context.warn(format_args!(
                "{without} examples of {split} have no prediction"
            ));
        }
    }
    Ok(dataset)
}

/// The examples as their folder or table has them; what is passed over there, and what was told from the data, is
/// said.
///
/// # Errors
///
/// Of kind usage where the settings name no data or two, or something that is not chosen from such data; of kind
/// input for data that is not sound.
pub fn read_data(context: &mut Context<'_>, settings: &CheckedSettings) -> Result<Dataset, Error> {
    let data = &settings.data;
    let mut remarks = Remarks::default();
    let dataset = read(data, &mut remarks);
    // Also where it fails: what was passed over may be why.
    let root = data.root.as_deref().unwrap_or(Path::new("."));
    let (unread, passed): (Vec<&Passed>, Vec<&Passed>) = remarks
        .passed
        .iter()
        .partition(|passed| passed.is_unread_image());
    for (all, are) in [
        (passed, "are not images"),
        (unread, "are images of formats that are not read"),
    ] {
        if let Some(first) = all.first() {
            context.warn(format_args!(
                "{} entries of {} {are} and were passed over, the first: {first}",
                all.len(),
                root.display(),
            ));
        }
    }
    say(context, &remarks);
    let dataset = dataset?;
    for sentence in dataset::compare_splits(&dataset)? {
        context.warn(sentence);
    }
    Ok(dataset)
}

/// Reads the data that the settings name.
fn read(data: &settings::Data, remarks: &mut Remarks) -> Result<Dataset, Error> {
    let usage = |text: &str| Err(Error::usage(text.to_owned()));
    if data.dataset.is_none() && (data.label.is_some() || data.group.is_some()) {
        return usage("--label and --group choose from a published data set: give --dataset NAME");
    }
    let columns = matches!(
        (data.dataset, &data.table),
        (Some(Layout::Hf), _) | (None, Some(_))
    );
    if !data.check_paths && !columns {
        return usage(
            "data.check_paths is of tables, whose columns may say otherwise than the paths: leave it out",
        );
    }
    match (data.dataset, &data.table, &data.root) {
        (Some(_), Some(_), _) => usage("give --dataset or --table, not both"),
        (Some(layout), None, Some(root)) => {
            let options = LayoutOptions {
                label: data.label.clone(),
                group: data.group.clone(),
                classes: data.classes.clone(),
                free_paths: !data.check_paths,
            };
            Ok(dataset::read_layout(layout, root, &options, remarks)?)
        }
        (None, Some(table), root) => {
            let options = TableOptions {
                root: root.clone(),
                classes: data.classes.clone(),
                free_paths: !data.check_paths,
            };
            Ok(dataset::read_table(table, &options, remarks)?)
        }
        (None, None, Some(root)) => Ok(dataset::read_folder(
            root,
            data.classes.as_deref(),
            remarks,
        )?),
        (Some(_), None, None) => usage("--dataset needs its folder: give --data DIR"),
        (None, None, None) => usage("no data: give --data DIR (an ImageFolder) or --table FILE"),
    }
}

/// Says what readers remarked.
pub(super) fn say(context: &mut Context<'_>, remarks: &Remarks) {
    for passed in &remarks.passed {
        context.note(format_args!("passed over {passed}"));
    }
    for sentence in &remarks.notes {
        context.note(sentence);
    }
    for sentence in &remarks.taken {
        context.info(sentence);
    }
    for sentence in &remarks.doubts {
        context.warn(sentence);
    }
}

/// A hash of the table: classes, paths, labels, splits, predictions.
fn fingerprint(dataset: &Dataset) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &str| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    };
    for class in dataset.classes() {
        add(class);
    }
    for e in dataset.examples() {
        add(&e.id);
        add(&e.path);
        if let Some(member) = &e.member {
            add(&format!("{member:?}"));
        }
        add(e.split.name());
        add(&format!(
            "{} {:?} {:?} {:?}",
            e.label, e.prediction, e.confidence, e.group
        ));
        if let Some(unit) = &e.unit {
            add(unit);
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

impl Data {
    /// A hash of the table: classes, paths, labels, splits, predictions as they were opened.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether embeddings were made before, so that images need not be there.
    pub fn is_embedded_before(&self) -> bool {
        self.own.is_some()
    }

    /// Width of the embeddings that were made before.
    pub fn given_width(&self) -> Option<usize> {
        self.own.as_ref().map(Precomputed::width)
    }

    /// Whether a direction lives in the classifier's features.
    pub fn needs_features(&self) -> bool {
        self.space == Space::Classifier || self.compared.contains(&Space::Classifier)
    }
}

#[cfg(test)]
mod tests;
