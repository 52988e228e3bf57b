//! Stable Diffusion as an [`ImageGenerator`].

use std::collections::BTreeMap;

use ndarray::Array3;
use tch::{Device, Kind, Tensor};

use super::recipe::{Condition, ModelRecord};
use super::{GenerateError, GeneratedImage, ImageGenerator, MadeOn, Recipe};
use crate::diffusion::pipeline::{
    EncodedCaption, ImageRequest, Outcome, Pipeline, PipelineError, Sampled, Sampling,
};
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

    /// Whether a recipe has the settings of this generator.
    fn check(&self, recipe: &Recipe) -> Result<(), GenerateError> {
        let mut differs = recipe.differs(&self.template);
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
            if !self.captions.contains_key(&recipe.caption) {
                let encoded = self.pipeline.encode(&recipe.caption, recipe.long_prompts)?;
                self.captions.insert(recipe.caption.clone(), encoded);
            }
        }
        let requests: Vec<ImageRequest<'_>> = recipes
            .iter()
            .filter_map(|recipe| {
                let condition = recipe.condition.as_ref();
                let embedding = condition.and_then(|c| self.embeddings.get(&c.sha256));
                Some(ImageRequest {
                    caption: self.captions.get(&recipe.caption)?,
                    seed: recipe.seed,
                    embedding: embedding.map(Vec::as_slice),
                })
            })
            .collect();
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

    fn truncated(&self) -> Vec<&str> {
        let cut = self
            .captions
            .iter()
            .filter(|(_, encoded)| encoded.truncated);
        cut.map(|(caption, _)| caption.as_str()).collect()
    }
}
