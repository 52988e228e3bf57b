//! A CLIP image embedding as a condition (Stable unCLIP, after Ramesh et al. 2022, section 2.1).
//!
//! ```text
//! e ─▶ (e − mean)/std ─▶ noised to a timestep ─▶ · std + mean ─▶ ⊕ the timestep's waves ─▶ UNet
//! ```
//!
//! Source: diffusers 0.42 `pipelines/stable_diffusion/pipeline_stable_unclip_img2img.py`
//! (`noise_image_embeddings`). The noise is keyed by the image's seed.

use std::path::Path;

use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use super::PipelineError;
use crate::diffusion::config;
use crate::diffusion::noise;
use crate::diffusion::schedulers::{self, Scheduler, SchedulerConfig};
use crate::diffusion::unet::sinusoids;
use crate::io;
use crate::nn::params::{Init, Params, weights};

/// `image_normalizer/config.json`.
#[derive(Deserialize)]
#[serde(default)]
struct NormalizerConfig {
    embedding_dim: i64,
}

impl Default for NormalizerConfig {
    fn default() -> Self {
        Self { embedding_dim: 768 }
    }
}

/// Normaliser and noise schedule of image embeddings, in float32 on the CPU.
pub(super) struct ImageCondition {
    mean: Tensor,
    std: Tensor,
    width: i64,
    /// One call for every training timestep, from the last to the first.
    schedule: Box<dyn Scheduler>,
}

impl std::fmt::Debug for ImageCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageCondition")
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

impl ImageCondition {
    /// Opens `image_normalizer/` and `image_noising_scheduler/`; `unet` is the width of the UNet's
    /// condition.
    pub(super) fn open(dir: &Path, unet: i64) -> Result<Self, PipelineError> {
        let folder = dir.join("image_normalizer");
        let NormalizerConfig {
            embedding_dim: width,
        } = config::read(&folder.join("config.json"))?;
        if width < 1 || width.checked_mul(2) != Some(unet) {
            return Err(PipelineError::ImageWidth {
                dir: dir.to_path_buf(),
                embedding: width,
                unet,
            });
        }
        let found = weights::find(&folder, super::open::WEIGHTS, None, Kind::Float)?;
        let params = Params::open(&found.path, Kind::Float, Device::Cpu)?;
        let take = |name| params.root().param(name, &[1, width], Init::Const(0.0));
        let (mean, std) = (take("mean"), take("std"));
        params.finish()?;
        let path = dir.join("image_noising_scheduler/scheduler_config.json");
        let config =
            SchedulerConfig::parse(&path.display().to_string(), &io::read_to_string(&path)?)?;
        let schedule = schedulers::build(Some("ddpm"), &config, config.train_timesteps()?, 0.0)?;
        Ok(Self {
            mean,
            std,
            width,
            schedule,
        })
    }

    /// Numbers of an embedding.
    pub(super) fn width(&self) -> usize {
        self.width as usize
    }

    /// Refuses noise levels that the schedule does not have.
    pub(super) fn check(&self, noise_level: usize) -> Result<(), PipelineError> {
        let levels = self.schedule.timesteps().len();
        if noise_level < levels {
            return Ok(());
        }
        Err(PipelineError::Setting {
            name: "noise_level",
            value: noise_level.to_string(),
            expected: format!("0 to {}", levels - 1),
        })
    }

    /// `[1, 2 · width]`: the embedding, noised, and the waves of its noise level.
    pub(super) fn condition(
        &self,
        embedding: &[f32],
        seed: u64,
        noise_level: usize,
    ) -> Result<Tensor, PipelineError> {
        self.check(noise_level)?;
        let row = |values: &[f32]| Tensor::f_from_slice(values)?.f_view([1, self.width]);
        let noise = row(&noise::normal(seed, noise::EMBEDDING, self.width()))?;
        let scaled = (row(embedding)? - &self.mean) / &self.std;
        let call = self.schedule.timesteps().len() - 1 - noise_level;
        let noised = self.schedule.add_noise(&scaled, &noise, call) * &self.std + &self.mean;
        let time = Tensor::from_slice(&[noise_level as f32]);
        let waves = sinusoids(&time, self.width, true, 0.0);
        Ok(Tensor::f_cat(&[noised, waves], 1)?)
    }
}
