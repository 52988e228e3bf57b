//! What a run's results follow from.

use serde_json::{Value, json};

use super::data::Data;
use super::models::{Classifier, Models};
use super::own::matrix_file;
use super::settings::CheckedSettings;
use super::space::{self, Space};

/// Everything that the results of a run follow from.
pub(super) fn identity(settings: &CheckedSettings, data: &Data, models: &Models) -> Value {
    let mut value = serde_json::to_value(settings).unwrap_or(Value::Null);
    // Where the work is done is a fact, what it is done in is part of the result.
    let on = if models.place.cuda { "cuda" } else { "cpu" };
    value["generate"]["device"] = on.into();
    value["generate"]["dtype"] = models.place.dtype.clone().into();
    value["data"]["fingerprint"] = data.fingerprint().into();
    // What becomes of bad images is a fact too: who met one may go on another way.
    if let Some(data) = value["data"].as_object_mut() {
        data.remove("on_bad_image");
        data.remove("max_bad");
    }
    // Both were checked when the inputs were opened.
    let matrix = matrix_file(&data.space, settings).ok().flatten();
    let matrix = matrix.and_then(space::hash);
    let compared: Vec<_> = data.compared.iter().map(Space::hash).collect();
    let generator = models.generator.as_ref();
    value["models"] = json!({
        "clip": models.clip.as_ref().map(|clip| clip.fingerprint()),
        "classifier": models.classifier.as_deref().map(Classifier::fingerprint),
        "diffusion": generator.map(|generator| &generator.fingerprint),
        "safety": generator.and_then(|generator| generator.safety.as_ref()),
        "embeddings": matrix,
        "compared": compared,
    });
    value
}
