//! How an image is made: one record, and its hash is the image's name.
//!
//! ```text
//! template (model, settings) ──draw(caption, seed)──▶ Recipe ──blake3──▶ AttemptId
//! ```
//!
//! Nothing that changes a pixel is missing from a [`Recipe`], and the same record stands wherever an
//! image is described: in the plan, the ledger, the image file and the manifest. Names of files are in
//! it for people; they do not count for the id, hashes do.
//!
//! Not in it: device, batch size and threads. They move a pixel by a level at most, so they are noted
//! of each image ([`MadeOn`]) and do not make it another.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(feature = "torch")]
use crate::diffusion::pipeline::Sampling;
pub use crate::diffusion::record::{AdapterRecord, LongPrompts, SchedulerRecord};
use crate::image_file::{DigitalSource, FileFormat};

/// Hexadecimal digits of an id.
pub const ID_DIGITS: usize = 16;

/// The name of an attempt: the hash of its recipe, 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(String);

impl AttemptId {
    /// The id that this text spells; none if it spells no id.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == ID_DIGITS && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an image is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The diffusion model.
    pub model: ModelRecord,
    /// What it was asked to draw.
    pub caption: String,
    /// What it was asked not to draw; empty for nothing in particular.
    pub negative_prompt: String,
    /// What becomes of a prompt that is longer than the text encoder's context.
    #[serde(default, skip_serializing_if = "LongPrompts::is_cut")]
    pub long_prompts: LongPrompts,
    /// Seed of all noise, below 2⁴⁸ in a run, so that every JSON reader keeps it exactly.
    pub seed: u64,
    /// Denoising steps.
    pub steps: u32,
    /// Classifier-free guidance scale.
    pub guidance: f64,
    /// The scheduler with every setting that it obeys.
    pub scheduler: SchedulerRecord,
    /// Width of what is sampled, px.
    pub width: u32,
    /// Height of what is sampled, px.
    pub height: u32,
    /// What sampling starts from.
    pub start: Start,
    /// The image embedding that the model is conditioned on besides the caption.
    pub condition: Option<Condition>,
    /// How the image leaves.
    pub output: Output,
}

/// The diffusion model of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// The folder's name; for people.
    pub name: String,
    /// Hash of its configs and weights.
    pub fingerprint: String,
    /// What the UNet computes in: `fp32`, `fp16`, `bf16`.
    pub dtype: String,
    /// What the VAE computes in.
    pub vae_dtype: String,
    /// Low-rank adapters, in the order in which they were merged.
    pub adapters: Vec<AdapterRecord>,
}

/// What sampling starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase", deny_unknown_fields)]
pub enum Start {
    /// Noise.
    Noise,
    /// An image with noise (`SDEdit`, Meng et al. 2022).
    Image {
        /// The image.
        source: ImageRef,
        /// How much of it is replaced, from 0 to 1.
        strength: f64,
    },
    /// An image of which a part is painted anew.
    Masked {
        /// The image.
        source: ImageRef,
        /// What is painted: white.
        mask: ImageRef,
        /// How much of that part is replaced, from 0 to 1.
        strength: f64,
    },
}

impl Start {
    /// How much of an image is replaced; none where there is none.
    pub fn strength(&self) -> Option<f64> {
        match self {
            Self::Noise => None,
            Self::Image { strength, .. } | Self::Masked { strength, .. } => Some(*strength),
        }
    }

    /// The image; none for noise.
    pub fn source(&self) -> Option<&ImageRef> {
        match self {
            Self::Noise => None,
            Self::Image { source, .. } | Self::Masked { source, .. } => Some(source),
        }
    }

    /// What the IPTC calls a picture that starts so.
    pub fn digital_source(&self) -> DigitalSource {
        match self {
            Self::Noise => DigitalSource::TrainedAlgorithmicMedia,
            Self::Image { .. } | Self::Masked { .. } => {
                DigitalSource::CompositeWithTrainedAlgorithmicMedia
            }
        }
    }
}

/// An image that a recipe starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRef {
    /// Id of the example; for people.
    pub id: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// An image embedding as a condition (Stable unCLIP).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// SHA-256 of the embedding's numbers, as little-endian float32.
    pub sha256: String,
    /// How much noise it gets, as a timestep.
    pub noise_level: usize,
}

/// How an image leaves: the pixels that are judged are the file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Width of the file, px.
    pub width: u32,
    /// Height of the file, px.
    pub height: u32,
    /// Kind of the file.
    pub format: FileFormat,
}

/// What an image was made on: facts that move a pixel by a level of 255 at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeOn {
    /// `cpu` or `cuda`.
    pub device: String,
    /// Images that were sampled at once.
    pub batch: usize,
}

impl Recipe {
    /// A recipe that asks a model for nothing in particular: one step from noise, without guidance, caption or seed,
    /// and a PNG of the size that is sampled.
    pub fn plain(
        model: ModelRecord,
        scheduler: SchedulerRecord,
        (width, height): (u32, u32),
    ) -> Self {
        Self {
            model,
            caption: String::new(),
            negative_prompt: String::new(),
            long_prompts: LongPrompts::Cut,
            seed: 0,
            steps: 1,
            guidance: 1.0,
            scheduler,
            width,
            height,
            start: Start::Noise,
            condition: None,
            output: Output {
                width,
                height,
                format: FileFormat::Png,
            },
        }
    }

    /// The recipe of what is sampled with these settings, without caption and seed; `scheduler` and `size` are what
    /// the model makes of theirs.
    #[cfg(feature = "torch")]
    pub fn of_sampling(
        sampling: &Sampling,
        model: ModelRecord,
        scheduler: SchedulerRecord,
        size: (u32, u32),
    ) -> Self {
        // A setting that is forgotten here does not compile.
        let Sampling {
            steps,
            guidance,
            negative_prompt,
            long_prompts,
            scheduler: _,
            eta: _,
            recorded: _,
            width: _,
            height: _,
            batch: _,
            noise_level: _,
        } = sampling;
        Self {
            negative_prompt: negative_prompt.clone(),
            long_prompts: *long_prompts,
            steps: u32::try_from(*steps).unwrap_or(u32::MAX),
            guidance: *guidance,
            ..Self::plain(model, scheduler, size)
        }
    }

    /// The settings of sampling that make this image again, so many at once.
    #[cfg(feature = "torch")]
    pub fn sampling(&self, batch: usize) -> Sampling {
        // None is left to `..`: one that is forgotten here does not compile.
        let Sampling { eta, .. } = Sampling::default();
        Sampling {
            steps: self.steps as usize,
            guidance: self.guidance,
            scheduler: None,
            // Of the recorded scheduler, as its name.
            eta,
            recorded: Some(self.scheduler.clone()),
            negative_prompt: self.negative_prompt.clone(),
            long_prompts: self.long_prompts,
            width: Some(self.width),
            height: Some(self.height),
            batch,
            noise_level: self.condition.as_ref().map_or(0, |c| c.noise_level),
        }
    }

    /// The same settings for another caption and seed.
    #[must_use]
    pub fn draw(&self, caption: &str, seed: u64) -> Self {
        Self {
            caption: caption.to_owned(),
            seed,
            ..self.clone()
        }
    }

    /// The hash of everything but names.
    pub fn id(&self) -> AttemptId {
        let nameless = self.without_names();
        // Fields come in the order of the struct, settings sorted, numbers in their shortest form: the
        // same recipe always gives the same text. Text of these types cannot fail.
        let text = serde_json::to_vec(&nameless).unwrap_or_default();
        AttemptId(blake3::hash(&text).to_hex()[..ID_DIGITS].to_owned())
    }

    /// The same without the names that are there for people.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let mut nameless = self.clone();
        nameless.model.name.clear();
        for adapter in &mut nameless.model.adapters {
            adapter.name.clear();
        }
        match &mut nameless.start {
            Start::Noise => {}
            Start::Image { source, .. } => source.id.clear(),
            Start::Masked { source, mask, .. } => {
                source.id.clear();
                mask.id.clear();
            }
        }
        nameless
    }

    /// The first setting that a generator obeys in which another recipe differs, with the two values as
    /// JSON. Captions, seeds, conditions, names and how the image leaves do not count.
    pub fn differs(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let fields = |r: &Self| {
            // A field that is forgotten here does not compile.
            let Self {
                model,
                caption: _,
                negative_prompt,
                long_prompts,
                seed: _,
                steps,
                guidance,
                scheduler,
                width,
                height,
                start,
                condition: _,
                output: _,
            } = r;
            [
                ("model", serde_json::to_string(model)),
                ("negative_prompt", serde_json::to_string(negative_prompt)),
                ("long_prompts", serde_json::to_string(long_prompts)),
                ("steps", serde_json::to_string(steps)),
                ("guidance", serde_json::to_string(guidance)),
                ("scheduler", serde_json::to_string(scheduler)),
                ("size", serde_json::to_string(&(width, height))),
                ("start", serde_json::to_string(start)),
            ]
            .map(|(name, text)| (name, text.unwrap_or_default()))
        };
        let each = fields(&self.without_names())
            .into_iter()
            .zip(fields(&other.without_names()));
        each.into_iter()
            .find(|(own, other)| own.1 != other.1)
            .map(|((name, own), (_, other))| (name, own, other))
    }

    /// The first number that has no JSON form, by its field's name.
    pub fn non_finite(&self) -> Option<(&'static str, f64)> {
        let strength = self.start.strength();
        let scales = self.model.adapters.iter().map(|a| ("scale", a.scale));
        let rest = [("guidance", Some(self.guidance)), ("strength", strength)];
        rest.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .chain(scales)
            .find(|(_, value)| !value.is_finite())
    }
}

#[cfg(test)]
pub(crate) mod tests;
