//! Which files of a repository a model needs.
//!
//! Small files come first and weights last, so that a snapshot with weights in it is whole. Which
//! weights a part has is told by the names alone, as in `diffusers` 0.42
//! (`pipelines/pipeline_loading_utils.py`); the older naming of sharded variants
//! (`…-00001-of-00002.fp16.safetensors`) is passed over, because nothing here reads it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::id::is_file_name;
use super::{HubError, Id, Want};

/// The files of one commit.
pub(super) trait Files {
    fn has(&self, name: &str) -> bool;

    /// All names, sorted.
    fn names(&self) -> Vec<String>;

    /// The content of a JSON file that is there.
    fn json(&mut self, name: &str) -> Result<Value, HubError>;
}

/// What a model needs of a repository.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Configs, tokenizers, indexes of shards.
    pub(super) small: Vec<String>,
    /// What is large.
    pub(super) weights: Vec<String>,
    /// Files that would be read if they were there.
    pub(super) absent: Vec<String>,
    /// The one file that is the model, where it is no folder.
    pub(super) file: Option<String>,
    /// Parts that lack the variant asked for.
    pub(super) without_variant: Vec<String>,
}

/// How a component of a pipeline is stored.
enum ComponentKind {
    Network(&'static str),
    Tokenizer,
    Scheduler,
    Processor,
}

/// Reads of a tokenizer's folder.
const TOKENIZER: [&str; 7] = [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
];

const FP16: Option<&str> = Some("fp16");

/// Chooses the files.
///
/// A `lenient` choice takes the other precision where the one asked for is not there, and whatever
/// LoRA is the only one. Not so for a snapshot, in which a file may be missing because nobody has
/// fetched it.
pub(super) fn plan(
    id: &Id,
    want: Want,
    lenient: bool,
    files: &mut dyn Files,
) -> Result<Plan, HubError> {
    let mut planner = Planner {
        id,
        lenient,
        files,
        plan: Plan::default(),
    };
    match want {
        Want::Pipeline { half, safety } => planner.pipeline(half, safety)?,
        Want::Clip => planner.clip()?,
        Want::Lora => planner.lora()?,
        Want::Any { half, safety } if planner.files.has("model_index.json") => {
            planner.pipeline(half, safety)?;
        }
        Want::Any { .. } => {
            let config = ["config.json", "open_clip_config.json"];
            if id.file().is_none() && config.iter().any(|name| planner.files.has(name)) {
                planner.clip()?;
            } else {
                planner.lora()?;
            }
        }
    }
    Ok(planner.plan)
}

struct Planner<'a> {
    id: &'a Id,
    lenient: bool,
    files: &'a mut dyn Files,
    plan: Plan,
}

impl Planner<'_> {
    fn missing(&self, file: impl Into<String>, reason: &'static str) -> HubError {
        HubError::Missing {
            id: self.id.to_string(),
            file: file.into(),
            reason,
        }
    }

    fn kind(&self, found: impl Into<String>, expected: &'static str) -> HubError {
        HubError::Kind {
            id: self.id.to_string(),
            found: found.into(),
            expected,
        }
    }

    fn need(&mut self, name: String, reason: &'static str) -> Result<(), HubError> {
        if !self.files.has(&name) {
            return Err(self.missing(name, reason));
        }
        self.plan.small.push(name);
        Ok(())
    }

    fn may_take(&mut self, name: String) {
        let list = if self.files.has(&name) {
            &mut self.plan.small
        } else {
            &mut self.plan.absent
        };
        list.push(name);
    }

    fn no_file_named(&self) -> Result<(), HubError> {
        match self.id.file() {
            Some(_) => Err(HubError::BadId {
                text: self.id.to_string(),
                reason: "a file is named for a LoRA alone",
            }),
            None => Ok(()),
        }
    }

    fn pipeline(&mut self, half: bool, safety: bool) -> Result<(), HubError> {
        const EXPECTED: &str = "a Diffusers pipeline, with model_index.json";
        self.no_file_named()?;
        self.need("model_index.json".to_owned(), EXPECTED)?;
        let index = self.files.json("model_index.json")?;
        let Some(index) = index.as_object() else {
            return Err(self.kind("no pipeline (model_index.json is no object)", EXPECTED));
        };
        // Parts are [library, class]; null is a part that the model does without. Anything else is
        // a setting.
        let parts: Vec<&String> = index
            .iter()
            .filter(|(_, value)| {
                let pair = value.as_array();
                pair.is_some_and(|pair| pair.len() == 2 && pair.iter().all(Value::is_string))
            })
            .map(|(name, _)| name)
            .collect();
        let sees = parts.iter().any(|part| *part == "image_encoder");
        for part in parts {
            let stored = match part.as_str() {
                "unet" | "vae" | "image_normalizer" => {
                    ComponentKind::Network("diffusion_pytorch_model")
                }
                "text_encoder" | "text_encoder_2" | "image_encoder" => {
                    ComponentKind::Network("model")
                }
                "tokenizer" | "tokenizer_2" => ComponentKind::Tokenizer,
                "scheduler" | "image_noising_scheduler" => ComponentKind::Scheduler,
                "safety_checker" if safety => ComponentKind::Network("model"),
                // It says how images are resized for either of them.
                "feature_extractor" if safety || sees => ComponentKind::Processor,
                "safety_checker" | "feature_extractor" => continue,
                other => {
                    let found = format!("a pipeline with the part {other}");
                    return Err(self.kind(found, "a kind of Stable Diffusion that is known here"));
                }
            };
            let folder = format!("{part}/");
            match stored {
                ComponentKind::Network(stem) => {
                    self.need(format!("{folder}config.json"), "the part's shape")?;
                    self.weights(&folder, stem, half)?;
                }
                ComponentKind::Tokenizer => self.tokenizer(&folder)?,
                ComponentKind::Scheduler => self.need(
                    format!("{folder}scheduler_config.json"),
                    "the scheduler's settings",
                )?,
                ComponentKind::Processor => self.need(
                    format!("{folder}preprocessor_config.json"),
                    "how images are resized",
                )?,
            }
        }
        Ok(())
    }

    fn clip(&mut self) -> Result<(), HubError> {
        const EXPECTED: &str = "CLIP or SigLIP, as Transformers or open_clip save it";
        self.no_file_named()?;
        let has = |name| self.files.has(name);
        let transformers = has("model.safetensors") || has("model.safetensors.index.json");
        if !transformers && has("open_clip_config.json") && has("open_clip_model.safetensors") {
            self.plan.small.push("open_clip_config.json".to_owned());
            self.plan
                .weights
                .push("open_clip_model.safetensors".to_owned());
            // open_clip has its vocabulary in itself; here it is read from the folder.
            return self.tokenizer("");
        }
        self.need("config.json".to_owned(), EXPECTED)?;
        let config = self.files.json("config.json")?;
        let found = config["model_type"].as_str().unwrap_or("clip");
        if !found.starts_with("clip") && !found.starts_with("siglip") {
            return Err(self.kind(format!("of the model type {found:?}"), EXPECTED));
        }
        self.weights("", "model", false)?;
        // Transformers 5 saves the second alone.
        let both = ["preprocessor_config.json", "processor_config.json"];
        let there = both.into_iter().find(|name| self.files.has(name));
        self.need(
            there.unwrap_or(both[0]).to_owned(),
            "how images are resized",
        )?;
        self.tokenizer("")
    }

    fn lora(&mut self) -> Result<(), HubError> {
        const USUAL: &str = "pytorch_lora_weights.safetensors";
        let file = if let Some(named) = self.id.file() {
            named.to_owned()
        } else if self.files.has(USUAL) {
            USUAL.to_owned()
        } else {
            let names = self.files.names();
            let mut tensors: Vec<String> = names
                .iter()
                .filter(|name| has_extension(name, &["safetensors"]))
                .cloned()
                .collect();
            match tensors.len() {
                0 => return Err(self.no_weights(USUAL, names)),
                1 if self.lenient => tensors.swap_remove(0),
                1 => return Err(self.missing(USUAL, "whether it has others is not known")),
                _ => {
                    return Err(HubError::Ambiguous {
                        id: self.id.to_string(),
                        files: tensors,
                    });
                }
            }
        };
        if !has_extension(&file, &["safetensors"]) {
            return Err(self.kind(format!("meant to give {file}"), "a .safetensors file"));
        }
        if !self.files.has(&file) {
            return Err(self.missing(file, "it was asked for"));
        }
        self.plan.weights.push(file.clone());
        self.plan.file = Some(file);
        Ok(())
    }

    fn tokenizer(&mut self, folder: &str) -> Result<(), HubError> {
        let has = |name: &str| self.files.has(&format!("{folder}{name}"));
        let pair = has("vocab.json") && has("merges.txt");
        if !pair && !has("tokenizer.json") && !has("spiece.model") {
            let file = format!("{folder}vocab.json with {folder}merges.txt");
            return Err(self.missing(file, "the tokenizer, unless tokenizer.json is there"));
        }
        for name in TOKENIZER {
            self.may_take(format!("{folder}{name}"));
        }
        Ok(())
    }

    /// One file of weights, or the index of its shards and these.
    fn weights(&mut self, folder: &str, stem: &str, half: bool) -> Result<(), HubError> {
        let variants: &[Option<&str>] = match (half, self.lenient) {
            (true, _) => &[FP16, None],
            (false, true) => &[None, FP16],
            (false, false) => &[None],
        };
        for variant in variants {
            let (one, index) = match variant {
                None => (
                    format!("{folder}{stem}.safetensors"),
                    format!("{folder}{stem}.safetensors.index.json"),
                ),
                Some(v) => (
                    format!("{folder}{stem}.{v}.safetensors"),
                    format!("{folder}{stem}.safetensors.index.{v}.json"),
                ),
            };
            let found = if self.files.has(&one) {
                self.plan.weights.push(one);
                true
            } else if self.files.has(&index) {
                let shards = self.shards(folder, &index)?;
                self.plan.small.push(index);
                self.plan.weights.extend(shards);
                true
            } else {
                false
            };
            if found {
                if *variant != variants[0] {
                    let part = folder.trim_end_matches('/').to_owned();
                    self.plan.without_variant.push(part);
                }
                return Ok(());
            }
        }
        let inside = |name: &String| {
            let rest = name.strip_prefix(folder);
            rest.is_some_and(|rest| !rest.contains('/'))
        };
        let names = self.files.names().into_iter().filter(inside).collect();
        Err(self.no_weights(&format!("{folder}{stem}.safetensors"), names))
    }

    fn shards(&mut self, folder: &str, index: &str) -> Result<BTreeSet<String>, HubError> {
        let value = self.files.json(index)?;
        let mut shards = BTreeSet::new();
        for shard in value["weight_map"].as_object().into_iter().flatten() {
            // A shard lies beside its index.
            let name = shard.1.as_str().filter(|name| !name.contains('/'));
            match name.filter(|name| is_file_name(name)) {
                Some(name) => shards.insert(format!("{folder}{name}")),
                None => return Err(self.missing(index, "its list of shards is not sound")),
            };
        }
        if shards.is_empty() {
            return Err(self.missing(index, "its list of shards is empty"));
        }
        match shards.iter().find(|shard| !self.files.has(shard)) {
            Some(shard) => Err(self.missing(shard.clone(), "it is a shard of the weights")),
            None => Ok(shards),
        }
    }

    fn no_weights(&self, wanted: &str, names: Vec<String>) -> HubError {
        let pickle = |name: &String| has_extension(name, &["bin", "ckpt", "pt", "pth"]);
        let files: Vec<String> = names.into_iter().filter(pickle).collect();
        if files.is_empty() {
            return self.missing(wanted, "the weights");
        }
        HubError::Pickle {
            id: self.id.to_string(),
            wanted: wanted.to_owned(),
            files,
        }
    }
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| extensions.contains(&extension))
}

#[cfg(test)]
mod tests;
