//! Opening models with libtorch.

use std::path::Path;

use tch::{Device, Kind};

use super::input_size;
use super::locate::{adapters, locate};
use super::{Classifier as _, ComputePlace, Generator, Models};
use crate::classifier::{Cnn, Script};
use crate::diffusion::pipeline::{OpenOptions, Pipeline, Sampling};
use crate::embed::clip::ClipEncoder;
use crate::embed::safety::Safety;
use crate::generate::stable_diffusion::StableDiffusion;
use crate::hub::Want;
use crate::pipeline::context::Context;
use crate::pipeline::data::Data;
use crate::pipeline::device::{device, name_of};
use crate::pipeline::error::Error;
use crate::pipeline::meaning::Meaning;
use crate::pipeline::settings::{self, CheckedSettings};
use crate::pipeline::space::Space;
use crate::run::features::Analysed;

impl Models {
    /// Opens what the settings name and holds it against the data; nothing is written but the hub's
    /// cache. The model that draws is opened if the run `draws`.
    ///
    /// # Errors
    ///
    /// Of kind usage for settings that make no sense together, of kind input for a model that is not
    /// sound or does not fit the data.
    pub fn open(
        context: &mut Context<'_>,
        settings: &CheckedSettings,
        data: &Data,
        draws: bool,
    ) -> Result<Self, Error> {
        let generate = &settings.generate;
        let (device, kind) = device(&generate.device, &generate.dtype)?;
        let classifier = open_classifier(&settings.data, data, device)?;
        let clip = open_clip(context, settings, device, kind)?;
        if let (Some(clip), Some(width)) = (&clip, data.given_width())
            && data.space == Space::Clip
        {
            fits(width, clip)?;
        }
        let generator = match &generate.model {
            Some(given) if draws => {
                can_draw(clip.is_some(), &data.space)?;
                Some(open_generator(context, given, settings, (device, kind))?)
            }
            _ => None,
        };
        Ok(Self {
            classifier: classifier.map(|classifier| Box::new(classifier) as _),
            clip: clip.map(|clip| Box::new(clip) as _),
            generator,
            place: ComputePlace {
                device: format!("{device:?}"),
                cuda: device.is_cuda(),
                dtype: format!("{kind:?}").to_lowercase(),
            },
        })
    }

    /// Opens what embeds images in a space, and nothing else; a matrix of the user's has nothing that does.
    ///
    /// # Errors
    ///
    /// Of kind input for a model that is not sound.
    pub fn that_embed(
        context: &mut Context<'_>,
        settings: &CheckedSettings,
        space: &Space,
    ) -> Result<Self, Error> {
        let (device, kind) = device(&settings.generate.device, &settings.generate.dtype)?;
        let mut models = Self::default();
        match (space, &settings.data.classifier) {
            (Space::Clip, _) => {
                let clip = open_clip(context, settings, device, kind)?;
                models.clip = clip.map(|clip| Box::new(clip) as _);
            }
            (Space::Classifier, Some(path)) => {
                let classifier = analysed(path, &settings.data, device, None)?;
                models.classifier = Some(Box::new(classifier));
            }
            _ => {}
        }
        Ok(models)
    }
}

/// A pipeline for this element type, with its safety checker or without.
pub(crate) fn pipeline(kind: Kind, safety: bool) -> Want {
    Want::Pipeline {
        half: kind != Kind::Float,
        safety,
    }
}

/// The classifier, where there is one, held against the data.
fn open_classifier(
    settings: &settings::Data,
    data: &Data,
    device: Device,
) -> Result<Option<Analysed>, Error> {
    let Some(path) = &settings.classifier else {
        return Ok(None);
    };
    let classifier = analysed(path, settings, device, Some(data))?;
    Meaning::of(&classifier, &data.dataset, settings.classifier_output)?;
    if data.needs_features() && classifier.features().is_none() {
        return Err(Error::input(
            "directions would live in the classifier's features (--space classifier, or no --clip), \
             and it returns logits alone: give --clip DIR, or let its forward return (logits, \
             features), features [n, d] being what its last layer takes",
        ));
    }
    Ok(Some(classifier))
}

/// A `hardlight-cnn` folder, or a TorchScript file; with the data its input's size is held against that of the images.
fn analysed(
    path: &Path,
    settings: &settings::Data,
    device: Device,
    data: Option<&Data>,
) -> Result<Analysed, Error> {
    if path.is_dir() {
        return Ok(Analysed::cnn(Cnn::read(path, device)?, path)?);
    }
    let script = Script::open(path, device)?;
    if let (None, Some(data)) = (settings.classifier_input, data) {
        input_size::check(&script, settings.classifier_batch, &data.dataset)?;
    }
    Ok(Analysed::script(
        script,
        settings.preprocess(),
        settings.classifier_batch,
    )?)
}

fn open_clip(
    context: &mut Context<'_>,
    settings: &CheckedSettings,
    device: Device,
    kind: Kind,
) -> Result<Option<ClipEncoder>, Error> {
    let Some(given) = &settings.embed.clip else {
        return Ok(None);
    };
    let dir = locate(context, given, Want::Clip)?;
    // CLIP must give the same numbers wherever it runs: fp32 unless the GPU is asked to hurry.
    let kind = if device.is_cuda() { kind } else { Kind::Float };
    Ok(Some(ClipEncoder::open(&dir, device, kind)?))
}

/// Embeddings that were given, and the CLIP that captions are embedded by.
fn fits(width: usize, clip: &ClipEncoder) -> Result<(), Error> {
    use crate::embed::ImageEncoder as _;
    if width == clip.dim() {
        return Ok(());
    }
    Err(Error::input(format!(
        "the embeddings have {width} dimensions, those of this CLIP {}: they were made by another model",
        clip.dim()
    )))
}

/// Whether images can be made from captions.
fn can_draw(clip: bool, space: &Space) -> Result<(), Error> {
    if !clip {
        return Err(Error::usage(
            "images are made from captions, and captions need --clip DIR",
        ));
    }
    if *space != Space::Clip {
        return Err(Error::usage(
            "images are made from captions, and captions are scored in CLIP's space: leave out \
             --space, or --model",
        ));
    }
    Ok(())
}

/// The diffusion model that a run draws with.
fn open_generator(
    context: &mut Context<'_>,
    given: &Path,
    settings: &CheckedSettings,
    (device, kind): (Device, Kind),
) -> Result<Generator, Error> {
    let generate = &settings.generate;
    let diffusion = Diffusion {
        model: given,
        variant: generate.variant.clone(),
        lora: &generate.lora,
        safety_checker: settings.filter.safety,
        sampling: generate.sampling(),
        device,
        kind,
    };
    let images = diffusion.open(context)?;
    if images.pipeline().embedding_width().is_some() {
        return Err(Error::input(format!(
            "{} is conditioned on image embeddings, and a run has captions alone: take a \
             text-to-image model",
            given.display()
        )));
    }
    if generate.strategies.image() > 0.0 {
        for strength in generate.strength {
            images.check_strength(strength)?;
        }
    }
    let safety = images.safety().map(Safety::fingerprint);
    Ok(Generator {
        safety: safety.map(str::to_owned),
        images: Box::new(images),
    })
}

/// A diffusion model with the settings that pictures are made with.
#[derive(Debug)]
pub(crate) struct Diffusion<'a> {
    /// A Diffusers folder, or its id on the hub.
    pub(crate) model: &'a Path,
    /// Which weight files are taken.
    pub(crate) variant: Option<String>,
    /// Adapters, `FILE[:SCALE]` each.
    pub(crate) lora: &'a [String],
    /// Whether the folder's safety checker is asked, where it has one.
    pub(crate) safety_checker: bool,
    /// How pictures are sampled.
    pub(crate) sampling: Sampling,
    /// Where.
    pub(crate) device: Device,
    /// In what.
    pub(crate) kind: Kind,
}

impl Diffusion<'_> {
    /// Opens it, and tells what the user should know of it.
    pub(crate) fn open(self, context: &mut Context<'_>) -> Result<StableDiffusion, Error> {
        let Self {
            model,
            variant,
            lora,
            safety_checker,
            sampling,
            device,
            kind,
        } = self;
        let dir = locate(context, model, pipeline(kind, safety_checker))?;
        let mut options = OpenOptions::new(device, kind);
        options.variant = variant;
        options.adapters = adapters(context, lora)?;
        let pipeline = Pipeline::open_with(&dir, &options)?;
        for note in pipeline.notes() {
            context.warn(note);
        }
        pipeline.check(&sampling)?;
        let safety = if safety_checker {
            Safety::open(&dir, device, kind)?
        } else {
            None
        };
        Ok(StableDiffusion::new(
            pipeline,
            &name_of(model),
            sampling,
            safety,
        )?)
    }
}
