//! Stable Diffusion as an [`ImageGenerator`].

use std::collections::BTreeMap;

use super::{Attempt, GenerateError, ImageGenerator, Picture};
use crate::diffusion::pipeline::{EncodedCaption, ImageRequest, Outcome, Pipeline, Sampling};
use crate::embed::safety::Safety;

/// A pipeline with its settings; every caption is encoded once.
#[derive(Debug)]
pub struct StableDiffusion {
    pipeline: Pipeline,
    sampling: Sampling,
    unconditional: EncodedCaption,
    captions: BTreeMap<String, EncodedCaption>,
    safety: Option<Safety>,
}

impl StableDiffusion {
    /// Checks the settings against the model; with a safety checker every picture is shown to it.
    ///
    /// # Errors
    ///
    /// [`GenerateError::Pipeline`].
    pub fn new(
        pipeline: Pipeline,
        sampling: Sampling,
        safety: Option<Safety>,
    ) -> Result<Self, GenerateError> {
        pipeline.check(&sampling)?;
        let unconditional = pipeline.encode_negative(&sampling.negative_prompt)?;
        Ok(Self {
            pipeline,
            sampling,
            unconditional,
            captions: BTreeMap::new(),
            safety,
        })
    }
}

impl ImageGenerator for StableDiffusion {
    fn generate(
        &mut self,
        attempts: &[Attempt],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Picture>>, GenerateError> {
        for attempt in attempts {
            if !self.captions.contains_key(&attempt.caption) {
                let encoded = self.pipeline.encode(&attempt.caption)?;
                self.captions.insert(attempt.caption.clone(), encoded);
            }
        }
        let requests: Vec<ImageRequest<'_>> = attempts
            .iter()
            .filter_map(|attempt| {
                let caption = self.captions.get(&attempt.caption)?;
                Some(ImageRequest {
                    caption,
                    seed: attempt.seed,
                    embedding: None,
                })
            })
            .collect();
        let outcome = self
            .pipeline
            .sample(&requests, &self.unconditional, &self.sampling, stop)?;
        let Outcome::Done(sampled) = outcome else {
            return Ok(None);
        };
        let mut pictures: Vec<Picture> = sampled
            .into_iter()
            .map(|s| Picture {
                image: s.image,
                finite: s.finite,
                flagged: false,
            })
            .collect();
        if let Some(safety) = &self.safety {
            for picture in &mut pictures {
                let flags = safety.flags(std::slice::from_ref(&picture.image))?;
                picture.flagged = flags.contains(&true);
            }
        }
        Ok(Some(pictures))
    }

    fn batch(&self) -> usize {
        self.sampling.batch
    }

    fn truncated(&self) -> Vec<&str> {
        let cut = self
            .captions
            .iter()
            .filter(|(_, encoded)| encoded.truncated);
        cut.map(|(caption, _)| caption.as_str()).collect()
    }
}
