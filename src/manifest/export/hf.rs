//! `datasets.load_dataset("imagefolder", data_dir=DIR)`.
//!
//! Splits are known by the names of folders; one named `synthetic` would be passed over in silence,
//! so generated images stand among the others with `synthetic = true`. Where a `metadata.jsonl` is,
//! only what it lists is loaded, and folders no longer give labels: it has a `label` column. A
//! column whose name ends in `_file_name` would be taken for images: there is none but the key.
//!
//! Read in datasets 5.2, `packaged_modules/folder_based_builder`.

use std::path::Path;

use serde::Serialize;

use super::{ExportError, Facts, Placer, Splits};
use crate::dataset::Split;
use crate::io;

/// A line of `metadata.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    /// Where the image lies, from the folder of the table.
    file_name: String,
    #[serde(flatten)]
    facts: Facts<'a>,
}

pub(super) fn write(
    folder: &Path,
    splits: &Splits<'_>,
    place: &Placer,
) -> Result<Vec<String>, ExportError> {
    for (split, items) in splits {
        let folder = folder.join(match split {
            Split::Val => "validation",
            other => other.name(),
        });
        io::create_dir_all(&folder.join("images"))?;
        let path = folder.join("metadata.jsonl");
        let mut text = Vec::new();
        for item in items {
            let line = Line {
                file_name: format!("images/{}", item.name()),
                facts: Facts::new(item.row),
            };
            place.put(item, &folder.join(&line.file_name))?;
            serde_json::to_writer(&mut text, &line).map_err(|source| ExportError::Encode {
                path: path.clone(),
                source,
            })?;
            text.push(b'\n');
        }
        io::write_atomic(&path, &text)?;
    }
    Ok(Vec::new())
}
