//! A run folder checked against itself: images, ledger and manifest, and whether the rest can be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::caption::table;
use crate::direction::persist;
use crate::io::image::{Exif, read_rgb};
use crate::io::{self, IoError};
use crate::manifest::ManifestError;
pub use crate::manifest::verify::{Problem, Report};
use crate::manifest::verify::{chain, run as of_images};
use crate::report::{
    DetectionReport, EvaluationReport, JsonFile, PoolRecord, RunRecord, Summary, csv,
};
use crate::run::cache::CacheFiles;
use crate::run::folder::Layout;
use crate::run::skipped;

/// Checks a run folder, which may have ended anywhere.
///
/// Besides what [`crate::manifest::verify::run`] says of images, ledger and manifest:
///
/// - the typed JSON files hold what their types say, in this version of the format;
/// - `directions.*`, `captions.parquet`, `skipped.jsonl` and all embeddings can be read, embeddings with an id
///   and a key each;
/// - the tables in `report/` are those of `report.json`, and contact sheets can be decoded;
/// - of a run that ended (`summary.json` is there), none of these that every run has is missing.
///
/// # Errors
///
/// [`ManifestError::Io`] if the folder itself cannot be read; what is wrong in it is in the report.
pub fn verify(layout: &Layout) -> Result<Report, ManifestError> {
    let mut report = of_images(layout)?;
    let root = layout.root();
    let ended = layout.summary().is_file();
    let mut check = Check {
        layout,
        report: &mut report,
    };
    check.json::<RunRecord>("run.json", true);
    let detection = check.json::<DetectionReport>("report.json", ended);
    check.json::<Summary>("summary.json", false);
    check.json::<EvaluationReport>("evaluate.json", false);
    check.json::<PoolRecord>("pool.json", false);
    let directions = ["directions.json", "directions.safetensors"];
    for name in directions {
        check.there(&root.join(name), ended, "run the same command again");
    }
    if directions.iter().all(|name| root.join(name).is_file()) {
        check.read(&layout.directions(), persist::read(root));
    }
    if layout.captions().is_file() {
        check.read(&layout.captions(), table::check(&layout.captions()));
    }
    if layout.skipped().is_file() {
        check.read(&layout.skipped(), skipped::read(&layout.skipped()));
    }
    if let Some(detection) = &detection {
        check.tables(detection, ended);
        check.sheets(detection, ended);
    }
    check.embeddings()?;
    Ok(report)
}

/// The report, and whose it is.
struct Check<'a> {
    layout: &'a Layout,
    report: &'a mut Report,
}

impl Check<'_> {
    fn what(&self, path: &Path) -> String {
        self.layout.relative(path).unwrap_or_default()
    }

    /// Notes that a file was read, or why it cannot be.
    fn read<T, E: std::error::Error>(&mut self, path: &Path, read: Result<T, E>) -> Option<T> {
        self.report.read += 1;
        read.map_err(|error| self.report.add(&self.what(path), &chain(&error)))
            .ok()
    }

    /// Whether a file is there, which one that `must` be is.
    fn there(&mut self, path: &Path, must: bool, remedy: &str) -> bool {
        let there = path.is_file();
        if must && !there {
            let problem = format!("is not there: {remedy}");
            self.report.add(&self.what(path), &problem);
        }
        there
    }

    fn json<T: JsonFile>(&mut self, name: &str, must: bool) -> Option<T> {
        let path = self.layout.root().join(name);
        let there = self.there(&path, must, T::REMEDY);
        there.then(|| self.read(&path, T::read(&path))).flatten()
    }

    /// The tables of `report/`, but for duplicates beyond those that the report lists.
    fn tables(&mut self, detection: &DetectionReport, must: bool) {
        let duplicates = &detection.duplicates;
        let path = self.layout.report();
        let Some(tables) = self.read(&path, csv::tables(detection, &duplicates.first)) else {
            return;
        };
        for (name, expected) in tables {
            let path = self.layout.report_dir().join(name);
            let whole = name != "duplicates.csv" || duplicates.count == duplicates.first.len();
            if !whole || !self.there(&path, must, "run the same command again") {
                continue;
            }
            let bytes = self.read(&path, io::read(&path));
            if bytes.is_some_and(|bytes| bytes != expected) {
                let problem = "differs from what report.json says: run the same command again";
                self.report.add(&self.what(&path), problem);
            }
        }
    }

    /// The contact sheets and their page.
    fn sheets(&mut self, detection: &DetectionReport, must: bool) {
        let remedy = format!(
            "`hardlight preview {}` draws it",
            self.layout.root().display()
        );
        let page = self.layout.previews_dir().join("index.html");
        if self.there(&page, must, &remedy) {
            self.read(&page, io::read_to_string(&page));
        }
        for entry in &detection.classes {
            let path = self.layout.preview(&entry.mode.class, entry.mode.mode);
            if !self.there(&path, must, &remedy) {
                continue;
            }
            self.report.read += 1;
            if let Err(error) = read_rgb(&path, Exif::Ignore) {
                let problem = format!("{}: {remedy} again", chain(&error));
                self.report.add(&self.what(&path), &problem);
            }
        }
    }

    /// Every matrix of embeddings, and its keys where it has some.
    fn embeddings(&mut self) -> Result<(), IoError> {
        let remedy = "delete it, and `hardlight run` embeds again what is missing";
        for path in matrices(&self.layout.embeddings_dir())? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let files = CacheFiles::new(&self.layout.embeddings_dir(), &name);
            self.report.read += 1;
            let (what, matrix) = (self.what(&path), io::matrix::read_keyed(&path));
            let (rows, ids) = match matrix {
                Ok((matrix, Some(ids))) => (matrix.nrows(), ids),
                Ok((_, None)) => {
                    self.report.add(&what, &format!("has no ids: {remedy}"));
                    continue;
                }
                Err(error) => {
                    let problem = format!("{}: {remedy}", chain(&error));
                    self.report.add(&what, &problem);
                    continue;
                }
            };
            if ids.iter().collect::<BTreeSet<_>>().len() != rows {
                let problem = format!("has {rows} rows, and ids that come twice: {remedy}");
                self.report.add(&what, &problem);
            }
            // Reference captions have none.
            if path == self.layout.references() {
                continue;
            }
            let keys = files.sha256();
            if keys.as_ref().is_none_or(|keys| keys.len() != rows) {
                let problem = format!("is not there, or of another matrix than {what}: {remedy}");
                self.report.add(&self.what(&files.keys), &problem);
            }
        }
        Ok(())
    }
}

/// The matrices of a folder, sorted; none if there is no such folder.
fn matrices(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let failed = |source| IoError::Read {
        path: folder.to_owned(),
        source,
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        found.push(entry.map_err(failed)?.path());
    }
    found.retain(|path| path.extension().is_some_and(|e| e == "safetensors"));
    found.sort();
    Ok(found)
}
