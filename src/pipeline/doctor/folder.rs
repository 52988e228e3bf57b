//! A folder: what it is, what its parts hold, and what is wrong with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tch::{Device, Kind};

use super::machine::{dtype, kernel};
use crate::classifier::Cnn;
use crate::diffusion::config::{self, UnetConfig, VaeConfig};
use crate::diffusion::pipeline::{Pipeline, PipelineError};
use crate::embed::preprocess::Preprocess;
use crate::hub::HubError;
use crate::io::{self, IoError};
use crate::manifest::verify;
use crate::nn::clip::config::{ClipConfig, TextConfig};
use crate::nn::clip::model::Clip;
use crate::nn::clip::open_clip;
use crate::nn::params::{Checkpoint, Params, Scope, weights};
use crate::nn::siglip::{Siglip, SiglipConfig};
use crate::nn::tokenizer::Tokenizer;
use crate::pipeline::error::{Error, WithContext as _};
use crate::run::folder::Layout;

/// The health of a folder.
#[derive(Debug, Serialize)]
pub struct Folder {
    /// As it was named, perhaps by a hub id.
    pub given: PathBuf,
    /// Where it lies.
    pub path: PathBuf,
    /// A class of Diffusers or Transformers, `open_clip`, `hardlight-cnn` or `run`.
    pub what: String,
    /// Whether nothing is wrong with it.
    pub sound: bool,
    /// What is wrong with it.
    pub problems: Vec<String>,
    /// What the weights of each part hold.
    pub parts: Map<String, Value>,
    /// The kernel that attention takes for every kind of head.
    pub attention: Vec<Value>,
}

/// What heads are asked about: the device and what it computes in.
#[derive(Clone, Copy)]
pub(super) struct Compute {
    pub(super) device: Device,
    pub(super) kind: Kind,
}

impl Folder {
    /// Looks at the folder that `given` means; at none, where it could not be had.
    pub(super) fn look(given: &Path, found: Result<PathBuf, HubError>, place: Compute) -> Self {
        let path = found.as_ref().map_or(given, PathBuf::as_path).to_path_buf();
        let mut this = Self {
            given: given.to_path_buf(),
            path,
            what: "unknown".to_owned(),
            sound: false,
            problems: Vec::new(),
            parts: Map::new(),
            attention: Vec::new(),
        };
        let looked = match found {
            Ok(path) => this.diagnose(&path, place),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = looked {
            this.complain(&error);
        }
        this.sound = this.problems.is_empty();
        this
    }

    /// A line about the whole.
    pub fn title(&self) -> String {
        let state = if self.sound { "sound" } else { "not sound" };
        format!("{}: {}, {state}", self.given.display(), self.what)
    }

    fn complain(&mut self, error: &Error) {
        let problem = format!("{error:#}");
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn diagnose(&mut self, dir: &Path, place: Compute) -> Result<(), Error> {
        let has = |name: &str| dir.join(name).is_file();
        let extension = dir.extension().and_then(|e| e.to_str());
        if dir.is_file() && matches!(extension, Some("safetensors" | "ckpt")) {
            let path = dir.to_path_buf();
            return Err(PipelineError::SingleFile { path }.into());
        }
        if dir.is_file() {
            return Err(Error::input(
                "it is a file: give the folder of a model or a run",
            ));
        }
        if !dir.is_dir() {
            return Err(Error::input("there is no such folder"));
        }
        if has("model_index.json") {
            return self.pipeline(dir, place);
        }
        if has("run.json") {
            "run".clone_into(&mut self.what);
            let report = verify::run(&Layout::new(dir))?;
            let problems = report.problems.iter();
            self.problems
                .extend(problems.map(|p| format!("{}: {}", p.what, p.problem)));
            return Ok(());
        }
        if has("open_clip_config.json") {
            return self.open_clip(dir, place);
        }
        if !has("config.json") {
            return Err(Error::input(
                "it holds no model_index.json (a pipeline), config.json (CLIP or a classifier), \
                 open_clip_config.json or run.json; a lone .ckpt is a pickle, which can run code \
                 when it is read: save the model as a folder with `safe_serialization=True`",
            ));
        }
        let raw: Value = config::read(&dir.join("config.json"))?;
        match raw["model_type"].as_str().unwrap_or("nothing") {
            "hardlight-cnn" => {
                "hardlight-cnn".clone_into(&mut self.what);
                self.part(dir, "weights", "model", place)?;
                // Far below a megabyte.
                Cnn::read(dir, Device::Cpu)?;
                Ok(())
            }
            "clip" => self.clip(dir, place),
            "siglip" => self.siglip(dir, place),
            other => Err(Error::input(format!(
                "config.json: model_type is {other}: expected clip, siglip or hardlight-cnn"
            ))),
        }
    }

    fn clip(&mut self, dir: &Path, place: Compute) -> Result<(), Error> {
        "CLIPModel".clone_into(&mut self.what);
        self.part(dir, "weights", "model", place)?;
        let config: ClipConfig = config::read(&dir.join("config.json"))?;
        Preprocess::from_dir(dir)?;
        Tokenizer::from_dir(dir)?;
        fit(dir, "model", place, |scope| Clip::new(scope, &config))?;
        self.towers(&config, place);
        Ok(())
    }

    fn open_clip(&mut self, dir: &Path, place: Compute) -> Result<(), Error> {
        "open_clip".clone_into(&mut self.what);
        self.part(dir, "weights", "open_clip_model", place)?;
        let path = dir.join("open_clip_config.json");
        let config = open_clip::parse(&io::read_to_string(&path)?)
            .with_context(|| path.display().to_string())?;
        fit(dir, "open_clip_model", place, |scope| {
            Clip::open_clip(scope, &config)
        })?;
        self.towers(&config, place);
        Ok(())
    }

    fn siglip(&mut self, dir: &Path, place: Compute) -> Result<(), Error> {
        "SiglipModel".clone_into(&mut self.what);
        self.part(dir, "weights", "model", place)?;
        let config: SiglipConfig = config::read(&dir.join("config.json"))?;
        fit(dir, "model", place, |scope| Siglip::new(scope, &config))?;
        let (text, image) = (&config.text_config, &config.vision_config);
        let split = (text.hidden_size, text.num_attention_heads);
        self.heads("text", split, false, place);
        let split = (image.hidden_size, image.num_attention_heads);
        self.heads("image", split, false, place);
        Ok(())
    }

    fn pipeline(&mut self, dir: &Path, place: Compute) -> Result<(), Error> {
        let index: Value = config::read(&dir.join("model_index.json"))?;
        let class = index["_class_name"].as_str().unwrap_or("nothing");
        class.clone_into(&mut self.what);
        for (part, stem) in [
            ("unet", "diffusion_pytorch_model"),
            ("vae", "diffusion_pytorch_model"),
            ("text_encoder", "model"),
            ("text_encoder_2", "model"),
            ("image_normalizer", "diffusion_pytorch_model"),
        ] {
            if dir.join(part).is_dir()
                && let Err(error) = self.part(dir, part, stem, place)
            {
                self.complain(&error);
            }
        }
        Pipeline::inspect(dir, place.kind)?;

        let unet = UnetConfig::read(&dir.join("unet/config.json"))?;
        for (level, &channels) in unet.block_out_channels.iter().enumerate() {
            self.heads("unet", (channels, unet.heads(level)), false, place);
        }
        let vae = VaeConfig::read(&dir.join("vae/config.json"))?;
        let width = vae.block_out_channels.last().copied().unwrap_or(1);
        // As the pipeline does it.
        let upcast = class.contains("XL") && place.kind == Kind::Half && vae.force_upcast;
        let kind = if upcast { Kind::Float } else { place.kind };
        self.heads("vae", (width, 1), false, Compute { kind, ..place });
        for part in ["text_encoder", "text_encoder_2"] {
            let path = dir.join(part).join("config.json");
            if path.is_file() {
                self.text(part, &config::read(&path)?, place);
            }
        }
        Ok(())
    }

    /// Notes what the weights `stem` of a part hold, from their header.
    fn part(&mut self, dir: &Path, name: &str, stem: &str, place: Compute) -> Result<(), Error> {
        let below = dir.join(name);
        let dir = if below.is_dir() { &below } else { dir };
        let found = weights::find(dir, stem, None, place.kind)?;
        let checkpoint = Checkpoint::open(&found.path)?;
        let (mut bytes, mut parameters) = (0, 0);
        for file in weights::files(&found)? {
            let read = |source| IoError::Read {
                path: file.clone(),
                source,
            };
            bytes += fs::metadata(&file).map_err(read)?.len();
        }
        let mut dtypes: BTreeMap<String, usize> = BTreeMap::new();
        for (_, dtype, shape) in checkpoint.tensors() {
            *dtypes.entry(format!("{dtype:?}")).or_default() += 1;
            parameters += shape.into_iter().fold(1, i64::saturating_mul);
        }
        let part = json!({
            "file": found.path.file_name().map(|name| name.to_string_lossy()),
            "variant": found.variant,
            "bytes": bytes,
            "parameters": parameters,
            "tensors": dtypes,
        });
        self.parts.insert(name.to_owned(), part);
        Ok(())
    }

    fn towers(&mut self, config: &ClipConfig, place: Compute) {
        self.text("text", &config.text_config, place);
        let image = &config.vision_config;
        let split = (image.hidden_size, image.num_attention_heads);
        self.heads("image", split, false, place);
    }

    fn text(&mut self, part: &str, config: &TextConfig, place: Compute) {
        let split = (config.hidden_size, config.num_attention_heads);
        self.heads(part, split, true, place);
    }

    /// Notes the kernel for a width that is split among heads.
    fn heads(&mut self, part: &str, (width, heads): (i64, i64), masked: bool, place: Compute) {
        let head_dim = width / heads;
        let heads = json!({
            "part": part,
            "head_dim": head_dim,
            "masked": masked,
            "dtype": dtype(place.kind),
            "kernel": kernel(head_dim, masked, place.kind, place.device),
        });
        if !self.attention.contains(&heads) {
            self.attention.push(heads);
        }
    }
}

/// Whether the weights `stem` are those of a network.
fn fit<T>(
    dir: &Path,
    stem: &str,
    place: Compute,
    build: impl FnOnce(&Scope) -> T,
) -> Result<(), Error> {
    let found = weights::find(dir, stem, None, place.kind)?;
    let params = Params::inspect(&found.path)?;
    build(&params.root());
    Ok(params.finish()?)
}
