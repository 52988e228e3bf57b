//! Trainings side by side, kept as they come.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use crate::io;
use crate::pipeline::context::StopCheck;
use crate::pipeline::error::Error;
use crate::world::retrain::Accuracy;

/// What trainings came to, by [`key`]; kept in a file, so that a stopped demo goes on.
pub(super) struct Results {
    path: PathBuf,
    known: BTreeMap<String, Accuracy>,
}

impl Results {
    /// Those of an earlier command, if there are any.
    pub(super) fn read(run: &Path) -> Self {
        let path = run.join("retraining.json");
        let known = io::read_to_string(&path).ok();
        let known = known.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            path,
            known: known.unwrap_or_default(),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.known.contains_key(key)
    }

    pub(super) fn add(&mut self, key: String, accuracy: Accuracy) -> Result<(), Error> {
        self.known.insert(key, accuracy);
        let json = serde_json::to_string_pretty(&self.known).map_err(Error::other)?;
        Ok(io::write_atomic(&self.path, json.as_bytes())?)
    }

    pub(super) fn known(&self) -> &BTreeMap<String, Accuracy> {
        &self.known
    }
}

/// The name of a training among the results.
pub(super) fn key(arm: &str, seed: u64, per_class: usize) -> String {
    format!("{arm}/{seed}/{per_class}")
}

/// Works jobs off, as many at once as there are cores, each on one libtorch thread: a small network
/// leaves no work for a second. `done` hears of them as they end.
pub(super) fn side_by_side<J: Sync, R: Send>(
    jobs: &[J],
    stop: StopCheck<'_>,
    work: &(dyn Fn(&J) -> R + Sync),
    mut done: impl FnMut(&J, R) -> Result<(), Error>,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(jobs.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                tch::set_num_threads(1);
                while !stop() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { break };
                    if sender.send((at, work(job))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (at, result) in receiver {
            done(&jobs[at], result)?;
        }
        Ok(())
    })
}
