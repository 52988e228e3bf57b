//! A run folder's images checked: what the ledger and the manifest say, and what is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{ManifestError, Row, Source, read_jsonl, write};
use crate::dataset::Members;
use crate::generate::AttemptId;
use crate::io::source::ImageSource;
use crate::io::{self, IoError};
use crate::run::decide::{self, Decisions};
use crate::run::folder::Layout;
use crate::run::gallery;
use crate::run::ledger::{self, Measured};
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
    /// Other files that were read.
    pub read: usize,
    /// What was found.
    pub problems: Vec<Problem>,
}

/// Checks what follows from the ledger and the manifest; a run folder may hold neither yet.
///
/// - Every image of the ledger is there with its hash; the decided ones are where they are shown, and
///   nothing else is there. `decisions.jsonl` and `ledger.parquet` hold what the ledger says.
/// - Every row of `train.jsonl` is sound, its file (or its part of a larger file) is there with its
///   hash, and `train.csv` and `train.parquet` hold the same bytes as the rows give again.
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
            Err(error) => {
                report.add(error.file(), &chain(&error));
                check_images(&mut report, layout);
            }
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

/// The measured images, where nothing can be said of what was decided of them.
fn check_images(report: &mut Report, layout: &Layout) {
    if let Ok((lines, _)) = ledger::read(&layout.ledger()) {
        report.entries = lines.len();
        for measured in &lines {
            report.attempt(layout, measured, true);
        }
    }
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
    let decisions = state.decide(&state.goals(&state.policy));
    let counting: BTreeSet<&AttemptId> = decisions.all().map(|d| &d.measured.id).collect();
    for measured in state.known.values() {
        report.attempt(layout, measured, counting.contains(&measured.id));
    }
    check_decisions(report, layout, &decisions, state.policy.keep_rejected);
    let run = layout.root().display();
    let mut shown = BTreeSet::new();
    for (decided, path) in gallery::shown(layout, &decisions, state.policy.keep_rejected) {
        let file = layout.relative(&path).unwrap_or_default();
        // A link to what was hashed above has its bytes.
        if !gallery::is_link(&layout.attempt(&decided.measured), &path) {
            let remedy = format!("`hardlight decide {run}` lays it out again");
            let expected = &decided.measured.sha256;
            report.hash(&file, io::read(&path), Some(expected), &remedy);
        }
        shown.insert(path);
    }
    for name in gallery::FOLDERS {
        for path in files(&layout.root().join(name))? {
            if !shown.contains(&path) {
                let what = layout.relative(&path).unwrap_or_default();
                let remedy = if gallery::is_attempt(&path) {
                    format!("`hardlight decide {run}` takes it away")
                } else {
                    "delete it, or keep it elsewhere".to_owned()
                };
                report.add(&what, &format!("is no image of this run: {remedy}"));
            }
        }
    }
    Ok(())
}

/// Holds `decisions.jsonl` and `ledger.parquet` against the ledger, from which they follow.
fn check_decisions(report: &mut Report, layout: &Layout, decisions: &Decisions, rejected: usize) {
    let rows = gallery::rows(layout, decisions, rejected);
    let (lines, table) = (layout.decisions(), layout.ledger_table());
    let expected = io::jsonl::encode(&lines, &rows);
    report.derived(layout, &lines, expected);
    report.derived(layout, &table, decide::encode(&table, &rows));
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
                    let remedy = "restore it, or run again with another --out";
                    report.hash(&row.id, image.bytes(), row.sha256.as_deref(), remedy);
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
    /// Notes a problem; a file is named once, for what was found first.
    pub fn add(&mut self, what: &str, problem: &str) {
        if self.problems.iter().any(|known| known.what == what) {
            return;
        }
        self.problems.push(Problem {
            what: what.to_owned(),
            problem: problem.to_owned(),
        });
    }

    /// The image of an attempt, which counts or not.
    fn attempt(&mut self, layout: &Layout, measured: &Measured, counts: bool) {
        let path = layout.attempt(measured);
        let file = layout.relative(&path).unwrap_or_default();
        let run = layout.root().display();
        let again = format!(
            "hardlight generate --from {run} --id {} --out DIR",
            measured.id
        );
        let remedy = if counts {
            format!("`hardlight run` with the same settings makes it again, or `{again}`")
        } else {
            format!(
                "it does not count now, so `hardlight run` drops it and makes it again once it is needed; \
                 `{again}` makes it at once"
            )
        };
        self.hash(&file, io::read(&path), Some(&measured.sha256), &remedy);
    }

    fn hash(
        &mut self,
        what: &str,
        bytes: Result<Vec<u8>, IoError>,
        expected: Option<&str>,
        remedy: &str,
    ) {
        self.hashed += 1;
        match bytes {
            Ok(bytes) if expected == Some(io::sha256_hex(&bytes).as_str()) => {}
            Ok(_) => self.add(
                what,
                &format!("its bytes have another SHA-256 than noted: {remedy}"),
            ),
            Err(error) => self.add(what, &format!("{}: {remedy}", chain(&error))),
        }
    }

    /// A file that follows from the ledger.
    fn derived<E: std::error::Error>(
        &mut self,
        layout: &Layout,
        path: &Path,
        expected: Result<Vec<u8>, E>,
    ) {
        let what = layout.relative(path).unwrap_or_default();
        if !path.is_file() {
            self.add(
                &what,
                "is not there, so the run has not ended: run the same command again",
            );
            return;
        }
        self.read += 1;
        match (io::read(path), expected) {
            (Ok(bytes), Ok(expected)) if bytes == expected => {}
            (Ok(_), Ok(_)) => self.add(
                &what,
                "differs from what the ledger says: run the same command again",
            ),
            (Err(error), _) => self.add(&what, &chain(&error)),
            (_, Err(error)) => self.add(&what, &chain(&error)),
        }
    }
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
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
