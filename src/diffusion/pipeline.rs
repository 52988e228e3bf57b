//! A Diffusers pipeline folder, opened: captions in, pictures out.
//!
//! An image depends on the model, its caption, its seed and the settings, never on its neighbours:
//! captions are encoded one by one, noise is keyed by seed and step ([`super::noise`]), and a short
//! batch is padded to the full batch's shape, because libtorch may sum in another order at another
//! shape.

use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::config::{self, ConfigError, UnetConfig, VaeConfig};
use super::noise;
use super::schedulers::{self, SchedulerConfig, SchedulerError};
use super::unet::Unet;
use super::vae::Vae;
use crate::io;
use crate::nn::clip::config::TextConfig;
use crate::nn::clip::tokenizer::{Tokenizer, TokenizerError};
use crate::nn::clip::towers::TextTower;
use crate::nn::params::{Params, ParamsError};

/// Why a pipeline folder could not be opened or sampled from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The folder does not exist.
    #[error("model folder {} does not exist", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },

    /// The folder holds another kind of pipeline.
    #[error(
        "{}: _class_name is {found:?}: expected \"StableDiffusionPipeline\"",
        path.display()
    )]
    Class {
        /// `model_index.json`.
        path: PathBuf,
        /// What it says.
        found: String,
    },

    /// A part has no `.safetensors`.
    #[error(
        "{} has no {file}{found}: only .safetensors weights are read; save the model with \
         `safe_serialization=True`",
        dir.display()
    )]
    NoWeights {
        /// The part's folder.
        dir: PathBuf,
        /// The file expected.
        file: &'static str,
        /// What is there instead.
        found: String,
    },

    /// The text encoder and the UNet do not belong together.
    #[error(
        "{}: text_encoder gives {text} numbers a token but unet takes {unet}: the parts are of \
         different models",
        dir.display()
    )]
    TextWidth {
        /// The folder.
        dir: PathBuf,
        /// Width of the text encoder.
        text: i64,
        /// `cross_attention_dim` of the UNet.
        unet: i64,
    },

    /// The tokenizer's ids do not fit the text encoder.
    #[error("{}: the tokenizer has {tokens} tokens but text_encoder knows {known}", dir.display())]
    Vocabulary {
        /// The folder.
        dir: PathBuf,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// `vocab_size` of the text encoder.
        known: i64,
    },

    /// A setting makes no sense for this model.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: String,
    },

    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] io::IoError),
    /// A config was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Weights were refused.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The tokenizer was refused.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The scheduler was refused.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),

    /// libtorch failed while it sampled.
    #[error("sampling failed; with too little memory, try a smaller --batch")]
    Torch(#[from] tch::TchError),
}

/// Settings of sampling; together with model, caption and seed they determine an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Denoising steps.
    pub steps: usize,
    /// Classifier-free guidance scale; 1 or less turns it off.
    pub guidance: f64,
    /// Scheduler by name; none means the folder's own.
    pub scheduler: Option<String>,
    /// DDIM's η.
    pub eta: f64,
    /// What the image should not show.
    pub negative_prompt: String,
    /// Width, px; none means what the model was trained on.
    pub width: Option<u32>,
    /// Height, px; none means what the model was trained on.
    pub height: Option<u32>,
    /// Images sampled at once.
    pub batch: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            steps: 25,
            guidance: 7.5,
            scheduler: None,
            eta: 0.0,
            negative_prompt: String::new(),
            width: None,
            height: None,
            batch: 8,
        }
    }
}

/// A caption as the UNet attends to it.
#[derive(Debug)]
pub struct EncodedCaption {
    /// `[1, l, width]`.
    hidden: Tensor,
    /// Whether the caption was longer than the tokenizer's context.
    pub truncated: bool,
}

/// One image to make.
#[derive(Debug, Clone, Copy)]
pub struct ImageRequest<'a> {
    /// Its caption.
    pub caption: &'a EncodedCaption,
    /// Its seed.
    pub seed: u64,
}

/// One image made.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// The pixels.
    pub image: RgbImage,
    /// Whether every pixel was a finite number before rounding.
    pub finite: bool,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Outcome {
    /// The images, in the order of the requests.
    Done(Vec<Sampled>),
    /// The caller asked to stop between two steps.
    Stopped,
}

/// Stable Diffusion 1.x or 2.x, ready to sample.
#[derive(Debug)]
pub struct Pipeline {
    unet: Unet,
    vae: Vae,
    text: TextTower,
    tokenizer: Tokenizer,
    scheduler: SchedulerConfig,
    device: Device,
    kind: Kind,
    fingerprint: String,
}

const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";
const TEXT_WEIGHTS: &str = "model.safetensors";

/// Files whose bytes determine what a pipeline makes.
const PARTS: [&str; 7] = [
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "scheduler/scheduler_config.json",
];

impl Pipeline {
    /// Opens a folder with `model_index.json`, `unet/`, `vae/`, `text_encoder/`, `tokenizer/` and
    /// `scheduler/`.
    ///
    /// # Errors
    ///
    /// [`PipelineError`]: all configs are checked before any weight is read.
    pub fn open(dir: &Path, device: Device, kind: Kind) -> Result<Self, PipelineError> {
        if !dir.is_dir() {
            return Err(PipelineError::Missing {
                dir: dir.to_path_buf(),
            });
        }
        let index_path = dir.join("model_index.json");
        let index: serde_json::Value = config::read(&index_path)?;
        let class = index["_class_name"].as_str().unwrap_or("nothing");
        if class != "StableDiffusionPipeline" {
            return Err(PipelineError::Class {
                path: index_path,
                found: class.to_owned(),
            });
        }
        let unet_config = UnetConfig::read(&dir.join("unet/config.json"))?;
        let vae_config = VaeConfig::read(&dir.join("vae/config.json"))?;
        let text_config: TextConfig = config::read(&dir.join("text_encoder/config.json"))?;
        let (text, unet) = (text_config.hidden_size, unet_config.cross_attention_dim);
        if text != unet {
            return Err(PipelineError::TextWidth {
                dir: dir.to_path_buf(),
                text,
                unet,
            });
        }
        let tokenizer = Tokenizer::from_dir(&dir.join("tokenizer"))?;
        let (tokens, known) = (tokenizer.vocab_size(), text_config.vocab_size);
        if tokens as i64 > known {
            return Err(PipelineError::Vocabulary {
                dir: dir.to_path_buf(),
                tokens,
                known,
            });
        }
        let context = tokenizer
            .context()
            .min(text_config.max_position_embeddings.max(2) as usize);
        let tokenizer = tokenizer.with_context(context);
        let path = dir.join("scheduler/scheduler_config.json");
        let scheduler =
            SchedulerConfig::parse(&path.display().to_string(), &io::read_to_string(&path)?)?;

        let open = |part: &str, file: &'static str| {
            let folder = dir.join(part);
            let path = folder.join(file);
            if path.is_file() {
                return Ok(Params::open(&path, kind, device)?);
            }
            Err(PipelineError::NoWeights {
                found: pickles(&folder),
                dir: folder,
                file,
            })
        };
        let params = open("unet", WEIGHTS)?;
        let unet = Unet::new(&params.root(), &unet_config);
        params.finish()?;
        let params = open("vae", WEIGHTS)?;
        let vae = Vae::new(&params.root(), &vae_config);
        params.finish()?;
        let params = open("text_encoder", TEXT_WEIGHTS)?;
        let text = TextTower::standalone(&params.root(), &text_config);
        params.finish()?;
        let fingerprint = io::fingerprint(dir, &PARTS)?;
        Ok(Self {
            unet,
            vae,
            text,
            tokenizer,
            scheduler,
            device,
            kind,
            fingerprint,
        })
    }

    /// A hash of the configs and weights.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Width and height of the images that these settings give, px.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Setting`] if a side is no multiple of what the UNet and VAE can halve.
    pub fn size(&self, sampling: &Sampling) -> Result<(u32, u32), PipelineError> {
        let factor = self.vae.config().factor();
        let native = (self.unet.config().sample_size * factor) as u32;
        // The latents are halved at every level of the UNet but the last; odd sizes work (as in
        // Diffusers), so only whole latents are asked for.
        let side = |name, given: Option<u32>| {
            let value = given.unwrap_or(native);
            if value == 0 || i64::from(value) % factor != 0 {
                let expected = format!("a positive multiple of {factor} px");
                return Err(PipelineError::Setting {
                    name,
                    value: value.to_string(),
                    expected,
                });
            }
            Ok(value)
        };
        Ok((
            side("width", sampling.width)?,
            side("height", sampling.height)?,
        ))
    }

    /// Checks settings without sampling, and names the scheduler that will serve.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Setting`] or [`PipelineError::Scheduler`].
    pub fn check(&self, sampling: &Sampling) -> Result<String, PipelineError> {
        self.size(sampling)?;
        if sampling.batch == 0 {
            return Err(PipelineError::Setting {
                name: "batch",
                value: "0".to_owned(),
                expected: "at least 1".to_owned(),
            });
        }
        if !sampling.guidance.is_finite() {
            return Err(PipelineError::Setting {
                name: "guidance",
                value: sampling.guidance.to_string(),
                expected: "a finite number".to_owned(),
            });
        }
        Ok(self.scheduler(sampling)?.name().to_owned())
    }

    fn scheduler(
        &self,
        sampling: &Sampling,
    ) -> Result<Box<dyn schedulers::Scheduler>, PipelineError> {
        let name = sampling.scheduler.as_deref();
        Ok(schedulers::build(
            name,
            &self.scheduler,
            sampling.steps,
            sampling.eta,
        )?)
    }

    /// Encodes a caption, alone, so that its states never depend on other captions.
    pub fn encode(&self, caption: &str) -> EncodedCaption {
        let encoding = self.tokenizer.encode(caption);
        let ids: Vec<i64> = encoding.ids.iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::from_slice(&ids).unsqueeze(0).to_device(self.device);
        let hidden = tch::no_grad(|| self.text.forward(&ids).hidden);
        EncodedCaption {
            hidden,
            truncated: encoding.truncated,
        }
    }

    /// Samples at most `sampling.batch` images.
    ///
    /// `unconditional` is the encoded negative prompt. Between steps `stop` is asked whether to go
    /// on.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] for settings that do not fit, or when libtorch fails.
    pub fn sample(
        &self,
        requests: &[ImageRequest<'_>],
        unconditional: &EncodedCaption,
        sampling: &Sampling,
        stop: &dyn Fn() -> bool,
    ) -> Result<Outcome, PipelineError> {
        let _guard = tch::no_grad_guard();
        let Some(last) = requests.last() else {
            return Ok(Outcome::Done(Vec::new()));
        };
        if requests.len() > sampling.batch {
            return Err(PipelineError::Setting {
                name: "batch",
                value: sampling.batch.to_string(),
                expected: format!("at least the {} images asked for at once", requests.len()),
            });
        }
        let (width, height) = self.size(sampling)?;
        let factor = self.vae.config().factor();
        let shape = [
            1,
            self.unet.config().in_channels,
            i64::from(height) / factor,
            i64::from(width) / factor,
        ];
        let numbers = shape.iter().product::<i64>() as usize;
        // Repeating the last request keeps the batch's shape; its copies are thrown away.
        let padded: Vec<ImageRequest<'_>> = requests
            .iter()
            .chain(std::iter::repeat(last))
            .take(sampling.batch)
            .copied()
            .collect();
        let noise_at = |step: u64| -> Result<Tensor, tch::TchError> {
            let each: Vec<Tensor> = padded
                .iter()
                .map(|r| Tensor::from_slice(&noise::normal(r.seed, step, numbers)).view(shape))
                .collect();
            Tensor::f_cat(&each, 0)?.f_to_device(self.device)
        };

        let hidden: Vec<&Tensor> = padded.iter().map(|r| &r.caption.hidden).collect();
        let guided = sampling.guidance > 1.0;
        let mut context = Tensor::f_cat(&hidden, 0)?;
        if guided {
            let count = padded.len() as i64;
            let negative = unconditional.hidden.f_expand([count, -1, -1], false)?;
            context = Tensor::f_cat(&[negative, context], 0)?;
        }

        let mut scheduler = self.scheduler(sampling)?;
        let timesteps = scheduler.timesteps().to_vec();
        let mut xs = noise_at(noise::START)? * scheduler.init_noise_sigma();
        for (call, &timestep) in timesteps.iter().enumerate() {
            if stop() {
                return Ok(Outcome::Stopped);
            }
            let input = scheduler.scale_model_input(&xs, call).to_kind(self.kind);
            let input = if guided {
                Tensor::f_cat(&[&input, &input], 0)?
            } else {
                input
            };
            let times = Tensor::full([input.size()[0]], timestep, (Kind::Float, self.device));
            let output = self
                .unet
                .forward(&input, &times, &context)
                .to_kind(Kind::Float);
            let output = if guided {
                let halves = output.chunk(2, 0);
                &halves[0] + (&halves[1] - &halves[0]) * sampling.guidance
            } else {
                output
            };
            let mut failed = None;
            xs = scheduler.step(&output, call, &xs, &mut |call| {
                noise_at(call as u64).unwrap_or_else(|error| {
                    failed = Some(error);
                    Tensor::zeros_like(&output)
                })
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        let latents = (xs / self.vae.config().scaling_factor).to_kind(self.kind);
        let pixels = self
            .vae
            .decode(&latents)
            .to_kind(Kind::Float)
            .f_to_device(Device::Cpu)?;
        Ok(Outcome::Done(to_images(&pixels, requests.len())?))
    }
}

/// The first `n` of `[batch, 3, h, w]` in −1…1 as bytes, rounded as Diffusers' `VaeImageProcessor`
/// rounds.
fn to_images(pixels: &Tensor, n: usize) -> Result<Vec<Sampled>, tch::TchError> {
    let size = pixels.size();
    let (height, width) = (size[2] as u32, size[3] as u32);
    let count = (size[2] * size[3] * 3) as usize;
    (0..n as i64)
        .map(|i| {
            let one = pixels.f_select(0, i)?;
            let finite = one.f_isfinite()?.f_all()?.int64_value(&[]) == 1;
            let bytes = ((one.f_nan_to_num(0.0, 0.0, 0.0)? * 0.5 + 0.5).f_clamp(0.0, 1.0)? * 255.0)
                .f_round()?
                .f_permute([1, 2, 0])?
                .f_to_kind(Kind::Uint8)?
                .f_contiguous()?;
            let mut raw = vec![0_u8; count];
            bytes.f_copy_data_u8(&mut raw, count)?;
            let image = RgbImage::from_raw(width, height, raw)
                .unwrap_or_else(|| RgbImage::new(width, height));
            Ok(Sampled { image, finite })
        })
        .collect()
}

/// Names the pickles in a folder, for the message that refuses them.
fn pickles(dir: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let extension = Path::new(name).extension().and_then(|e| e.to_str());
            matches!(extension, Some("bin" | "ckpt" | "pt" | "pth"))
        })
        .collect();
    names.sort();
    if names.is_empty() {
        String::new()
    } else {
        format!(
            " (but {}, a pickle, which can run code when it is read)",
            names.join(", ")
        )
    }
}
