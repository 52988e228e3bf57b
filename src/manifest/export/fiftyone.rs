//! `fiftyone.types.FiftyOneImageClassificationDataset`, a folder a split.
//!
//! `labels.json` names every class in the order of labels, and gives a class index to every file in
//! `data/` by its name without the ending.
//!
//! Read in fiftyone 1.22, `utils/data/importers.py`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{ExportError, Placer, Splits, refuse_weights};
use crate::io;

pub(super) fn write(
    folder: &Path,
    splits: &Splits<'_>,
    classes: &[String],
    place: &Placer,
) -> Result<Vec<String>, ExportError> {
    refuse_weights(splits, "fiftyone")?;
    for (split, items) in splits {
        let folder = folder.join(split.name());
        io::create_dir_all(&folder.join("data"))?;
        let mut labels = Map::new();
        for item in items {
            place.put(item, &folder.join("data").join(item.name()))?;
            labels.insert(item.stem.clone(), item.row.label.into());
        }
        let text = json!({ "classes": classes, "labels": Value::Object(labels) });
        io::write_atomic(&folder.join("labels.json"), format!("{text}\n").as_bytes())?;
    }
    Ok(Vec::new())
}
