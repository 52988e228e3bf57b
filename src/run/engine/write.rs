//! The thread that writes images and ledger lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use super::finish::Body;
use super::{EngineError, Recipe};
use crate::image_file::{self, DigitalSource, Marks, Parameters};
use crate::io::{self, IoError};
use crate::run::ledger::{Entry, Ledger};

/// One image on its way to disk.
pub(super) struct Job {
    pub(super) entry: Entry,
    pub(super) image: Option<(PathBuf, Body)>,
}

/// The writing thread: image first, then its line. Gives the hashes of the files by attempt.
pub(super) fn write_all(
    mut ledger: Ledger,
    jobs: &Receiver<Job>,
    recipe: &Recipe,
) -> Result<BTreeMap<u64, String>, EngineError> {
    let mut hashes = BTreeMap::new();
    for Job { mut entry, image } in jobs {
        if let Some((path, image)) = image {
            let marks = marks(&entry, recipe);
            let bytes = match image {
                Body::Pixels(image, format) => image_file::encode(&image, format, Some(&marks))?,
                Body::Jpeg(bytes) => image_file::add_marks_to_jpeg(bytes, &marks)?,
            };
            write(&path, &bytes)?;
            let hash = io::sha256_hex(&bytes);
            hashes.insert(entry.attempt, hash.clone());
            entry.sha256 = Some(hash);
        }
        ledger.append(&[entry])?;
    }
    Ok(hashes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    if let Some(folder) = path.parent() {
        io::create_dir_all(folder)?;
    }
    io::write_atomic(path, bytes)
}

fn marks(entry: &Entry, recipe: &Recipe) -> Marks {
    Marks {
        parameters: Parameters {
            caption: entry.caption.clone(),
            negative_prompt: recipe.negative_prompt.clone(),
            steps: recipe.steps,
            scheduler: recipe.scheduler.clone(),
            guidance: recipe.guidance,
            seed: entry.seed,
            width: entry.width,
            height: entry.height,
            model: recipe.model.clone(),
        },
        hardlight: serde_json::json!({
            "schema": 1, "run": recipe.run_id, "id": entry.id, "class": entry.class,
            "mode": entry.mode, "arm": entry.arm, "caption": entry.caption, "index": entry.index,
            "seed": entry.seed, "alignment": entry.alignment,
            "class_similarity": entry.class_similarity,
        }),
        source: DigitalSource::TrainedAlgorithmicMedia,
    }
}
