//! The manifest: what the classifier was trained on, and what is added to it.

use std::collections::BTreeMap;

use super::context::{Context, Job};
use super::decide::Decided;
use super::embed::Embedded;
use super::error::Error;
use super::models::Models;
use super::pool::Pooled;
use crate::dataset::{Example, Split, Usable};
use crate::generate::Arm;
use crate::io;
use crate::manifest::{self, Row};
use crate::run::folder::Layout;
use crate::run::gallery;
use crate::run::pool::{Pick, Picked, PoolRecord};

/// Writes the manifest: the training images as they are, those from the pool, hardest first, then the
/// generated ones in plan order.
///
/// # Errors
///
/// Of kind disk; of kind input for examples that a manifest cannot hold.
pub fn manifest(
    context: &mut Context<'_>,
    job: &Job<'_>,
    embedded: &Embedded,
    models: &Models,
    (pooled, decided): (Option<&Pooled>, Option<&Decided>),
) -> Result<(), Error> {
    let data = embedded.usable();
    let root = manifest::root_text(job.layout.root(), data.dataset().root())?;
    let mut rows: Vec<Row> = data
        .of_split(Split::Train)
        .map(|(id, example)| Row {
            sha256: embedded.sha256[id.index()].clone(),
            ..Row::real(example, &data.classes()[example.label], &root)
        })
        .collect();
    let originals = rows.len();
    let clip = models.clip.as_ref();
    let clip = clip.map(|clip| clip.fingerprint().to_owned());
    if let Some(Pooled { record }) = pooled {
        rows.extend(pool_rows(data, record, &root, clip.as_deref()));
    }
    let from_pool = rows.len() - originals;
    if let Some(decided) = decided {
        rows.extend(synthetic_rows(&job.layout, decided, clip.as_deref()));
    }
    let folder = job.layout.manifest_dir();
    io::create_dir_all(&folder)?;
    manifest::write_all(&folder, &rows)?;
    let pool = if pooled.is_some() {
        format!(", {from_pool} pool")
    } else {
        String::new()
    };
    context.info(format_args!(
        "manifest: {originals} original{pool} and {} synthetic images",
        rows.len() - originals - from_pool
    ));
    Ok(())
}

/// The rows of the generated images that are kept, in plan order.
pub(super) fn synthetic_rows<'a>(
    layout: &'a Layout,
    decided: &'a Decided,
    clip: Option<&'a str>,
) -> impl Iterator<Item = Row> + 'a {
    let outcomes = decided.decisions.of(Arm::Hard);
    outcomes.flat_map(move |outcome| {
        outcome.kept().map(move |decision| {
            let path = gallery::path(layout, decision);
            let file = layout.relative(&path).unwrap_or_default();
            let source = decision.measured.recipe.start.digital_source();
            Row {
                clip_fingerprint: clip.map(str::to_owned),
                ..Row::synthetic(decision, file, source)
            }
        })
    })
}

/// The rows of what the pool gave, mode by mode, hardest first.
pub(super) fn pool_rows(
    data: Usable<'_>,
    record: &PoolRecord,
    root: &str,
    clip: Option<&str>,
) -> Vec<Row> {
    let in_pool: BTreeMap<&str, &Example> = data
        .of_split(Split::Pool)
        .map(|(_, example)| (example.id.as_str(), example))
        .collect();
    let row = |picked: &Picked, pick: &Pick| {
        let example = in_pool.get(pick.id.as_str())?;
        Some(Row {
            mode: Some(picked.mode),
            alignment: Some(pick.alignment),
            threshold: Some(picked.threshold),
            class_similarity: pick.class_similarity,
            nearest_train_similarity: pick.nearest_train_similarity,
            clip_fingerprint: clip.map(str::to_owned),
            width: Some(pick.width),
            height: Some(pick.height),
            sha256: Some(pick.sha256.clone()),
            ..Row::real(example, &picked.class, root)
        })
    };
    let modes = record.modes.iter();
    let picks = modes.flat_map(|picked| picked.picks.iter().map(move |pick| (picked, pick)));
    picks
        .filter_map(|(picked, pick)| row(picked, pick))
        .collect()
}
