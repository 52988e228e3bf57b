//! The `model_cfg` of an `open_clip_config.json`, and what of it is the plain CLIP of this room.
//!
//! `open_clip` builds many networks from the same file. Here it must describe two plain
//! transformers with a class token, learned positions and a linear projection, as those LAION
//! trained; [`super::model::Clip::open_clip`] takes their weights. A key that asks for anything else
//! is refused by name, and so is a key that `open_clip` 3.3 does not know.
//!
//! Source: `CLIPVisionCfg`, `CLIPTextCfg` and `CLIP` in `open_clip/model.py` of `open_clip` 3.3.

use std::fmt::{self, Display};

use serde_json::{Map, Value};

use super::config::{Activation, ClipConfig, MAX_SIZE, TextConfig, VisionConfig};
use crate::io::{Classified, ErrorKind};

/// Why an `open_clip_config.json` was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenClipError {
    /// It is not JSON.
    #[error("it is not valid JSON")]
    Json(#[from] serde_json::Error),

    /// A value is missing, of the wrong type, or asks for another network.
    #[error("{key} is {found}, expected {expected}")]
    Setting {
        /// The key, with dots between its levels.
        key: String,
        /// Its value as JSON, or "missing".
        found: String,
        /// What is understood.
        expected: String,
    },
}

impl Classified for OpenClipError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// A section of the file.
struct Section<'a> {
    name: &'static str,
    keys: &'a Map<String, Value>,
}

/// The one value of a key that changes nothing; null is always one.
#[derive(Debug, Clone, Copy)]
enum Only {
    Null,
    False,
    Name(&'static str),
}

impl Only {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::False => *value == false,
            Self::Name(name) => *value == name,
        }
    }
}

impl Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::False => f.write_str("false"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// Of a block; both towers have them.
const BLOCK: [(&str, Only); 12] = [
    ("ls_init_value", Only::Null),
    ("act_kwargs", Only::Null),
    ("norm_kwargs", Only::Null),
    ("output_tokens", Only::False),
    ("final_ln_after_pool", Only::False),
    ("block_type", Only::Name("default")),
    ("qk_norm", Only::False),
    ("scaled_cosine_attn", Only::False),
    ("scale_heads", Only::False),
    ("scale_attn_inner", Only::False),
    ("scale_attn", Only::False),
    ("scale_fc", Only::False),
];

const MODEL_READ: [&str; 4] = ["embed_dim", "quick_gelu", "vision_cfg", "text_cfg"];
const MODEL: [(&str, Only); 4] = [
    ("custom_text", Only::False),
    ("init_logit_bias", Only::Null),
    ("nonscalar_logit_scale", Only::False),
    ("multimodal_cfg", Only::Null),
];
/// The initial temperature; the weights hold the learned one.
const MODEL_UNUSED: [&str; 1] = ["init_logit_scale"];

const VISION_READ: [&str; 6] = [
    "image_size",
    "patch_size",
    "width",
    "layers",
    "head_width",
    "mlp_ratio",
];
const VISION: [(&str, Only); 5] = [
    ("timm_model_name", Only::Null),
    ("attentional_pool", Only::False),
    ("no_ln_pre", Only::False),
    ("pos_embed_type", Only::Name("learnable")),
    ("pool_type", Only::Name("tok")),
];
/// Patches are dropped in training alone; the others are of what is refused above.
const VISION_UNUSED: [&str; 9] = [
    "patch_dropout",
    "attn_pooler_queries",
    "attn_pooler_heads",
    "timm_model_pretrained",
    "timm_pool",
    "timm_proj",
    "timm_proj_bias",
    "timm_drop",
    "timm_drop_path",
];

const TEXT_READ: [&str; 6] = [
    "context_length",
    "vocab_size",
    "width",
    "heads",
    "layers",
    "mlp_ratio",
];
const TEXT: [(&str, Only); 6] = [
    ("hf_model_name", Only::Null),
    ("embed_cls", Only::False),
    ("no_causal_mask", Only::False),
    ("pool_type", Only::Name("argmax")),
    ("proj_bias", Only::False),
    ("proj_type", Only::Name("linear")),
];
/// The tokenizer's, and those of what is refused above.
const TEXT_UNUSED: [&str; 8] = [
    "hf_tokenizer_name",
    "tokenizer_mode",
    "tokenizer_kwargs",
    "pad_id",
    "eos_id",
    "hf_model_pretrained",
    "hf_proj_type",
    "hf_pooler_type",
];

/// Reads the text of an `open_clip_config.json`; the result pools captions at their largest id, as
/// `open_clip` does.
///
/// # Errors
///
/// [`OpenClipError`], naming the key.
pub fn parse(text: &str) -> Result<ClipConfig, OpenClipError> {
    let file: Value = serde_json::from_str(text)?;
    let model = Section::new("model_cfg", file.get("model_cfg"))?;
    let vision = Section::new("model_cfg.vision_cfg", model.keys.get("vision_cfg"))?;
    let text = Section::new("model_cfg.text_cfg", model.keys.get("text_cfg"))?;
    model.check(&MODEL_READ, &[&MODEL], &MODEL_UNUSED)?;
    vision.check(&VISION_READ, &[&VISION, &BLOCK], &VISION_UNUSED)?;
    text.check(&TEXT_READ, &[&TEXT, &BLOCK], &TEXT_UNUSED)?;

    let projection_dim = model.size("embed_dim", None)?;
    let hidden_act = if model.flag("quick_gelu")? {
        Activation::QuickGelu
    } else {
        Activation::Gelu
    };
    let vision_config = vision_config(&vision, projection_dim, hidden_act)?;
    let text_config = text_config(&text, projection_dim, hidden_act)?;
    if vision_config.patch_size > vision_config.image_size {
        return Err(vision.wrong("patch_size", "at most image_size"));
    }
    Ok(ClipConfig {
        projection_dim,
        text_config,
        vision_config,
    })
}

/// Defaults are those of `CLIPVisionCfg`.
fn vision_config(
    vision: &Section<'_>,
    projection_dim: i64,
    hidden_act: Activation,
) -> Result<VisionConfig, OpenClipError> {
    let (width, head) = (
        vision.size("width", Some(768))?,
        vision.size("head_width", Some(64))?,
    );
    if width % head != 0 {
        return Err(vision.wrong("head_width", &format!("a divisor of the width ({width})")));
    }
    Ok(VisionConfig {
        hidden_size: width,
        intermediate_size: vision.inner(width)?,
        num_hidden_layers: vision.size("layers", Some(12))?,
        num_attention_heads: width / head,
        image_size: vision.size("image_size", Some(224))?,
        patch_size: vision.size("patch_size", Some(16))?,
        num_channels: 3,
        hidden_act,
        layer_norm_eps: 1e-5,
        projection_dim,
    })
}

/// Defaults are those of `CLIPTextCfg`.
fn text_config(
    text: &Section<'_>,
    projection_dim: i64,
    hidden_act: Activation,
) -> Result<TextConfig, OpenClipError> {
    let (width, heads) = (text.size("width", Some(512))?, text.size("heads", Some(8))?);
    if width % heads != 0 {
        return Err(text.wrong("heads", &format!("a divisor of the width ({width})")));
    }
    Ok(TextConfig {
        vocab_size: text.size("vocab_size", Some(49408))?,
        hidden_size: width,
        intermediate_size: text.inner(width)?,
        num_hidden_layers: text.size("layers", Some(12))?,
        num_attention_heads: heads,
        max_position_embeddings: text.size("context_length", Some(77))?,
        hidden_act,
        layer_norm_eps: 1e-5,
        // "The largest id", as Transformers' old configs say it.
        eos_token_id: 2,
        projection_dim,
    })
}

impl<'a> Section<'a> {
    fn new(name: &'static str, value: Option<&'a Value>) -> Result<Self, OpenClipError> {
        match value {
            Some(Value::Object(keys)) => Ok(Self { name, keys }),
            other => Err(OpenClipError::Setting {
                key: name.to_owned(),
                found: found(other),
                expected: "an object, as open_clip writes it".to_owned(),
            }),
        }
    }

    /// Refuses what asks for another network, and keys that nobody knows.
    fn check(
        &self,
        read: &[&str],
        neutral: &[&[(&str, Only)]],
        unused: &[&str],
    ) -> Result<(), OpenClipError> {
        for (key, value) in self.keys {
            let name = key.as_str();
            if read.contains(&name) || unused.contains(&name) || value.is_null() {
                continue;
            }
            let Some((_, only)) = neutral.iter().copied().flatten().find(|(k, _)| *k == name)
            else {
                return Err(self.wrong(name, "no such key: open_clip 3.3 does not know it"));
            };
            if !only.is(value) {
                let expected = format!("{only}: other kinds of network are not supported");
                return Err(self.wrong(name, &expected));
            }
        }
        Ok(())
    }

    fn wrong(&self, key: &str, expected: &str) -> OpenClipError {
        OpenClipError::Setting {
            key: format!("{}.{key}", self.name),
            found: found(self.keys.get(key)),
            expected: expected.to_owned(),
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    fn flag(&self, key: &str) -> Result<bool, OpenClipError> {
        match self.get(key) {
            None => Ok(false),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "true or false")),
        }
    }

    /// One size; a list is a tower of residual blocks (`layers`) or an image that is not square.
    fn size(&self, key: &str, default: Option<i64>) -> Result<i64, OpenClipError> {
        let size = match self.get(key) {
            None => default,
            Some(value) => value.as_i64(),
        };
        size.filter(|n| (1..=MAX_SIZE).contains(n))
            .ok_or_else(|| self.wrong(key, &format!("one whole number from 1 to {MAX_SIZE}")))
    }

    /// Width between the two layers of a block.
    fn inner(&self, width: i64) -> Result<i64, OpenClipError> {
        let ratio = match self.get("mlp_ratio") {
            None => Some(4.0),
            Some(value) => value.as_f64(),
        };
        ratio
            // Truncated, as Python's `int` does.
            .map(|ratio| (width as f64 * ratio) as i64)
            .filter(|inner| (1..=MAX_SIZE).contains(inner))
            .ok_or_else(|| self.wrong("mlp_ratio", "a positive number, such as 4.0"))
    }
}

fn found(value: Option<&Value>) -> String {
    value.map_or_else(|| "missing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(edit: impl FnOnce(&mut Value)) -> Result<ClipConfig, OpenClipError> {
        let mut file = json!({
            "model_cfg": {
                "embed_dim": 1024,
                "vision_cfg": {"image_size": 224, "layers": 32, "width": 1280, "head_width": 80, "patch_size": 14},
                "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 1024, "heads": 16, "layers": 24},
            },
            "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
        });
        edit(&mut file["model_cfg"]);
        parse(&file.to_string())
    }

    #[test]
    fn the_vit_h_14_of_laion() {
        let config = of(|_| ()).unwrap();
        let (text, vision) = (&config.text_config, &config.vision_config);
        assert_eq!(config.projection_dim, 1024);
        assert_eq!(
            (vision.num_attention_heads, vision.intermediate_size),
            (16, 5120)
        );
        assert_eq!(
            (text.num_attention_heads, text.intermediate_size),
            (16, 4096)
        );
        assert_eq!(
            (vision.hidden_act, text.eos_token_id),
            (Activation::Gelu, 2)
        );
    }

    #[test]
    fn quick_gelu_is_as_the_file_says() {
        let config = of(|model| model["quick_gelu"] = true.into()).unwrap();
        assert_eq!(config.text_config.hidden_act, Activation::QuickGelu);
        assert_eq!(config.vision_config.hidden_act, Activation::QuickGelu);
    }

    #[test]
    fn what_changes_nothing_is_let_through() {
        let plain = of(|_| ()).unwrap();
        let config = of(|model| {
            model["custom_text"] = false.into();
            model["init_logit_scale"] = 2.6.into();
            model["vision_cfg"]["timm_model_name"] = Value::Null;
            model["vision_cfg"]["patch_dropout"] = 0.5.into();
            model["text_cfg"]["pool_type"] = "argmax".into();
            model["text_cfg"]["mlp_ratio"] = 4.0.into();
        });
        assert_eq!(config.unwrap(), plain);
    }

    #[test]
    fn other_networks_are_refused_by_key() {
        let cases: [(&str, &str, Value); 16] = [
            ("", "custom_text", true.into()),
            ("", "init_logit_bias", (-10).into()),
            ("", "multimodal_cfg", json!({"width": 512})),
            ("", "embed_dim", 0.into()),
            ("", "quick_gelu", "yes".into()),
            (
                "vision_cfg",
                "timm_model_name",
                "vit_base_patch16_siglip_224".into(),
            ),
            ("vision_cfg", "attentional_pool", true.into()),
            ("vision_cfg", "no_ln_pre", true.into()),
            ("vision_cfg", "layers", json!([3, 4, 6, 3])),
            ("vision_cfg", "head_width", 7.into()),
            ("vision_cfg", "patch_size", 300.into()),
            ("vision_cfg", "norm_kwargs", json!({"eps": 1e-6})),
            ("text_cfg", "hf_model_name", "roberta-base".into()),
            ("text_cfg", "no_causal_mask", true.into()),
            ("text_cfg", "width", (-8).into()),
            ("text_cfg", "something_new", 1.into()),
        ];
        for (section, key, value) in cases {
            let error = of(|model| {
                let keys = if section.is_empty() {
                    model
                } else {
                    &mut model[section]
                };
                keys[key] = value.clone();
            });
            match error.unwrap_err() {
                OpenClipError::Setting {
                    key: named, found, ..
                } => {
                    assert!(
                        named.ends_with(&format!("{section}.{key}").trim_start_matches('.')),
                        "{named}"
                    );
                    assert_eq!(found, value.to_string());
                }
                other => panic!("{other}"),
            }
        }
        let error = of(|model| *model = Value::Null).unwrap_err();
        assert!(
            error.to_string().starts_with("model_cfg is null"),
            "{error}"
        );
    }
}
