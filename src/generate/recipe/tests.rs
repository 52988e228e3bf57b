use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// Some recipe with a value in every field.
pub(crate) fn recipe(seed: u64) -> Recipe {
    Recipe {
        model: ModelRecord {
            name: "sd".to_owned(),
            fingerprint: "0123456789abcdef".to_owned(),
            dtype: "fp16".to_owned(),
            vae_dtype: "fp32".to_owned(),
            adapters: vec![AdapterRecord {
                name: "style.safetensors".to_owned(),
                sha256: "ab".repeat(32),
                scale: 0.8,
            }],
        },
        caption: "a \"cat\", at\r\nnight \u{1f408}".to_owned(),
        negative_prompt: "blurry".to_owned(),
        long_prompts: LongPrompts::Cut,
        seed,
        steps: 20,
        guidance: 7.5,
        scheduler: SchedulerRecord {
            name: "ddim".to_owned(),
            settings: BTreeMap::from([
                ("eta".to_owned(), 0.0.into()),
                ("timestep_spacing".to_owned(), "leading".into()),
                ("use_karras_sigmas".to_owned(), false.into()),
            ]),
        },
        width: 512,
        height: 384,
        start: Start::Image {
            source: ImageRef {
                id: "train/cat/1.png".to_owned(),
                sha256: "cd".repeat(32),
            },
            strength: 0.5,
        },
        condition: Some(Condition {
            sha256: "ef".repeat(32),
            noise_level: 3,
        }),
        output: Output {
            width: 64,
            height: 48,
            format: FileFormat::Jpeg,
        },
    }
}

/// Every value of a tree by its path, with a way to change it.
fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(table) => table
            .iter()
            .for_each(|(key, value)| leaves(value, format!("{path}/{key}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| leaves(value, format!("{path}/{at}"), found)),
        _ => found.push(path),
    }
}

#[test]
fn every_field_but_names_changes_the_id() {
    let recipe = recipe(7);
    let tree = serde_json::to_value(&recipe).unwrap();
    let mut paths = Vec::new();
    leaves(&tree, String::new(), &mut paths);
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        let mut changed = tree.clone();
        let leaf = changed.pointer_mut(&path).unwrap();
        *leaf = match &*leaf {
            Value::String(_) if path == "/start/from" => continue,
            Value::String(_) if path == "/output/format" => "png".into(),
            Value::String(text) => format!("{text}x").into(),
            Value::Bool(flag) => (!flag).into(),
            Value::Number(n) if n.is_f64() => (n.as_f64().unwrap() + 0.125).into(),
            Value::Number(n) => (n.as_u64().unwrap() + 1).into(),
            other => panic!("{path}: {other}"),
        };
        let other: Recipe = serde_json::from_value(changed).unwrap();
        let is_name =
            path == "/model/name" || path == "/model/adapters/0/name" || path == "/start/source/id";
        assert_eq!(other.id() == recipe.id(), is_name, "{path}");
    }
    let mut without = recipe.clone();
    without.model.adapters.clear();
    assert_ne!(without.id(), recipe.id());
    // Left out of the text where it is what recipes always did.
    let mut chunks = recipe.clone();
    chunks.long_prompts = LongPrompts::Chunks;
    assert_ne!(chunks.id(), recipe.id());
    let text = serde_json::to_string(&chunks).unwrap();
    assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), chunks);
    for start in [
        Start::Noise,
        Start::Masked {
            source: ImageRef {
                id: String::new(),
                sha256: "cd".repeat(32),
            },
            mask: ImageRef {
                id: String::new(),
                sha256: "cd".repeat(32),
            },
            strength: 0.5,
        },
    ] {
        let other = Recipe {
            start,
            ..recipe.clone()
        };
        assert_ne!(other.id(), recipe.id());
    }
}

#[test]
fn a_recipe_comes_back_from_json_with_its_id() {
    let recipe = recipe((1 << 48) - 1);
    let text = serde_json::to_string(&recipe).unwrap();
    let back: Recipe = serde_json::from_str(&text).unwrap();
    assert_eq!((&back, back.id()), (&recipe, recipe.id()));
    assert_eq!(AttemptId::parse(recipe.id().as_str()), Some(recipe.id()));
    assert_eq!(AttemptId::parse("no id"), None);
}

#[test]
fn what_differs_is_named_and_captions_seeds_and_names_do_not() {
    let own = recipe(1);
    let mut other = own.draw("another", 2);
    other.model.name = "elsewhere".to_owned();
    assert_eq!(own.differs(&other), None);
    other.steps = 21;
    let expected = ("steps", "20".to_owned(), "21".to_owned());
    assert_eq!(own.differs(&other), Some(expected));
}

#[test]
fn numbers_without_a_json_form_are_named() {
    let mut recipe = recipe(0);
    assert_eq!(recipe.non_finite(), None);
    recipe.model.adapters[0].scale = f64::INFINITY;
    assert_eq!(recipe.non_finite(), Some(("scale", f64::INFINITY)));
    recipe.guidance = f64::NEG_INFINITY;
    assert_eq!(recipe.non_finite().unwrap().0, "guidance");
}
