//! Opening what a run reads: the data set, predictions, models.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::{Device, Kind};

use super::classifier;
use super::context::Context;
use super::device::name_of;
use super::error::Error;
use super::generate::sampling;
use super::models;
use super::own::{Own, matrix_file};
pub(crate) use super::space::Space;
use crate::dataset::{self, Dataset, LayoutOptions, Split, TableOptions, Threshold};
use crate::diffusion::pipeline::{OpenOptions, Pipeline};
use crate::embed::ImageEncoder;
use crate::embed::clip::ClipEncoder;
use crate::embed::safety::Safety;
use crate::hub::Want;
use crate::io::image::Exif;
use crate::run::features::Analysed;
use crate::run::settings::Settings;
use crate::run::skipped::Skips;

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Until {
    Directions,
    Captions,
    Manifest,
}

/// What a run works with.
pub(crate) struct Inputs {
    pub(crate) dataset: Dataset,
    pub(crate) classifier: Option<Analysed>,
    pub(crate) clip: Option<ClipEncoder>,
    pub(crate) pipeline: Option<Pipeline>,
    /// The model's safety checker, where it has one and it is wanted.
    pub(crate) safety: Option<Safety>,
    pub(crate) pipeline_name: String,
    pub(crate) space: Space,
    /// Spaces that detection is compared in besides.
    pub(crate) compared: Vec<Space>,
    /// The matrices among them, by file.
    pub(super) matrices: BTreeMap<PathBuf, Own>,
    /// Embeddings that were made before, a row an example.
    pub(crate) own: Option<Own>,
    pub(crate) exif: Exif,
    /// SHA-256 of the images' files by row of the data set, as far as they were read.
    pub(crate) sha256: Vec<Option<String>>,
    /// Examples that are gone because their images cannot be used.
    pub(crate) skips: Skips,
    /// Where predictions follow from scores: how.
    pub(crate) threshold: Option<Threshold>,
    data_fingerprint: String,
}

/// Opens and checks every input; nothing is written but the hub's cache.
pub(crate) fn open(
    context: &mut Context<'_>,
    settings: &Settings,
    until: Until,
    device: Device,
    kind: Kind,
) -> Result<Inputs, Error> {
    let (space, compared) = (Space::of(settings), Space::compared(settings)?);
    let mut dataset = read_data(context, settings)?;
    if let Some(path) = &settings.data.predictions {
        join(context, &mut dataset, path)?;
    }
    let own = match matrix_file(&space, settings)? {
        Some(path) => Some(Own::open(path, &dataset)?),
        None => None,
    };
    let mut matrices = BTreeMap::new();
    for space in &compared {
        if let Space::Matrix(path) = space {
            matrices.insert(path.clone(), Own::open(path, &dataset)?);
        }
    }
    let featured = space == Space::Classifier || compared.contains(&Space::Classifier);
    let classifier = classifier::open(&settings.data, &dataset, featured, device)?;
    let scores = dataset.examples.iter().any(|e| e.score.is_some());
    let threshold = if scores || classifier.is_none() {
        classifier::threshold(&mut dataset, &settings.data, None)?
    } else {
        None
    };
    if classifier.is_none()
        && !dataset
            .examples
            .iter()
            .any(|e| e.split == Split::Val && e.prediction.is_some())
    {
        let text = "no predictions for val: give --predictions FILE, a prediction column in the \
                    table, or --classifier FILE";
        return Err(Error::input(text.to_owned()));
    }
    let clip = match &settings.embed.clip {
        // CLIP must give the same numbers wherever it runs: fp32 unless the GPU is asked to hurry.
        Some(given) => Some(ClipEncoder::open(
            &models::locate(context, given, Want::Clip)?,
            device,
            if device.is_cuda() { kind } else { Kind::Float },
        )?),
        None => None,
    };
    if let (Space::Clip, Some(own), Some(clip)) = (&space, &own, &clip)
        && own.width() != clip.dim()
    {
        let text = format!(
            "the embeddings have {} dimensions, those of this CLIP {}: they were made by another model",
            own.width(),
            clip.dim()
        );
        return Err(Error::input(text));
    }
    let (pipeline, safety) = match &settings.generate.model {
        Some(_) if until >= Until::Manifest && clip.is_none() => {
            let text = "images are made from captions, and captions need --clip DIR";
            return Err(Error::usage(text.to_owned()));
        }
        Some(_) if until >= Until::Manifest && space != Space::Clip => {
            let text = "images are made from captions, and captions are scored in CLIP's space: \
                        leave out --space, or --model";
            return Err(Error::usage(text.to_owned()));
        }
        Some(given) if until >= Until::Manifest => {
            let (pipeline, safety) = open_model(context, given, settings, device, kind)?;
            (Some(pipeline), safety)
        }
        _ => (None, None),
    };
    let pipeline_name = settings
        .generate
        .model
        .as_deref()
        .map(name_of)
        .unwrap_or_default();
    let exif = if settings.data.exif {
        Exif::Apply
    } else {
        Exif::Ignore
    };
    let sha256 = vec![None; dataset.examples.len()];
    let data = &settings.data;
    let skips = Skips::new(data.on_bad_image, data.max_bad, dataset.examples.len());
    let data_fingerprint = data_fingerprint(&dataset);
    Ok(Inputs {
        dataset,
        classifier,
        clip,
        pipeline,
        safety,
        pipeline_name,
        space,
        compared,
        matrices,
        own,
        exif,
        sha256,
        skips,
        threshold,
        data_fingerprint,
    })
}

/// Joins predictions, and warns of examples without.
fn join(context: &mut Context<'_>, dataset: &mut Dataset, path: &Path) -> Result<(), Error> {
    let joined = dataset::join_predictions(dataset, path)?;
    for (split, without) in &joined.without {
        if *split == Split::Val || *split == Split::Test {
            context.warn(format_args!(
                "{without} examples of {split} have no prediction"
            ));
        }
    }
    Ok(())
}

/// The diffusion model and, where it is wanted and there, its safety checker.
fn open_model(
    context: &mut Context<'_>,
    given: &Path,
    settings: &Settings,
    device: Device,
    kind: Kind,
) -> Result<(Pipeline, Option<Safety>), Error> {
    let want = models::pipeline(kind, settings.filter.safety);
    let dir = models::locate(context, given, want)?;
    let mut options = OpenOptions::new(device, kind);
    options.variant.clone_from(&settings.generate.variant);
    options.adapters = models::adapters(context, &settings.generate.lora)?;
    let pipeline = Pipeline::open_with(&dir, &options)?;
    for note in pipeline.notes() {
        context.warn(note);
    }
    if pipeline.embedding_width().is_some() {
        let text = format!(
            "{} is conditioned on image embeddings, and a run has captions alone: take a \
             text-to-image model",
            given.display()
        );
        return Err(Error::input(text));
    }
    pipeline.check(&sampling(settings))?;
    let safety = if settings.filter.safety {
        Safety::open(&dir, device, kind)?
    } else {
        None
    };
    Ok((pipeline, safety))
}

pub(crate) fn read_data(context: &mut Context<'_>, settings: &Settings) -> Result<Dataset, Error> {
    let data = &settings.data;
    let usage = |text: &str| Err(Error::usage(text.to_owned()));
    if data.dataset.is_none() && (data.label.is_some() || data.group.is_some()) {
        return usage("--label and --group choose from a published data set: give --dataset NAME");
    }
    let mut passed = Vec::new();
    let (dataset, root) = match (data.dataset, &data.table, &data.root) {
        (Some(_), Some(_), _) => return usage("give --dataset or --table, not both"),
        (Some(layout), None, Some(root)) => {
            let options = LayoutOptions {
                label: data.label.clone(),
                group: data.group.clone(),
                classes: data.classes.clone(),
            };
            let dataset = dataset::read_layout(layout, root, &options, &mut passed)?;
            (dataset, root)
        }
        (None, Some(table), root) => {
            let options = TableOptions {
                root: root.clone(),
                classes: data.classes.clone(),
            };
            return Ok(dataset::read_table(table, &options)?);
        }
        (None, None, Some(root)) => (dataset::read_folder(root, &mut passed)?, root),
        (Some(_), None, None) => return usage("--dataset needs its folder: give --data DIR"),
        (None, None, None) => {
            return usage("no data: give --data DIR (an ImageFolder) or --table FILE");
        }
    };
    for passed in &passed {
        context.note(format_args!("passed over {passed}"));
    }
    if !passed.is_empty() {
        context.warn(format_args!(
            "{} entries of {} are not images and were passed over, the first: {}",
            passed.len(),
            root.display(),
            passed[0]
        ));
    }
    Ok(dataset)
}

/// A hash of the table: classes, paths, labels, splits, predictions.
fn data_fingerprint(dataset: &Dataset) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &str| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    };
    for class in &dataset.classes {
        add(class);
    }
    for e in &dataset.examples {
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
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

impl Inputs {
    /// Takes rows out of the data set and of what stands beside it; gives the new place of every row.
    pub(super) fn drop_rows(&mut self, gone: &BTreeSet<usize>) -> Vec<Option<usize>> {
        let n = self.dataset.examples.len();
        let kept: Vec<usize> = (0..n).filter(|row| !gone.contains(row)).collect();
        let mut places = vec![None; n];
        for (place, &row) in kept.iter().enumerate() {
            places[row] = Some(place);
        }
        if !gone.is_empty() {
            let mut row = 0..n;
            let examples = &mut self.dataset.examples;
            examples.retain(|_| row.next().is_some_and(|row| places[row].is_some()));
            self.sha256 = kept.iter().map(|&row| self.sha256[row].take()).collect();
            for own in self.own.iter_mut().chain(self.matrices.values_mut()) {
                own.keep(&kept);
            }
        }
        places
    }

    /// The encoder of a space, where it has one.
    pub(crate) fn encoder(&self, space: &Space) -> Option<&dyn ImageEncoder> {
        match space {
            Space::Clip => self.clip.as_ref().map(|clip| clip as &dyn ImageEncoder),
            Space::Classifier => self.classifier.as_ref().map(|c| c as &dyn ImageEncoder),
            Space::Matrix(_) => None,
        }
    }

    /// Everything that the results of a run follow from.
    pub(crate) fn identity(&self, settings: &Settings, device: Device, kind: Kind) -> Value {
        let mut value = serde_json::to_value(settings).unwrap_or(Value::Null);
        // Where the work is done is a fact, what it is done in is part of the result.
        value["generate"]["device"] = if device.is_cuda() { "cuda" } else { "cpu" }.into();
        value["generate"]["dtype"] = format!("{kind:?}").to_lowercase().into();
        value["data"]["fingerprint"] = self.data_fingerprint.clone().into();
        // What becomes of bad images is a fact too: who met one may go on another way.
        if let Some(data) = value["data"].as_object_mut() {
            data.remove("on_bad_image");
            data.remove("max_bad");
        }
        // Both were checked when the inputs were opened.
        let matrix = matrix_file(&self.space, settings).ok().flatten();
        let matrix = matrix.and_then(super::space::hash);
        let compared: Vec<_> = self.compared.iter().map(Space::hash).collect();
        value["models"] = json!({
            "clip": self.clip.as_ref().map(ImageEncoder::fingerprint),
            "classifier": self.classifier.as_ref().map(ImageEncoder::fingerprint),
            "diffusion": self.pipeline.as_ref().map(Pipeline::fingerprint),
            "safety": self.safety.as_ref().map(Safety::fingerprint),
            "embeddings": matrix,
            "compared": compared,
        });
        value
    }
}
