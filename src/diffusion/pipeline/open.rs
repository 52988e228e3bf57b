//! A pipeline folder's weights, once its configs are checked ([`super::folder`]).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tch::{Device, Kind};

use super::captions::{CaptionEncoder, Two};
use super::folder::{Configs, Family};
use super::image_condition::ImageCondition;
use super::{Pipeline, PipelineError, Sampling};
use crate::diffusion::record::AdapterRecord;
use crate::diffusion::unet::Unet;
use crate::diffusion::vae::Vae;
use crate::io;
use crate::nn::clip::config::TextConfig;
use crate::nn::clip::model::TextModelWithProjection;
use crate::nn::clip::towers::TextTower;
use crate::nn::lora::{self, Adapter, Component};
use crate::nn::params::{Params, weights};
use crate::nn::tokenizer::Tokenizer;

/// Name of a Diffusers model's weights, without extension.
pub(super) const WEIGHTS: &str = "diffusion_pytorch_model";
/// Name of a Transformers model's weights, without extension.
const TEXT_WEIGHTS: &str = "model";

/// How a folder is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Where it computes.
    pub device: Device,
    /// What it computes in.
    pub kind: Kind,
    /// Which files are taken where there are several, such as `fp16`; none means what fits `kind`.
    pub variant: Option<String>,
    /// Adapters merged into the weights, each with its scale.
    pub adapters: Vec<(PathBuf, f64)>,
    /// Whether weights are only looked at; see [`Pipeline::inspect`].
    inspect: bool,
}

impl OpenOptions {
    /// What fits `kind`, and nothing more.
    pub fn new(device: Device, kind: Kind) -> Self {
        Self {
            device,
            kind,
            variant: None,
            adapters: Vec::new(),
            inspect: false,
        }
    }
}

/// Opens parts, and remembers which files that took.
struct Parts<'a> {
    dir: &'a Path,
    options: &'a OpenOptions,
    adapters: Vec<Adapter>,
    files: Vec<String>,
    /// Parts that lack the variant asked for.
    without_variant: Vec<&'a str>,
    with_variant: bool,
    /// The variants that the parts have.
    variants: BTreeSet<String>,
    /// What was passed over.
    notes: Vec<String>,
}

impl<'a> Parts<'a> {
    fn new(dir: &'a Path, options: &'a OpenOptions, adapters: Vec<Adapter>) -> Self {
        Self {
            dir,
            options,
            adapters,
            files: Vec::new(),
            without_variant: Vec::new(),
            with_variant: false,
            variants: BTreeSet::new(),
            notes: Vec::new(),
        }
    }

    /// Builds a network from the weights of a part.
    fn build<T>(
        &mut self,
        part: &'a str,
        stem: &str,
        kind: Kind,
        build: impl FnOnce(&crate::nn::params::Scope) -> T,
    ) -> Result<T, PipelineError> {
        self.build_besides(part, stem, kind, &[], build)
    }

    /// As [`Self::build`], where the file may hold more than the network takes.
    fn build_besides<T>(
        &mut self,
        part: &'a str,
        stem: &str,
        kind: Kind,
        spare: &[&str],
        build: impl FnOnce(&crate::nn::params::Scope) -> T,
    ) -> Result<T, PipelineError> {
        let OpenOptions {
            device, variant, ..
        } = self.options;
        let folder = self.dir.join(part);
        // Half precision is looked for by what the pipeline computes in, not by what one part does.
        let found = weights::find(&folder, stem, variant.as_deref(), self.options.kind)?;
        if found.variant == *variant {
            self.with_variant = true;
        } else if variant.is_some() {
            self.without_variant.push(part);
            self.variants.extend(weights::variants(&folder, stem));
        }
        self.files.push(format!("{part}/config.json"));
        for file in weights::files(&found)? {
            self.files.push(format!("{part}/{}", file_name(&file)));
        }
        let params = if self.options.inspect {
            Params::inspect(&found.path)?
        } else {
            Params::open(&found.path, kind, *device)?
        };
        let params = match component(part) {
            Some(component) => lora::patched(params, component, &self.adapters)?,
            None => params,
        };
        let network = build(&params.root());
        let passed = params.finish_besides(spare)?;
        if let Some(first) = passed.first() {
            self.notes.push(format!(
                "{}: {} of its tensors are of no use to a text encoder and passed over ({first} …)",
                found.path.display(),
                passed.len()
            ));
        }
        Ok(network)
    }

    /// Builds the text encoders: `second` is SDXL's.
    fn captions(
        &mut self,
        first: &TextConfig,
        tokenizer: Tokenizer,
        second: Option<(TextConfig, Tokenizer)>,
        zeros_for_empty: bool,
    ) -> Result<CaptionEncoder, PipelineError> {
        let kind = self.options.kind;
        let (part, stem) = ("text_encoder", TEXT_WEIGHTS);
        let tower = self.build_besides(part, stem, kind, &TextTower::BESIDES, |s| {
            TextTower::standalone(s, first)
        })?;
        Ok(match second {
            None => CaptionEncoder::One { tokenizer, tower },
            Some((config, second)) => CaptionEncoder::Two(Box::new(Two {
                tokenizers: [tokenizer, second],
                first: tower,
                second: self.build_besides(
                    "text_encoder_2",
                    TEXT_WEIGHTS,
                    kind,
                    // Its projection it does take.
                    &TextTower::BESIDES,
                    |s| TextModelWithProjection::new(s, &config),
                )?,
                zeros_for_empty,
            })),
        })
    }

    /// Notes a scheduler's file.
    fn config(&mut self, scheduler: &str) {
        self.files
            .push(format!("{scheduler}/scheduler_config.json"));
    }

    /// A hash of all the files that it took, without adapters; of none where weights are only looked
    /// at.
    fn model_fingerprint(&self) -> Result<String, io::IoError> {
        let files: Vec<&str> = self.files.iter().map(String::as_str).collect();
        io::fingerprint(self.dir, if self.options.inspect { &[] } else { &files })
    }

    /// `model`, and a hash of every adapter with its scale.
    fn fingerprint(&self, model: &str) -> Result<String, io::IoError> {
        let mut text = model.to_owned();
        for (path, scale) in &self.options.adapters {
            let dir = path.parent().unwrap_or(Path::new(""));
            let adapter = io::fingerprint(dir, &[&file_name(path)])?;
            text = format!("{text} {adapter}:{scale}");
        }
        Ok(text)
    }

    /// What the adapters' files are, for the record of an image.
    fn adapter_records(&self) -> Result<Vec<AdapterRecord>, io::IoError> {
        let record = |(path, scale): &(PathBuf, f64)| {
            Ok(AdapterRecord {
                name: file_name(path).into_owned(),
                sha256: io::sha256_of(path)?,
                scale: *scale,
            })
        };
        self.options.adapters.iter().map(record).collect()
    }

    /// Diffusers' rule: a variant may be absent from some parts, not from all.
    fn check_variant(&self) -> Result<Option<String>, PipelineError> {
        let Some(variant) = &self.options.variant else {
            return Ok(None);
        };
        if !self.with_variant {
            let all: Vec<&str> = self.variants.iter().map(String::as_str).collect();
            let has = if all.is_empty() {
                "there are plain weights alone".to_owned()
            } else {
                all.join(", ")
            };
            return Err(PipelineError::Setting {
                name: "variant",
                value: variant.clone(),
                expected: format!("one that {} has: {has}", self.dir.display()),
            });
        }
        let without = self.without_variant.join(", ");
        Ok((!without.is_empty())
            .then(|| format!("no variant {variant} of {without}: the plain weights are used")))
    }
}

impl Pipeline {
    /// Opens a folder as it stands; see [`Self::open_with`].
    ///
    /// # Errors
    ///
    /// As [`Self::open_with`].
    pub fn open(dir: &Path, device: Device, kind: Kind) -> Result<Self, PipelineError> {
        Self::open_with(dir, &OpenOptions::new(device, kind))
    }

    /// Whether [`Self::open_with`] would open a folder, and its scheduler and size would serve:
    /// looks at configs, tokenizers, names, shapes and element types of all weights, without reading
    /// or hashing a weight.
    ///
    /// # Errors
    ///
    /// As [`Self::open_with`] and [`Self::check`].
    pub fn inspect(dir: &Path, kind: Kind) -> Result<(), PipelineError> {
        let options = OpenOptions {
            inspect: true,
            ..OpenOptions::new(Device::Cpu, kind)
        };
        Self::open_with(dir, &options)?
            .check(&Sampling::default())
            .map(|_| ())
    }

    /// Opens a folder with `model_index.json` and its parts.
    ///
    /// # Errors
    ///
    /// [`PipelineError`]: all configs are checked before any weight is read.
    pub fn open_with(dir: &Path, options: &OpenOptions) -> Result<Self, PipelineError> {
        if dir.is_file() {
            return Err(PipelineError::SingleFile {
                path: dir.to_path_buf(),
            });
        }
        if !dir.is_dir() {
            return Err(PipelineError::Missing {
                dir: dir.to_path_buf(),
            });
        }
        let Configs {
            family,
            class,
            unet: unet_config,
            vae: vae_config,
            first,
            tokenizer,
            second,
            scheduler,
            mut notes,
            zeros_for_empty,
        } = Configs::read(dir)?;
        let image = match (family, unet_config.projection_class_embeddings_input_dim) {
            (Family::UnClip, Some(width)) => Some(ImageCondition::open(dir, width)?),
            _ => None,
        };

        let mut parts = Parts::new(dir, options, adapters(options, second.is_some())?);
        let kind = options.kind;
        // Float16 ends at 65,504, which the activations of SDXL's VAE exceed.
        let vae_kind = match (family, kind) {
            (Family::Xl, Kind::Half) if vae_config.force_upcast => Kind::Float,
            _ => kind,
        };
        let unet = parts.build("unet", WEIGHTS, kind, |s| Unet::new(s, &unet_config))?;
        let vae = parts.build("vae", WEIGHTS, vae_kind, |s| Vae::new(s, &vae_config))?;
        let captions = parts.captions(&first, tokenizer, second, zeros_for_empty)?;
        notes.append(&mut parts.notes);
        notes.extend(parts.check_variant()?);
        parts.config("scheduler");
        if image.is_some() {
            parts.config("image_noising_scheduler");
        }
        let model_fingerprint = parts.model_fingerprint()?;
        Ok(Self {
            class,
            unet,
            vae,
            vae_kind,
            captions,
            image,
            scheduler,
            device: options.device,
            kind,
            fingerprint: parts.fingerprint(&model_fingerprint)?,
            adapters: parts.adapter_records()?,
            model_fingerprint,
            notes,
        })
    }
}

/// Opens the adapters, and checks that all they change is there.
fn adapters(options: &OpenOptions, two_text_encoders: bool) -> Result<Vec<Adapter>, PipelineError> {
    let open = |(path, scale): &(PathBuf, f64)| Adapter::open(path, *scale);
    let adapters = options.adapters.iter().map(open);
    let adapters: Vec<Adapter> = adapters.collect::<Result<_, _>>()?;
    let mut components = vec![Component::Unet, Component::TextEncoder];
    components.extend(two_text_encoders.then_some(Component::TextEncoder2));
    lora::check(&adapters, &components)?;
    Ok(adapters)
}

/// The network of a part, as far as adapters change it.
fn component(part: &str) -> Option<Component> {
    match part {
        "unet" => Some(Component::Unet),
        "text_encoder" => Some(Component::TextEncoder),
        "text_encoder_2" => Some(Component::TextEncoder2),
        _ => None,
    }
}

fn file_name(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
