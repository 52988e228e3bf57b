//! A revision as the hub has it, and how its files come into the cache.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::cache::Cache;
use super::download::{Blob, Hash, download};
use super::http::{Client, answer};
use super::id::{is_commit, is_file_name};
use super::plan::{Files, Plan};
use super::{Env, HubError, Id, Listed, Progress, Want, Watch, read_json};

/// No list of files is longer, bytes.
const LONGEST_LIST: u64 = 64 << 20;

/// The hub's answer about a revision.
#[derive(Debug, Deserialize)]
struct Info {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

/// How a file is known and how long it is.
#[derive(Debug, Clone)]
struct Entry {
    hash: Hash,
    size: u64,
}

impl Sibling {
    /// What the list says; a mirror may say nothing.
    fn entry(&self) -> Option<Entry> {
        let (digits, size) = match &self.lfs {
            Some(lfs) => (&lfs.sha256, lfs.size),
            None => (self.blob_id.as_ref()?, self.size?),
        };
        let hash = Hash::new(digits)?;
        Some(Entry { hash, size })
    }
}

/// A revision on the hub, with the repository's cache.
pub(super) struct Online<'a> {
    id: &'a Id,
    client: Client,
    cache: Cache,
    watch: &'a mut dyn Watch,
    commit: String,
    files: BTreeMap<String, Option<Entry>>,
}

impl<'a> Online<'a> {
    /// Asks what the revision consists of.
    pub(super) fn open(id: &'a Id, env: &Env, watch: &'a mut dyn Watch) -> Result<Self, HubError> {
        let client = Client::new(env)?;
        let url = client.listing_url(id);
        let bytes = client.retrying(watch, |_| client.get(id, &url, LONGEST_LIST))?;
        let info: Info =
            serde_json::from_slice(&bytes).map_err(|error| answer(&url, error.to_string()))?;
        if !is_commit(&info.sha) {
            return Err(answer(&url, format!("{:?} is no commit", info.sha)));
        }
        let mut files = BTreeMap::new();
        for file in info.siblings {
            if !is_file_name(&file.rfilename) {
                let reason = format!("{:?} would leave the cache", file.rfilename);
                return Err(answer(&url, reason));
            }
            let entry = file.entry();
            files.insert(file.rfilename, entry);
        }
        Ok(Self {
            id,
            client,
            cache: Cache::new(&env.cache, id),
            watch,
            commit: info.sha,
            files,
        })
    }

    pub(super) fn into_snapshot(self) -> PathBuf {
        self.cache.snapshot(&self.commit)
    }

    /// Says which parts have only the other precision.
    pub(super) fn warn_of_variants(&mut self, plan: &Plan, want: &Want) {
        if plan.without_variant.is_empty() {
            return;
        }
        let (wanted, taken) = match want {
            Want::Pipeline { half: true, .. } | Want::Any { half: true, .. } => ("fp16", "plain"),
            _ => ("plain", "fp16"),
        };
        let parts = plan.without_variant.join(", ");
        let id = self.id;
        self.watch.warn(&format!(
            "{id} has no {wanted} weights of {parts}: the {taken} ones are taken"
        ));
    }

    /// Names, sizes and whether they are there of all files of a plan.
    pub(super) fn listed(&mut self, plan: &Plan) -> Result<Vec<Listed>, HubError> {
        let mut all = Vec::new();
        for name in plan.small.iter().chain(&plan.weights) {
            let entry = self.entry(name)?;
            all.push(Listed {
                cached: self.is_here(name, &entry),
                name: name.clone(),
                size: entry.size,
            });
        }
        Ok(all)
    }

    /// Downloads what a plan names and the cache lacks, then notes the commit.
    pub(super) fn bring(&mut self, plan: &Plan) -> Result<(), HubError> {
        for name in &plan.small {
            self.bring_one(name, None)?;
        }
        let mut total = 0;
        for name in &plan.weights {
            let entry = self.entry(name)?;
            if !self.is_here(name, &entry) {
                total += entry.size;
            }
        }
        let mut before = 0;
        for name in &plan.weights {
            before += self.bring_one(name, Some((before, total)))?;
        }
        if let Err(error) = self.note(plan) {
            // The model is there all the same; a cache may be for reading only.
            self.watch
                .warn(&format!("the hub will be asked again next time: {error}"));
        }
        Ok(())
    }

    /// Notes what spares the next one a request.
    fn note(&self, plan: &Plan) -> Result<(), HubError> {
        for name in &plan.absent {
            self.cache.note_absent(&self.commit, name)?;
        }
        self.cache.note_commit(self.id.revision(), &self.commit)
    }

    fn is_here(&self, name: &str, entry: &Entry) -> bool {
        self.cache.has(&self.commit, name) || self.cache.blob(entry.hash.digits()).is_file()
    }

    /// Downloads a file unless it is there; gives the bytes that were lacking at the start.
    fn bring_one(&mut self, name: &str, of: Option<(u64, u64)>) -> Result<u64, HubError> {
        if self.cache.has(&self.commit, name) {
            return Ok(0);
        }
        let entry = self.entry(name)?;
        let lacking = !self.is_here(name, &entry);
        let url = self.client.file_url(self.id, &self.commit, name);
        let blob = Blob {
            id: self.id,
            file: name,
            url: &url,
            hash: &entry.hash,
            size: entry.size,
        };
        let tell = |watch: &mut dyn Watch, have: u64| {
            if let Some((before, total)) = of {
                let (file, done) = (name, before + have);
                watch.progress(Progress { file, done, total });
            }
        };
        download(&self.client, &self.cache, &blob, self.watch, &tell)?;
        self.cache.link(&self.commit, name, entry.hash.digits())?;
        Ok(if lacking { entry.size } else { 0 })
    }

    /// Hash and size of a file, from the list or else from the file's own headers.
    fn entry(&mut self, name: &str) -> Result<Entry, HubError> {
        if let Some(Some(entry)) = self.files.get(name) {
            return Ok(entry.clone());
        }
        let url = self.client.file_url(self.id, &self.commit, name);
        let (client, id) = (&self.client, self.id);
        let headers = client.retrying(self.watch, |_| client.head(id, &url))?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let either = |linked, own| text(linked).or_else(|| text(own));
        let hash = either("x-linked-etag", "etag").and_then(|tag| {
            // A weak tag still holds the digits.
            Hash::new(tag.trim_start_matches("W/").trim_matches('"'))
        });
        let size = either("x-linked-size", "content-length").and_then(|text| text.parse().ok());
        let (Some(hash), Some(size)) = (hash, size) else {
            let reason = format!("it gives no SHA-256 or git hash, or no size, of {name}");
            return Err(answer(&url, reason));
        };
        let entry = Entry { hash, size };
        self.files.insert(name.to_owned(), Some(entry.clone()));
        Ok(entry)
    }
}

impl Files for Online<'_> {
    fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    fn names(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    fn json(&mut self, name: &str) -> Result<Value, HubError> {
        self.bring_one(name, None)?;
        read_json(&self.cache.snapshot(&self.commit).join(name))
    }
}
