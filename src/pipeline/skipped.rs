//! What was passed over: written down, and held against what an earlier command passed over.

use std::collections::BTreeSet;

use super::context::Job;
use super::error::Error;
use crate::run::skipped::{self, Skipped, Skips};

/// Writes `skipped.jsonl`.
///
/// A mended image is taken, as a changed one is; but not once images were generated, because they
/// were judged by directions that were learned without it.
pub(super) fn write(job: &Job<'_>, skips: &Skips) -> Result<(), Error> {
    let path = job.layout.skipped();
    let found = skips.found();
    if job.layout.ledger().exists() {
        let before = skipped::read(&path)?.unwrap_or_default();
        let ids = |list: &[Skipped]| -> BTreeSet<String> {
            list.iter().map(|skipped| skipped.id.clone()).collect()
        };
        let (before, now) = (ids(&before), ids(found));
        if let Some(first) = before.symmetric_difference(&now).next() {
            let what = if now.contains(first) {
                "cannot be used any more, and could"
            } else {
                "can be used now, and could not"
            };
            let text = format!(
                "the image of {first} {what} when this run began to generate: put it back as it was, or \
                 begin anew with --force-new (embeddings stay)"
            );
            return Err(Error::input(text));
        }
    }
    Ok(skipped::write(&path, found)?)
}
