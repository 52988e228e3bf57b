//! A run folder checked against itself: what the ledger and the manifest say, and what is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{ManifestError, Row, Source, read_jsonl, write};
use crate::dataset::Members;
use crate::io::source::ImageSource;
use crate::io::{self, IoError};
use crate::run::decide::Decisions;
use crate::run::folder::Layout;
use crate::run::gallery;
use crate::run::state::State;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or row.
    pub what: String,
    /// What is wrong with it, and what to do.
    pub problem: String,
}

/// What was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Ledger lines.
    pub entries: usize,
    /// Manifest rows.
    pub rows: usize,
    /// Files whose bytes were hashed.
    pub hashed: usize,
    /// What was found.
    pub problems: Vec<Problem>,
}

/// Checks a run folder, which may hold no ledger or no manifest yet.
///
/// - Every image of the ledger is there with its hash; the decided ones are where they are shown, and
///   nothing else is there.
/// - Every row of `train.jsonl` is sound, its file (or its part of a larger file) is there with its
///   hash, and `train.csv` and
///   `train.parquet` hold the same bytes as the rows give again.
///
/// # Errors
///
/// [`ManifestError::Io`] if the folder itself cannot be read; what is wrong in it is in the report.
pub fn run(layout: &Layout) -> Result<Report, ManifestError> {
    let mut report = Report::default();
    if layout.ledger().exists() {
        match State::read(layout) {
            Ok(Some(state)) => check_attempts(&mut report, layout, &state)?,
            Ok(None) => report.add("plan.json", "is not there: run the same command again"),
            Err(error) => report.add("ledger.jsonl", &chain(&error)),
        }
    }
    let folder = layout.manifest_dir();
    if folder.join("train.jsonl").exists() {
        match read_jsonl(&folder.join("train.jsonl")) {
            Ok(rows) => check_manifest(&mut report, layout, &folder, &rows),
            Err(error) => report.add("manifest/train.jsonl", &chain(&error)),
        }
    }
    Ok(report)
}

/// Every measured image with its hash, and the folders of the decided ones.
fn check_attempts(
    report: &mut Report,
    layout: &Layout,
    state: &State,
) -> Result<(), ManifestError> {
    report.entries = state.known.len();
    if let Some(torn) = &state.torn {
        report.add("ledger.jsonl", &torn.to_string());
    }
    for measured in state.known.values() {
        let path = layout.attempt(measured);
        let file = layout.relative(&path).unwrap_or_default();
        report.hash(&file, io::read(&path), Some(&measured.sha256));
    }
    let goals = state.goals(&state.policy);
    let decisions = state.decide(&goals);
    check_decisions(report, layout, &decisions, state.policy.keep_rejected);
    let mut shown = BTreeSet::new();
    for (decided, path) in gallery::shown(layout, &decisions, state.policy.keep_rejected) {
        let file = layout.relative(&path).unwrap_or_default();
        // A link to what was hashed above has its bytes.
        if !gallery::is_link(&layout.attempt(&decided.measured), &path) {
            report.hash(&file, io::read(&path), Some(&decided.measured.sha256));
        }
        shown.insert(path);
    }
    for name in gallery::FOLDERS {
        for path in files(&layout.root().join(name))? {
            if !shown.contains(&path) {
                let what = layout.relative(&path).unwrap_or_default();
                report.add(
                    &what,
                    "is no image of this run: run the same command again, or delete it",
                );
            }
        }
    }
    Ok(())
}

/// Holds `decisions.jsonl` against the ledger, from which it follows.
fn check_decisions(report: &mut Report, layout: &Layout, decisions: &Decisions, rejected: usize) {
    const FILE: &str = "decisions.jsonl";
    let path = layout.decisions();
    if !path.is_file() {
        report.add(
            FILE,
            "is not there, so the run has not ended: run the same command again",
        );
        return;
    }
    let expected = io::jsonl::encode(&path, &gallery::rows(layout, decisions, rejected));
    match (io::read(&path), expected) {
        (Ok(bytes), Ok(expected)) if bytes == expected => {}
        (Ok(_), Ok(_)) => report.add(
            FILE,
            "differs from what the ledger says: run the same command again",
        ),
        (Err(error), _) | (_, Err(error)) => report.add(FILE, &chain(&error)),
    }
}

fn check_manifest(report: &mut Report, layout: &Layout, folder: &Path, rows: &[Row]) {
    report.rows = rows.len();
    let mut members = Members::default();
    for row in rows {
        // Synthetic images were hashed with the ledger.
        if row.source != Source::Synthetic {
            let path = layout.root().join(&row.root).join(&row.path);
            let member = row.member.as_ref();
            match member.map(|name| members.find(&path, name)).transpose() {
                Err(error) => report.add(&row.id, &chain(&error)),
                Ok(member) if row.sha256.is_some() => {
                    let image = ImageSource::new(path, member);
                    report.hash(&row.id, image.bytes(), row.sha256.as_deref());
                }
                Ok(_) if !path.is_file() => {
                    report.add(&row.id, &format!("{} is not there", path.display()));
                }
                Ok(_) => {}
            }
        }
    }
    match write::encode_all(rows) {
        Ok(encoded) => {
            for (name, expected) in encoded {
                match io::read(&folder.join(name)) {
                    Ok(bytes) if bytes == expected => {}
                    Ok(_) => report.add(
                        &format!("manifest/{name}"),
                        "differs from what train.jsonl says: run the same command again",
                    ),
                    Err(error) => report.add(&format!("manifest/{name}"), &chain(&error)),
                }
            }
        }
        Err(error) => report.add("manifest/train.jsonl", &chain(&error)),
    }
}

impl Report {
    fn add(&mut self, what: &str, problem: &str) {
        self.problems.push(Problem {
            what: what.to_owned(),
            problem: problem.to_owned(),
        });
    }

    fn hash(&mut self, what: &str, bytes: Result<Vec<u8>, IoError>, expected: Option<&str>) {
        self.hashed += 1;
        match bytes {
            Ok(bytes) if expected == Some(io::sha256_hex(&bytes).as_str()) => {}
            Ok(_) => self.add(what, "its bytes have another SHA-256 than noted"),
            Err(error) => self.add(what, &chain(&error)),
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// All files below a folder, sorted; none if there is no such folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let failed = |source| IoError::Read {
        path: folder.to_owned(),
        source,
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
