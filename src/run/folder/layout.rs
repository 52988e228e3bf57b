//! Where everything lies in a run folder.

use std::path::{Path, PathBuf};

use crate::dataset::slug;
use crate::run::ledger::Measured;

/// Where everything lies in a run folder, for those who write and those who only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of a folder, which need not exist.
    pub fn new(root: &Path) -> Self {
        let root = root.to_owned();
        Self { root }
    }

    /// The run folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Settings, versions, fingerprints.
    pub fn run_json(&self) -> PathBuf {
        self.root.join("run.json")
    }

    /// Every attempt; see [`crate::run::ledger`].
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.jsonl")
    }

    /// What attempts follow from; see [`crate::run::plan`].
    pub fn plan(&self) -> PathBuf {
        self.root.join("plan.json")
    }

    /// The image of an attempt.
    pub fn attempt(&self, measured: &Measured) -> PathBuf {
        let folder = &measured.id.as_str()[..2];
        self.root
            .join("attempts")
            .join(folder)
            .join(measured.file_name())
    }

    /// What was decided of every attempt; see [`crate::run::decide`].
    pub fn decisions(&self) -> PathBuf {
        self.root.join("decisions.jsonl")
    }

    /// The same with what was measured, as a table.
    pub fn ledger_table(&self) -> PathBuf {
        self.root.join("ledger.parquet")
    }

    /// What was picked from the pool; see [`crate::run::pool`].
    pub fn pool(&self) -> PathBuf {
        self.root.join("pool.json")
    }

    /// Embeddings of the classes' reference captions, which images of the pool are held against.
    pub fn references(&self) -> PathBuf {
        self.embeddings_dir().join("references.safetensors")
    }

    /// The figures a script needs.
    pub fn summary(&self) -> PathBuf {
        self.root.join("summary.json")
    }

    /// The detection report.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.json")
    }

    /// The same for people, with what came of it: one page.
    pub fn page(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// The comparison of two models, where `hardlight evaluate` wrote it.
    pub fn evaluation(&self) -> PathBuf {
        self.root.join("evaluate.json")
    }

    /// The folder of the report's tables.
    pub fn report_dir(&self) -> PathBuf {
        self.root.join("report")
    }

    /// Every caption with its scores.
    pub fn captions(&self) -> PathBuf {
        self.root.join("captions.parquet")
    }

    /// The accuracy on the images nearest to captions.
    pub fn captions_csv(&self) -> PathBuf {
        self.root.join("report").join("captions.csv")
    }

    /// The directions as matrices.
    pub fn directions(&self) -> PathBuf {
        self.root.join("directions.safetensors")
    }

    /// Images that were passed over.
    pub fn skipped(&self) -> PathBuf {
        self.root.join("skipped.jsonl")
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.root.join("run.log")
    }

    /// The folder of embeddings.
    pub fn embeddings_dir(&self) -> PathBuf {
        self.root.join("embeddings")
    }

    /// The folder of the manifest's three files.
    pub fn manifest_dir(&self) -> PathBuf {
        self.root.join("manifest")
    }

    /// The folder of the kept images of a failure mode.
    pub fn images_dir(&self, class: &str, mode: u32) -> PathBuf {
        self.root
            .join("images")
            .join(slug(class))
            .join(mode.to_string())
    }

    /// The folder of the images of a failure mode that failed a filter.
    pub fn rejected_dir(&self, class: &str, mode: u32) -> PathBuf {
        self.root
            .join("rejected")
            .join(slug(class))
            .join(mode.to_string())
    }

    /// The folder of a control arm's images.
    pub fn controls_dir(&self, class: &str, mode: u32, arm: &str) -> PathBuf {
        self.root
            .join("controls")
            .join(slug(class))
            .join(mode.to_string())
            .join(arm)
    }

    /// The contact sheet of a failure mode.
    pub fn preview(&self, class: &str, mode: u32) -> PathBuf {
        self.previews_dir()
            .join(format!("{}-{mode}.png", slug(class)))
    }

    /// The folder of contact sheets.
    pub fn previews_dir(&self) -> PathBuf {
        self.root.join("previews")
    }

    /// A path as the ledger and the manifest write it: relative to the run folder, with `/`.
    ///
    /// None for a path outside, or one that is not UTF-8.
    pub fn relative(&self, path: &Path) -> Option<String> {
        let parts: Option<Vec<_>> = path
            .strip_prefix(&self.root)
            .ok()?
            .components()
            .map(|part| match part {
                std::path::Component::Normal(name) => name.to_str(),
                _ => None,
            })
            .collect();
        Some(parts?.join("/"))
    }
}
