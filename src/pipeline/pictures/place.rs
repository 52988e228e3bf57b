//! Where pictures may be written: not among what a run made, nor into the data.

use std::path::{Component, Path, PathBuf};

use crate::pipeline::error::Error;
use crate::pipeline::settings::Settings;
use crate::report::{DetectionReport, JsonFile as _};
use crate::run::folder::Layout;

/// Refuses a run folder.
///
/// # Errors
///
/// Of kind usage.
pub fn check(out: &Path) -> Result<(), Error> {
    if !out.join("run.json").is_file() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--out {} is a run folder, which holds what its run made and nothing else: choose another",
        out.display()
    )))
}

/// Refuses a folder that lies in a run folder, or in the folders of classes that it read.
///
/// A table names its images, so others may lie beside them.
///
/// # Errors
///
/// Of kind usage.
pub fn check_beside(out: &Path, layout: &Layout, settings: &Settings) -> Result<(), Error> {
    let place = resolved(out);
    let refuse = |what: &str, folder: &Path, holds: &str| {
        Err(Error::usage(format!(
            "--out {} lies in {what} {}, which holds {holds}: choose a folder outside of it",
            out.display(),
            folder.display()
        )))
    };
    let run = layout.root();
    if place.starts_with(resolved(run)) {
        return refuse("the run folder", run, "what the run made and nothing else");
    }
    if settings.data.table.is_some() {
        return Ok(());
    }
    let report = DetectionReport::read(&layout.report()).ok();
    let root = report.map(|report| run.join(report.root));
    for root in root.iter().chain(&settings.data.root) {
        if place.starts_with(resolved(root)) {
            let holds = "the images that the run learned from, and would be read as one of them";
            return refuse("the data folder", root, holds);
        }
    }
    Ok(())
}

/// A path without links and dots, as far as it exists; the rest as it is spelled.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    let Some((ancestor, mut resolved)) = there else {
        return path;
    };
    for part in path
        .strip_prefix(ancestor)
        .iter()
        .flat_map(|p| p.components())
    {
        match part {
            Component::ParentDir => _ = resolved.pop(),
            part => resolved.push(part),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ErrorKind;

    fn refused(out: &Path, layout: &Layout, settings: &Settings) -> String {
        let error = check_beside(out, layout, settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string()
    }

    #[test]
    fn neither_the_run_nor_the_data_takes_other_pictures() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (layout, mut settings) = (Layout::new(&at("run")), Settings::default());
        for folder in ["run/attempts", "faces/train"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        settings.data.root = Some(at("faces"));
        for out in ["run", "run/again", "run/attempts/../new/deep", "new/../run"] {
            let text = refused(&at(out), &layout, &settings);
            assert!(text.contains("lies in the run folder"), "{text}");
        }
        for out in ["faces", "faces/train/old"] {
            let text = refused(&at(out), &layout, &settings);
            assert!(text.contains("lies in the data folder"), "{text}");
        }
        for out in ["again", "run-again", "run/../again", "faces2"] {
            check_beside(&at(out), &layout, &settings).unwrap();
        }
        settings.data.table = Some(at("faces/table.csv"));
        check_beside(&at("faces/again"), &layout, &settings).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_into_the_run_is_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        std::fs::create_dir_all(&run).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&run, &link).unwrap();
        let settings = Settings::default();
        let text = refused(&link.join("again"), &Layout::new(&run), &settings);
        assert!(text.contains("lies in the run folder"), "{text}");
    }

    #[test]
    fn a_run_folder_is_refused_whosever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path()).unwrap();
        std::fs::write(dir.path().join("run.json"), "{}").unwrap();
        let error = check(dir.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("is a run folder"), "{error}");
    }
}
