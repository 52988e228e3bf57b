//! `images/`, `controls/`, `rejected/`: the decided images where people and trainers look for them.
//!
//! Every attempt's image lies once in `attempts/`; these folders hold hard links to it (copies where the
//! file system has none), laid out anew after every decision.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::decide::{Decision, Decisions, Row, Status};
use super::folder::Layout;
use crate::generate::AttemptId;
use crate::io::{self, IoError};

/// Folders that are laid out.
pub const FOLDERS: [&str; 3] = ["images", "controls", "rejected"];

/// Where a decided image is shown.
pub fn path(layout: &Layout, decided: &Decision) -> PathBuf {
    let measured = &decided.measured;
    let (class, mode) = (measured.class.as_str(), measured.mode.mode);
    let folder = match decided.status {
        Status::Kept => layout.images_dir(class, mode),
        Status::Control => layout.controls_dir(class, mode, measured.arm.name()),
        Status::Rejected => layout.rejected_dir(class, mode),
    };
    folder.join(measured.file_name())
}

/// The decided images that are shown, and where: of the rejected ones up to `keep_rejected` an arm, in plan
/// order.
pub fn shown<'a>(
    layout: &Layout,
    decisions: &'a Decisions,
    keep_rejected: usize,
) -> Vec<(&'a Decision, PathBuf)> {
    let mut shown = Vec::new();
    for outcome in &decisions.outcomes {
        let mut rejected = 0;
        for decided in &outcome.decided {
            rejected += usize::from(decided.status == Status::Rejected);
            if decided.status != Status::Rejected || rejected <= keep_rejected {
                shown.push((decided, path(layout, decided)));
            }
        }
    }
    shown
}

/// The rows of `decisions.jsonl`: every decided attempt, with where its image is shown.
pub fn rows(layout: &Layout, decisions: &Decisions, keep_rejected: usize) -> Vec<Row> {
    let mut shown = shown(layout, decisions, keep_rejected)
        .into_iter()
        .peekable();
    let row = |decision: &Decision| {
        let own = shown.next_if(|(other, _)| other.measured.id == decision.measured.id);
        let path = own.map_or_else(|| layout.attempt(&decision.measured), |(_, path)| path);
        Row::new(decision, layout, &path)
    };
    decisions.all().map(row).collect()
}

/// The first image that is to be shown and is not there.
pub fn missing(layout: &Layout, decisions: &Decisions, keep_rejected: usize) -> Option<PathBuf> {
    let shown = shown(layout, decisions, keep_rejected).into_iter();
    let mut images = shown.map(|(decided, _)| layout.attempt(&decided.measured));
    images.find(|image| !image.is_file())
}

/// Whether all folders of images are folders of the run's own.
///
/// # Errors
///
/// [`IoError::Write`] at a link, whose target may hold another's files.
pub fn check(layout: &Layout) -> Result<(), IoError> {
    let root = layout.root();
    FOLDERS
        .iter()
        .try_for_each(|name| check_below(&root.join(name)))
}

fn check_below(folder: &Path) -> Result<(), IoError> {
    let failed = |source| IoError::Write {
        path: folder.to_owned(),
        source,
    };
    let Ok(kind) = fs::symlink_metadata(folder) else {
        return Ok(());
    };
    if kind.is_symlink() && folder.is_dir() {
        let what = "a link to another folder, in which nothing is changed: remove the link";
        return Err(failed(std::io::Error::other(what)));
    }
    if kind.is_dir() {
        for entry in fs::read_dir(folder).map_err(failed)? {
            check_below(&entry.map_err(failed)?.path())?;
        }
    }
    Ok(())
}

/// Shows the images that count, and takes away those of an earlier decision.
///
/// Only files that are named like attempts are ever removed, and nothing behind a link.
///
/// # Errors
///
/// [`IoError`], naming the file; before anything is changed where a folder is a link ([`check`]).
pub fn lay_out(
    layout: &Layout,
    decisions: &Decisions,
    keep_rejected: usize,
) -> Result<(), IoError> {
    check(layout)?;
    let shown = shown(layout, decisions, keep_rejected);
    let wanted: BTreeMap<PathBuf, PathBuf> = shown
        .into_iter()
        .map(|(decided, path)| (path, layout.attempt(&decided.measured)))
        .collect();
    for name in FOLDERS {
        clear(&layout.root().join(name), &wanted)?;
    }
    for (to, from) in &wanted {
        if to.exists() {
            // Copies where the file system has no links; what differs was damaged, or made again since.
            if is_link(from, to) || io::read(from)? == io::read(to)? {
                continue;
            }
            fs::remove_file(to).map_err(|source| IoError::Write {
                path: to.clone(),
                source,
            })?;
        }
        place(from, to)?;
    }
    Ok(())
}

/// Whether two paths are the same file.
pub fn is_link(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |path: &Path| fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
        identity(a).is_some() && identity(a) == identity(b)
    }
    #[cfg(not(unix))]
    {
        let _ = (a, b);
        false
    }
}

/// Removes the images of attempts that are not wanted, and folders that are empty then.
fn clear(folder: &Path, wanted: &BTreeMap<PathBuf, PathBuf>) -> Result<(), IoError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| IoError::Write { path, source }
    };
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.is_dir() {
            clear(&path, wanted)?;
        } else if !wanted.contains_key(&path) && is_attempt(&path) {
            fs::remove_file(&path).map_err(failed(&path))?;
        }
    }
    // Not empty: something of another's is in it, which stays.
    let _ = fs::remove_dir(folder);
    Ok(())
}

/// Whether a file is named like an attempt's image.
pub fn is_attempt(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| AttemptId::parse(stem).is_some())
}

fn place(from: &Path, to: &Path) -> Result<(), IoError> {
    if let Some(folder) = to.parent() {
        io::create_dir_all(folder)?;
    }
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    io::write_atomic(to, &io::read(from)?)
}
