//! Deciding again on a finished run, without any model: another quota, another threshold.

mod picker;
mod show;

use self::picker::Picker;
pub use self::show::{AtThreshold, Thresholds, thresholds};
use super::context::Context;
use super::decide::{Decided, read, write};
use super::error::{Error, WithContext as _};
use super::manifest::{pool_rows, synthetic_rows};
use super::outputs;
use super::settings::Filter;
use crate::io::{self, JsonFile as _};
use crate::manifest::{self, Row, Source};
use crate::preview::{SheetOptions, collect};
use crate::report::{DetectionReport, Summary};
use crate::run::RunRecord;
use crate::run::folder::{FolderError, Layout, RunFolder};
use crate::run::gallery;
use crate::run::lock::FolderLock;
use crate::run::policy::Policy;
use crate::run::pool::PoolRecord;
use crate::run::state::State;

/// The smallest alignment with which an image is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MinAlignment {
    /// The calibrated threshold of each failure mode.
    Calibrated,
    /// One for all.
    At(f64),
}

/// What is to be otherwise than before.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Change {
    /// Images to keep per failure mode.
    pub quota: Option<usize>,
    /// Smallest alignment.
    pub min_alignment: Option<MinAlignment>,
    /// Smallest lead of the own class's reference caption, in cosine.
    pub class_margin: Option<f64>,
    /// Rejected images that are shown per failure mode.
    pub keep_rejected: Option<usize>,
}

impl Change {
    /// The policy after the change.
    pub fn of(&self, policy: Policy) -> Policy {
        let mut policy = policy;
        policy.quota = self.quota.unwrap_or(policy.quota);
        policy.keep_rejected = self.keep_rejected.unwrap_or(policy.keep_rejected);
        match self.min_alignment {
            Some(MinAlignment::Calibrated) => policy.filter.min_alignment = None,
            Some(MinAlignment::At(alignment)) => policy.filter.min_alignment = Some(alignment),
            None => {}
        }
        policy.filter.class_margin = self.class_margin.unwrap_or(policy.filter.class_margin);
        policy
    }

    /// The policy after the change, which must be one that `hardlight run` takes too.
    fn checked(&self, policy: Policy) -> Result<Policy, Error> {
        let policy = self.of(policy);
        Filter::default().under(&policy.filter).check()?;
        Ok(policy)
    }
}

/// What was decided anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Redecided {
    /// Every attempt that counts.
    pub decided: Decided,
    /// What the pool gives, where the run has one.
    pub pool: Option<PoolRecord>,
    /// Whether every quota is met.
    pub complete: bool,
}

/// Decides anew on everything that a run has measured, and writes the folders of images, the tables, the
/// manifest, the summary and the contact sheets again. The policy is noted: `hardlight run` with the same
/// settings goes on from it.
///
/// Images of the pool are picked anew too, by the run's own embeddings and directions. That reads the images
/// that are looked at, so the data must be where it was; no model is asked.
///
/// # Errors
///
/// Of kind usage for a policy that no run takes; of kind input where the folder holds no finished run, where its
/// report or summary cannot be read, and where images of the pool are to be picked again and the data changed
/// or is gone. Nothing is changed then.
pub fn redecide(
    context: &mut Context<'_>,
    layout: &Layout,
    change: Change,
) -> Result<Redecided, Error> {
    let lock = FolderLock::acquire(layout.root()).map_err(FolderError::from)?;
    let mut state = read(layout)?;
    let policy = change.checked(state.policy)?;
    let table = layout.manifest_dir().join("train.jsonl");
    if !table.is_file() || !layout.summary().is_file() {
        return Err(Error::input(format!(
            "the run in {} has not ended: give its command again first, or look with --show",
            layout.root().display()
        )));
    }
    // All that is read is read before anything is written.
    let former = manifest::read_jsonl(&table)?;
    let summary = Summary::read(&layout.summary())?;
    DetectionReport::read(&layout.report())?;
    gallery::check(layout)?;
    let picked =
        match &state.pool {
            Some(record) if !record.is_under(&policy) => {
                let picked = pick(context, layout, record, &policy);
                Some(picked.context(
                    "images of the pool are to be picked again, and nothing was changed",
                )?)
            }
            _ => None,
        };
    let (record, from_pool) = picked.unzip();
    if let Some(record) = &record {
        state.pool = Some(record.clone());
    }
    let decided = write(layout, &state, policy)?;
    if let Some(record) = &record {
        record.write(&layout.pool())?;
    }
    RunFolder::set_policy(layout, &policy)?;
    let rows = rows(layout, former, from_pool, &decided)?;
    io::create_dir_all(&layout.manifest_dir())?;
    manifest::write_all(&layout.manifest_dir(), &rows)?;
    summarise(summary, &state, &decided).write(&layout.summary())?;
    collect::run(
        layout,
        collect::Amounts::default(),
        &SheetOptions::default(),
    )?;
    drop(lock);
    Ok(Redecided {
        complete: !outputs::unmet(state.pool.as_ref(), Some(&decided)),
        pool: state.pool,
        decided,
    })
}

/// What a policy takes from the pool, and its rows of the manifest.
fn pick(
    context: &mut Context<'_>,
    layout: &Layout,
    former: &PoolRecord,
    policy: &Policy,
) -> Result<(PoolRecord, Vec<Row>), Error> {
    let picker = Picker::open(context, layout, former)?;
    let record = picker.pick(context, policy)?;
    let data = picker.data();
    let root = manifest::root_text(layout.root(), data.dataset().root())?;
    let rows = pool_rows(data, &record, &root, clip(layout)?.as_deref());
    Ok((record, rows))
}

/// The manifest's rows: the training images with their weights as they were, then what the pool gives, then
/// what is kept of the generated images.
fn rows(
    layout: &Layout,
    former: Vec<Row>,
    from_pool: Option<Vec<Row>>,
    decided: &Decided,
) -> Result<Vec<Row>, Error> {
    let clip = clip(layout)?;
    let stays = |row: &Row| match row.source {
        Source::Original => true,
        Source::Pool => from_pool.is_none(),
        Source::Synthetic => false,
    };
    let mut rows: Vec<Row> = former.into_iter().filter(stays).collect();
    rows.extend(from_pool.into_iter().flatten());
    rows.extend(synthetic_rows(layout, decided, clip.as_deref()));
    Ok(rows)
}

/// The fingerprint of the run's CLIP, where it has one.
fn clip(layout: &Layout) -> Result<Option<String>, Error> {
    let record = RunRecord::read(&layout.run_json()).map_err(FolderError::from)?;
    let clip = record.identity.pointer("/embedding/clip");
    Ok(clip.and_then(|clip| clip.as_str()).map(str::to_owned))
}

/// The summary with what was decided now.
fn summarise(mut summary: Summary, state: &State, decided: &Decided) -> Summary {
    for entry in &mut summary.classes {
        let id = entry.mode.id();
        let picked = state.pool.as_ref().and_then(|record| record.of(id));
        outputs::count(entry, picked, decided.of_mode(id), decided.policy.quota);
    }
    summary
}
