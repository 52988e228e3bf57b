//! `lora_adapter_metadata`: the `LoraConfig` of PEFT that Diffusers writes into the header.

use regex::Regex;
use serde_json::{Map, Value};

use super::{Component, LoraError};
use crate::nn::params::Checkpoint;

/// Header key of the configs.
const KEY: &str = "lora_adapter_metadata";

/// Entries that do not change how a given file is merged: what was chosen for training, and which
/// layers, which the tensors themselves show.
const HARMLESS: [&str; 17] = [
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "exclude_modules",
    "fan_in_fan_out", // PEFT sets it back for linear layers.
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "lora_dropout",
    "megatron_core",
    "modules_to_save",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
];

/// What a network's config says of the ratio of alpha and rank.
#[derive(Debug)]
pub(super) struct Config {
    rank: f64,
    alpha: f64,
    /// The first that matches counts.
    ranks: Vec<(Regex, f64)>,
    alphas: Vec<(Regex, f64)>,
    /// Divide by the root of the rank (Kalajdzievski 2023).
    rank_stabilised: bool,
}

/// A network's config in the header of an adapter: its entries begin with the network's name, or,
/// where the file's keys do not (`bare`), stand alone.
pub(super) fn read(
    file: &Checkpoint,
    component: Component,
    bare: bool,
) -> Result<Option<Config>, LoraError> {
    let wrong = |reason: String| LoraError::Metadata {
        path: file.path().to_path_buf(),
        reason,
    };
    let Some(text) = file.note(KEY) else {
        return Ok(None);
    };
    let all: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let prefix = if bare {
        String::new()
    } else {
        format!("{component}.")
    };
    let own: Map<String, Value> = all
        .into_iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(&prefix)?.to_owned(), value)))
        .collect();
    if own.is_empty() {
        return Ok(None);
    }
    Config::new(&own).map(Some).map_err(wrong)
}

impl Config {
    fn new(entries: &Map<String, Value>) -> Result<Self, String> {
        for (key, value) in entries {
            let known = match key.as_str() {
                "r" | "lora_alpha" | "rank_pattern" | "alpha_pattern" | "use_rslora" => true,
                "peft_type" => value == "LORA",
                "bias" => value == "none",
                // Others change the base weights before training.
                "init_lora_weights" => value.is_boolean() || value == "gaussian",
                key => HARMLESS.contains(&key) || is_off(value),
            };
            if !known {
                return Err(format!(
                    "{key} is {value}, which is not implemented: known are r, lora_alpha, \
                     rank_pattern, alpha_pattern and use_rslora"
                ));
            }
        }
        // PEFT's default for both.
        let number = |key| {
            entries
                .get(key)
                .map_or(Ok(8.0), |value| positive(key, value))
        };
        Ok(Self {
            rank: number("r")?,
            alpha: number("lora_alpha")?,
            ranks: patterns(entries, "rank_pattern")?,
            alphas: patterns(entries, "alpha_pattern")?,
            rank_stabilised: entries.get("use_rslora") == Some(&Value::Bool(true)),
        })
    }

    /// What `up @ down` is multiplied with for the layer of a weight of this rank; the layer by its
    /// name in the checkpoint.
    pub(super) fn factor(&self, layer: &str, rank: i64) -> Result<f64, String> {
        let own = first(&self.ranks, layer).unwrap_or(self.rank);
        if own != rank as f64 {
            return Err(format!("{layer} has rank {rank}, the config says {own}"));
        }
        let alpha = first(&self.alphas, layer).unwrap_or(self.alpha);
        Ok(alpha
            / if self.rank_stabilised {
                own.sqrt()
            } else {
                own
            })
    }
}

/// What Python calls false.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

fn positive(key: &str, value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .filter(|n| *n > 0.0)
        .ok_or_else(|| format!("{key} is {value}, expected a number above 0"))
}

/// Regular expressions for the end of a layer's name (peft `get_pattern_key`), with their values.
fn patterns(entries: &Map<String, Value>, key: &str) -> Result<Vec<(Regex, f64)>, String> {
    let list = match entries.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(list)) => list,
        Some(other) => return Err(format!("{key} is {other}, expected an object")),
    };
    list.iter()
        .map(|(pattern, value)| {
            let whole = Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$"))
                .map_err(|error| format!("{key}: {pattern:?} is not understood: {error}"))?;
            Ok((whole, positive(key, value)?))
        })
        .collect()
}

/// The value of the first pattern for a layer, whose name may be written without `text_model`.
fn first(patterns: &[(Regex, f64)], layer: &str) -> Option<f64> {
    let bare = layer.strip_prefix("text_model.").unwrap_or(layer);
    let below = format!("text_model.{bare}");
    patterns
        .iter()
        .find(|(pattern, _)| [bare, &below].iter().any(|name| pattern.is_match(name)))
        .map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: &Value) -> Result<Config, String> {
        Config::new(value.as_object().unwrap())
    }

    #[test]
    fn patterns_are_tried_in_order_against_the_end_of_the_name() {
        let config = config(&json!({
            "r": 4, "lora_alpha": 2,
            "rank_pattern": {"^conv_in": 8},
            "alpha_pattern": {"attn1.to_q": 12, "to_q": 6, "^conv_in": 16},
        }))
        .unwrap();
        for (layer, rank, factor) in [
            ("mid_block.attn1.to_q", 4, 3.0),
            ("mid_block.attn2.to_q", 4, 1.5),
            ("mid_block.attn2.into_q", 4, 0.5),
            ("conv_in", 8, 2.0),
            ("other.conv_in", 4, 0.5),
        ] {
            assert_eq!(config.factor(layer, rank), Ok(factor), "{layer}");
        }
        assert!(config.factor("conv_in", 4).unwrap_err().contains("says 8"));
    }

    #[test]
    fn a_text_layer_is_known_with_and_without_text_model() {
        let config = config(&json!({"alpha_pattern": {
            "^text_model.encoder.q_proj": 16, "^encoder.k_proj": 24,
        }}))
        .unwrap();
        for prefix in ["", "text_model."] {
            let factor = |layer| config.factor(&format!("{prefix}{layer}"), 8);
            assert_eq!(factor("encoder.q_proj"), Ok(2.0));
            assert_eq!(factor("encoder.k_proj"), Ok(3.0));
            assert_eq!(factor("encoder.v_proj"), Ok(1.0));
        }
    }

    #[test]
    fn rank_stabilised_adapters_divide_by_the_root() {
        let config = config(&json!({"r": 16, "lora_alpha": 8, "use_rslora": true})).unwrap();
        assert_eq!(config.factor("conv_in", 16), Ok(2.0));
    }

    #[test]
    fn what_would_change_the_result_is_refused_by_name() {
        for (key, value) in [
            ("use_dora", json!(true)),
            ("lora_bias", json!(true)),
            ("bias", json!("all")),
            ("init_lora_weights", json!("pissa")),
            ("layer_replication", json!([[0, 4]])),
            ("peft_type", json!("LOKR")),
            ("r", json!("four")),
            ("lora_alpha", json!(-1)),
            ("alpha_pattern", json!({"(": 4})),
            ("rank_pattern", json!([4])),
            ("of_tomorrow", json!(1)),
        ] {
            let text = config(&json!({ key: value })).unwrap_err();
            assert!(text.contains(key), "{text}");
        }
    }
}
