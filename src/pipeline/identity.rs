//! What a run's results follow from, by content.
//!
//! Null is what a command does not know, such as the model where only directions are asked for: it goes with
//! anything. One part a stage: what changes a part changes the results of that stage and of those after it. Paths are
//! in none of them, hashes of what lies there are; nor is what only decides ([`super::policy`]).

use std::path::Path;

use serde_json::{Value, json};

use super::data::Data;
use super::error::Error;
use super::models::{Classifier, Models};
use super::precomputed::matrix_file;
use super::settings::CheckedSettings;
use super::space::{self, Space};
use crate::dataset::Split;
use crate::generate::Recipe;
use crate::io;

/// Everything that the results of a run follow from.
pub(super) fn identity(
    settings: &CheckedSettings,
    data: &Data,
    models: &Models,
) -> Result<Value, Error> {
    let value = |of: &dyn Fn() -> serde_json::Result<Value>| of().map_err(Error::other);
    // Both were checked when the inputs were opened.
    let matrix = matrix_file(&data.space, settings).ok().flatten();
    let generator = models.generator.as_ref();
    let template = generator.map(|generator| generator.images.template());
    let mut identity = json!({
        "seed": settings.seed,
        "data": {
            "fingerprint": data.fingerprint(),
            "exif": settings.data.exif,
            "pool": settings.data.pool.map_or("none", Split::name),
            "score_threshold": settings.data.score_threshold.map(|rule| format!("{rule:?}")).unwrap_or_default(),
        },
        "classifier": classifier(settings, models)?,
        "embedding": {
            "space": named(&data.space),
            "compared": data.compared.iter().map(named).collect::<Vec<_>>(),
            "clip": models.clip.as_ref().map(|clip| clip.fingerprint()),
            "given": matrix.and_then(space::hash),
        },
        "directions": value(&|| serde_json::to_value(settings.direction))?,
        "captions": {
            "grammar": grammar(&settings.captions.grammar),
            "wordnet": settings.captions.wordnet.is_some(),
            "per_class": settings.captions.per_class,
            "near_equal": settings.captions.near_equal,
        },
        "images": {
            "recipe": value(&|| serde_json::to_value(template.map(Recipe::without_names)))?,
            "match_dataset": settings.filter.match_dataset,
            "safety": generator.and_then(|generator| generator.safety.as_ref()),
            "similarity": settings.filter.duplicate.similarity,
        },
    });
    // Left out where pictures start from noise, as they always did: runs from before go on.
    let generate = &settings.generate;
    if let (Some(split), Some(_)) = (generate.starts_from(), generator) {
        identity["images"]["starts"] = json!({
            "share": generate.strategies.image(),
            "from": split,
            "images": generate.start_images,
            "strength": generate.strength,
        });
    }
    Ok(identity)
}

/// A space by its kind, a matrix by its content.
fn named(space: &Space) -> Value {
    match space {
        Space::Clip | Space::Classifier => space.name().into(),
        Space::Matrix(_) => json!({"matrix": space.hash()}),
    }
}

/// The classifier with what it is given; none where predictions are.
fn classifier(settings: &CheckedSettings, models: &Models) -> Result<Value, Error> {
    let Some(classifier) = models.classifier.as_deref() else {
        return Ok("none".into());
    };
    let data = &settings.data;
    let input = (
        data.input(),
        data.classifier_resize,
        data.classifier_filter,
        data.classifier_mean,
        data.classifier_std,
        data.classifier_output,
    );
    let input = serde_json::to_value(input).map_err(Error::other)?;
    Ok(json!({"fingerprint": Classifier::fingerprint(classifier), "input": input}))
}

/// A grammar that lies in a file by its content, another by its name.
fn grammar(name: &str) -> Value {
    match io::read(Path::new(name)) {
        Ok(bytes) => json!({"sha256": io::sha256_hex(&bytes)}),
        Err(_) => name.into(),
    }
}
