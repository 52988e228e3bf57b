//! A run's manifest again, with weights by alignment, and its export for other readers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::Error;
use super::saved::{self, Saved};
use crate::dataset::Split;
use crate::direction::persist;
use crate::io;
use crate::manifest::export::{Exported, Format};
use crate::manifest::weigh::{Aligned, Weighed, Weighing};
use crate::manifest::{self, Row};
use crate::run::folder::FolderError;
use crate::run::lock::FolderLock;

/// A manifest with other weights.
#[derive(Debug)]
pub struct Reweighed {
    /// What became of every class with a direction that may be acted on.
    pub weighed: Vec<Weighed>,
    /// Names of the other classes.
    pub untouched: Vec<String>,
    /// The manifest for training.
    pub manifest: PathBuf,
}

/// Writes the manifest of a run with other weights; none, and nothing written, where no class has a
/// direction that may be acted on. It begins with the originals alone where the run made none.
///
/// # Errors
///
/// Of kind input for a folder that holds no directions or whose data changed; of kind disk.
pub fn reweigh(
    context: &mut Context<'_>,
    run: &Path,
    how: Weighing,
) -> Result<Option<Reweighed>, Error> {
    let saved = Saved::open(context, run)?;
    let _lock = FolderLock::acquire(run).map_err(FolderError::from)?;
    // By class: several modes of one follow each other.
    let mut classes: Vec<usize> = saved.usable().map(|direction| direction.id.class).collect();
    classes.dedup();
    if classes.is_empty() {
        return Ok(None);
    }
    let folder = saved.layout.manifest_dir();
    let path = folder.join("train.jsonl");
    let mut rows = if path.is_file() {
        manifest::read_jsonl(&path)?
    } else {
        originals(&saved)?
    };
    let weighed = manifest::weigh::weigh(&mut rows, &classes, &alignments(&saved)?, how)?;
    io::create_dir_all(&folder)?;
    manifest::write_all(&folder, &rows)?;
    let names = saved.dataset.classes().iter().enumerate();
    Ok(Some(Reweighed {
        weighed,
        untouched: names
            .filter(|(class, _)| !classes.contains(class))
            .map(|(_, name)| name.clone())
            .collect(),
        manifest: folder.join("train.parquet"),
    }))
}

/// The training images as they are.
fn originals(saved: &Saved) -> Result<Vec<Row>, Error> {
    let dataset = &saved.dataset;
    let root = manifest::root_text(saved.layout.root(), dataset.root())?;
    Ok(saved
        .usable_data()
        .of_split(Split::Train)
        .map(|(_, example)| Row::real(example, &dataset.classes()[example.label], &root))
        .collect())
}

/// The alignment of every training image with the hardest usable mode of its class, by id.
fn alignments(saved: &Saved) -> Result<BTreeMap<String, Aligned>, Error> {
    let (ids, x) = saved.embedded(Split::Train)?;
    let mut found = BTreeMap::new();
    for (&id, x) in ids.iter().zip(x.outer_iter()) {
        let example = saved.dataset.example(id);
        let hardest = saved
            .usable()
            .filter(|direction| direction.id.class == example.label)
            .map(|direction| Aligned {
                mode: direction.id.mode,
                alignment: direction.alignment(x),
            })
            .reduce(|a, b| if b.alignment > a.alignment { b } else { a });
        if let Some(aligned) = hardest {
            found.insert(example.id.clone(), aligned);
        }
    }
    Ok(found)
}

/// Lays the images of a run's manifest out for a reader, in a new folder.
///
/// # Errors
///
/// Of kind input for a run without a manifest and for a folder that is not empty; of kind disk.
pub fn export(run: &Path, format: Format, to: &Path, copy: bool) -> Result<Exported, Error> {
    let layout = saved::layout(run)?;
    let path = layout.manifest_dir().join("train.jsonl");
    if !path.is_file() {
        let text = format!(
            "{} holds no manifest: `hardlight run` with a model makes one, or --upweight or --subset",
            layout.root().display()
        );
        return Err(Error::input(text));
    }
    let rows = manifest::read_jsonl(&path)?;
    let classes = persist::read(layout.root())?.classes;
    let root = layout.root();
    Ok(manifest::export::export(
        root, &rows, &classes, format, to, copy,
    )?)
}
