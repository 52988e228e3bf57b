//! The columns of the manifest, and a row of it; `check` says what must hold of one.

mod check;

use serde::{Deserialize, Serialize};

use crate::dataset::{Example, Split};
use crate::image_file::DigitalSource;
use crate::io::source::Member;
use crate::run::decide::Decision;

/// Where an image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// It was in the training set.
    Original,
    /// A real image that was not.
    Pool,
    /// It was generated.
    Synthetic,
}

impl Source {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Pool => "pool",
            Self::Synthetic => "synthetic",
        }
    }
}

/// One image of the augmented training set. Fields are the columns, in order.
///
/// Empty optional texts are written as absent, because CSV cannot tell the two apart.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Unique name.
    pub id: String,
    /// Path of the file below `root`, with `/`.
    pub path: String,
    /// The folder `path` starts from; a relative one starts from the run folder.
    pub root: String,
    /// Name of the image in the archive, or row of the table, that `path` is.
    pub member: Option<String>,
    /// Index of the class, as in the original training set.
    pub label: usize,
    /// The split it belongs to.
    pub split: Split,
    /// Where it comes from.
    pub source: Source,
    /// Weight of its loss; 0 leaves it out.
    pub weight: f64,
    /// What it was generated from.
    pub caption: Option<String>,
    /// Why that caption: `hard`, `neutral`, `easy`.
    pub caption_kind: Option<String>,
    /// Name of the class.
    pub class: String,
    /// Failure mode within the class.
    pub mode: Option<u32>,
    /// Alignment with the mode's direction; larger is harder.
    pub alignment: Option<f64>,
    /// The alignment an image that was added had to reach.
    pub threshold: Option<f64>,
    /// Cosine with the own class's reference caption.
    pub class_similarity: Option<f64>,
    /// Cosine with the nearest training image, before whitening.
    pub nearest_train_similarity: Option<f64>,
    /// Seed of the noise.
    pub seed: Option<u64>,
    /// Denoising steps.
    pub steps: Option<u32>,
    /// Guidance scale.
    pub guidance: Option<f64>,
    /// Name of the scheduler.
    pub scheduler: Option<String>,
    /// The negative prompt.
    pub negative_prompt: Option<String>,
    /// How much of `init_image` was replaced, from 0 to 1.
    pub strength: Option<f64>,
    /// Id of the image that generation started from.
    pub init_image: Option<String>,
    /// Name of the diffusion model.
    pub model: Option<String>,
    /// Hash of its weights.
    pub model_fingerprint: Option<String>,
    /// Hash of the CLIP model's weights.
    pub clip_fingerprint: Option<String>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// SHA-256 of the file, in hexadecimal; absent only for originals whose bytes were not read.
    pub sha256: Option<String>,
    /// What a generated image calls itself; see [`DigitalSource::uri`].
    pub digital_source_type: Option<String>,
    /// How a generated image is made: the whole recipe, as JSON.
    pub recipe: Option<String>,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// A whole number from 0 to 2⁶³ − 1.
    Whole,
    /// A finite number of 64 bits.
    Real,
}

/// A column of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
    /// Whether every row has a value.
    pub required: bool,
}

const fn column(name: &'static str, kind: ColumnType, required: bool) -> Column {
    Column {
        name,
        kind,
        required,
    }
}

/// The columns, in order; the same in all encodings.
pub const COLUMNS: [Column; 31] = [
    column("id", ColumnType::Text, true),
    column("path", ColumnType::Text, true),
    column("root", ColumnType::Text, true),
    column("member", ColumnType::Text, false),
    column("label", ColumnType::Whole, true),
    column("split", ColumnType::Text, true),
    column("source", ColumnType::Text, true),
    column("weight", ColumnType::Real, true),
    column("caption", ColumnType::Text, false),
    column("caption_kind", ColumnType::Text, false),
    column("class", ColumnType::Text, true),
    column("mode", ColumnType::Whole, false),
    column("alignment", ColumnType::Real, false),
    column("threshold", ColumnType::Real, false),
    column("class_similarity", ColumnType::Real, false),
    column("nearest_train_similarity", ColumnType::Real, false),
    column("seed", ColumnType::Whole, false),
    column("steps", ColumnType::Whole, false),
    column("guidance", ColumnType::Real, false),
    column("scheduler", ColumnType::Text, false),
    column("negative_prompt", ColumnType::Text, false),
    column("strength", ColumnType::Real, false),
    column("init_image", ColumnType::Text, false),
    column("model", ColumnType::Text, false),
    column("model_fingerprint", ColumnType::Text, false),
    column("clip_fingerprint", ColumnType::Text, false),
    column("width", ColumnType::Whole, false),
    column("height", ColumnType::Whole, false),
    column("sha256", ColumnType::Text, false),
    column("digital_source_type", ColumnType::Text, false),
    column("recipe", ColumnType::Text, false),
];

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ColumnValue<'a> {
    Text(Option<&'a str>),
    Whole(Option<u64>),
    Real(Option<f64>),
}

impl Row {
    /// A row with nothing known but what every row has; weight 1.
    pub fn new(id: String, path: String, root: String, source: Source) -> Self {
        Self {
            id,
            path,
            root,
            member: None,
            label: 0,
            split: Split::Train,
            source,
            weight: 1.0,
            caption: None,
            caption_kind: None,
            class: String::new(),
            mode: None,
            alignment: None,
            threshold: None,
            class_similarity: None,
            nearest_train_similarity: None,
            seed: None,
            steps: None,
            guidance: None,
            scheduler: None,
            negative_prompt: None,
            strength: None,
            init_image: None,
            model: None,
            model_fingerprint: None,
            clip_fingerprint: None,
            width: None,
            height: None,
            sha256: None,
            digital_source_type: None,
            recipe: None,
        }
    }

    /// The row of a real image; `root` as [`super::root_text`] gives it.
    ///
    /// An example of the pool keeps that as its source and goes to the training split.
    pub fn real(example: &Example, class: &str, root: &str) -> Self {
        let (source, split) = match example.split {
            Split::Pool => (Source::Pool, Split::Train),
            split => (Source::Original, split),
        };
        let (id, path) = (example.id.clone(), example.path.clone());
        Self {
            member: example.member.as_ref().map(Member::name),
            label: example.label,
            split,
            class: class.to_owned(),
            ..Self::new(id, path, root.to_owned(), source)
        }
    }

    /// The row of a generated image, for training; `file` is its path in the run folder.
    ///
    /// The fingerprint of CLIP is the caller's to add.
    pub fn synthetic(decided: &Decision, file: String, digital_source: DigitalSource) -> Self {
        let measured = &decided.measured;
        let (recipe, measures) = (&measured.recipe, &measured.measures);
        let init_image = recipe.start.source().map(|source| source.id.clone());
        let id = measured.id.to_string();
        Self {
            label: measured.mode.class,
            caption: Some(recipe.caption.clone()),
            caption_kind: Some(measured.arm.name().to_owned()),
            class: measured.class.clone(),
            mode: Some(measured.mode.mode),
            alignment: measures.alignment,
            threshold: decided.threshold,
            class_similarity: measures.class_similarity,
            nearest_train_similarity: measures.nearest_train_similarity,
            seed: Some(recipe.seed),
            steps: Some(recipe.steps),
            guidance: Some(recipe.guidance),
            scheduler: Some(recipe.scheduler.name.clone()),
            negative_prompt: Some(recipe.negative_prompt.clone()),
            strength: recipe.start.strength(),
            init_image,
            model: Some(recipe.model.name.clone()),
            model_fingerprint: Some(recipe.model.fingerprint.clone()),
            width: Some(recipe.output.width),
            height: Some(recipe.output.height),
            sha256: Some(measured.sha256.clone()),
            digital_source_type: Some(digital_source.uri()),
            recipe: serde_json::to_string(recipe).ok(),
            ..Self::new(id, file, ".".to_owned(), Source::Synthetic)
        }
    }

    /// The values, in the order of [`COLUMNS`]. Every encoding is written from these.
    #[allow(clippy::too_many_lines, reason = "a line a column, twice")]
    pub(super) fn cells(&self) -> [ColumnValue<'_>; COLUMNS.len()] {
        // A field that is forgotten here does not compile.
        let Self {
            id,
            path,
            root,
            member,
            label,
            split,
            source,
            weight,
            caption,
            caption_kind,
            class,
            mode,
            alignment,
            threshold,
            class_similarity,
            nearest_train_similarity,
            seed,
            steps,
            guidance,
            scheduler,
            negative_prompt,
            strength,
            init_image,
            model,
            model_fingerprint,
            clip_fingerprint,
            width,
            height,
            sha256,
            digital_source_type,
            recipe,
        } = self;
        let optional =
            |text| ColumnValue::Text(Option::as_deref(text).filter(|text: &&str| !text.is_empty()));
        let small = |number: &Option<u32>| ColumnValue::Whole(number.map(u64::from));
        [
            ColumnValue::Text(Some(id)),
            ColumnValue::Text(Some(path)),
            ColumnValue::Text(Some(root)),
            optional(member),
            ColumnValue::Whole(Some(*label as u64)),
            ColumnValue::Text(Some(split.name())),
            ColumnValue::Text(Some(source.name())),
            ColumnValue::Real(Some(*weight)),
            optional(caption),
            optional(caption_kind),
            ColumnValue::Text(Some(class)),
            small(mode),
            ColumnValue::Real(*alignment),
            ColumnValue::Real(*threshold),
            ColumnValue::Real(*class_similarity),
            ColumnValue::Real(*nearest_train_similarity),
            ColumnValue::Whole(*seed),
            small(steps),
            ColumnValue::Real(*guidance),
            optional(scheduler),
            optional(negative_prompt),
            ColumnValue::Real(*strength),
            optional(init_image),
            optional(model),
            optional(model_fingerprint),
            optional(clip_fingerprint),
            small(width),
            small(height),
            optional(sha256),
            optional(digital_source_type),
            optional(recipe),
        ]
    }
}

#[cfg(test)]
pub(super) mod tests;
