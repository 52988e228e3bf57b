//! A pipeline folder's configs, checked alone and against each other before any weight is read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{PipelineError, captions};
use crate::diffusion::config::{
    self, AdditionEmbed, ClassEmbed, ConfigError, UnetConfig, VaeConfig,
};
use crate::diffusion::schedulers::SchedulerConfig;
use crate::io;
use crate::nn::clip::config::TextConfig;
use crate::nn::tokenizer::Tokenizer;

/// What kind of pipeline a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// One text encoder.
    Sd,
    /// Two, and sizes.
    Xl,
    /// One, and an image embedding.
    UnClip,
}

/// Pipelines of the same parts are the same model, whatever they were saved from: Diffusers' `AutoPipeline` turns one
/// into the other.
const FAMILIES: [(&str, Family); 10] = [
    ("StableDiffusionPipeline", Family::Sd),
    ("StableDiffusionImg2ImgPipeline", Family::Sd),
    ("StableDiffusionInpaintPipeline", Family::Sd),
    ("StableDiffusionInpaintPipelineLegacy", Family::Sd),
    ("LatentConsistencyModelPipeline", Family::Sd),
    ("LatentConsistencyModelImg2ImgPipeline", Family::Sd),
    ("StableDiffusionXLPipeline", Family::Xl),
    ("StableDiffusionXLImg2ImgPipeline", Family::Xl),
    ("StableDiffusionXLInpaintPipeline", Family::Xl),
    ("StableUnCLIPImg2ImgPipeline", Family::UnClip),
];

/// How the classes begin that set old schedulers right when they are built.
const SETS_SCHEDULER: &str = "StableDiffusionI";

/// `model_index.json`.
struct Index {
    path: PathBuf,
    value: Value,
}

impl Index {
    fn family(&self) -> Result<(Family, String), PipelineError> {
        let class = &self.value["_class_name"];
        let known = FAMILIES.iter().find(|(name, _)| class == name);
        let Some((name, family)) = known else {
            let names: Vec<_> = FAMILIES.iter().map(|(name, _)| *name).collect();
            return Err(self.wrong("_class_name", class.to_string(), names.join(", ")));
        };
        Ok((*family, (*name).to_owned()))
    }

    /// Refuses a part that is there but of another class; what Diffusers writes is
    /// `"unet": ["diffusers", "UNet2DConditionModel"]`.
    fn check(&self, part: &str, class: &str) -> Result<(), PipelineError> {
        // Folders put together by hand may leave parts out of the index.
        let Some(entry) = self.value.get(part) else {
            return Ok(());
        };
        if entry[1] == class {
            return Ok(());
        }
        let found = entry.get(1).unwrap_or(entry).to_string();
        Err(self.wrong(part, found, class.to_owned()))
    }

    /// The scheduler's settings, for the class that the index names, and what changed in them.
    fn scheduler(&self, dir: &Path) -> Result<(SchedulerConfig, Vec<String>), PipelineError> {
        let path = dir.join("scheduler/scheduler_config.json");
        let mut config =
            SchedulerConfig::parse(&path.display().to_string(), &io::read_to_string(&path)?)?;
        match self.value.get("scheduler").map(|entry| &entry[1]) {
            None => {}
            Some(Value::String(class)) => {
                config = config.with_class(class, &self.path.display().to_string());
            }
            Some(other) => {
                let expected = "the class of a scheduler".to_owned();
                return Err(self.wrong("scheduler", other.to_string(), expected));
            }
        }
        let mut notes = Vec::new();
        let class = self.value["_class_name"].as_str().unwrap_or_default();
        if class == "StableDiffusionPipeline" || class.starts_with(SETS_SCHEDULER) {
            for key in config.as_stable_diffusion_takes_it() {
                notes.push(format!(
                    "{}: {key} is set as StableDiffusionPipeline sets it in old files",
                    path.display()
                ));
            }
        }
        Ok((config, notes))
    }

    fn wrong(&self, key: &str, found: String, expected: String) -> PipelineError {
        PipelineError::Class {
            path: self.path.clone(),
            key: key.to_owned(),
            found,
            expected,
        }
    }
}

/// What the folder's JSON says, which fits together.
pub(super) struct Configs {
    pub(super) family: Family,
    /// The class of `model_index.json`.
    pub(super) class: String,
    pub(super) unet: UnetConfig,
    pub(super) vae: VaeConfig,
    /// The text encoder, or the first of two.
    pub(super) first: TextConfig,
    pub(super) tokenizer: Tokenizer,
    /// SDXL's second text encoder.
    pub(super) second: Option<(TextConfig, Tokenizer)>,
    pub(super) scheduler: SchedulerConfig,
    /// What was taken otherwise than it stands there.
    pub(super) notes: Vec<String>,
    /// Whether an empty negative prompt is zeros.
    pub(super) zeros_for_empty: bool,
}

impl Configs {
    pub(super) fn read(dir: &Path) -> Result<Self, PipelineError> {
        let path = dir.join("model_index.json");
        if !path.is_file() {
            return Err(PipelineError::NoIndex {
                dir: dir.to_path_buf(),
            });
        }
        let index = Index {
            value: config::read(&path)?,
            path,
        };
        let (family, class) = index.family()?;
        index.check("unet", "UNet2DConditionModel")?;
        index.check("vae", "AutoencoderKL")?;
        index.check("text_encoder", "CLIPTextModel")?;
        let unet = UnetConfig::read(&dir.join("unet/config.json"))?;
        let vae = VaeConfig::read(&dir.join("vae/config.json"))?;
        check_channels(dir, &unet, &vae)?;
        check_conditions(dir, family, &unet)?;
        let first = text_config(dir, "text_encoder")?;
        let tokenizer = captions::tokenizer(dir, "tokenizer", &first)?;
        let second = if family == Family::Xl {
            index.check("text_encoder_2", "CLIPTextModelWithProjection")?;
            let config = text_config(dir, "text_encoder_2")?;
            let tokenizer = captions::tokenizer(dir, "tokenizer_2", &config)?;
            Some((config, tokenizer))
        } else {
            None
        };
        check_widths(dir, &unet, &first, second.as_ref().map(|s| &s.0))?;
        let (scheduler, notes) = index.scheduler(dir)?;
        Ok(Self {
            family,
            class,
            unet,
            vae,
            first,
            tokenizer,
            second,
            scheduler,
            notes,
            zeros_for_empty: index.value["force_zeros_for_empty_prompt"]
                .as_bool()
                .unwrap_or(true),
        })
    }
}

fn text_config(dir: &Path, part: &str) -> Result<TextConfig, ConfigError> {
    config::read(&dir.join(part).join("config.json"))
}

fn check_channels(dir: &Path, unet: &UnetConfig, vae: &VaeConfig) -> Result<(), PipelineError> {
    let latent = vae.latent_channels;
    if unet.in_channels == latent && unet.out_channels == latent {
        return Ok(());
    }
    Err(PipelineError::Channels {
        dir: dir.to_path_buf(),
        inputs: unet.in_channels,
        outputs: unet.out_channels,
        latent,
    })
}

/// Whether the UNet asks for what this family gives.
fn check_conditions(dir: &Path, family: Family, unet: &UnetConfig) -> Result<(), PipelineError> {
    let wants = match family {
        Family::Sd => (None, None),
        Family::Xl => (Some(AdditionEmbed::TextTime), None),
        Family::UnClip => (None, Some(ClassEmbed::Projection)),
    };
    let asks = (unet.addition_embed_type, unet.class_embed_type);
    if asks == wants {
        return Ok(());
    }
    Err(PipelineError::Class {
        path: dir.join("unet/config.json"),
        key: "addition_embed_type, class_embed_type".to_owned(),
        found: format!("{asks:?}"),
        expected: format!("{wants:?} in a pipeline of this class"),
    })
}

fn check_widths(
    dir: &Path,
    unet: &UnetConfig,
    first: &TextConfig,
    second: Option<&TextConfig>,
) -> Result<(), PipelineError> {
    let text = first.hidden_size + second.map_or(0, |s| s.hidden_size);
    if text != unet.cross_attention_dim {
        return Err(PipelineError::TextWidth {
            dir: dir.to_path_buf(),
            text,
            unet: unet.cross_attention_dim,
        });
    }
    match second {
        Some(second) if second.projection_dim != unet.pooled_width() => {
            Err(PipelineError::PooledWidth {
                dir: dir.to_path_buf(),
                pooled: second.projection_dim,
                unet: unet.pooled_width(),
            })
        }
        _ => Ok(()),
    }
}
