//! Stable Diffusion as an [`ImageGenerator`].

use std::collections::BTreeMap;

use image::RgbImage;
use ndarray::Array3;
use tch::{Device, Kind, Tensor};

use super::originals::Originals;
use super::recipe::{Condition, ModelRecord};
use super::{GenerateError, GeneratedImage, ImageGenerator, MadeOn, Recipe, Start};
use crate::diffusion::pipeline::{
    EncodedCaption, ImageRequest, Outcome, Pipeline, PipelineError, Sampled, Sampling, StartImage,
};
use crate::embed::resize::{Filter, Kernel, resize};
use crate::embed::safety::Safety;
use crate::io;

/// A pipeline with its settings; every caption is encoded once.
#[derive(Debug)]
pub struct StableDiffusion {
    pipeline: Pipeline,
    sampling: Sampling,
    template: Recipe,
    unconditional: EncodedCaption,
    captions: BTreeMap<String, EncodedCaption>,
    /// Image embeddings that recipes may be conditioned on, by their hash.
    embeddings: BTreeMap<String, Vec<f32>>,
    originals: Originals,
    safety: Option<Safety>,
    keep_latents: bool,
}

impl StableDiffusion {
    /// Checks the settings against the model, which `name` stands for in recipes; with a safety checker
    /// every picture is shown to it.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Pipeline`].
    pub fn new(
        pipeline: Pipeline,
        name: &str,
        sampling: Sampling,
        safety: Option<Safety>,
    ) -> Result<Self, GenerateError> {
        pipeline.check(&sampling)?;
        let template = template(&pipeline, name, &sampling)?;
        let unconditional =
            pipeline.encode_negative(&sampling.negative_prompt, sampling.long_prompts)?;
        Ok(Self {
            pipeline,
            sampling,
            template,
            unconditional,
            captions: BTreeMap::new(),
            embeddings: BTreeMap::new(),
            originals: Originals::default(),
            safety,
            keep_latents: false,
        })
    }

    /// Pictures come with their final latents.
    #[must_use]
    pub fn keeping_latents(mut self) -> Self {
        self.keep_latents = true;
        self
    }

    /// Makes an image embedding known; gives what a recipe says of it.
    pub fn add_embedding(&mut self, embedding: &[f32]) -> Condition {
        let sha256 = hash(embedding);
        self.embeddings.insert(sha256.clone(), embedding.to_vec());
        Condition {
            sha256,
            noise_level: self.sampling.noise_level,
        }
    }

    /// The safety checker that pictures are shown to.
    pub fn safety(&self) -> Option<&Safety> {
        self.safety.as_ref()
    }

    /// Whether pictures can start from an image at this strength.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Pipeline`], as [`Pipeline::check_start`].
    pub fn check_strength(&self, strength: f64) -> Result<(), GenerateError> {
        self.pipeline.check_start(strength, &self.sampling)?;
        Ok(())
    }

    /// The model.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// `[channels, h, w]`: the unit normal noise that a recipe's image starts from.
    ///
    /// # Errors
    ///
    /// [`PipelineError`].
    pub fn initial_latents(&self, seed: u64) -> Result<Array3<f32>, PipelineError> {
        array(&self.pipeline.initial_latents(seed, &self.sampling)?)
    }

    /// Whether a recipe has the settings of this generator, and can start as it says.
    fn check(&self, recipe: &Recipe) -> Result<(), GenerateError> {
        // Where it starts is each recipe's own, as its caption is.
        let from_noise = Recipe {
            start: Start::Noise,
            ..recipe.clone()
        };
        let mut differs = from_noise.differs(&self.template);
        match &recipe.start {
            Start::Noise => {}
            Start::Image { strength, .. } => {
                self.pipeline.check_start(*strength, &self.sampling)?;
            }
            Start::Masked { .. } => {
                let found = "noise or a whole image".to_owned();
                differs = Some(("start", "a part of an image".to_owned(), found));
            }
        }
        if let Some(condition) = &recipe.condition {
            let known = self.embeddings.contains_key(&condition.sha256);
            if !known || condition.noise_level != self.sampling.noise_level {
                let found = format!("noise level {}", self.sampling.noise_level);
                differs = Some(("condition", format!("{condition:?}"), found));
            }
        }
        match differs {
            None => Ok(()),
            Some((field, wanted, found)) => Err(GenerateError::OtherRecipe {
                field,
                wanted,
                found,
            }),
        }
    }

    /// What the pipeline is asked for; captions are encoded.
    fn requests<'a>(
        &'a self,
        recipes: &[Recipe],
        starts: &'a BTreeMap<String, RgbImage>,
    ) -> Vec<ImageRequest<'a>> {
        let request = |recipe: &Recipe| {
            let condition = recipe.condition.as_ref();
            let embedding = condition.and_then(|c| self.embeddings.get(&c.sha256));
            let start = match &recipe.start {
                Start::Image { source, strength } => Some(StartImage {
                    image: starts.get(&source.sha256)?,
                    strength: *strength,
                }),
                Start::Noise | Start::Masked { .. } => None,
            };
            Some(ImageRequest {
                caption: self.captions.get(&recipe.caption)?,
                seed: recipe.seed,
                embedding: embedding.map(Vec::as_slice),
                start,
            })
        };
        recipes.iter().filter_map(request).collect()
    }
}

/// The images that recipes start from, by their hash, of the size that is sampled.
///
/// Resized as Diffusers' `VaeImageProcessor` resizes: by Pillow's Lanczos, and not in proportion.
fn starts(
    recipes: &[Recipe],
    originals: &Originals,
) -> Result<BTreeMap<String, RgbImage>, GenerateError> {
    let mut starts = BTreeMap::new();
    for recipe in recipes {
        if let Start::Image { source, .. } = &recipe.start
            && !starts.contains_key(&source.sha256)
        {
            let image = originals.image(source)?;
            let (width, height) = (recipe.width, recipe.height);
            let image = resize(&image, width, height, Filter::Lanczos, Kernel::Pil);
            starts.insert(source.sha256.clone(), image);
        }
    }
    Ok(starts)
}

/// The recipe of a pipeline with such settings.
fn template(pipeline: &Pipeline, name: &str, sampling: &Sampling) -> Result<Recipe, PipelineError> {
    let model = ModelRecord {
        name: name.to_owned(),
        fingerprint: pipeline.model_fingerprint().to_owned(),
        dtype: pipeline.kind_name().to_owned(),
        vae_dtype: pipeline.vae_kind_name().to_owned(),
        adapters: pipeline.adapters().to_vec(),
    };
    let size = pipeline.size(sampling)?;
    let scheduler = pipeline.scheduler_record(sampling)?;
    Ok(Recipe::of_sampling(sampling, model, scheduler, size))
}

fn hash(embedding: &[f32]) -> String {
    let bytes: Vec<u8> = embedding.iter().flat_map(|x| x.to_le_bytes()).collect();
    io::sha256_hex(&bytes)
}

/// Latents as an array.
fn array(latents: &Tensor) -> Result<Array3<f32>, PipelineError> {
    let size = latents.size();
    let latents = latents.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
    let values = Vec::<f32>::try_from(latents.f_reshape([-1])?)?;
    let side = |at: usize| size.get(at).map_or(1, |&side| side as usize);
    let shape = (side(0), side(1), side(2));
    Ok(Array3::from_shape_vec(shape, values).unwrap_or_default())
}

impl ImageGenerator for StableDiffusion {
    fn template(&self) -> &Recipe {
        &self.template
    }

    fn generate(
        &mut self,
        recipes: &[Recipe],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<GeneratedImage>>, GenerateError> {
        for recipe in recipes {
            self.check(recipe)?;
        }
        let starts = starts(recipes, &self.originals)?;
        for recipe in recipes {
            if !self.captions.contains_key(&recipe.caption) {
                let encoded = self.pipeline.encode(&recipe.caption, recipe.long_prompts)?;
                self.captions.insert(recipe.caption.clone(), encoded);
            }
        }
        let requests = self.requests(recipes, &starts);
        let outcome = self
            .pipeline
            .sample(&requests, &self.unconditional, &self.sampling, stop)?;
        let Outcome::Done(sampled) = outcome else {
            return Ok(None);
        };
        let pictures = sampled.into_iter().map(|sampled| {
            let Sampled {
                image,
                finite,
                latents,
            } = sampled;
            let flagged = match &self.safety {
                Some(safety) => safety.flags(std::slice::from_ref(&image))?.contains(&true),
                None => false,
            };
            let latents = self.keep_latents.then(|| array(&latents)).transpose()?;
            Ok(GeneratedImage {
                image,
                finite,
                flagged,
                latents,
            })
        });
        pictures.collect::<Result<_, GenerateError>>().map(Some)
    }

    fn made_on(&self) -> MadeOn {
        MadeOn {
            device: self.pipeline.device_name().to_owned(),
            batch: self.sampling.batch,
        }
    }

    fn originals(&mut self) -> Option<&mut Originals> {
        Some(&mut self.originals)
    }

    fn truncated(&self) -> Vec<&str> {
        let cut = self
            .captions
            .iter()
            .filter(|(_, encoded)| encoded.truncated);
        cut.map(|(caption, _)| caption.as_str()).collect()
    }
}
