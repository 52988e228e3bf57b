//! `torchvision.datasets.ImageFolder(DIR/train)`.
//!
//! It takes every folder below its root for a class, hidden ones too, and numbers them in the order
//! of their names; `class_to_idx.json`, which says what it will find, therefore lies beside the
//! roots. Where the names' order is not that of the labels, folders are called `INDEX-CLASS`. Files
//! whose ending it does not know it passes over in silence: they are refused here.
//!
//! Read in torchvision 0.26, `datasets/folder.py`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{ExportError, Placer, Splits, refuse_weights};
use crate::dataset::slug;
use crate::io;

/// The endings that torchvision takes for images.
const EXTENSIONS: [&str; 9] = [
    "jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp",
];

pub(super) fn write(
    folder: &Path,
    splits: &Splits<'_>,
    classes: &[String],
    place: &Placer,
) -> Result<Vec<String>, ExportError> {
    refuse_weights(splits, "imagefolder")?;
    let (names, notes) = folder_names(classes);
    for (split, items) in splits {
        let mut by_class: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for item in items {
            by_class.entry(item.row.label).or_default().push(item);
        }
        for (index, name) in names.iter().enumerate() {
            let Some(items) = by_class.get(&index) else {
                return Err(ExportError::MissingClass {
                    split: split.name(),
                    class: classes[index].clone(),
                });
            };
            let folder = folder.join(split.name()).join(name);
            io::create_dir_all(&folder)?;
            for item in items {
                if !EXTENSIONS.contains(&item.extension.as_str()) {
                    return Err(ExportError::Row {
                        row: item.number + 1,
                        id: item.row.id.clone(),
                        reason: format!(
                            "torchvision passes over files named like {:?} in silence: turn it into PNG, or \
                             export another format",
                            item.name()
                        ),
                    });
                }
                place.put(item, &folder.join(item.name()))?;
            }
        }
    }
    let indices: Map<String, Value> = names.iter().cloned().zip((0..).map(Value::from)).collect();
    let text = format!("{:#}\n", Value::Object(indices));
    io::write_atomic(&folder.join("class_to_idx.json"), text.as_bytes())?;
    Ok(notes)
}

/// What the folders are called, and what a user should know of that.
fn folder_names(classes: &[String]) -> (Vec<String>, Vec<String>) {
    let mut notes = Vec::new();
    let called: Vec<String> = classes.iter().map(|class| folder_name(class)).collect();
    if let Some((class, name)) = classes
        .iter()
        .zip(&called)
        .find(|(class, name)| class != name)
    {
        notes.push(format!(
            "classes that no folder can be called after have other names there: {class:?} is {name:?}"
        ));
    }
    // Python compares code points, which is what UTF-8's bytes do too.
    if called.is_sorted() {
        return (called, notes);
    }
    notes.push(
        "class folders are called INDEX-CLASS, because torchvision numbers them in the order of \
         their names, which is not that of the labels"
            .to_owned(),
    );
    let digits = classes.len().saturating_sub(1).to_string().len();
    let numbered = called.iter().enumerate();
    let names = numbered.map(|(index, class)| format!("{index:0digits$}-{class}"));
    (names.collect(), notes)
}

/// The class itself where a folder can be called so.
fn folder_name(class: &str) -> String {
    let bad = class.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|', '\0']);
    if bad || class.starts_with('.') {
        slug(class)
    } else {
        class.to_owned()
    }
}
