//! Models from the Hugging Face hub: ids, the cache that Python shares, downloads that resume.
//!
//! ```text
//! org/name@revision ──cache──▶ snapshot folder
//!        └──listing──▶ plan ──▶ blobs (hash checked) ──▶ links in a snapshot ──▶ ref
//! ```
//!
//! [`resolve`] takes a folder or an id wherever a folder is accepted and asks the network only if
//! the cache lacks something; [`fetch`] always asks what the revision is now. Both fetch no more
//! than the model needs, and give a path under which it lies as a folder the user made would.
//!
//! - A file has its name only when it is whole and its SHA-256 (large files) or git hash (small
//!   ones) is the one that the hub gave. What arrived before that stays in `blobs/HASH.incomplete`
//!   and is continued by a range request. A file without such a hash is refused.
//! - The commit comes from the listing, and every file is asked for at that commit. The ref is
//!   written last: until then the cache answers with the commit before.
//! - The token goes to the endpoint's scheme, host and port, and is not sent along a redirect to
//!   another. It is in no message.
//! - Offline, no socket is opened.
//!
//! The crate `hf-hub` 0.5 would do none of this but the layout: it checks no hash, trusts the length
//! of what it resumes, does not know `HF_HUB_OFFLINE` or `HF_HUB_CACHE`, and makes errors of a
//! server panics; 1.0 brings an asynchronous runtime. Its transport, `ureq`, is used directly.
//!
//! Imports [`crate::io`] alone.

mod cache;
mod download;
mod env;
mod error;
mod http;
mod id;
mod online;
mod plan;

pub use self::env::{Env, Token};
pub use self::error::HubError;
pub use self::id::Id;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::cache::Cache;
use self::online::Online;
use self::plan::{Files, Plan, plan};
use crate::io;

/// No JSON file that tells what a model needs is longer, bytes.
const LONGEST_JSON: u64 = 64 << 20;

/// What a model is to be used as; that decides which files are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A Diffusers pipeline: a folder with `model_index.json`.
    Pipeline {
        /// Whether weights of half precision are preferred (`fp16` variants).
        half: bool,
        /// Whether the safety checker is needed.
        safety: bool,
    },
    /// A folder of Transformers' CLIP or `SigLIP`, or of open_clip.
    Clip,
    /// One `.safetensors` file.
    Lora,
    /// Whichever of these the repository holds.
    Any {
        /// As for a pipeline.
        half: bool,
        /// As for a pipeline.
        safety: bool,
    },
}

/// How far a download is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The file at work.
    pub file: &'a str,
    /// Bytes of all weights that are there, those of earlier attempts included.
    pub done: u64,
    /// Bytes of all weights that were not there at the start.
    pub total: u64,
}

/// The caller, while something is fetched.
pub trait Watch {
    /// More has arrived.
    fn progress(&mut self, at: Progress<'_>);

    /// Something the user should know.
    fn warn(&mut self, text: &str);

    /// Whether to stop; asked between pieces of 256 KiB at most.
    fn stopped(&self) -> bool;
}

/// A file that a model needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the repository.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Whether the cache has it.
    pub cached: bool,
}

/// The folder (of a LoRA: the file) that a path or a hub id means.
///
/// An existing path wins. Else what begins with `hf:` or has the shape `org/name` is a hub id: the
/// cache is used if it has all that is wanted, without asking the network; else what lacks is
/// fetched. Anything else comes back as it is, for its reader to say that it is missing.
///
/// # Errors
///
/// [`HubError`]; [`HubError::NoFolder`] around it where a folder may have been meant.
pub fn resolve(
    given: &Path,
    want: &Want,
    env: &Env,
    watch: &mut dyn Watch,
) -> Result<PathBuf, HubError> {
    let text = given.to_str().filter(|_| !given.exists());
    let Some(id) = text.map(Id::in_place_of_a_path).transpose()?.flatten() else {
        return Ok(given.to_path_buf());
    };
    if let Ok(path) = from_cache(&id, want, env, false) {
        return Ok(path);
    }
    get(&id, want, env, watch).map_err(|error| match error {
        HubError::Stopped | HubError::Io(_) => error,
        _ if given.to_string_lossy().starts_with("hf:") => error,
        _ => HubError::NoFolder {
            path: given.to_path_buf(),
            source: Box::new(error),
        },
    })
}

/// Brings what is wanted into the cache and gives its folder (of a LoRA: the file).
///
/// The hub is asked which commit the revision is now, and only what the cache lacks is downloaded.
/// Offline, or if the hub cannot be reached, the cache alone must do.
///
/// # Errors
///
/// [`HubError`].
pub fn fetch(id: &Id, want: &Want, env: &Env, watch: &mut dyn Watch) -> Result<PathBuf, HubError> {
    get(id, want, env, watch)
}

/// What [`fetch`] would need, weights last; only the JSON files that tell it are downloaded.
///
/// # Errors
///
/// As [`fetch`]; the hub must be there.
pub fn list(
    id: &Id,
    want: &Want,
    env: &Env,
    watch: &mut dyn Watch,
) -> Result<Vec<Listed>, HubError> {
    if env.offline {
        return Err(offline(id, env, "the hub is not asked".to_owned()));
    }
    let mut online = Online::open(id, env, watch)?;
    let plan = plan(id, want, true, &mut online)?;
    online.listed(&plan)
}

fn get(id: &Id, want: &Want, env: &Env, watch: &mut dyn Watch) -> Result<PathBuf, HubError> {
    if env.offline {
        return from_cache(id, want, env, true).map_err(|error| match error {
            HubError::Missing { file, .. } => offline(id, env, format!("no {file}")),
            HubError::Pickle { wanted, .. } => offline(id, env, format!("no {wanted}")),
            error => error,
        });
    }
    let fetched = download(id, want, env, watch);
    match fetched {
        // The cache does as well, as it does in Python.
        Err(error) if error.is_network() || matches!(error, HubError::Denied { .. }) => {
            let Ok(path) = from_cache(id, want, env, true) else {
                return Err(error);
            };
            watch.warn(&format!("using the cache, which may be older: {error}"));
            Ok(path)
        }
        other => other,
    }
}

fn offline(id: &Id, env: &Env, missing: String) -> HubError {
    HubError::Offline {
        id: id.clone(),
        cache: env.cache.clone(),
        missing,
    }
}

fn download(id: &Id, want: &Want, env: &Env, watch: &mut dyn Watch) -> Result<PathBuf, HubError> {
    let mut online = Online::open(id, env, watch)?;
    let plan = plan(id, want, true, &mut online)?;
    online.warn_of_variants(&plan, want);
    online.bring(&plan)?;
    Ok(path(&online.into_snapshot(), plan))
}

fn path(snapshot: &Path, plan: Plan) -> PathBuf {
    match plan.file {
        Some(file) => snapshot.join(file),
        None => snapshot.to_path_buf(),
    }
}

/// What the cache has; with `lenient` whatever would do, else only what the hub could not better.
fn from_cache(id: &Id, want: &Want, env: &Env, lenient: bool) -> Result<PathBuf, HubError> {
    let cache = Cache::new(&env.cache, id);
    let missing = |file: String| HubError::Missing {
        id: id.clone(),
        file,
        reason: "it was not fetched",
    };
    let commit = cache
        .commit(id.revision())
        .ok_or_else(|| missing("snapshot".to_owned()))?;
    let mut cached = Cached {
        cache: &cache,
        commit: &commit,
    };
    let plan = plan(id, want, lenient, &mut cached)?;
    let unknown = plan
        .absent
        .iter()
        .find(|file| !cache.knows_absent(&commit, file));
    match unknown {
        Some(file) if !lenient => Err(missing(file.clone())),
        _ => Ok(path(&cache.snapshot(&commit), plan)),
    }
}

/// The files of a snapshot.
struct Cached<'a> {
    cache: &'a Cache,
    commit: &'a str,
}

impl Files for Cached<'_> {
    fn has(&self, name: &str) -> bool {
        self.cache.has(self.commit, name)
    }

    fn names(&self) -> Vec<String> {
        self.cache.files(self.commit).into_iter().collect()
    }

    fn json(&mut self, name: &str) -> Result<Value, HubError> {
        read_json(&self.cache.snapshot(self.commit).join(name))
    }
}

fn read_json(path: &Path) -> Result<Value, HubError> {
    let bytes = io::read_at_most(path, LONGEST_JSON)?;
    serde_json::from_slice(&bytes).map_err(|source| {
        HubError::Io(io::IoError::Json {
            path: path.to_path_buf(),
            line: source.line(),
            source,
        })
    })
}
